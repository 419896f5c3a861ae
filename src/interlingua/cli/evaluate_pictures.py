"""`interlingua evaluate` of models that paint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from interlingua.cli.lines import open_output
from interlingua.cli.models import load_model, read_pairs_of
from interlingua.errors import ConfigurationError

if TYPE_CHECKING:
    from interlingua.data.corpus import CorpusSettings, Pair
    from interlingua.evaluation.pictures import PaintingReport, TrainingPictures

__all__ = ["evaluate_painters"]


def evaluate_painters(
    models: Sequence[str], pairs_of: dict[str, list[Pair]], train: list[str] | None, judge: Path | None,
    settings: CorpusSettings, as_json: bool, compute: dict[str, Any],
) -> None:  # fmt: skip
    """Says what the pictures are worth that models paint of test captions.

    Args:
        models: their directories.
        pairs_of: the test pairs, by the file's name.
        train: files of training pairs.
        judge: the directory of a model from pictures to texts.
        settings: how files of pairs are read.
        as_json: whether for programs.
        compute: device, threads and precision.
    """
    import numpy as np

    from interlingua.data.corpus import Corpus
    from interlingua.evaluation.pictures import evaluate_painter
    from interlingua.pictures.reading import read_picture

    learnt = None if train is None else read_pairs_of(", ".join(train), Corpus(train, settings))
    painters = [load_model(Path(model), **compute, of="paint") for model in models]
    looking = None if judge is None else load_model(judge, **compute, of="picture")
    for test, pairs in pairs_of.items():
        for name, painter in zip(models, painters, strict=True):
            size = painter.codec.size
            if looking is not None and looking.size != size:
                raise ConfigurationError(
                    "the judge sees pictures of another size", where=str(judge),
                    found=f"{looking.size} pixels an edge, not {size}",
                    accepted=f"Train one with --set data.picture_size={size}",
                )  # fmt: skip
            seen = None if learnt is None else _training_pictures(learnt, size)
            true = np.stack([read_picture(pair.target, size).reshape(-1) for pair in pairs])
            report = evaluate_painter(painter, pairs, true, train=seen, judge=looking)
            if as_json:
                with open_output(None) as write:
                    write(json.dumps({"system": name, "test": test, **_plain(report)}) + "\n")
            else:
                _show(report, f"{name}, {test}: {len(pairs):,} captions, one picture each")


def _training_pictures(pairs: Sequence[Pair], size: int) -> TrainingPictures:
    import numpy as np

    from interlingua.evaluation.pictures import TrainingPictures
    from interlingua.pictures.reading import read_picture

    def read(numbers: Sequence[int]) -> Any:
        return np.stack([read_picture(pairs[i].target, size).reshape(-1) for i in numbers])

    return TrainingPictures([pair.source for pair in pairs], read)


def _plain(report: PaintingReport) -> dict[str, Any]:
    values = {**report._asdict(), "reconstruction": report.reconstruction._asdict()}
    values["judged"] = [
        {
            "name": each.name,
            "chosen": each.chosen,
            "choices": each.choices,
            "scores": [score.as_json() for score in each.scores],
        }
        for each in report.judged
    ]
    return values


def _show(report: PaintingReport, title: str) -> None:
    console = Console(highlight=False)
    console.print(title, soft_wrap=True, markup=False)
    console.print(
        f"  {report.bits_per_token:.2f} bits a token, {report.bits_per_pixel:.3f} a pixel (fewer is better)"
    )
    console.print(f"  the codec's own loss on the true pictures: {report.reconstruction}", soft_wrap=True)
    if report.nearest is not None:
        own, of_true = report.nearest
        distance = f"{own:.1f} of 255 (true pictures: {of_true:.1f})"
        copies = "the codec loses too much to tell copies" if report.copies is None else (
            f"{report.copies:.1f}% are copies")  # fmt: skip
        console.print(f"  from the nearest training picture: {distance}; {copies}", soft_wrap=True)
    if not report.judged:
        console.print("  what they show is judged with --judge MODEL, a model from pictures to texts")
        return
    table = Table(title="what the judge reads in", title_justify="left")
    table.add_column("", overflow="fold")
    for score in report.judged[0].scores:
        table.add_column(f"{score.name} {'↑' if score.higher_is_better else '↓'}", justify="right")
    among = report.judged[0].choices
    if among > 1:
        table.add_column(f"caption chosen of {among} ↑", justify="right")
    for each in report.judged:
        spreads = [f" ± {s.confidence.half_width:.2f}" if s.confidence else "" for s in each.scores]
        cells = [f"{score.score:.2f}{spread}" for score, spread in zip(each.scores, spreads, strict=True)]
        table.add_row(each.name, *cells, *([f"{each.chosen:.1f}%"] if among > 1 else []))
    console.print(table)
