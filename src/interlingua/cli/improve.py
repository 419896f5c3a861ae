"""`interlingua improve`."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from interlingua.cli.comparisons import Compared, comparison_table
from interlingua.cli.lines import check_input
from interlingua.cli.models import find_model, find_use, load_model, read_as_trained, use_all_cpus
from interlingua.cli.options import Columns, Device, Keys, OnEmpty, Seed, Threads, pair_options, refuse_unread
from interlingua.cli.stopping import stoppable
from interlingua.cli.watch import watch
from interlingua.errors import BundleError, ConfigurationError, InterlinguaError

if TYPE_CHECKING:
    from interlingua.data.corpus import Pair
    from interlingua.inference.translator import Translator
    from interlingua.runs.events import Event
    from interlingua.runs.improvement import Improvement, OldPairs, Verdict

__all__ = ["improve"]

CORRECTIONS = "corrections"
"""Where a model directory's own corrections are looked for."""
LEAST_TEST = 50
"""Of fewer test pairs no interval says anything."""
MOST_OLD = 5_000
"""Old pairs that tell what is usual, at most."""
SHOWN_LINES = 5
STAY = "The corrections stay, and count the next time."
NOTHING_LEARNT = (
    "The old model stays; nothing is changed. The training found no weights that translate the corrections "
    f"which choose them better than the old model does, and old pairs as well. {STAY}"
)


