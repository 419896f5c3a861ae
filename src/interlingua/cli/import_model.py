"""`interlingua import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from interlingua.errors import ConfigurationError
from interlingua.text.languages import check_language

__all__ = ["import_model"]


def import_model(
    place: Annotated[
        Path,
        typer.Argument(help="A Marian package or a MarianMT directory of Hugging Face, or a zip of one."),
    ],
    out: Annotated[Path, typer.Option(help="The model directory to make.")],
    languages: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Codes of source and target, such as en de, where the package does not say them."),
    ] = None,
) -> None:
    """Bring a model from another toolkit: Marian, OPUS-MT, or MarianMT of Hugging Face.

    It is translated with, looked into, served and trained on like any other. Where transformers is installed,
    a model of Hugging Face is compared with what it computes there. Nothing is downloaded.

    Example: `interlingua import opus-mt-en-de/ --out models/en-de`
    """
    for code in languages or ():
        _check(code)

    from interlingua.interchange.importing import import_model as bring
    from interlingua.runs.directory import check_place

    out = check_place(out)
    imported = bring(place, out, languages)
    console = Console(highlight=False)
    console.print(f"{place}: a {imported.what}", soft_wrap=True, markup=False)
    for note in (*imported.notes, imported.proof):
        console.print(f"  {note}", soft_wrap=True, markup=False)
    console.print(f'{out}: to try it, interlingua translate {out} "..."', soft_wrap=True, markup=False)


def _check(code: str) -> None:
    try:
        check_language(code)
    except ValueError as error:
        raise ConfigurationError(str(error), where="--languages", found=code) from None
