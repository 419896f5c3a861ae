"""The engine that runs a model converted to CTranslate2: its search, on its layers.

What CTranslate2 cannot do is computed by this package's own engine on the same model: sampling, glossaries,
CTC, attention, and sequences beyond the positions that a converted model has.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interlingua.engine.device import choose_threads
from interlingua.engine.eager import EagerEngine
from interlingua.engine.foreign import import_ctranslate2
from interlingua.errors import ConfigurationError
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, Source
from interlingua.model.protocol import Attention
from interlingua.search.beam import Constraint
from interlingua.search.hypothesis import Hypothesis, SearchInput, StepObserver, length_penalty
from interlingua.search.settings import SearchSettings

__all__ = ["CTRANSLATE2", "CTranslate2Engine", "Converted"]

CTRANSLATE2 = "ctranslate2"
LEAST_LIMIT = 32
"""Sources whose limits are lower still go together with these."""
LEAST_PARALLEL = 2
"""Batches side by side at least: a service decodes short sentences beside a long one."""

_of_parents: list[Any] = []
"""Translators that were opened before a fork, whose threads are gone: closing them would wait for these."""


class Converted(NamedTuple):
    """A model as CTranslate2 has it."""

    directory: Path
    source_names: Sequence[str]
    """The name of each id's token."""
    target_names: Sequence[str]
    positions: int | None
    """So many have a code; None: all."""


