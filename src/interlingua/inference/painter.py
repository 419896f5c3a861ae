"""Texts to pictures: tokens drawn from the model, painted by the codec."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex

import torch
from torch import Tensor

from interlingua.data.batch import make_source
from interlingua.engine.protocol import Engine
from interlingua.engine.workload import batches, chunks, side_by_side
from interlingua.errors import ConfigurationError
from interlingua.inference.alignment import attention_of
from interlingua.inference.inputs import check_chunk, read_pairs, read_texts
from interlingua.inference.scoring import score
from interlingua.inference.translation import PairScore
from interlingua.kinds import Source
from interlingua.model.protocol import Attention
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.reading import Pixels
from interlingua.search.hypothesis import SearchInput, StepObserver
from interlingua.search.settings import SearchSettings
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import Tokenizer, TokenizerPair
from interlingua.version import __version__

__all__ = ["PaintObserver", "Painter", "Painting"]

PAIRS_AT_ONCE = 256
MAX_SEED = 2**31 - 1
PaintObserver = Callable[[Callable[[], dict[tuple[int, int], Sequence[int]]]], object]
"""Told after every token, with what gives the ids so far by (caption, sample); it may raise to stop."""


@dataclass(frozen=True, slots=True)
class Painting:
    """One picture that a model painted."""

    pixels: Pixels
    """(size, size, 3)."""
    tokens: tuple[int, ...]
    """The codes, row by row."""
    log_prob: float
    """The natural log-probability of all tokens, as they were drawn: with guidance, before temperature and
    cuts."""
    seed: int
    """With the caption, what decides the picture."""
    attention: Attention | None = None
    """On request: all weights, (layers, heads, queries, keys); query t is what token t was drawn by."""


class Painter:
    """An engine with all it needs to paint pictures of captions.

    Args:
        engine: what computes.
        tokenizers: of the captions, and the codec of pictures.
        settings: how to draw, unless a call says otherwise.
        facts: of the captions of the training.
        max_source_length: the most tokens that a caption had there.
        **lengths: what search of texts must know; pictures have as many tokens as they have.
    """

    def __init__(
        self, engine: Engine, tokenizers: TokenizerPair, *, settings: SearchSettings | None = None,
        facts: TextFacts | None = None, max_source_length: float = math.inf, **lengths: Any,
    ) -> None:  # fmt: skip
        self.max_source_length = max_source_length
        self.engine, self.tokenizers = engine, tokenizers
        self.settings, self.facts = settings or SearchSettings(sample=True, beam=1), facts or TextFacts()

    @property
    def captions(self) -> Tokenizer:
        """The tokenizer of captions."""
        return self.tokenizers.source

    @property
    def codec(self) -> PictureCodec:
        """What makes pictures of tokens."""
        codec = self.tokenizers.target
        assert isinstance(codec, PictureCodec), "the targets are pictures"
        return codec

    def caption_of(self, source: str) -> str:
        """The caption in a source that has other columns, such as a style; else all of it.

        Raises:
            DataError: the source has another number of columns.
        """
        if not isinstance(self.captions, ColumnTokenizer):
            return source
        columns = [(number == self.facts.column, column.kind != "words", len(column))
                   for number, column in enumerate(self.captions.columns)]  # fmt: skip
        return self.captions.split(source)[columns.index(max(columns))]

    def is_too_long(self, caption: str) -> bool:
        """Whether a caption is longer than those that the model learnt from: some of it may be missing."""
        return len(self.captions.encode(self.captions.normalise(caption))) > self.max_source_length

    def paint(
        self, captions: Iterable[str], *, samples: int = 1, seed: int | Sequence[int] | None = None,
        attention: bool = False, observe: PaintObserver | None = None, **changes: Any,
    ) -> list[list[Painting]]:  # fmt: skip
        """Paints pictures; neither the order nor the company of a caption matters to its pictures.

        Args:
            captions: any number of them.
            samples: pictures of each: those of the seeds seed, seed + 1, and so on.
            seed: of the first, or one for each caption; the settings' when not given.
            attention: whether to give all attention weights.
            observe: called after every token, perhaps from several threads.
            **changes: fields of SearchSettings: guidance, temperature, top_k, top_p, min_p.

        Raises:
            ConfigurationError: a setting, the number of samples or a seed is not acceptable.
            DataError: a caption is no text.
        """
        values = {**self.settings.model_dump(), "sample": True, "beam": 1, "n_best": 1, **changes}
        settings = SearchSettings.parse(values, where="search")
        texts = list(read_texts(captions, "captions"))
        sources = self.captions.encode_batch([self.captions.normalise(text) for text in texts])
        firsts = _seeds(settings.seed if seed is None else seed, len(texts), samples)
        jobs = [(number, sample) for number in range(len(texts)) for sample in range(samples)]

        def paint_batch(batch: list[int]) -> list[Painting]:
            chosen = [jobs[i] for i in batch]
            seeds = [firsts[number] + sample for number, sample in chosen]
            return self._paint(
                [sources[number] for number, _ in chosen], chosen, seeds, settings, attention, observe
            )

        lengths = [len(sources[number]) + 1 for number, _ in jobs]
        rows = 2 if settings.guidance != 1 else 1
        together = list(
            batches(
                lengths,
                [rows * (length + self.codec.tokens) for length in lengths],
                self.engine.capacity,
                rows,
            )
        )
        found: dict[tuple[int, int], Painting] = {}
        for batch, paintings in zip(together, side_by_side(paint_batch, together, self.engine), strict=True):
            found.update(zip((jobs[i] for i in batch), paintings, strict=True))
        return [[found[number, sample] for sample in range(samples)] for number in range(len(texts))]

    def notes(self, captions: Sequence[str], seeds: Sequence[int], **changes: Any) -> dict[str, str]:
        """What a file of these pictures tells, by PNG's keywords: by it they can be painted again.

        Args:
            captions: of the file's pictures.
            seeds: of the pictures, caption by caption.
            **changes: what `paint` was called with.
        """
        values = {**self.settings.model_dump(), **changes}
        used = {key: values[key] for key in ("guidance", "temperature", "top_k", "top_p", "min_p")}
        made_by = {"seed": seeds[0] if len(seeds) == 1 else list(seeds), **used}
        return {
            "Title": "\n".join(captions),
            "Software": f"interlingua {__version__}",
            "Comment": json.dumps(made_by),
        }

    def score_pairs(
        self, pairs: Iterable[tuple[str, str]], *, chunk: int = PAIRS_AT_ONCE
    ) -> Iterator[PairScore]:
        """Says how probable given picture files are, in order, with flat memory."""
        check_chunk(chunk)
        parts = chunks(read_pairs(pairs, "pairs"), chunk)
        return (found for part in parts for found in score(self.engine, self.tokenizers, part))

    def _paint(
        self, sources: Sequence[list[int]], jobs: Sequence[tuple[int, int]], seeds: Sequence[int],
        settings: SearchSettings, attention: bool, observe: PaintObserver | None,
    ) -> list[Painting]:  # fmt: skip
        device = self.engine.device
        values, mask = make_source(sources, "text")
        source = Source(values.to(device), mask.to(device))
        limits = torch.full((len(sources),), self.codec.tokens, device=device)
        observe_step = None if observe is None else self._step_observer(jobs, observe)
        batch = SearchInput(source, limits, tuple(seeds), fixed=True)
        found = self.engine.search(batch, settings, observe_step)
        ids = [hypotheses[0].ids for hypotheses in found]
        pictures = self.codec.decode_batch(ids)
        paintings = [
            Painting(picture, tuple(self.codec.codes(row)), sum(hypotheses[0].log_probs), of_seed)
            for picture, row, hypotheses, of_seed in zip(pictures, ids, found, seeds, strict=True)
        ]
        if attention:
            weights = attention_of(self.engine, source, ids)
            paintings = [replace(each, attention=own) for each, own in zip(paintings, weights, strict=True)]
        return paintings

    def _step_observer(self, jobs: Sequence[tuple[int, int]], observe: PaintObserver) -> StepObserver:
        def observe_step(rows: Tensor, ids: Tensor) -> None:
            observe(
                lambda: {jobs[row]: of_row for row, of_row in zip(rows.tolist(), ids.tolist(), strict=True)}
            )

        return observe_step


def _seeds(seed: object, captions: int, samples: int) -> list[int]:
    """The seed of each caption's first picture; all of a caption's seeds are such as settings may have."""
    if isinstance(samples, bool) or not isinstance(samples, SupportsIndex) or operator.index(samples) < 1:
        raise ConfigurationError("so many pictures of a caption cannot be painted", where="samples",
                                 found=samples, accepted="1 or more.")  # fmt: skip
    try:
        seeds = _whole_numbers(seed, captions)
    except TypeError:
        raise ConfigurationError("this is no seed", where="seed", found=seed,
                                 accepted="A whole number, or one for each caption.") from None  # fmt: skip
    if len(seeds) != captions:
        raise ConfigurationError("there is not a seed for each caption", where="seed",
                                 found=f"{len(seeds)} seeds for {captions} captions")  # fmt: skip
    for each in seeds:
        if not 0 <= each <= MAX_SEED - samples + 1:
            raise ConfigurationError(
                "there is no such seed", where="seed", found=each,
                accepted=f"From 0; the last sample's is at most {MAX_SEED}.",
            )  # fmt: skip
    return seeds


def _whole_numbers(value: Any, count: int) -> list[int]:
    """One number so many times, or those that there are."""
    try:
        return [operator.index(value)] * count
    except TypeError:
        return [operator.index(each) for each in value]
