"""Options that several verbs share, so that they are called and explained alike everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from interlingua.errors import ConfigurationError
from interlingua.search.settings import SearchSettings

__all__ = [
    "Beam", "Columns", "Device", "Engine", "Guidance", "Json", "Keys", "Languages", "MinP", "OnEmpty",
    "Precision", "Seed", "SourceKind", "Tag", "Temperature", "Threads", "TopK", "TopP", "comma_separated",
    "pair_options", "refuse_options",
]  # fmt: skip

PRECISIONS = ("auto", "fp32", "bf16", "int8")
ENGINES = ("interlingua", "ctranslate2")


def _known_device(value: str) -> str:
    """Refuses what is a device nowhere; only PyTorch knows what there is here, and takes seconds to load."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ConfigurationError(
            "there is no such device",
            where="--device",
            found=value,
            accepted="auto, cpu, cuda, cuda:1 or mps.",
        )
    return value


def _known_precision(value: str | None) -> str | None:
    if value not in (None, *PRECISIONS):
        raise ConfigurationError(
            "there is no such precision", where="--precision", found=value,
            accepted=f"One of: {', '.join(PRECISIONS)}.",
        )  # fmt: skip
    return value


def _known_engine(value: str | None) -> str | None:
    if value not in (None, *ENGINES):
        raise ConfigurationError(
            "there is no such engine", where="--engine", found=value,
            accepted=f"One of: {', '.join(ENGINES)}.",
        )  # fmt: skip
    return value


def _possible_beam(value: int | None) -> int | None:
    if value is not None:
        SearchSettings.parse({"beam": value}, where="command line")
    return value


Device = Annotated[
    str, typer.Option(help="cpu, cuda, cuda:1, mps; auto takes the best there is.", callback=_known_device)
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1, max=1024, help="CPU threads; all cores when not given, or in train --minutes what is fastest."
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="What to compute in: auto, fp32, bf16; for using a model also int8.", callback=_known_precision
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="What computes: interlingua, the default, or ctranslate2, an extra.", callback=_known_engine
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Of everything random.")]
Beam = Annotated[
    int | None,
    typer.Option(
        callback=_possible_beam,
        help="Hypotheses kept a sentence; 1 is greedy search. By default the model's.",
    ),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        help="How much more the caption counts than by itself; 1 is as learnt. By default the model's."
    ),
]
Temperature = Annotated[float | None, typer.Option(help="Below 1 is more careful, above 1 more daring.")]
TopK = Annotated[int | None, typer.Option(help="Draw from the so many most probable tokens; 0 = all.")]
TopP = Annotated[
    float | None, typer.Option(help="Draw from the fewest tokens that hold this share of probability.")
]
MinP = Annotated[
    float | None, typer.Option(help="Draw from tokens at least this share as probable as the best; 0 = all.")
]
Columns = Annotated[
    str | None,
    typer.Option(
        help="Source and target column of files with more than two, such as 1,2, or their names in the first "
        "line, such as english,german."
    ),
]
Keys = Annotated[str | None, typer.Option(help="Source and target key of JSON lines, such as src,tgt.")]
Languages = Annotated[
    tuple[str, str] | None,
    typer.Option(help="Codes of source and target in files of several, such as TMX: en de. The model's."),
]
OnEmpty = Annotated[
    str | None, typer.Option(help="What to do about pairs with an empty side: error (default) or skip.")
]
SourceKind = Annotated[
    str | None,
    typer.Option(help="What sources are: text, sound or picture (names of files); seen from the data."),
]
Tag = Annotated[str | None, typer.Option(help="Of a model of several tagged corpora: that of all sources.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def comma_separated(value: str) -> list[str]:
    """The parts of a value with commas."""
    return [part.strip() for part in value.split(",")]


def pair_options(
    columns: str | None,
    keys: str | None,
    on_empty: str | None,
    source_kind: str | None = None,
    languages: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """The options on how pairs are written, as keys of the [data] section; only those given."""
    given = {
        "columns": comma_separated(columns) if columns else None,
        "keys": comma_separated(keys) if keys else None,
        "on_empty": on_empty,
        "source_kind": source_kind,
        "languages": languages and [*languages],
    }
    return {key: value for key, value in given.items() if value is not None}


def refuse_unread(files: Iterable[str], columns: str | None, keys: str | None) -> None:
    """Refuses columns, or keys, by which none of the files is read.

    Args:
        files: of pairs, by the ends of whose names it is known how they are written.
        columns: as --columns gives them.
        keys: as --keys gives them.

    Raises:
        ConfigurationError: says what the files go by instead.
    """
    from interlingua.data.formats.table import FORMATS, format_of
    from interlingua.data.settings import CorpusSettings

    kinds = {format_of(file, CorpusSettings()) for file in files}
    if "zip" in kinds:  # of anything
        return
    formats = [FORMATS[kind] for kind in kinds]
    for option, value, read in (
        ("--columns", columns, [format.columns for format in formats]),
        ("--keys", keys, [format.keys for format in formats]),
    ):
        if value and formats and not any(read):
            by_keys = any(format.keys for format in formats)
            by_columns = any(format.columns for format in formats)
            instead = "--columns 1,2" if by_columns else "--languages en de"
            instead = "--keys SOURCE,TARGET" if by_keys else instead
            raise ConfigurationError(
                f"no file that is named here is read by {option[2:]}", where=option, found=value,
                accepted=f"{', '.join(sorted(kinds))} files: {instead}",
            )  # fmt: skip


def refuse_options(what: str, options: Mapping[str, Any]) -> None:
    """Refuses what says nothing to some models.

    Args:
        what: they are of, or do.
        options: by their names; None, False or empty where they were not given.

    Raises:
        ConfigurationError: names those that were given.
    """
    if named := [name for name, value in options.items() if value not in (None, False, [])]:
        raise ConfigurationError(f"this does not go with {what}", where="command line",
                                 found=", ".join(named), accepted="Leave it out.")  # fmt: skip
