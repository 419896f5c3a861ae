"""`interlingua report`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlingua.cli.lines import check_output, open_output
from interlingua.cli.models import (
    find_model,
    load_text_model,
    paints,
    read_as_trained,
    read_pairs_of,
    source_kind,
)
from interlingua.cli.options import (
    Beam,
    Columns,
    Device,
    Json,
    Keys,
    Languages,
    OnEmpty,
    Tag,
    Threads,
    pair_options,
    refuse_unread,
)
from interlingua.errors import ConfigurationError
from interlingua.files import write_text
from interlingua.text.columns import add_tag, check_tag

if TYPE_CHECKING:
    from interlingua.data.corpus import Corpus, CorpusSettings, Pair
    from interlingua.evaluation.quality import Quality

__all__ = ["report"]


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Model directories.")],
    test: Annotated[
        str | None,
        typer.Option(help="A file of pairs to translate and judge the runs by; else their validation pairs."),
    ] = None,
    curves_only: Annotated[bool, typer.Option("--curves-only", help="Translate nothing.")] = False,
    train: Annotated[
        list[str] | None,
        typer.Option(help="Training pairs, to tell rare words; by default those that the first run names."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The page to write; report.html when neither this nor --json is given."),
    ] = None,
    json_output: Json = False,
    tag: Tag = None,
    beam: Beam = None,
    columns: Columns = None,
    keys: Keys = None,
    languages: Languages = None,
    on_empty: OnEmpty = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write one web page about a training, or about several side by side.

    Curves, the data, samples over time; the worst and best sentences, quality by length and by rare words,
    and whether the runs differ by more than chance.

    Example: `interlingua report runs/en-de --test test.tsv`
    """
    for run in runs:
        find_model(run, weights=False)
    named = [*([] if test is None else [test]), *(train or [])]
    refuse_unread(named, columns, keys)
    if not named and (columns or keys):
        raise ConfigurationError("these are of the files that --test and --train name", where="command line",
                                 accepted="Name one of them.")  # fmt: skip
    page = None if out is None and json_output else out or Path("report.html")
    if json_output:
        check_output(None)
    if page is not None:
        check_output(page)

    from interlingua.data.codecs import load_tokenizers
    from interlingua.data.corpus import Corpus, CorpusSettings
    from interlingua.views.page import as_json
    from interlingua.views.report import read_report, report_page

    reading = read_as_trained(runs[0], pair_options(columns, keys, on_empty, languages=languages))
    settings = CorpusSettings.parse(reading, where="command line")
    shown = read_report(runs)  # a mistake in a directory is reported before the models work
    if curves_only and test is not None:
        raise ConfigurationError(
            "--curves-only and --test contradict each other", where="command line",
            accepted="--curves-only translates nothing; leave it out to translate what --test names.",
        )  # fmt: skip
    if tag is not None and test is None:
        raise ConfigurationError(
            "a tag is for the pairs of --test", where="--tag", found=tag,
            accepted="Name a file of pairs with --test; validation pairs have their tags.",
        )  # fmt: skip
    if curves_only:
        pairs = None
    elif test is None:
        pairs = _validation_pairs(runs)
    else:
        _refuse_other_kinds(runs)
        corpus = Corpus([test], settings)
        corpus.report()  # refuses files without pairs
        pairs = read_pairs_of(test, corpus)  # a mistake in it is reported before the models work
        if tag is not None:
            for run in runs:
                check_tag(tag, load_tokenizers(run).source, "--tag")
            pairs = [pair._replace(source=add_tag(tag, pair.source)) for pair in pairs]
    if pairs is not None:
        options: dict[str, Any] = {} if beam is None else {"beam": beam}
        compute = {"device": device, "threads": threads}
        known = _train_pairs(runs[0], train, tag, settings)
        quality = _quality(runs, pairs, test and Path(test).name, known, options, compute)
        shown = replace(shown, quality=quality)
    if json_output:
        with open_output(None) as write:
            write(as_json(shown.as_data()) + "\n")
    if page is None:
        return
    write_text(page, report_page(shown))
    print(f"{page}: open it in a browser", file=sys.stderr)


