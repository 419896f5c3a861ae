"""`interlingua train`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import interlingua
from interlingua.cli.choices import is_experiment, refuse_contradiction, without_replaced
from interlingua.cli.lines import check_input
from interlingua.cli.models import find_model, find_tag, paints, use_all_cpus
from interlingua.cli.models import source_kind as source_kind_of
from interlingua.cli.options import (
    Columns,
    Device,
    Keys,
    OnEmpty,
    Precision,
    Seed,
    SourceKind,
    Threads,
    pair_options,
    refuse_unread,
)
from interlingua.cli.shell import activation
from interlingua.cli.stopping import stoppable
from interlingua.cli.streams import require_input
from interlingua.cli.watch import duration, watch
from interlingua.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from interlingua.runs.events import Ended, Event

__all__ = ["parse_setting", "train"]

COMMAND_LINE = "command line"
OPTIONS = {"base_model": "--from", "train": "--train", "corpora": "--train, --weight",
           "valid": "--valid", "mix": "--mix", "seed": "--seed", "preset": "--preset",
           "languages": "--languages",
           "columns": "--columns", "keys": "--keys", "on_empty": "--on-empty", "source_kind": "--source-kind",
           "tokenizer": "--tokenizer", "race": "--race"}  # fmt: skip
"""The options of some keys."""


def train(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="A TOML file that says all; options go before it. Or files of pairs."
        ),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(
            help="A file of pairs: .tsv, .jsonl, .csv, .tmx, .xliff, .po, .zip, .parquet; - is stdin."
        ),
    ] = None,
    train_target: Annotated[
        list[str] | None, typer.Option(help="The target file, when --train is one of two parallel files.")
    ] = None,
    weight: Annotated[
        list[float] | None,
        typer.Option(
            help="For each --train: how many times its pairs are seen in an epoch, such as 3 or 0.5."
        ),
    ] = None,
    valid: Annotated[
        list[str] | None, typer.Option(help="Validation pairs; without, some training pairs are held out.")
    ] = None,
    valid_target: Annotated[
        list[str] | None, typer.Option(help="The target file, when --valid is one of two parallel files.")
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            help="With --from: old pairs, seen as often as the new ones (--set data.mix_share=0.5)."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The directory to make; runs/NAME for NAME.toml.")] = None,
    languages: Annotated[
        tuple[str, str] | None, typer.Option(help="Codes of source and target, such as: en de")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Wall-clock budget, validation and saving included.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Budget in updates.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="tiny, mini, small, base, gru, lstm, …; chosen from the data.")
    ] = None,
    race: Annotated[
        bool | None,
        typer.Option("--race/--no-race", help="Whether models that may suit the data race first."),
    ] = None,
    base_model: Annotated[
        Path | None, typer.Option("--from", help="A trained model to start from (fine-tuning).")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="A run to go on with; --train, --valid: where its data was moved to.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier run in --out.")] = False,
    tokenizer: Annotated[
        Path | None, typer.Option(help="A SentencePiece model (.model) of your own, for both sides.")
    ] = None,
    source_tokenizer: Annotated[Path | None, typer.Option(help="The same, for sources alone.")] = None,
    target_tokenizer: Annotated[Path | None, typer.Option(help="The same, for targets alone.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting: section.key=value, value as in TOML.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    precision: Precision = None,
    seed: Seed = None,
    columns: Columns = None,
    keys: Keys = None,
    on_empty: OnEmpty = None,
    source_kind: SourceKind = None,
) -> None:
    """Train a model from a file of pairs.

    Example: `interlingua train --train pairs.tsv --valid valid.tsv --out runs/en-de --minutes 20`

    Files of pairs may also come first: `interlingua train memory.tmx talks.tsv --out runs/en-de`

    Two parallel files: `--train train.en --train-target train.de`

    Some pairs more often than others: `--train mine.tsv --weight 3 --train others.tsv --weight 0.5`

    Ctrl-C saves and exits with 130; `interlingua train --resume runs/en-de` goes on.
    """
    training = {
        "minutes": minutes, "max_steps": max_steps, "threads": threads, "precision": precision, "seed": seed,
        "device": device if device != "auto" else None, "race": race,
    }  # fmt: skip
    files = files or []
    experiment = next(filter(is_experiment, files), None)
    if experiment is not None and len(files) > 1:
        raise ConfigurationError(
            "an experiment names its files itself", where="command line", found=" ".join(map(str, files)),
            accepted="Give it alone, or files of pairs alone.",
        )  # fmt: skip
    pairs = [] if experiment is not None else [*map(str, files)]
    if resume is None:
        of_pairs = {
            **_weigh(_files([*pairs, *(train or [])], train_target, "--train"), weight),
            "valid": _files(valid, valid_target, "--valid"), "mix": _files(mix, None, "--mix"),
        }  # fmt: skip
    else:  # each is known by what it holds
        of_pairs = {
            "train": [*pairs, *(train or []), *(train_target or [])],
            "valid": [*(valid or []), *(valid_target or [])], "mix": mix or [],
        }  # fmt: skip
    data = {
        **of_pairs,
        **pair_options(columns, keys, on_empty, source_kind),
    }
    options = _without_empty({
        "preset": preset, "languages": list(languages) if languages else None,
        "base_model": str(base_model) if base_model else None,
        "data": _without_empty(data), "training": _without_empty(training),
        "tokenizer": _own_models(tokenizer, source_tokenizer, target_tokenizer),
    })  # fmt: skip
    _refuse_two_budgets(training)
    if base_model is not None:
        find_model(base_model)
    if resume is not None:
        find_model(resume, weights=False)
    named = [*pairs, *(train or []), *(train_target or []), *(valid or []), *(valid_target or [])]
    for path in map(Path, [*named, *(mix or [])]):
        if str(path) != "-":
            check_input(path)
    if experiment is None and not any(each.startswith("data.format") for each in settings or []):
        alone = [*([] if train_target else [*pairs, *(train or [])]), *([] if valid_target else valid or [])]
        refuse_unread(map(str, [*alone, *(mix or [])]), columns, keys)
    if resume is not None:
        given = {
            "an experiment": experiment,
            "--out": out,
            "--force": force,
            "--set": settings,
            "--weight": weight,
        }
        _resume(resume, options, [name for name, value in given.items() if value])
    else:
        _start(experiment, options, settings or [], out, force)


def show_end(directory: Path, ended: Ended, console: Console) -> None:
    """Says where the model lies, how good it is and what to do next; raises Exit when stopped early."""
    from interlingua.runs.events import EARLIER_STAYS
    from interlingua.runs.interrupt import exit_code

    place = shlex.quote(str(directory))
    if not ended.finished and ended.reason == EARLIER_STAYS:
        console.print(f"\n{ended.reason}: the earlier run in {directory} stays as it was", soft_wrap=True)
        raise typer.Exit(exit_code())
    if not ended.finished:
        console.print(f"\nstopped at step {ended.step:,}; all is saved. To go on:", soft_wrap=True)
        console.print(f"  interlingua train --resume {place}", soft_wrap=True, markup=False)
        raise typer.Exit(exit_code())
    console.print(
        f"\n{ended.reason}: {ended.step:,} steps in {duration(ended.elapsed_s)}; "
        f"the model of step {ended.best_step:,} is in {directory}",
        soft_wrap=True, markup=False,
    )  # fmt: skip
    for score in ended.scores:
        spread = f"  ({score['confidence']})" if "confidence" in score else ""
        console.print(
            f"  {score['name']} {score['score']:.2f}{spread} on the validation pairs", soft_wrap=True
        )


def next_commands(commands: Sequence[str], console: Console) -> None:
    """Prints commands to try, as they work in a shell that was just opened."""
    if command := activation():
        console.print(f"\nIn each shell first:\n  {command}", soft_wrap=True, markup=False)
    console.print("\nNext:")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True, markup=False)


def _start(
    experiment: Path | None, options: dict[str, Any], settings: list[str], out: Path | None, force: bool
) -> None:
    where, values = COMMAND_LINE, {}
    if experiment is not None:
        where, values = str(experiment), _read_experiment(experiment)
        named = values.pop("out", f"runs/{experiment.stem}")
        if not isinstance(named, str):
            raise ConfigurationError("out is not a text", where=where, found=named)
        out = out or Path(named)
    if out is None:
        raise ConfigurationError(
            "where is the model to go?", where="--out", accepted="For example: --out runs/en-de"
        )
    with stoppable(out, anew=True):
        from interlingua.runs.directory import named_directory
        from interlingua.runs.experiment import parse_given, refuse_unknown_keys, rename_old_keys
        from interlingua.runs.run import start

        out, values = named_directory(out), rename_old_keys(values)
        # so that a mistake in the file is said to be in the file
        refuse_unknown_keys(values, where, ["out"])
        parse_given(values, where)
        corpora = values.get("data", {}).get("corpora")
        values = _override(values, settings, options)
        data = values.get("data", {})
        if corpora and data.get("corpora") != corpora:
            print(f"data: what the command line names, in place of all corpora of {where}")
        if not (data.get("train") or data.get("corpora")):
            raise ConfigurationError("there is nothing to learn from", where="--train",
                                     accepted="For example: --train pairs.tsv")  # fmt: skip
        events = start(values, out, force=force, where=where, started=interlingua.STARTED)
        _show(events, out)


def _show(events: Generator[Event, None, None], out: Path) -> None:
    console = Console(highlight=False)
    use_all_cpus()
    with closing(events):
        ended = watch(events, console)
    show_end(out, ended, console)
    _show_next(out, console)


def _override(values: dict[str, Any], settings: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """An experiment's values, replaced by those of the command line."""
    from interlingua.runs.experiment import parse_given, rename_old_keys
    from interlingua.settings import merge

    # The preset, or the base model, decides which keys a [model] section has.
    model_options = {key: value for key, value in options.items() if key in ("preset", "base_model")}
    given: dict[str, Any] = {}
    for setting in settings:
        given = merge(given, rename_old_keys(parse_setting(setting)))
        tried = merge(merge(without_replaced(values, given), given), model_options)
        parse_given(tried, f"--set {setting}")
    refuse_contradiction(given, options)
    given = merge(given, options)
    return merge(without_replaced(values, given), given)


