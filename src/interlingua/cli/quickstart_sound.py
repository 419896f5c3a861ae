"""What `quickstart sound` makes, and shows of the model that understands it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from interlingua.cli.drawing import loudness_curve
from interlingua.cli.evaluate import System, score_table
from interlingua.cli.models import load_model

if TYPE_CHECKING:
    from interlingua.inference.translation import Translation

__all__ = ["make_sounds", "record_command", "show_sounds"]

SHOWN = 12
"""Test sounds in the table."""
COLUMNS = 80
"""Of the drawing."""
RANGE_DB = 40.0
"""From the loudest part down to what is drawn as nothing."""
RECORDERS = {
    "arecord": "arecord -q -f S16_LE -r 16000 -t wav",
    "rec": "rec -q -r 16000 -c 1 -b 16 -t wav -",
    "ffmpeg": "ffmpeg -loglevel error -f avfoundation -i :0 -ar 16000 -ac 1 -f wav -",
}
"""By program, what writes what a microphone hears to standard output: of Linux, of SoX, of macOS."""


def make_sounds(data: Path, console: Console) -> None:
    """Makes the sounds and the files that name them; those that are there stay."""
    from interlingua.cli.espeak import require_espeak
    from interlingua.cli.spoken import PARTS, make_parts
    from interlingua.sound.opening import require_sound

    if not data.exists():
        require_espeak()
        require_sound()
        count = sum(part.size for part in PARTS.values())
        console.print(f"A speech synthesizer says {count:,} numbers and commands, which takes some seconds.")
    make_parts(data)


def show_sounds(
    model_directory: Path, data: Path, device: str, threads: int | None, console: Console
) -> None:
    """Shows what a model understands of voices that it has never heard, and how often it is right.

    Args:
        model_directory: of the model.
        data: the directory of the sounds and the files of pairs.
        device: where it computes.
        threads: CPU threads.
        console: where it is shown.
    """
    from interlingua.cli.spoken import PARTS
    from interlingua.data.corpus import Corpus, CorpusSettings
    from interlingua.evaluation.metrics import task_metrics
    from interlingua.evaluation.scores import evaluate

    model = load_model(model_directory, device, threads, of="sound")
    settings = CorpusSettings(source_kind="sound")
    pairs = [(pair.source, pair.target) for pair in Corpus([str(data / "test.tsv")], settings)]
    outputs = model.transcribe([name for name, _ in pairs])
    console.print(_examples(pairs, outputs))
    metrics = task_metrics([said for _, said in pairs], model.tokenizers)
    scores = evaluate([output.text for output in outputs], pairs, metrics=metrics, repeated="cases")
    voices = len(PARTS["test"].variants)
    title = f"{len(pairs):,} sounds of {voices} voices never heard in training"
    console.print(score_table([System("this model", scores)], title))
    console.print(
        "WER: words wrong, missing or too many, in percent of those said; CER: the same of characters\n"
    )
    _draw(model.transcribe([_telling(pairs, outputs)], words=True)[0], _telling(pairs, outputs), console)
    console.print(
        "\nThis model was trained on a speech synthesizer: it knows about 60 words and will not understand "
        "you well yet. Recordings of people make a model that does."
    )


def record_command(model: str) -> str:
    """A command line that writes down what a microphone hears, with a recorder that is there if one is."""
    recorder = next(
        (command for name, command in RECORDERS.items() if shutil.which(name)), RECORDERS["arecord"]
    )
    return f"{recorder} | interlingua transcribe {model} -   # say: set timer to ten minutes"


def _examples(pairs: Sequence[tuple[str, str]], outputs: Sequence[Translation]) -> Table:
    table = Table(title="Voices it has never heard", title_justify="left")
    for heading in ("", "sound", "said", "understood"):
        table.add_column(heading)
    chosen = list(zip(pairs, outputs, strict=True))[:: max(1, len(pairs) // SHOWN)][:SHOWN]
    for (name, said), output in chosen:
        mark = "[green]✓[/]" if output.text == said else "[red]✗[/]"
        table.add_row(mark, escape(Path(name).name), said, escape(output.text))
    return table


def _telling(pairs: Sequence[tuple[str, str]], outputs: Sequence[Translation]) -> str:
    """The sound with the longest answer among those that are right; among all when none is."""
    (name, _), _ = max(
        zip(pairs, outputs, strict=True), key=lambda each: (each[1].text == each[0][1], len(each[1].text))
    )
    return name


def _draw(transcript: Translation, name: str, console: Console) -> None:
    """Draws how loud a sound is, and below it the words that were understood, where they begin."""
    import numpy as np

    from interlingua.sound.reading import SAMPLE_RATE, read_sound

    if not transcript.words:
        return  # a model that has learnt nothing yet may say nothing
    samples = read_sound(name)
    width = max(1, len(samples) // COLUMNS)
    columns = samples[: len(samples) // width * width].reshape(-1, width).astype("float64")
    levels = 20 * np.log10(np.sqrt((columns**2).mean(axis=1)) + 1)
    levels = np.clip(1 + (levels - levels.max()) / RANGE_DB, 0, 1)
    words = [(word.text, round(word.start_s * SAMPLE_RATE / width)) for word in transcript.words]
    console.print(f"What it heard, and when, in the {len(samples) / SAMPLE_RATE:.1f} s of {Path(name).name}")
    console.print(loudness_curve(levels.tolist(), words))