def improve(
    model: Annotated[Path, typer.Argument(help="A model directory; the better model takes its place.")],
    test: Annotated[
        Path | None, typer.Option(help="Pairs on which the new model must be no worse; none are learnt from.")
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(help="What serve --corrections saved: the directory, or a file; MODEL/corrections."),
    ] = None,
    mix: Annotated[
        Path | None,
        typer.Option(help="Old pairs to mix in; else those that the model was trained on, if still there."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget of the training.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Budget in updates.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the training: training.key=value.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the model of before.")] = False,
    columns: Columns = None,
    keys: Keys = None,
    on_empty: OnEmpty = None,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = None,
) -> None:
    """Learn from the corrections that a service collected, if that makes a better model.

    Example: `interlingua improve runs/en-de --test test.tsv --corrections corrections --minutes 20`

    Corrections that cannot be meant are left out, and said why; some are kept aside. The new model takes the
    old one's place only if it is no worse on the test set and better on the corrections kept aside. A service
    loads it by itself, and `interlingua improve runs/en-de --undo` goes back.
    """
    find_model(model)
    console = Console(highlight=False)
    if undo:
        _undo(model, console)
        return
    if find_use(model) != "text":
        raise BundleError("corrections are collected for models from text to text only", where=model)
    if test is None:
        raise ConfigurationError("on what is the new model to be tested?", where="--test",
                                 accepted="For example: --test test.tsv")  # fmt: skip
    for path in (test, mix):
        if path is not None:
            check_input(path)
    refuse_unread([str(path) for path in (test, mix) if path is not None], columns, keys)
    if minutes is not None and max_steps is not None:
        raise ConfigurationError("there can be one budget only", where="--minutes, --max-steps")
    training = {"minutes": minutes, "max_steps": max_steps, "seed": seed, "threads": threads,
                "device": device if device != "auto" else None}  # fmt: skip
    values = {key: value for key, value in training.items() if value is not None} | _training(settings or [])
    files = _find_corrections(model, corrections)
    with stoppable(model / "improvements"):
        from interlingua.runs.directory import locked
        from interlingua.runs.versions import finish_promotion

        with locked(model):
            finish_promotion(model)
            old = _old_pairs(model, mix, pair_options(columns, keys, on_empty))
            pairs = _read_test(model, test, old, pair_options(columns, keys, on_empty))
            translator = load_model(model, device, threads)
            _improve(model, translator, files, pairs, old, values, str(mix) if mix else None, console)


def _improve(
    model: Path, translator: Translator, files: Sequence[Path], test: Sequence[Pair], old: OldPairs,
    training: dict[str, Any], mix: str | None, console: Console,
) -> None:  # fmt: skip
    from interlingua.runs import improvement as improving
    from interlingua.runs.run import resume, start

    asked = improving.describe_request(model, test, files, mix, training)
    improvement = improving.unfinished(model, asked)
    if improvement is None:
        improvement = improving.propose(model, files, test, _sample(old), translator, asked)
        _show_account(improvement, console)
        improving.refuse_too_few(improvement)
        _say_old(old, console)
        experiment = improving.begin(improvement, old, training)
        _train(improvement, start(experiment, improvement.run, where="interlingua improve"), console)
    else:
        console.print("going on with the improvement that was begun", soft_wrap=True)
        _show_account(improvement, console)
        if not improvement.trained:
            _train(improvement, resume(improvement.run, {}), console)
    if not improvement.learnt:
        improvement.give_up()
        console.print(NOTHING_LEARNT, soft_wrap=True)
        raise typer.Exit(2)
    candidate = load_model(improvement.run, str(training.get("device", "auto")), training.get("threads"))
    corrected = [(each.source, each.target) for each in improvement.parts.test]
    verdict = improving.judge(translator, candidate, test, corrected)
    _show_verdict(verdict, len(test), len(corrected), console)
    if not verdict.accepted:
        improvement.give_up()
        console.print(STAY, soft_wrap=True)
        raise typer.Exit(2)
    improvement.accept()
    console.print("A service that runs loads the new model by itself. To go back:", soft_wrap=True)
    console.print(f"  interlingua improve {shlex.quote(str(model))} --undo", soft_wrap=True, markup=False)


def _train(improvement: Improvement, events: Generator[Event, None, None], console: Console) -> None:
    """Trains the new model; what is stopped is kept to go on with, what fails is removed."""
    use_all_cpus()
    try:
        with closing(events):
            ended = watch(events, console)
    except InterlinguaError:
        improvement.give_up()
        raise
    if not ended.finished:
        from interlingua.runs.interrupt import exit_code

        console.print(f"\nstopped; {improvement.directory} is as it was. The same command goes on.",
                      soft_wrap=True)  # fmt: skip
        raise typer.Exit(exit_code())


def _undo(model: Path, console: Console) -> None:
    from interlingua.runs.directory import locked
    from interlingua.runs.versions import finish_promotion, undo

    with locked(model):
        finish_promotion(model)
        undo(model)
    console.print(f"{model} is the model of before again; the other one is kept, and --undo takes it back.",
                  soft_wrap=True)  # fmt: skip


def _training(settings: Sequence[str]) -> dict[str, Any]:
    """What --set says of the training."""
    from interlingua.cli.train import parse_setting

    training: dict[str, Any] = {}
    for setting in settings:
        values = parse_setting(setting)
        if values.keys() != {"training"}:
            raise ConfigurationError("only the training can be set here", where="--set", found=setting,
                                     accepted="For example: --set training.learning_rate=0.001")  # fmt: skip
        training |= values["training"]
    return training


def _find_corrections(model: Path, given: Path | None) -> list[Path]:
    """The files of corrections of a model, as a service names them: by its languages."""
    from interlingua.inference.bundle import read_config
    from interlingua.text.tokenizer_files import load_tokenizer

    place = given or model / CORRECTIONS
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ConfigurationError(
            "there are no corrections", where=place,
            accepted="They are where `interlingua serve --corrections DIR` saves them: --corrections DIR",
        )  # fmt: skip
    languages = read_config(model).get("languages")
    if not languages:
        raise ConfigurationError("the model does not say its languages, by which corrections are called",
                                 where=place, accepted="Name the file: --corrections FILE")  # fmt: skip
    source, target = languages
    tokenizer = load_tokenizer(model, "joint" if (model / "joint.json").exists() else "source")
    tags = getattr(tokenizer, "tags", [])
    pairs = [(source, target), *((source, tag) for tag in tags), *((tag, target) for tag in tags)]
    names = dict.fromkeys(f"{one}-{other}.tsv" for one, other in pairs if one != other)
    found = [place / name for name in names if (place / name).is_file()]
    if not found:
        there = ", ".join(sorted(path.name for path in place.glob("*.tsv"))) or "nothing"
        raise ConfigurationError("there are no corrections of this model", where=place / next(iter(names)),
                                 found=there, accepted="Or name the file: --corrections FILE")  # fmt: skip
    return found


def _old_pairs(model: Path, mix: Path | None, given: dict[str, Any]) -> OldPairs:
    from interlingua.runs.improvement import OldPairs

    own = OldPairs.own(model)
    if mix is None:
        return own
    if own.tagged:
        raise ConfigurationError("the model has tags, and these pairs have none", where="--mix",
                                 found=str(mix))  # fmt: skip
    reading = {key: value for key, value in own.reading.items() if key not in ("columns", "keys", "format")}
    reading |= read_as_trained(model, given)
    return OldPairs([{"files": [str(mix.absolute())], "mixed_in": True}], reading, tagged=False)


def _read_test(model: Path, test: Path, old: OldPairs, given: dict[str, Any]) -> list[Pair]:
    from interlingua.data.corpus import Corpus, CorpusSettings

    reading = read_as_trained(model, given)
    if old.tagged and "columns" not in given:
        reading["columns"] = [[1, 2], 3]  # as corrections have it
    pairs = list(Corpus([str(test)], CorpusSettings.parse(reading, where="command line")))
    if len(pairs) < LEAST_TEST:
        raise ConfigurationError("too few test pairs to tell whether a model is worse", where=test,
                                 found=len(pairs), accepted=f"{LEAST_TEST}; better, hundreds.")  # fmt: skip
    return pairs


def _sample(old: OldPairs) -> list[Pair]:
    """Some of the old pairs, evenly taken from the beginning of each file."""
    from interlingua.data.corpus import Corpus, CorpusSettings

    if not old.corpora:
        return []
    settings = CorpusSettings.parse({**old.reading, "corpora": [{**each, "mixed_in": False}
                                     for each in old.corpora]}, where="old pairs")  # fmt: skip
    share = -(-MOST_OLD // len(settings.train_files))
    return [pair for file in settings.train_files for pair in islice(Corpus.of([file], settings), share)]


def _say_old(old: OldPairs, console: Console) -> None:
    if old.corpora:
        names = ", ".join(str(file) for corpus in old.corpora for file in corpus["files"])
        console.print(f"mixed in: {names}", soft_wrap=True, markup=False)
    else:
        console.print("no old pairs are at hand to mix in, so that more may be forgotten: --mix OLD",
                      soft_wrap=True)  # fmt: skip
    if old.missing:
        names = ", ".join(old.missing)
        console.print(f"not there any more, so not mixed in: {names}", soft_wrap=True, markup=False)


def _show_account(improvement: Improvement, console: Console) -> None:
    """A line for each reason: a table would break what is longer than the terminal is wide."""
    console.print("corrections since the last improvement:")
    parts = improvement.parts
    for reason, lines in sorted(improvement.dropped.items(), key=lambda item: -len(item[1])):
        more = ", …" if len(lines) > SHOWN_LINES else ""
        shown = f"{'line' if len(lines) == 1 else 'lines'} {', '.join(lines[:SHOWN_LINES])}{more}"
        _line(f"{len(lines):>7,}  left out: {reason} ({shown})", console)
    _line(f"{len(parts.train):>7,}  to learn from", console)
    _line(f"{len(parts.valid):>7,}  to choose the weights by", console)
    _line(f"{len(parts.test):>7,}  kept aside, to test on", console)


def _line(text: str, console: Console) -> None:
    console.print(text, soft_wrap=True, markup=False)


def _show_verdict(verdict: Verdict, tested: int, corrected: int, console: Console) -> None:
    rows = [Compared("the test set", tested, verdict.test),
            Compared("corrections kept aside", corrected, verdict.corrections)]  # fmt: skip
    console.print(comparison_table(rows, "old model", "new model", "old and new model"))
    _line(f"\n{verdict}", console)
    if needed := verdict.pairs_to_tell(tested):
        _line(f"{tested:,} test pairs are too few to tell: with about {needed:,} it might be otherwise.",
              console)  # fmt: skip
