"""`interlingua quickstart`: from nothing to a trained model that is looked into."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

import interlingua
from interlingua.cli import dictionary
from interlingua.cli.drawing import attention_map
from interlingua.cli.evaluate import System, score_table
from interlingua.cli.models import load_model, use_all_cpus
from interlingua.cli.options import Device, Threads
from interlingua.cli.stopping import stoppable
from interlingua.cli.train import next_commands, show_end
from interlingua.cli.watch import watch

if TYPE_CHECKING:
    from interlingua.inference.translator import Translator

__all__ = ["quickstart"]

LANGUAGES = ["en", "en-arpabet"]
SHOWN = 12
"""Held-out words in the table."""


def quickstart(
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 5.0,
    out: Annotated[Path, typer.Option(help="Where the model goes; the data goes beside it.")] = Path(
        "runs/quickstart"
    ),
    force: Annotated[bool, typer.Option("--force", help="Train anew, even when the model is there.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train a small model that reads English aloud, and look at it: spelling to pronunciation.

    Example: `interlingua quickstart --minutes 5`

    The words come from the CMU Pronouncing Dictionary. A model that is there already is only shown.
    """
    from interlingua.data.corpus import Corpus, CorpusSettings

    console = Console(highlight=False)
    out, data = _places(out)
    trained = force or not (out / "info.json").exists()
    with stoppable(out):
        dictionary.write_parts(data, dictionary.pronunciations())
        if trained:
            _train(out, data, minutes, force, device, threads, console)
    if not trained:
        console.print(
            f"Nothing is trained: this is the model that {out} held before. To train anew: --force\n",
            soft_wrap=True, markup=False,
        )  # fmt: skip
    model = load_model(out, device, threads)
    pairs = [(pair.source, pair.target) for pair in Corpus([str(data / "test.tsv")], CorpusSettings())]
    _show(model, pairs, console)
    console.print(f"\nThe model is in {out}, the data in {data}.", soft_wrap=True)
    place, files = shlex.quote(str(out)), shlex.quote(str(data))
    next_commands(
        [
            f"interlingua translate {place} interlingua --n-best 3",
            f"interlingua evaluate {place} {files}/test.tsv --train {files}/train.tsv",
            f"interlingua info {place}",
        ],
        console,
    )


def _places(out: Path) -> tuple[Path, Path]:
    """Where the model and its data go; nothing is written.

    Raises:
        OutputError: there is another model already, or none can be made.
    """
    from interlingua.errors import OutputError
    from interlingua.inference.bundle import CONFIG, read_config
    from interlingua.runs.directory import check_place

    out = check_place(out)
    if not out.name:
        raise OutputError("this is no place for a model", where=out, accepted="Choose another --out.")
    if (out / CONFIG).exists() and read_config(out).get("languages") != LANGUAGES:
        raise OutputError(
            "this directory holds another model",
            where=out,
            accepted="Choose another --out for the quickstart.",
        )
    return out, out.with_name(out.name + "-data")


def _train(
    out: Path, data: Path, minutes: float, force: bool, device: str, threads: int | None, console: Console
) -> None:
    from interlingua.runs.run import resume, start

    training = {"minutes": minutes, "validations": 5, "device": device, "threads": threads}
    values = {
        "preset": "letters",  # the most passes over the words in so short a time
        "languages": LANGUAGES,
        "data": {"train": [str(data / "train.tsv")], "valid": [str(data / "valid.tsv")]},
        "training": training,
    }
    use_all_cpus()
    console.print(f"Learning to pronounce English words, {minutes:g} minutes.\n")
    if (out / "config.toml").exists() and not force:
        changes = {"minutes": minutes, **({"device": device} if device != "auto" else {})}
        changes |= {"threads": threads} if threads else {}
        events = resume(out, {"training": changes}, interlingua.STARTED)
    else:
        events = start(values, out, force=force, where="quickstart", started=interlingua.STARTED)
    with closing(events):
        ended = watch(events, console)
    show_end(out, ended, console)


def _show(model: Translator, pairs: Sequence[tuple[str, str]], console: Console) -> None:
    from interlingua.evaluation.metrics import task_metrics
    from interlingua.evaluation.scores import evaluate

    truths: dict[str, list[str]] = {}
    for word, said in pairs:
        truths.setdefault(word, []).append(said)
    words = list(truths)
    outputs = {word: found.text for word, found in zip(words, model.translate(words), strict=True)}
    shown = [word for word in words if 5 <= len(word) <= 12][:: max(1, len(words) // (2 * SHOWN))][:SHOWN]
    console.print(_examples(shown, outputs, truths))
    metrics = task_metrics([said for _, said in pairs], model.tokenizers.target)
    scores = evaluate([outputs[word] for word, _ in pairs], pairs, metrics=metrics, repeated="references")
    right = sum(outputs[word] in truths[word] for word in words)
    console.print(score_table([System("this model", scores)], f"{len(words):,} words never seen in training"))
    console.print(f"{right / len(words):.1%} of them exactly right\n")
    _draw(model, _telling(shown, outputs, truths), console)


def _examples(words: Iterable[str], outputs: dict[str, str], truths: dict[str, list[str]]) -> Table:
    table = Table(title="Words it has never seen", title_justify="left")
    for heading in ("", "spelling", "prediction", "truth"):
        table.add_column(heading)
    for word in words:
        right = outputs[word] in truths[word]
        table.add_row("[green]✓[/]" if right else "[red]✗[/]", word, outputs[word], " | ".join(truths[word]))
    return table


def _telling(words: Sequence[str], outputs: dict[str, str], truths: dict[str, list[str]]) -> str:
    """A word that is right, the longest; when none is, that with the longest answer."""
    return max(words, key=lambda word: (outputs[word] in truths[word], len(outputs[word])))


def _draw(model: Translator, word: str, console: Console) -> None:
    """Draws where the decoder looks when it says each phoneme: the last layer, mean of its heads."""
    (translation,) = model.translate([word], attention=True)
    if translation.attention is None or not translation.tokens:
        return  # a model that has learnt nothing yet may say nothing
    weights = translation.attention.cross[-1].mean(dim=0)[:-1, :-1].tolist()
    console.print(f"Where it looks (across: the letters of {word}; down: what it says)")
    console.print(attention_map(translation.tokens, translation.source_tokens, weights))
