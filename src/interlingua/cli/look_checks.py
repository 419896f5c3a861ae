"""What `interlingua look` is given, checked before PyTorch, which takes seconds, is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from interlingua.cli.models import Use, source_kind
from interlingua.errors import ConfigurationError, DataError
from interlingua.text.normalise import is_blank

__all__ = ["check_looked_at", "refuse_options"]

NAMES: dict[Use, str] = {"text": "text", "sound": "sound", "picture": "picture", "paint": "caption"}
WORK: dict[Use, str] = {"text": "translates texts", "paint": "paints captions"}
EXAMPLES: dict[Use, str] = {"text": '"A dog runs."', "paint": '"a red ring above a blue square"'}
DRAWING = ("seed", "guidance", "temperature", "top_k", "top_p", "min_p")
"""Options of models that paint."""


def check_looked_at(model: Path, use: Use, given: list[str]) -> Path | None:
    """Refuses what the model cannot be shown; the file, if it is one.

    Args:
        model: its directory.
        use: what it is for.
        given: the arguments after it.

    Raises:
        ConfigurationError: there are several arguments, or one of another kind.
        DataError: there is nothing in it, or the file cannot be read.
    """
    name = NAMES[use]
    of_files = use in ("sound", "picture")
    if len(given) > 1:
        advice = f"The name of a {name} file; a name with spaces stands in quotes."
        if not of_files:
            advice = f"A {name} of several words stands in quotes, such as {EXAMPLES[use]}"
        raise ConfigurationError(
            f"only one {name} can be looked at", where="look", accepted=advice,
            found=f"{len(given)} arguments after the model",
        )  # fmt: skip
    if of_files:
        _check_file(model, use, given[0])
        return Path(given[0])
    if use == "paint":
        _check_caption(model, given[0])
    for kind in ("sound", "picture"):
        if _is_file_of(kind, given[0]):
            raise ConfigurationError(
                f"this is a {kind}, but the model {WORK[use]}", where=model, found=given[0],
                accepted=f"A {name} in quotes, such as {EXAMPLES[use]}",
            )  # fmt: skip
    return None


def refuse_options(model: Path, use: Use, options: Mapping[str, Any]) -> None:
    """Refuses options that mean nothing to the model.

    Args:
        model: its directory.
        use: what it is for.
        options: by their names; None where they were not given.

    Raises:
        ConfigurationError: names the first of them.
    """
    reasons: dict[str, str] = {}
    if use == "paint":
        reasons["beam"] = "tokens of pictures are drawn one by one, without a beam"
        reasons["part"] = "a caption is painted as a whole, not in parts"
    else:
        found = "searches for the best text" if use == "text" else f"says what is in a {use}"
        reasons |= dict.fromkeys(DRAWING, f"this model paints no pictures: it {found}")
    if use == "picture":
        reasons["part"] = "a picture is seen as a whole, not in parts"
    if use in ("sound", "picture"):
        reasons["tag"] = f"{use}s have no tags"
    for option, reason in reasons.items():
        if options.get(option) is not None:
            where = f"--{option.replace('_', '-')}"
            raise ConfigurationError(reason, where=where, found=options[option],
                                     accepted=f"Leave it out for {model}.")  # fmt: skip


def _check_file(model: Path, use: Use, file: str) -> None:
    from interlingua.pictures.reading import read_picture
    from interlingua.sound.reading import measure_seconds

    if not file:
        raise DataError(f"the name of the {use} is empty", where="look",
                        accepted=f"The name of a {use} file.")  # fmt: skip
    try:
        if use == "sound":
            measure_seconds(file)
        else:
            read_picture(file, 8)
    except DataError as error:
        accepted = error.accepted or f"{model} is a model of {use}s: name a {use} file."
        raise DataError(error.what, where=error.where, found=error.found, accepted=accepted) from None


def _check_caption(model: Path, caption: str) -> None:
    if source_kind(model) != "text":
        raise ConfigurationError("only paintings of captions can be looked at", where=model,
                                 found=f"a model that makes pictures of {source_kind(model)}s")  # fmt: skip
    if is_blank(caption):
        raise DataError("the caption is empty", where="look", found=caption,
                        accepted=f"For example: {EXAMPLES['paint']}")  # fmt: skip


def _is_file_of(kind: str, text: str) -> bool:
    from interlingua.data.sources import PICTURES, SOUNDS

    with suppress(OSError, ValueError):  # as a name it may be too long, or hold a NUL
        return (
            Path(text).suffix.lower() in {"sound": SOUNDS, "picture": PICTURES}[kind] and Path(text).is_file()
        )
    return False
