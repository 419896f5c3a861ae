"""`interlingua evaluate`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import typer
from rich.console import Console
from rich.table import Table

from interlingua.cli.comparisons import Compared, comparison_table
from interlingua.cli.evaluate_pictures import evaluate_painters
from interlingua.cli.lines import check_output, open_output
from interlingua.cli.models import (
    find_model,
    load_text_model,
    models_and_tests,
    paints,
    read_as_trained,
    read_pairs_of,
)
from interlingua.cli.options import (
    Beam,
    Columns,
    Device,
    Engine,
    Json,
    Keys,
    Languages,
    OnEmpty,
    Precision,
    Tag,
    Threads,
    pair_options,
    refuse_options,
    refuse_unread,
)
from interlingua.cli.streams import require_input, show_reading
from interlingua.errors import ConfigurationError, DataError
from interlingua.text.columns import add_tag, check_tag

if TYPE_CHECKING:
    from interlingua.data.corpus import CorpusSettings, Pair
    from interlingua.evaluation.metrics import Metric
    from interlingua.evaluation.references import Repeated
    from interlingua.evaluation.scores import Comparison, Score
    from interlingua.inference.translator import Translator
    from interlingua.inference.using import TextUse

__all__ = ["System", "evaluate", "score_table"]


SPELLING_POINTS = 1.0
"""Of WER, from which it is said what capitals and punctuation do to it."""


class System(NamedTuple):
    """A model, or a baseline, and how good it is."""

    name: str
    scores: list[Score]
    p_values: list[float] | None = None
    """Of each score's difference to the first model's being chance."""
    comparisons: Sequence[Comparison] = ()
    """With the first model, by each metric."""


def evaluate(
    models_and_test: Annotated[
        list[str],
        typer.Argument(metavar="MODEL... TEST...", help="Model directories, and files of pairs; - is stdin."),
    ],
    train: Annotated[
        list[str] | None, typer.Option(help="Training pairs: show how far looking them up would come.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="BLEU, chrF, WER, CER, sequence_error or symbol_error; chosen by the task when not given."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="The model to compare with, such as the one trained further: all in one table."),
    ] = None,
    repeated: Annotated[
        str | None,
        typer.Option(
            help="What pairs with the same source are: references of one line, or cases of their own; "
            "by default references where their targets differ, cases where they are mostly equal."
        ),
    ] = None,
    multi_reference: Annotated[bool, typer.Option("--multi-reference", hidden=True)] = False,
    judge: Annotated[
        Path | None,
        typer.Option(help="Of models that paint: a model from pictures to texts that says what it sees."),
    ] = None,
    tag: Tag = None,
    beam: Beam = None,
    json_output: Json = False,
    columns: Columns = None,
    keys: Keys = None,
    languages: Languages = None,
    on_empty: OnEmpty = None,
    device: Device = "auto",
    threads: Threads = None,
    precision: Precision = None,
    engine: Engine = None,
) -> None:
    """Translate test sources and score the outputs, beside baselines that learn nothing.

    Example: `interlingua evaluate runs/en-de test.tsv --train pairs.tsv`

    What was lost and won by training further:
    `interlingua evaluate runs/mine --against runs/en-de old.tsv mine.tsv`

    With --json: for each test and model a line, a list of scores in sacreBLEU's form; "repeated" tells what
    repeated sources are counted as, null where there are none.
    """
    models, tests = models_and_tests(models_and_test)
    if against is not None:
        find_model(against)
        models = [str(against), *models]
    check_output(None)
    if "-" in tests:
        require_input()
    from interlingua.data.corpus import Corpus, CorpusSettings
    from interlingua.evaluation.references import choose_repeated, describe_repeated

    refuse_unread([*tests, *(train or [])], columns, keys)
    reading = read_as_trained(Path(models[0]), pair_options(columns, keys, on_empty, languages=languages))
    settings = CorpusSettings.parse(reading, where="command line")
    if settings.names_files[0]:
        refuse_options(f"models of {settings.source_kind}s", {"--train": train})
    pairs_of = _read_tests(tests, settings)
    asked = _asked_for(repeated, multi_reference)
    counted_of = {test: choose_repeated(pairs, asked) for test, pairs in pairs_of.items()}
    if train:
        Corpus(train, settings).report()  # a mistake in it is reported before the models work
    painting = [paints(Path(model)) for model in models]
    if judge is not None and not all(painting):
        raise ConfigurationError("a judge is for models that paint", where="--judge", found=str(judge))
    if all(painting):
        other = {"--metric": metric, "--repeated": repeated, "--multi-reference": multi_reference}
        refuse_options("models that paint", {**other, "--tag": tag, "--beam": beam})
        if engine == "ctranslate2":
            raise ConfigurationError("CTranslate2 does not paint", where="--engine", found=engine)
        if judge is not None:
            find_model(judge)
        compute = {"device": device, "threads": threads, "precision": precision}
        evaluate_painters(models, pairs_of, train, judge, settings, json_output, compute)
        return
    loaded = [load_text_model(Path(model), device, threads, precision, engine) for model in models]
    if tag is not None:
        for model in loaded:
            check_tag(tag, model.tokenizers.source, "--tag")
    for test, pairs in pairs_of.items():
        for name, model in zip(models, loaded, strict=True):
            _check_columns(model, add_tag(tag, pairs[0].source), f"{test}, for {name}")
    options: dict[str, Any] = {} if beam is None else {"beam": beam}
    if engine == "ctranslate2":
        options["log_probs"] = False  # which are not looked at
    compared: list[Compared] = []
    for test, pairs in pairs_of.items():
        counted = counted_of[test]
        metrics = _metrics(metric, pairs, loaded[0])
        sources = [add_tag(tag, pair.source) for pair in pairs]
        outputs = [
            [translation.text for translation in model.translate(sources, **options)] for model in loaded
        ]
        systems = _systems(models, outputs, pairs, metrics, counted)
        baselines = list[System]()
        if not settings.names_files[0]:  # a file can be neither copied nor looked up
            text_column = cast("Translator", loaded[0]).text_column
            texts = [text_column.take_out(source)[0] for source in sources]
            baselines = _baselines(texts, train, settings, pairs, metrics, counted)
        said = describe_repeated(pairs, counted)
        compared += [Compared(test, len(pairs), system.comparisons, system.name) for system in systems[1:]]
        if json_output:
            about = ({"test": test} if len(tests) > 1 else {}) | ({"engine": engine} if engine else {})
            with open_output(None) as write:
                for system in systems:
                    shown = [about | each for each in _as_json(system, baselines, counted if said else None)]
                    write(json.dumps(shown, ensure_ascii=False) + "\n")
        else:
            notes = [said] if said else []
            notes += _same_outputs(models, outputs, pairs)
            if settings.source_kind == "sound":
                notes += _without_spelling(systems, outputs, pairs, metrics, counted)
            _show([*systems, *baselines], f"{test}: {len(pairs):,} pairs", notes)
    if against is not None and not json_output:
        title = f"before: {against}" + (f"\nafter: {models[1]}" if len(models) == 2 else "")
        table = comparison_table(compared, "before", "after", title)
        Console(highlight=False).print(table)


def _check_columns(model: Any, source: str, where: str) -> None:
    """Refuses sources of another number of columns than the model reads.

    Raises:
        DataError: says where they are, and for which model.
    """
    tokenizer = model.tokenizers.source
    if tokenizer.kind == "columns":
        try:
            tokenizer.normalise(source)
        except DataError as error:
            raise DataError(error.what, where=where, found=error.found, accepted=error.accepted) from None


def _read_tests(tests: Sequence[str], settings: CorpusSettings) -> dict[str, list[Pair]]:
    """The pairs of each file, all of them read before any model works.

    Raises:
        ConfigurationError: there are none in one.
        DataError: a file, or a sound or picture that it names, cannot be read.
    """
    from interlingua.data.corpus import Corpus

    corpora = {test: Corpus([test], settings) for test in tests}
    for corpus in corpora.values():
        show_reading(corpus.report())
    return {test: read_pairs_of(test, corpus) for test, corpus in corpora.items()}


def score_table(systems: Sequence[System], title: str) -> Table:
    """A row for each system, a column for each metric, with half the width of the 95% interval."""
    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")
    for score in systems[0].scores:
        table.add_column(f"{score.name} {'↑' if score.higher_is_better else '↓'}", justify="right")
    for system in systems:
        p_values: Sequence[float | None] = system.p_values or [None] * len(system.scores)
        table.add_row(system.name, *map(_cell, system.scores, p_values))
    return table


def _cell(score: Score, p_value: float | None) -> str:
    spread = f" ± {score.confidence.half_width:.2f}" if score.confidence else ""
    chance = "" if p_value is None else f" (p {p_value:.3f})"
    return f"{score.score:.2f}{spread}{chance}"


def _asked_for(repeated: str | None, multi_reference: bool) -> str:
    """What --repeated says, or --multi-reference, which was its name for references."""
    if multi_reference and repeated not in (None, "references"):
        raise ConfigurationError(
            "--multi-reference and --repeated contradict each other", where="command line", found=repeated,
            accepted="--multi-reference is an earlier name of --repeated references.",
        )  # fmt: skip
    return "references" if multi_reference else repeated or "auto"


def _without_spelling(
    systems: Sequence[System], outputs: Sequence[list[str]], pairs: Sequence[Pair], metrics: list[Metric],
    repeated: Repeated,
) -> list[str]:  # fmt: skip
    """A line on each system that is much better, or worse, by WER apart from capitals and punctuation."""
    from interlingua.evaluation.spelling import score_plain

    number = next((i for i, metric in enumerate(metrics) if metric.name == "WER"), None)
    if number is None:
        return []
    scores = [score_plain(output, pairs, metrics[number], repeated) for output in outputs]
    return [
        f"{system.name}: WER {score:.2f} apart from capitals and punctuation"
        for system, score in zip(systems, scores, strict=True)
        if abs(score - system.scores[number].score) >= SPELLING_POINTS
    ]


def _same_outputs(names: Sequence[str], outputs: Sequence[list[str]], pairs: Sequence[Pair]) -> Iterator[str]:
    """A line on each system that says the same of far too many sources."""
    from interlingua.evaluation.sameness import same_output

    for name, output in zip(names, outputs, strict=True):
        if found := same_output(output, [pair.target for pair in pairs]):
            text, count = found
            said = f"{count:,} of {len(output):,} outputs are the same, {text[:60]!r}"
            yield f"{name}: {said}: it hardly looks at its sources yet, and needs more training or pairs"


def _show(systems: Sequence[System], title: str, notes: Sequence[str]) -> None:
    console = Console(highlight=False)
    console.print(score_table(systems, title))
    for note in notes:
        console.print(note, soft_wrap=True, markup=False)
    if any(system.p_values for system in systems):
        console.print("p: how probable such a difference to the first model is by chance")
    for score in systems[0].scores:
        console.print(f"{score.name}: {score.signature}", soft_wrap=True, markup=False)


def _metrics(names: list[str] | None, pairs: Sequence[Pair], model: TextUse) -> list[Metric]:
    from interlingua.evaluation.metrics import metric_named, task_metrics
    from interlingua.evaluation.tasks import recognise_task

    targets = [pair.target for pair in pairs]
    if not names:
        return task_metrics(targets, model.tokenizers, model.facts)
    symbols = model.tokenizers.target.compared_by or recognise_task(targets).symbols
    return [metric_named(name, symbols) for name in names]


def _systems(
    names: Sequence[str], outputs: Sequence[list[str]], pairs: Sequence[Pair], metrics: list[Metric],
    repeated: Repeated,
) -> list[System]:  # fmt: skip
    from interlingua.evaluation.scores import Comparison, compare
    from interlingua.evaluation.scores import evaluate as score_outputs

    systems: list[System] = []
    for name, output in zip(names, outputs, strict=True):
        scores = score_outputs(output, pairs, metrics=metrics, repeated=repeated)
        p_values, compared = None, list[Comparison]()
        if systems:
            compared = compare(outputs[0], output, pairs, metrics=metrics, repeated=repeated)
            p_values = [comparison.p_value for comparison in compared]
        systems.append(System(name, scores, p_values, compared))
    return systems


def _baselines(
    texts: list[str], train: list[str] | None, settings: CorpusSettings, pairs: Sequence[Pair],
    metrics: list[Metric], repeated: Repeated,
) -> list[System]:  # fmt: skip
    from interlingua.data.corpus import Corpus
    from interlingua.evaluation.baselines import look_up
    from interlingua.evaluation.scores import evaluate as score_outputs

    answers = {"copy the source": texts}
    if train:
        answers["look up the training pairs"] = look_up(Corpus(train, settings), pairs)
    return [
        System(name, score_outputs(answer, pairs, metrics=metrics, repeated=repeated))
        for name, answer in answers.items()
    ]


def _as_json(system: System, baselines: Sequence[System], repeated: Repeated | None) -> list[dict[str, Any]]:
    records = []
    for i, score in enumerate(system.scores):
        others = {baseline.name: round(baseline.scores[i].score, 2) for baseline in baselines}
        record = {**score.as_json(), "system": system.name, "baselines": others, "repeated": repeated}
        if system.p_values is not None:
            record["p_value"] = system.p_values[i]
        records.append(record)
    return records
