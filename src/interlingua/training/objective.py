"""What training minimises: sums over target tokens, to be divided by their number once an update.

Cross entropy with label smoothing is computed over the logits, a part of them at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interlingua.data.batch import Batch
from interlingua.kinds import PAD
from interlingua.model.protocol import Memory, Seq2Seq
from interlingua.training.ctc import ctc_sum
from interlingua.training.settings import TrainingSettings

__all__ = [
    "CTC",
    "CrossEntropy",
    "Hybrid",
    "Loss",
    "Objective",
    "build_objective",
    "cross_entropy_sum",
    "ctc_sum",
]


class Loss(NamedTuple):
    """What an objective finds in a batch."""

    sums: dict[str, Float[Tensor, ""]]
    """The parts of the loss by name, each summed over the batch; their sum is minimised."""
    tokens: int
    """Target tokens, the number to divide by."""


@runtime_checkable
class Objective(Protocol):
    """Computes the loss of a batch, on the batch's device."""

    def __call__(self, model: Seq2Seq, batch: Batch) -> Loss:
        """The sums, with a graph to go backward through."""
        ...


class CrossEntropy:
    """Cross entropy of the next token (see `cross_entropy_sum`).

    Args:
        smoothing: share of the uniform distribution, 0 to 1.
        consistency: R-Drop's weight; above 0, every pair is computed twice, under different dropout.
    """

    def __init__(self, smoothing: float = 0.0, consistency: float = 0.0) -> None:
        self.smoothing, self.consistency = smoothing, consistency

    def __call__(self, model: Seq2Seq, batch: Batch) -> Loss:
        """The sum over the target tokens, in nats: one part, "loss", since R-Drop's divergence is in it."""
        repeated = self.repeat(batch)
        total = self.of_memory(model, model.encode(repeated.source), repeated)
        return Loss({"loss": total}, batch.target_tokens)

    def repeat(self, batch: Batch) -> Batch:
        """What is computed for a batch: every pair twice, if predictions are to be consistent."""
        return batch.twice() if self.consistency else batch

    def of_memory(self, model: Seq2Seq, memory: Memory, repeated: Batch) -> Float[Tensor, ""]:
        """The sum, from the memory of what `repeat` returned."""
        hidden = model.decode(memory, repeated.target_in)
        total = cross_entropy_sum(
            model.project, hidden, repeated.target_out, smoothing=self.smoothing, padding=PAD,
            consistency=self.consistency,
        )  # fmt: skip
        return total / 2 if self.consistency else total


class CTC:
    """Connectionist temporal classification of the memory (Graves et al. 2006, 4.2; see `ctc_sum`)."""

    def __call__(self, model: Seq2Seq, batch: Batch) -> Loss:
        """The sum over the targets, in nats: one part, "ctc"."""
        memory = model.encode(batch.source)
        log_probs = model.ctc(memory)
        assert log_probs is not None, "the model has that head"
        total = ctc_sum(log_probs, memory.mask, batch.target_out)
        return Loss({"ctc": total}, batch.target_tokens)


class Hybrid:
    """(1 - weight) * cross entropy + weight * CTC, of one memory (Watanabe et al. 2017, III-A).

    Of models without a head for CTC it is the cross entropy alone.

    Args:
        cross_entropy: of the decoder.
        weight: CTC's, 0 to 1.
    """

    def __init__(self, cross_entropy: CrossEntropy, weight: float) -> None:
        self.cross_entropy, self.weight = cross_entropy, weight

    def __call__(self, model: Seq2Seq, batch: Batch) -> Loss:
        """The weighted sums, in nats: "loss" of the decoder, and "ctc"."""
        repeated = self.cross_entropy.repeat(batch)
        memory = model.encode(repeated.source)
        total = self.cross_entropy.of_memory(model, memory, repeated)
        log_probs = model.ctc(memory) if self.weight else None
        if log_probs is None:
            return Loss({"loss": total}, batch.target_tokens)
        share = self.weight * batch.target_tokens / repeated.target_tokens
        ctc = share * ctc_sum(log_probs, memory.mask, repeated.target_out)
        return Loss({"loss": (1 - self.weight) * total, "ctc": ctc}, batch.target_tokens)


def build_objective(settings: TrainingSettings) -> Objective:
    """The objective that the settings ask for."""
    return Hybrid(CrossEntropy(settings.label_smoothing, settings.consistency), settings.ctc_weight)


