"""What `quickstart words` shows of the model that pronounces words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from interlingua.cli.drawing import attention_map
from interlingua.cli.evaluate import System, score_table
from interlingua.cli.models import load_model

if TYPE_CHECKING:
    from interlingua.inference.translator import Translator

__all__ = ["show_words"]

SHOWN = 12
"""Held-out words in the table."""


def show_words(model_directory: Path, data: Path, device: str, threads: int | None, console: Console) -> None:
    """Shows what a model says to words that it has never seen, and how often it is right.

    Args:
        model_directory: of the model.
        data: the directory of the files of pairs.
        device: where it computes.
        threads: CPU threads.
        console: where it is shown.
    """
    from interlingua.data.corpus import Corpus, CorpusSettings
    from interlingua.evaluation.metrics import task_metrics
    from interlingua.evaluation.scores import evaluate

    model = load_model(model_directory, device, threads)
    pairs = [(pair.source, pair.target) for pair in Corpus([str(data / "test.tsv")], CorpusSettings())]
    truths: dict[str, list[str]] = {}
    for word, said in pairs:
        truths.setdefault(word, []).append(said)
    words = list(truths)
    outputs = {word: found.text for word, found in zip(words, model.translate(words), strict=True)}
    shown = [word for word in words if 5 <= len(word) <= 12][:: max(1, len(words) // (2 * SHOWN))][:SHOWN]
    console.print(_examples(shown, outputs, truths))
    metrics = task_metrics([said for _, said in pairs], model.tokenizers)
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
