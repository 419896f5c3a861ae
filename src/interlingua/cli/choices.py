"""What a command line says in several ways: the first argument, --set, other options, the file."""

from __future__ import annotations

import re
import shlex
from itertools import islice
from pathlib import Path
from typing import Any

from interlingua.data.formats.parquet import is_dataset
from interlingua.data.formats.table import FORMATS, format_of
from interlingua.data.settings import CorpusSettings
from interlingua.errors import ConfigurationError

LOOKED_AT = 10_000
"""Files of a directory."""

__all__ = ["is_experiment", "refuse_contradiction", "without_replaced"]


def is_experiment(file: Path) -> bool:
    """Whether a file is TOML, perhaps with mistakes, and not a file of pairs."""
    if is_dataset(file):
        return False
    if file.is_dir():
        raise ConfigurationError("this is a directory", where=file, accepted=_advice_on(file))
    if file.suffix == ".toml":
        return True
    name = format_of(str(file), CorpusSettings())
    if not file.is_file() or name != "tsv":
        return False  # a pipe, or nothing: said when it is read
    with file.open("rb") as stream:
        beginning = stream.read(1 << 16)
    lines = [line for line in beginning.split(b"\n") if line.strip() and not line.lstrip().startswith(b"#")]
    return bool(lines) and re.match(rb"\s*(\[[\w. ]+\]|[\w.]+\s*=[^\t]*)\s*(#.*)?$", lines[0]) is not None


def _advice_on(directory: Path) -> str:
    from interlingua.data.sources import PICTURES, SOUNDS

    if (directory / "config.toml").is_file():
        return f"To go on with a run: --resume {directory}. To start from a model: --from {directory}."
    names = sorted(path.name for path in islice(directory.iterdir(), LOOKED_AT))
    of_pairs = [suffix for form in FORMATS.values() for suffix in form.suffixes if suffix != ".txt"]
    if pairs := [name for name in names if name.endswith((*of_pairs, ".tsv"))]:
        return f"Name the file of pairs, such as {directory / pairs[0]}"
    for kind, suffixes in (("picture", PICTURES), ("sound", SOUNDS)):
        if named := [name for name in names if Path(name).suffix.lower() in suffixes]:
            return _commands(directory, kind, named[0])
    return "A file of pairs is needed: a line for each, source, a tab and target."


def _commands(directory: Path, kind: str, name: str) -> str:
    """How a file of pairs is made where the text lies beside each file."""
    pair = """printf '%s\\t%s\\n' "$f" "$(tr '\\n\\t' '  ' < "${f%.*}.txt" | sed 's/ *$//')\""""
    loop = f"for f in *{Path(name).suffix}; do {pair}; done > pairs.tsv"
    return (
        f"A file of pairs is needed in it: a line for each {kind}, such as {name}, a tab and its text.\n"
        f"  Where a .txt lies beside each: (cd {shlex.quote(str(directory))} && {loop})"
    )


ALTERNATIVES = {"training": {"minutes", "max_steps"}, "data": {"train", "corpora"}}
"""Keys of a section of which one is given."""


def without_replaced(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A budget that is given replaces that of the file, be it time or steps; so does what to train on."""
    for section, keys in ALTERNATIVES.items():
        table = values.get(section)
        if isinstance(table, dict) and (given.get(section) or {}).keys() & keys:
            values = {**values, section: {key: value for key, value in table.items() if key not in keys}}
    return values


def refuse_contradiction(settings: dict[str, Any], options: dict[str, Any], section: str = "") -> None:
    """What an option says --set may say as well, but not otherwise."""
    for key in settings.keys() & options.keys():
        setting, option = settings[key], options[key]
        if isinstance(setting, dict) and isinstance(option, dict):
            refuse_contradiction(setting, option, f"{section}{key}.")
        # data.train = "a.tsv" says the same as ["a.tsv"].
        elif setting not in (option, *(option if isinstance(option, list) and len(option) == 1 else [])):
            raise ConfigurationError(
                f"--set {section}{key} and another option contradict each other", where="command line",
                found=f"{setting} and {option}", accepted="Give one of them.",
            )  # fmt: skip
