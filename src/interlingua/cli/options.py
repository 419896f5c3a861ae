"""Options that several verbs share, so that they are called and explained alike everywhere."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = [
    "Beam", "Columns", "Device", "Json", "Keys", "OnEmpty", "Precision", "Seed", "Threads", "comma_separated",
    "pair_options",
]  # fmt: skip

Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps; auto takes the best there is.")]
Threads = Annotated[int | None, typer.Option(min=1, max=1024, help="CPU threads; all cores when not given.")]
Precision = Annotated[
    str | None, typer.Option(help="What to compute in: auto, fp32, bf16; for using a model also int8.")
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Of everything random.")]
Beam = Annotated[
    int | None, typer.Option(help="Hypotheses kept a sentence; 1 is greedy search. By default the model's.")
]
Columns = Annotated[
    str | None, typer.Option(help="Source and target column of files with more than two, such as 1,2.")
]
Keys = Annotated[str | None, typer.Option(help="Source and target key of JSON lines, such as src,tgt.")]
OnEmpty = Annotated[
    str | None, typer.Option(help="What to do about pairs with an empty side: error (default) or skip.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def comma_separated(value: str) -> list[str]:
    """The parts of a value with commas."""
    return [part.strip() for part in value.split(",")]


def pair_options(columns: str | None, keys: str | None, on_empty: str | None) -> dict[str, Any]:
    """The options on how pairs are written, as keys of the [data] section; only those given."""
    given = {
        "columns": comma_separated(columns) if columns else None,
        "keys": comma_separated(keys) if keys else None,
        "on_empty": on_empty,
    }
    return {key: value for key, value in given.items() if value is not None}
