"""What all that writes texts of files makes of hypotheses, and how it tells of them while they grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Int
from torch import Tensor

from interlingua.flags import Flag
from interlingua.inference.translation import Translation
from interlingua.inference.translator import DraftObserver
from interlingua.kinds import Codec
from interlingua.search.hypothesis import Hypothesis, StepObserver
from interlingua.text.repetition import repeats

__all__ = ["translation_of", "watch_drafts"]


def translation_of(codec: Codec, hypothesis: Hypothesis, *, repetitive: bool, **more: Any) -> Translation:
    """A hypothesis as a text with its flags.

    Args:
        codec: of the target.
        hypothesis: as a search gave it.
        repetitive: whether targets of the training repeat themselves, so that this is no fault.
        **more: other fields of `Translation`.
    """
    tokens = tuple(codec.pieces(hypothesis.ids))
    flags: list[Flag] = ["limit"] if hypothesis.limited else []
    if not repetitive and repeats(tokens):
        flags.append("repeated")
    text = codec.decode(hypothesis.ids).strip()
    return Translation(text, hypothesis.score, tokens, tuple(hypothesis.log_probs), tuple(flags), **more)


def watch_drafts(
    decode: Callable[[Sequence[int]], str], numbers: Sequence[int], limits: Int[Tensor, " batch"],
    observe: DraftObserver,
) -> StepObserver:  # fmt: skip
    """Tells an observer of drafts of every step; what it does not want any more is cut off.

    Args:
        decode: ids to text.
        numbers: of the source that each row is of.
        limits: of the batch; lowered for rows that are cut off.
        observe: see `Translator.translate`.
    """

    def observe_step(rows: Tensor, ids: Tensor) -> None:
        def drafts() -> dict[tuple[int, int], str]:
            shown = zip(rows.tolist(), ids.tolist(), strict=True)
            return {(numbers[row], row): decode(of_row) for row, of_row in shown}

        unwanted = observe(drafts) or ()
        stopped = [row for row, number in enumerate(numbers) if number in unwanted]
        if stopped:
            limits[stopped] = limits[stopped].clamp(max=ids.shape[1])

    return observe_step