def _quality(
    runs: list[Path], pairs: list[Pair], test: str | None, train_pairs: Iterator[Pair] | None,
    options: dict[str, Any], compute: dict[str, Any],
) -> Quality:  # fmt: skip
    from interlingua.data.durations import measure_sounds
    from interlingua.evaluation.metrics import task_metrics
    from interlingua.evaluation.quality import measure
    from interlingua.views.report import distinct_names

    outputs: dict[str, list[str]] = {}
    metrics = None
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    kind = source_kind(runs[0])
    works = {"sound": "transcribing {:,} sounds", "picture": "describing {:,} pictures"}
    work = works.get(kind, "translating {:,} sources")
    for directory, name in zip(runs, distinct_names(runs), strict=True):
        print(f"{name}: {work.format(len(pairs))}", file=sys.stderr)
        model = load_text_model(directory, **compute)
        metrics = metrics or task_metrics(targets, model.tokenizers, model.facts)
        outputs[name] = [translation.text for translation in model.translate(sources, **options)]
    seen = None if train_pairs is None else (pair[int(kind != "text")] for pair in train_pairs)
    if kind == "picture":
        return measure(outputs, pairs, metrics or [], test=test, train_sources=None,
                       train_targets=seen, of_pictures=True)  # fmt: skip
    if kind == "sound":
        return measure(outputs, pairs, metrics or [], test=test, train_sources=None,
                       train_targets=seen, seconds=measure_sounds(pairs))  # fmt: skip
    return measure(outputs, pairs, metrics or [], test=test, train_sources=seen)


def _refuse_other_kinds(runs: Sequence[Path]) -> None:
    """The same pairs judge runs of one kind only, whose targets are texts."""
    if painting := next(filter(paints, runs), None):
        raise ConfigurationError("the curves of a model that paints have no test", where=painting,
                                 accepted=f"interlingua evaluate {painting} TEST")  # fmt: skip
    kind = source_kind(runs[0])
    for run in runs:
        if (other := source_kind(run)) != kind:
            raise ConfigurationError(
                "the runs are of different kinds", where=run, found=f"a model of {other}",
                accepted=f"Models of {kind}, as {runs[0]} is; --curves-only compares trainings of all kinds.",
            )  # fmt: skip


def _read(corpus: Corpus) -> list[Pair]:
    corpus.report()  # refuses files without pairs
    return list(corpus)


def _validation_pairs(runs: list[Path]) -> list[Pair] | None:
    """Those that all the runs were validated on; None, and a line that says why, where there are no such."""
    from interlingua.data.corpus import Corpus, are_there
    from interlingua.data.durations import drop_unused_sounds
    from interlingua.data.split import split
    from interlingua.inference.bundle import WEIGHTS

    found: list[list[Pair]] = []
    if any(map(paints, runs)):
        print("validation pairs are not shown: what paintings are worth, interlingua evaluate tells",
              file=sys.stderr)  # fmt: skip
        return None
    for run in runs:
        settings, reason = _corpus_settings(run), None
        held_out = settings.train_files if any(settings.held_out) else ()
        if not are_there(each.file for each in (*held_out, *settings.valid_files)):
            reason = "the validation pairs are not where they were"
        elif not (run / WEIGHTS).exists():
            reason = "no weights are saved yet"
        else:
            corpus = Corpus.of(settings.valid_files or settings.train_files, settings)
            pairs = list(split(Corpus.of(held_out, settings))[1]) if held_out else []
            pairs += _read(corpus) if settings.valid_files else []
            of_sound = settings.source_kind == "sound"
            if settings.names_files[0] and not all(Path(pair.source).is_file() for pair in pairs):
                reason = f"the {settings.source_kind}s of the validation pairs are not where they were"
            else:
                found.append(drop_unused_sounds(pairs, corpus) if of_sound else pairs)
                if found[-1] != found[0]:
                    reason = "it was validated on other pairs than the first run"
        if reason:
            print(f"{run}: {reason}, so nothing is translated; --test gives other pairs", file=sys.stderr)
            return None
    return found[0]


def _train_pairs(
    run: Path, train: list[str] | None, tag: str | None, settings: CorpusSettings
) -> Iterator[Pair] | None:
    """The pairs that the model was trained on, if they can still be read."""
    from interlingua.data.corpus import are_there, read_pairs

    def tagged(pair: Pair, tag: str | None) -> Pair:
        return pair._replace(source=add_tag(tag, pair.source))

    if train:
        return (tagged(pair, tag) for file in train for pair in read_pairs(file, settings))
    corpus = _corpus_settings(run)
    if not are_there(each.file for each in corpus.train_files):
        return None
    files = corpus.train_files
    return (tagged(pair, each.tag) for each in files for pair in read_pairs(each.file, corpus.for_file(each)))


def _corpus_settings(run: Path) -> CorpusSettings:
    """What the run was trained and validated on."""
    from interlingua.data.corpus import CorpusSettings
    from interlingua.inference.bundle import read_config

    return CorpusSettings.parse(read_config(run).get("data", {}), where=f"{run}/config.toml [data]")
