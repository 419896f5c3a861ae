"""`interlingua look`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlingua.cli.lines import check_output, open_output, refuse_same_file
from interlingua.cli.look_checks import check_looked_at, refuse_options
from interlingua.cli.models import Use, find_model, find_use, load_model
from interlingua.cli.options import Beam, Device, Guidance, Json, MinP, Tag, Temperature, Threads, TopK, TopP
from interlingua.files import write_text
from interlingua.search.settings import SearchSettings
from interlingua.text.columns import add_tag, check_tag

if TYPE_CHECKING:
    from interlingua.views.look_data import Look
    from interlingua.views.look_pictures_data import PaintingLook, PictureLook
    from interlingua.views.look_sound_data import SoundLook

__all__ = ["look"]


def look(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT|FILE", help="What to translate or to paint, in quotes; of a model of sounds or "
                                      "pictures, a sound or picture file."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The page to write; look.html when neither this nor --json is given.")
    ] = None,
    json_output: Json = False,
    tag: Tag = None,
    beam: Beam = None,
    part: Annotated[
        int,
        typer.Option(min=1, help="Which part to show of a text or sound that is too long for the model."),
    ] = 1,
    seed: Annotated[int | None, typer.Option(help="Of a painting: with its caption, decides it.")] = None,
    guidance: Guidance = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    min_p: MinP = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:  # fmt: skip
    """Look inside: one web page of what the model does with a text, a sound, a picture or a caption to paint.

    Attention of every layer and head, probabilities with the runners-up, the beam's tree, the alignment; of a
    sound also its spectrogram, CTC's spikes and the words with their times, to listen to; of a picture where
    each word looked; of a painting where each patch looked in its caption, and how it grew. The page needs no
    network and no other file.

    Example: `interlingua look runs/en-de "A dog runs." --out dog.html`

    Of a sound: `interlingua look runs/calls message.wav --out message.html`

    Of a picture: `interlingua look runs/captions cat.png --out cat.html`

    Of a painting: `interlingua look runs/emoji "a sad cat" --seed 3 --out cat.html`
    """
    drawing = {"seed": seed, "guidance": guidance, "temperature": temperature, "top_k": top_k, "top_p": top_p,
               "min_p": min_p}  # fmt: skip
    drawing = {key: value for key, value in drawing.items() if value is not None}
    SearchSettings.parse({**drawing, "sample": True}, where="command line")
    find_model(model)
    use = find_use(model)
    searching = {"beam": beam, "part": part if part > 1 else None, "tag": tag}
    refuse_options(model, use, {**drawing, **searching})
    page = None if out is None and json_output else out or Path("look.html")
    file = check_looked_at(model, use, given)
    refuse_same_file([file, *model.iterdir()] if file else [*model.iterdir()], page, "--out")
    if json_output:
        check_output(None)
    if page is not None:
        check_output(page)
    options: dict[str, Any] = {"name": model.resolve().name, "beam": beam, "part": part, **drawing}
    data, html = LOOKS[use](model, given[0], tag, options, {"device": device, "threads": threads})
    if json_output:
        from interlingua.views.page import as_json

        with open_output(None) as write:
            write(as_json(data.as_data()) + "\n")
    if page is None:
        return
    write_text(page, html())
    if (parts := getattr(data, "parts", 1)) > 1:
        what = "recording" if use == "sound" else "text"
        print(
            f"interlingua: the {what} is too long for the model: this is part {part} of {parts}",
            file=sys.stderr,
        )
    print(f"{page}: open it in a browser", file=sys.stderr)


def _look_at_text(
    model: Path, text: str, tag: str | None, options: dict[str, Any], compute: dict[str, Any]
) -> tuple[Look, Callable[[], str]]:
    """What there is to see of a text, and what makes a page of it."""
    from interlingua.views.look import look as look_inside
    from interlingua.views.look import look_page

    translator = load_model(model, **compute)
    data = look_inside(translator, _tagged(text, tag, translator.tokenizers.source), **options)
    return data, lambda: look_page(data)


def _look_at_sound(
    model: Path, sound: str, tag: str | None, options: dict[str, Any], compute: dict[str, Any]
) -> tuple[SoundLook, Callable[[], str]]:
    """What there is to see of a sound, and what makes a page of it."""
    from interlingua.views.look_sound import look_at_sound, look_at_sound_page

    data = look_at_sound(load_model(model, **compute, of="sound"), sound, file=Path(sound).name, **options)
    return data, lambda: look_at_sound_page(data)


def _look_at_picture(
    model: Path, picture: str, tag: str | None, options: dict[str, Any], compute: dict[str, Any]
) -> tuple[PictureLook, Callable[[], str]]:
    """What there is to see of a picture, and what makes a page of it."""
    from interlingua.views.look_picture import look_at_picture, look_at_picture_page

    captioner = load_model(model, **compute, of="picture")
    data = look_at_picture(captioner, picture, name=options["name"], beam=options["beam"])
    return data, lambda: look_at_picture_page(data)


def _look_at_painting(
    model: Path, caption: str, tag: str | None, options: dict[str, Any], compute: dict[str, Any]
) -> tuple[PaintingLook, Callable[[], str]]:
    """What there is to see of a caption and its picture, and what makes a page of it."""
    from interlingua.views.look_painting import look_at_painting, look_at_painting_page

    painter = load_model(model, **compute, of="paint")
    drawing = {"seed": 0} | {key: value for key, value in options.items() if key not in ("beam", "part")}
    data = look_at_painting(painter, _tagged(caption, tag, painter.captions), **drawing)
    return data, lambda: look_at_painting_page(data)


LOOKS: dict[Use, Callable[..., tuple[Any, Callable[[], str]]]] = {
    "text": _look_at_text, "sound": _look_at_sound, "picture": _look_at_picture, "paint": _look_at_painting,
}  # fmt: skip


def _tagged(text: str, tag: str | None, tokenizer: object) -> str:
    if tag is not None:
        check_tag(tag, tokenizer, "--tag")
    return add_tag(tag, text)
