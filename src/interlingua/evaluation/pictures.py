"""What painted pictures are worth: what a codec keeps, what a judge reads in them, and what is copied."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from interlingua.evaluation.metrics import Metric, task_metrics
from interlingua.evaluation.scores import Score
from interlingua.evaluation.scores import evaluate as score_outputs
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from interlingua.pictures.reconstruction import Reconstruction, measure_codec

__all__ = ["Judged", "PaintingReport", "TrainingPictures", "evaluate_painter"]

Flat = npt.NDArray[np.uint8]
"""(pictures, values)."""
CHOICES = 10
"""Captions that a judge chooses among: the true one, and others of the test."""
AT_ONCE = 256


class TrainingPictures(NamedTuple):
    """What a model may have learnt by heart."""

    captions: list[str]
    read: Callable[[Sequence[int]], Flat]
    """The pictures of some numbers."""


class Judged(NamedTuple):
    """What a model from pictures to texts makes of some pictures, which it has not seen before."""

    name: str
    scores: list[Score]
    """Of what it says they show, against the captions."""
    chosen: float
    """The percentage of pictures for which it finds the true caption the most probable of some."""
    choices: int
    """Among so many captions it chooses, fewer where the test has fewer: of one there is no choice."""


class PaintingReport(NamedTuple):
    """What a model that paints is worth on some captions."""

    bits_per_token: float
    bits_per_pixel: float
    """What it takes to tell the true picture's tokens, by a model that knows the caption."""
    reconstruction: Reconstruction
    """Of the true pictures by the codec."""
    nearest: tuple[float, float] | None
    """Median distance to the nearest training picture, root mean square of 255: of painted and true ones."""
    copies: float | None
    """The percentage of painted pictures that are nearer to a training picture than true ones are to what the
    codec makes of them; None where it loses so much that this tells nothing."""
    judged: list[Judged]


def evaluate_painter(
    painter: Painter, pairs: Sequence[tuple[str, str]], true: Flat, *, train: TrainingPictures | None = None,
    judge: Captioner | None = None, seed: int = 0, **options: Any,
) -> PaintingReport:  # fmt: skip
    """Paints one picture of each caption and says what it is worth.

    Args:
        painter: of the model.
        pairs: (caption, name of a picture file).
        true: their pictures, as the codec reads them.
        train: the pairs it was trained on, for baselines and to see copying.
        judge: says what pictures show.
        seed: of the pictures.
        **options: as `Painter.paint` takes them.
    """
    captions, size = [caption for caption, _ in pairs], painter.codec.size
    scores = list(painter.score_pairs(pairs))
    nats = -sum(sum(score.log_probs[: painter.codec.tokens]) for score in scores)
    bits = nats / math.log(2) / len(pairs)
    painted = np.stack([each[0].pixels.reshape(-1) for each in painter.paint(captions, seed=seed, **options)])
    restored = np.stack([each.reshape(-1) for each in _through_codec(painter, true)])
    shown = {"painted": painted, "true pictures through the codec": restored, "true pictures": true}
    nearest = copies = None
    if train is not None:
        random = np.random.default_rng(seed)
        alike = process.cdist(
            captions, train.captions, scorer=fuzz.token_sort_ratio, dtype=np.uint8, workers=-1
        )
        shown["training picture of the nearest caption"] = train.read(alike.argmax(axis=1).tolist())
        drawn = random.integers(0, len(train.captions), len(captions)).tolist()
        shown["a training picture by chance"] = train.read(drawn)
        own, of_true = (_nearest(each, train) for each in (painted, true))
        lost, by_chance = (_distances(shown[each], true) for each in
                           ("true pictures through the codec", "a training picture by chance"))  # fmt: skip
        nearest = float(np.median(own)), float(np.median(of_true))
        if np.median(lost) < np.median(by_chance) / 2:
            copies = 100 * float((own <= np.median(lost)).mean())
    described = list(map(painter.caption_of, captions))
    judged = [] if judge is None else _judge(judge, described, shown, size, seed)
    return PaintingReport(
        bits / painter.codec.tokens,
        bits / size**2,
        measure_codec(painter.codec, true),
        nearest,
        copies,
        judged,
    )


def _distances(pictures: Flat, others: Flat) -> npt.NDArray[np.float32]:
    """Root mean square of 255, of each from its counterpart."""
    found: npt.NDArray[np.float32] = np.sqrt(np.square(pictures.astype(np.float32) - others).mean(axis=1))
    return found


def _through_codec(painter: Painter, pictures: Flat) -> list[npt.NDArray[np.uint8]]:
    return painter.codec.decode_batch(painter.codec.encode_pixels(pictures).tolist())


def _judge(
    judge: Captioner, captions: Sequence[str], shown: dict[str, Flat], size: int, seed: int
) -> list[Judged]:
    metrics = task_metrics(captions, judge.tokenizers)
    others = np.random.default_rng(seed).permuted(
        np.tile(np.arange(len(captions)), (len(captions), 1)), axis=1
    )
    choices = [
        [i, *(j for j in row.tolist() if captions[j] != captions[i])][:CHOICES]
        for i, row in enumerate(others[:, : 2 * CHOICES])
    ]
    most = max(map(len, choices))
    found = []
    for name, flat in shown.items():
        pictures = list(flat.reshape(-1, size, size, 3))
        said = [each.text for each in judge.translate(pictures)]
        asked = [(pictures[i], captions[j]) for i, row in enumerate(choices) for j in row]
        probable = iter(judge.score_pictures(asked))
        right = [max(range(len(row)), key=[next(probable) for _ in row].__getitem__) == 0 for row in choices]
        found.append(Judged(name, _score(said, captions, metrics), 100 * float(np.mean(right)), most))
    return found


def _score(said: Sequence[str], captions: Sequence[str], metrics: Sequence[Metric]) -> list[Score]:
    pairs = [(str(i), caption) for i, caption in enumerate(captions)]
    return score_outputs(said, pairs, metrics=metrics, repeated="cases")


def _nearest(pictures: Flat, train: TrainingPictures) -> npt.NDArray[np.float32]:
    """The root mean square distance of each to the training picture that is nearest."""
    best = np.full(len(pictures), np.inf, np.float32)
    ours = pictures.astype(np.float32)
    squares = np.square(ours).sum(axis=1)
    for start in range(0, len(train.captions), AT_ONCE):
        theirs = train.read(range(start, min(start + AT_ONCE, len(train.captions)))).astype(np.float32)
        found = squares[:, np.newaxis] + np.square(theirs).sum(axis=1) - 2 * ours @ theirs.T
        best = np.minimum(best, found.min(axis=1))
    distances: npt.NDArray[np.float32] = np.sqrt(np.maximum(best, 0) / pictures.shape[1])
    return distances