def _resume(directory: Path, options: dict[str, Any], others: list[str]) -> None:
    changes = {key: options[key] for key in ("training", "data") if options.get(key)}
    given = [*options, *(key for section in changes.values() for key in section)]
    others += [OPTIONS.get(key, key) for key in given if key not in
               ("training", "data", "train", "valid", "mix", "minutes", "max_steps", "device", "threads",
                "precision")]  # fmt: skip
    if others:
        raise ConfigurationError(
            "a run goes on with its own data and settings", where="--resume", found=", ".join(others),
            accepted="What may be changed: --minutes or --max-steps, --device, --threads, --precision. "
            "If its data was moved: --train, --valid and --mix say where it is now.",
        )  # fmt: skip
    with stoppable(directory):
        from interlingua.runs.run import resume

        _show(resume(directory, changes, interlingua.STARTED), directory)


def _show_next(directory: Path, console: Console) -> None:
    place = shlex.quote(str(directory))
    tagged = "" if (tag := find_tag(directory)) is None else f" --tag {shlex.quote(tag)}"
    use = {
        "text": f"interlingua translate {place}{tagged} < in.txt > out.txt",
        "sound": f"interlingua transcribe {place} recording.wav",
        "picture": f"interlingua translate {place} picture.png",
    }[source_kind_of(directory)]
    if paints(directory):
        use = f'interlingua paint {place} "..." --samples 9 --output sheet.png'
    commands = [use, f"interlingua evaluate {place} test.tsv{tagged}", f"interlingua info {place}"]
    next_commands(commands, console)
    console.print("\nNot good enough? What to try first: docs/not-good-enough.md", soft_wrap=True)