NUMBERS_AT_ONCE = {"cpu": 1 << 18}
"""So many logits are worked on together, in single precision: on a CPU they stay in the cache, and the memory
for them is not asked of the system anew each time."""
DEFAULT_NUMBERS_AT_ONCE = 1 << 24


def cross_entropy_sum(
    project: Callable[[Tensor], Tensor],
    hidden: Float[Tensor, "batch target dim"],
    target_out: Int[Tensor, "batch target"],
    *,
    smoothing: float,
    padding: int,
    consistency: float = 0.0,
) -> Float[Tensor, ""]:
    """The loss of all real target tokens, in nats; divide by their number once per optimizer step.

    Label smoothing (Szegedy et al. 2016; Vaswani et al. 2017, 5.4) mixes the one true token with the uniform
    distribution over the whole vocabulary: q = (1 - smoothing) * onehot + smoothing / vocabulary.

    Consistency (R-Drop, Wu et al. 2021, Eq. 4) takes a batch of two halves, the same pairs under different
    dropout, and adds for each target token consistency / 2 * (KL(first || second) + KL(second || first)).

    Args:
        project: hidden states to logits, in memory of their own: the gradient is written over them.
        hidden: what the model's `decode` returned.
        target_out: the tokens to predict.
        smoothing: share of the uniform distribution, 0 to 1.
        padding: the id of target_out that is no token.
        consistency: weight of the divergence between the halves of the batch; 0: the batch has no halves.
    """
    real = (target_out != padding).flatten().nonzero().squeeze(1)
    rows = hidden.flatten(0, 1).index_select(0, real)
    tokens = target_out.flatten().index_select(0, real)
    # One product for all rows: the gradient of its matrix is summed up in single precision, and rounded once.
    total: Tensor = _SmoothedCrossEntropy.apply(project(rows), tokens, smoothing, consistency)  # type: ignore[no-untyped-call]
    return total


class _SmoothedCrossEntropy(torch.autograd.Function):
    """The gradient of the logits, softmax - q, is written over them, in their precision: they are lost."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor, smoothing: float, consistency: float) -> Tensor:
        halves, classes = 2 if consistency else 1, logits.shape[1]
        numbers = NUMBERS_AT_ONCE.get(logits.device.type, DEFAULT_NUMBERS_AT_ONCE)
        at_once = max(1, numbers // (halves * classes))
        parts = (each.view(halves, -1, width).split(at_once, dim=1)
                 for each, width in ((logits, classes), (tokens, 1)))  # fmt: skip
        total = torch.zeros((), dtype=torch.float32, device=logits.device)
        for part, column in zip(*parts, strict=True):
            scores = part.float()
            true_scores = scores.gather(2, column)
            probabilities = torch.softmax(scores, dim=2)
            # log sum exp from what the softmax has computed already; exact but for p < 1e-38
            log_total = true_scores - probabilities.gather(2, column).clamp_min(1e-38).log()
            loss = log_total - (1 - smoothing) * true_scores
            if smoothing:
                loss -= smoothing * scores.mean(dim=2, keepdim=True)
            total += loss.sum()
            gradient = probabilities
            if consistency:
                divergence, toward = _divergence(scores - log_total, probabilities)
                total += consistency / 2 * divergence
                gradient = torch.add(probabilities, toward, alpha=consistency / 2)
            gradient.sub_(smoothing / classes)
            gradient.scatter_add_(2, column, gradient.new_full(column.shape, smoothing - 1))
            part.copy_(gradient)
        ctx.save_for_backward(logits.detach())
        return total

    @staticmethod
    def backward(ctx: Any, *gradient_of_loss: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradient_of_loss[0], None, None, None


def _divergence(
    log_probs: Float[Tensor, "2 rows classes"], probabilities: Float[Tensor, "2 rows classes"]
) -> tuple[Tensor, Tensor]:
    """KL(first || second) + KL(second || first), summed over rows; and the gradient of the logits."""
    ratio = log_probs - log_probs.flip(0)  # of each half, over the other
    weighted = probabilities * ratio
    divergence = weighted.sum(2, keepdim=True)
    gradient = weighted.addcmul_(probabilities, divergence, value=-1)
    gradient += probabilities - probabilities.flip(0)
    return divergence.sum(), gradient
