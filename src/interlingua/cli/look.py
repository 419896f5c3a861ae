"""`interlingua look`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlingua.cli.lines import check_output, open_output, refuse_same_file
from interlingua.cli.models import find_model, load_model, source_kind
from interlingua.cli.options import Beam, Device, Json, Tag, Threads
from interlingua.errors import ConfigurationError, DataError
from interlingua.files import write_text
from interlingua.text.columns import add_tag, check_tag

if TYPE_CHECKING:
    from interlingua.views.look_data import Look
    from interlingua.views.look_sound_data import SoundLook

__all__ = ["look"]


def look(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT|SOUND", help="What to translate, in quotes; of a model of sounds, a sound file."
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
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Look inside: one web page of what the model does with a text, or a sound.

    Attention of every layer and head, probabilities with the runners-up, the beam's tree, the alignment; of a
    sound also its spectrogram, CTC's spikes and the words with their times, to listen to. The page needs no
    network and no other file.

    Example: `interlingua look runs/en-de "A dog runs." --out dog.html`

    Of a sound: `interlingua look runs/calls message.wav --out message.html`
    """
    find_model(model)
    of_sound = source_kind(model) == "sound"
    page = None if out is None and json_output else out or Path("look.html")
    (_check_sound if of_sound else _check_text)(model, text, tag, page)
    if json_output:
        check_output(None)
    if page is not None:
        check_output(page)
    options: dict[str, Any] = {"name": model.resolve().name, "beam": beam, "part": part}
    show = _look_at_sound if of_sound else _look_at_text
    data, html = show(model, text[0], tag, options, {"device": device, "threads": threads})
    if json_output:
        from interlingua.views.page import as_json

        with open_output(None) as write:
            write(as_json(data.as_data()) + "\n")
    if page is None:
        return
    write_text(page, html())
    if data.parts > 1:
        what = "recording" if of_sound else "text"
        print(
            f"interlingua: the {what} is too long for the model: this is part {part} of {data.parts}",
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
    if tag is not None:
        check_tag(tag, translator.tokenizers.source, "--tag")
        text = add_tag(tag, text)
    data = look_inside(translator, text, **options)
    return data, lambda: look_page(data)


def _look_at_sound(
    model: Path, sound: str, tag: str | None, options: dict[str, Any], compute: dict[str, Any]
) -> tuple[SoundLook, Callable[[], str]]:
    """What there is to see of a sound, and what makes a page of it."""
    from interlingua.views.look_sound import look_at_sound, look_at_sound_page

    data = look_at_sound(load_model(model, **compute, of="sound"), sound, file=Path(sound).name, **options)
    return data, lambda: look_at_sound_page(data)


def _check_text(model: Path, texts: list[str], tag: str | None, page: Path | None) -> None:
    """Refuses what is no single text, before PyTorch, which takes seconds, is loaded."""
    if len(texts) > 1:
        raise ConfigurationError(
            "only one text can be looked at", where="look", found=f"{len(texts)} arguments after the model",
            accepted='A text of several words stands in quotes, such as "A dog runs."',
        )  # fmt: skip
    if _is_sound(texts[0]):
        raise ConfigurationError(
            "this is a sound, but the model translates texts", where=model, found=texts[0],
            accepted='A text in quotes, such as "A dog runs."',
        )  # fmt: skip


def _is_sound(text: str) -> bool:
    from interlingua.data.sources import SOUNDS

    with suppress(OSError):  # as a name it may be too long
        return Path(text).suffix.lower() in SOUNDS and Path(text).is_file()
    return False


def _check_sound(model: Path, sounds: list[str], tag: str | None, page: Path | None) -> None:
    """Refuses what is no single sound file, before PyTorch is loaded."""
    from interlingua.sound.reading import measure_seconds

    if tag is not None:
        raise ConfigurationError("sounds have no tags", where="--tag", found=tag)
    if len(sounds) > 1:
        raise ConfigurationError(
            "only one sound can be looked at", where="look", found=f"{len(sounds)} arguments after the model",
            accepted="The name of a sound file; a name with spaces stands in quotes.",
        )  # fmt: skip
    if not sounds[0]:
        raise DataError("the name of the sound is empty", where="look", accepted="The name of a sound file.")
    try:
        measure_seconds(sounds[0])
    except DataError as error:
        accepted = error.accepted or f"{model} is a model of sounds: name a sound file."
        raise DataError(error.what, where=error.where, found=error.found, accepted=accepted) from None
    refuse_same_file([Path(sounds[0]), *model.iterdir()], page, "--out")
