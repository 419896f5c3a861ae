"""`interlingua look`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from interlingua.cli.lines import check_output, open_output
from interlingua.cli.models import find_model, load_model
from interlingua.cli.options import Beam, Device, Json, Tag, Threads
from interlingua.files import write_text
from interlingua.text.columns import add_tag, check_tag

__all__ = ["look"]


def look(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    text: Annotated[str, typer.Argument(help="What to translate, in quotes.")],
    out: Annotated[
        Path | None, typer.Option(help="The page to write; look.html when neither this nor --json is given.")
    ] = None,
    json_output: Json = False,
    tag: Tag = None,
    beam: Beam = None,
    part: Annotated[
        int, typer.Option(min=1, help="Which part to show of a text that is too long for the model.")
    ] = 1,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Look inside: one web page of what the model does with a text.

    Attention of every layer and head, probabilities with the runners-up, the beam's tree, the alignment. The
    page needs no network and no other file.

    Example: `interlingua look runs/en-de "A dog runs." --out dog.html`
    """
    find_model(model)
    page = None if out is None and json_output else out or Path("look.html")
    if json_output:
        check_output(None)
    if page is not None:
        check_output(page)

    from interlingua.views.look import look as look_inside
    from interlingua.views.look import look_page
    from interlingua.views.page import as_json

    translator = load_model(model, device, threads)
    if tag is not None:
        check_tag(tag, translator.tokenizers.source, "--tag")
        text = add_tag(tag, text)
    data = look_inside(translator, text, name=model.resolve().name, beam=beam, part=part)
    if json_output:
        with open_output(None) as write:
            write(as_json(data.as_data()) + "\n")
    if page is None:
        return
    write_text(page, look_page(data))
    if data.parts > 1:
        print(
            f"interlingua: the text is too long for the model: this is part {part} of {data.parts}",
            file=sys.stderr,
        )
    print(f"{page}: open it in a browser", file=sys.stderr)
