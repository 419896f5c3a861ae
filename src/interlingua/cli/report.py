"""`interlingua report`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlingua.cli.options import Beam, Columns, Device, Json, Keys, OnEmpty, Threads, reading

if TYPE_CHECKING:
    from interlingua.data.corpus import CorpusSettings
    from interlingua.views.quality import Quality

__all__ = ["report"]


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Model directories.")],
    test: Annotated[
        str | None, typer.Option(help="A file of pairs to translate and compare the runs on.")
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="Training pairs, to tell rare words; by default those that the first run names."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The page to write; report.html when neither this nor --json is given."),
    ] = None,
    json_output: Json = False,
    beam: Beam = None,
    columns: Columns = None,
    keys: Keys = None,
    on_empty: OnEmpty = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write one web page about a training, or about several side by side.

    Curves, the data, samples over time; with --test also the worst and best sentences, quality by length and
    by rare words, and whether the runs differ by more than chance.

    Example: `interlingua report runs/en-de --test test.tsv`
    """
    from interlingua.data.corpus import CorpusSettings
    from interlingua.files import write_text
    from interlingua.views.page import as_json
    from interlingua.views.report import read_report, report_page

    settings = CorpusSettings.parse(reading(columns, keys, on_empty), where="command line")
    told = read_report(runs)  # a mistake in a directory is told before the models work
    if test is not None:
        options: dict[str, Any] = {} if beam is None else {"beam": beam}
        quality = _quality(runs, test, train, settings, options, {"device": device, "threads": threads})
        told = replace(told, quality=quality)
    if json_output:
        print(as_json(told.as_data()))
    if out is None and json_output:
        return
    page = out or Path("report.html")
    write_text(page, report_page(told))
    print(f"{page}: open it in a browser", file=sys.stderr)


def _quality(
    runs: list[Path], test: str, train: list[str] | None, settings: CorpusSettings, options: dict[str, Any],
    placing: dict[str, Any],
) -> Quality:  # fmt: skip
    from interlingua.api import load
    from interlingua.data.corpus import Corpus
    from interlingua.training.validation import task_metrics
    from interlingua.views.quality import measure
    from interlingua.views.report import names

    pairs = list(Corpus([test], settings))
    outputs: dict[str, list[str]] = {}
    metrics = None
    for directory, name in zip(runs, names(runs), strict=True):
        print(f"{name}: translating {len(pairs):,} sources", file=sys.stderr)
        translator = load(directory, **placing)
        metrics = metrics or task_metrics([pair.target for pair in pairs], translator.tokenizers)
        found = translator.translate([pair.source for pair in pairs], **options)
        outputs[name] = [translation.text for translation in found]
    sources = _train_sources(runs[0], train, settings)
    return measure(outputs, pairs, metrics or [], test=Path(test).name, train_sources=sources)


def _train_sources(run: Path, train: list[str] | None, settings: CorpusSettings) -> Iterator[str] | None:
    """The sources that the model was trained on, if they can still be read."""
    from interlingua.bundle import read_config
    from interlingua.data.corpus import CorpusSettings, read_pairs

    if train:
        return (pair.source for file in train for pair in read_pairs(file, settings))
    known = CorpusSettings.parse(read_config(run).get("data", {}), where=f"{run}/config.toml [data]")
    files = [Path(part) for file in known.train for part in ((file,) if isinstance(file, str) else file)]
    if not files or not all(file.is_file() for file in files):
        return None
    return (pair.source for file in known.train for pair in read_pairs(file, known))