def _without_empty(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None and value != {} and value != []}


def _files(sources: list[str] | None, targets: list[str] | None, option: str) -> list[Any]:
    """Files of pairs, or pairs of parallel files."""
    if "-" in (sources or []):
        require_input()
    if not targets:
        return list(sources or [])
    if len(sources or []) != len(targets):
        raise ConfigurationError(
            "each source file needs its target file", where=f"{option}-target",
            found=f"{len(sources or [])} source and {len(targets)} target files",
            accepted=f"For example: {option} a.en {option}-target a.de",
        )  # fmt: skip
    return [list(pair) for pair in zip(sources or [], targets, strict=True)]


def _own_models(both: Path | None, source: Path | None, target: Path | None) -> dict[str, str]:
    """SentencePiece models, as keys of the [tokenizer] section."""
    if both is not None and (source or target) is not None:
        raise ConfigurationError(
            "--tokenizer is for both sides already", where="--tokenizer", found=str(both),
            accepted="--source-tokenizer and --target-tokenizer are for one.",
        )  # fmt: skip
    named = {"source_model": source or both, "target_model": target or both}
    return {key: str(file) for key, file in named.items() if file is not None}


def _weigh(files: list[Any], weights: list[float] | None) -> dict[str, Any]:
    """What to train on, as keys of the [data] section."""
    if not weights:
        return {"train": files}
    if len(weights) != len(files):
        raise ConfigurationError(
            "each training file needs its weight, or none has one", where="--weight",
            found=f"{len(files)} files and {len(weights)} weights",
            accepted="For example: --train mine.tsv --weight 3 --train others.tsv --weight 1",
        )  # fmt: skip
    return {"corpora": [
        {"files": [file], "weight": weight} for file, weight in zip(files, weights, strict=True)
    ]}  # fmt: skip


def _refuse_two_budgets(training: dict[str, Any]) -> None:
    if training["minutes"] is not None and training["max_steps"] is not None:
        raise ConfigurationError("there can be one budget only", where="--minutes, --max-steps")


def _read_experiment(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError("the experiment cannot be read", where=path, found=error.strerror) from None
    except UnicodeDecodeError as error:
        raise DataError("the experiment is not UTF-8", where=path, found=str(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            "the experiment is not TOML", where=path, found=str(error),
            accepted='A setting is written as: key = 5, or key = "text", under a [section].',
        ) from None  # fmt: skip


def parse_setting(text: str) -> dict[str, Any]:
    """section.key=value as nested tables; a value that is not TOML is a text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigurationError(
            "this is not section.key=value",
            where="--set",
            found=text,
            accepted="For example: --set model.dim=128",
        )
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    *sections, key = name.strip().split(".")
    nested: dict[str, Any] = {key: parsed}
    for section in reversed(sections):
        nested = {section: nested}
    return nested