class CTranslate2Engine:
    """A converted model, searched by CTranslate2, beside the same model of ours.

    Args:
        converted: where it is, and its tokens.
        own: the same model, for what CTranslate2 cannot do; its device and threads are this engine's.
        compute_type: what CTranslate2 computes in.
    """

    capacity = EagerEngine.capacity

    def __init__(self, converted: Converted, own: EagerEngine, compute_type: str = "float32") -> None:
        self.converted, self.own, self.compute_type = converted, own, compute_type
        self.device, self.threads = own.device, own.threads
        self._ids = {name: i for i, name in enumerate(converted.target_names)}
        self._opened: tuple[int, Any] | None = None
        self._translator()  # what is wrong with it is to be told now

    @property
    def has_attention(self) -> bool:
        """Whether `attend` has something to show."""
        return self.own.has_attention

    def search(
        self, batch: SearchInput, settings: SearchSettings, observe: StepObserver | None = None,
        constraint: Constraint | None = None,
    ) -> list[list[Hypothesis]]:  # fmt: skip
        """Finds `n_best` hypotheses for each source, best first.

        The observer is told before and after the search alone; limits of 0 that it sets are searches less.
        """
        if constraint is not None or settings.sample or settings.ctc_weight or batch.fixed:
            return self.own.search(batch, settings, observe, constraint)
        numbers = torch.arange(len(batch.limits), device=batch.limits.device)
        if observe is not None:
            observe(numbers, batch.source.values.new_zeros(len(numbers), 0))
        sources = self._name_sources(batch.source)
        limits = batch.limits.tolist()
        far = [row for row, source in enumerate(sources) if not self._fits(len(source) + 1, limits[row])]
        found: dict[int, list[Hypothesis]] = {
            row: [Hypothesis([], [], 0.0, True)] for row, limit in enumerate(limits) if limit <= 0
        }
        if far := [row for row in far if row not in found]:
            apart = batch._replace(source=_rows(batch.source, far), limits=batch.limits[far])
            found |= zip(far, self.own.search(apart, settings), strict=True)
        rows = [row for row in range(len(limits)) if row not in found]
        searched = self._search([sources[row] for row in rows], [limits[row] for row in rows], settings)
        if batch.log_probs:
            searched = self._tell_log_probs([sources[row] for row in rows], searched, settings.length_penalty)
        found |= zip(rows, searched, strict=True)
        best = [found[row] for row in range(len(limits))]
        if observe is not None:
            length = max((len(hypotheses[0].ids) for hypotheses in best), default=0)
            leading = [[*of[0].ids, *[EOS] * (length - len(of[0].ids))] for of in best]
            observe(
                numbers,
                torch.tensor(leading, dtype=torch.long, device=numbers.device).view(len(best), length),
            )
        return best

    def log_probs(
        self, source: Source, target_in: Int[Tensor, "batch target"], target_out: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target"]:
        """The log-probability of each token of target_out given those before it; 0 at padding."""
        sources = self._name_sources(source)
        targets = [ids[: int((ids != PAD).sum())].tolist() for ids in target_out]
        fits = [self._fits(len(one) + 1, len(ids)) for one, ids in zip(sources, targets, strict=True)]
        result = torch.zeros(target_out.shape, device=target_out.device)
        if far := [row for row, does_fit in enumerate(fits) if not does_fit]:
            result[far] = self.own.log_probs(_rows(source, far), target_in[far], target_out[far])
        rows = [row for row, does_fit in enumerate(fits) if does_fit]
        scored = self._score([sources[row] for row in rows], [targets[row] for row in rows])
        for row, log_probs in zip(rows, scored, strict=True):
            result[row, : len(log_probs)] = torch.tensor(log_probs, device=result.device)
        return result

    def ctc(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch positions vocabulary"], Bool[Tensor, "batch positions"]] | None:
        """CTC's log-probabilities, of our own model; None: it has no head for it."""
        return self.own.ctc(source)

    def attend(self, source: Source, target_in: Int[Tensor, "batch target"]) -> Attention:
        """Every layer's and head's attention weights, of our own model.

        Raises:
            ConfigurationError: the model has no attention.
        """
        return self.own.attend(source, target_in)

    def _search(
        self, sources: list[list[str]], limits: list[int], settings: SearchSettings
    ) -> list[list[Hypothesis]]:
        """The n best of each source, without the log-probabilities of their tokens.

        A call there has one limit, and what its beam comes to depends on it. So that nothing depends on the
        rest of a batch, those go together whose limits are rounded up to the same; where fewer than n
        hypotheses end within a source's own limit, it is searched again with that.
        """
        found: list[list[Hypothesis]] = [[] for _ in sources]
        for limit, rows in _group([_round_up(limit) for limit in limits]):
            for row, met in zip(rows, self._search_within(sources, rows, limit, settings), strict=True):
                found[row] = [one for one in met if not one.limited and len(one.ids) < limits[row]]
        short = [row for row, hypotheses in enumerate(found) if len(hypotheses) < settings.n_best]
        for limit, places in _group([limits[row] for row in short]):
            rows = [short[place] for place in places]
            for row, met in zip(rows, self._search_within(sources, rows, limit, settings), strict=True):
                known = {tuple(one.ids) for one in found[row]}
                found[row] = _ranked([*found[row], *(one for one in met if tuple(one.ids) not in known)])
        return [hypotheses[: settings.n_best] for hypotheses in found]

    def _search_within(
        self, sources: list[list[str]], rows: list[int], limit: int, settings: SearchSettings
    ) -> list[list[Hypothesis]]:
        """All hypotheses that CTranslate2's beam comes to for some of the sources, in our order."""
        results = self._translator().translate_batch(
            [sources[row] for row in rows], beam_size=settings.beam, num_hypotheses=settings.beam,
            length_penalty=1, max_decoding_length=limit, min_decoding_length=0, max_input_length=0,
            return_scores=True, return_end_token=True, disable_unk=not settings.unknown,
            suppress_sequences=[[SPECIALS[PAD]], [SPECIALS[BOS]]],
        )  # fmt: skip
        return [
            _ranked(
                self._hypothesis(names, score, settings.length_penalty)
                for names, score in zip(result.hypotheses, result.scores, strict=True)
            )
            for result in results
        ]

    def _hypothesis(self, names: list[str], score: float, alpha: float) -> Hypothesis:
        """A hypothesis; CTranslate2's score is the sum of log-probabilities over the length."""
        ids = [self._ids[name] for name in names]
        ended = ids[-1:] == [EOS]
        ranked_by = score * len(ids) / float(length_penalty(len(ids), alpha))
        return Hypothesis(ids[:-1] if ended else ids, [], ranked_by, not ended, CTRANSLATE2)

    def _tell_log_probs(
        self, sources: list[list[str]], found: list[list[Hypothesis]], alpha: float
    ) -> list[list[Hypothesis]]:
        """The same in the same order with the log-probability of each token, of the whole vocabulary."""
        flat = [(row, one) for row, hypotheses in enumerate(found) for one in hypotheses]
        outputs = [one.ids if one.limited else [*one.ids, EOS] for _, one in flat]
        scored = self._score([sources[row] for row, _ in flat], outputs)
        told: list[list[Hypothesis]] = [[] for _ in found]
        for (row, one), log_probs in zip(flat, scored, strict=True):
            score = sum(log_probs) / float(length_penalty(len(log_probs), alpha))
            told[row].append(one._replace(log_probs=log_probs, score=score))
        return told

    def _score(self, sources: list[list[str]], outputs: list[list[int]]) -> list[list[float]]:
        """The log-probability of each id of each output, which may end with EOS."""
        if not sources:
            return []
        names = self.converted.target_names
        targets = [[names[i] for i in (ids[:-1] if ids[-1:] == [EOS] else ids)] for ids in outputs]
        results = self._translator().score_batch(sources, targets, max_input_length=0)
        return [result.log_probs[: len(ids)] for result, ids in zip(results, outputs, strict=True)]

    def _name_sources(self, source: Source) -> list[list[str]]:
        """The tokens of each source without the end sign, which CTranslate2 adds."""
        names, lengths = self.converted.source_names, source.mask.sum(1).tolist()
        together = zip(source.values.tolist(), lengths, strict=True)
        return [[names[i] for i in ids[: length - 1]] for ids, length in together]

    def _fits(self, source_length: int, target_length: int) -> bool:
        """Whether all positions have a code."""
        return (
            self.converted.positions is None or max(source_length, target_length) <= self.converted.positions
        )

    def _translator(self) -> Any:
        """CTranslate2's translator of this process, whose threads a fork does not take along."""
        if self._opened is None or self._opened[0] != os.getpid():
            if self._opened is not None:
                _of_parents.append(self._opened)
            self._opened = (os.getpid(), self._open())
        return self._opened[1]

    def _open(self) -> Any:
        ctranslate2 = import_ctranslate2()
        threads = min(choose_threads(self.threads), self.capacity.workers)
        parallel = max(LEAST_PARALLEL, threads) if self.device.type == "cpu" else 1
        try:
            return ctranslate2.Translator(
                str(self.converted.directory), self.device.type, device_index=self.device.index or 0,
                compute_type=self.compute_type, inter_threads=parallel, intra_threads=1,
            )  # fmt: skip
        except (RuntimeError, ValueError) as error:
            raise ConfigurationError(
                "CTranslate2 cannot open the converted model",
                where=self.converted.directory,
                found=str(error),
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        """All that a copy, perhaps in another process, is made of."""
        return {**self.__dict__, "_opened": None}


def _ranked(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda one: (one.limited, -one.score))


def _round_up(limit: int) -> int:
    return 1 << (max(limit, LEAST_LIMIT) - 1).bit_length()


def _group(limits: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Each distinct limit with the places where it stands."""
    places: dict[int, list[int]] = {}
    for place, limit in enumerate(limits):
        places.setdefault(limit, []).append(place)
    return list(places.items())


def _rows(source: Source, rows: list[int]) -> Source:
    return Source(source.values[rows], source.mask[rows])
