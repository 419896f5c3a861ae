"""What a command line says in several ways: the first argument, --set, other options, the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from interlingua.data.formats.parquet import is_dataset
from interlingua.data.formats.table import format_of
from interlingua.data.settings import CorpusSettings
from interlingua.errors import ConfigurationError

__all__ = ["is_experiment", "refuse_contradiction", "without_replaced"]


def is_experiment(file: Path) -> bool:
    """Whether a file is TOML, perhaps with mistakes, and not a file of pairs."""
    if is_dataset(file):
        return False
    if file.is_dir():
        raise ConfigurationError(
            "this is a directory", where=file,
            accepted=f"To go on with a run: --resume {file}. To start from a model: --from {file}.",
        )  # fmt: skip
    if file.suffix == ".toml":
        return True
    name = format_of(str(file), CorpusSettings())
    if not file.is_file() or name != "tsv":
        return False  # a pipe, or nothing: said when it is read
    with file.open("rb") as stream:
        beginning = stream.read(1 << 16)
    lines = [line for line in beginning.split(b"\n") if line.strip() and not line.lstrip().startswith(b"#")]
    return bool(lines) and re.match(rb"\s*(\[[\w. ]+\]|[\w.]+\s*=[^\t]*)\s*(#.*)?$", lines[0]) is not None


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
