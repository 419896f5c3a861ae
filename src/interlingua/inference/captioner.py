"""Pictures to texts: every picture is seen as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from interlingua.data.batch import make_source
from interlingua.engine.protocol import Engine
from interlingua.engine.workload import batches, chunks, side_by_side
from interlingua.errors import DataError
from interlingua.inference.alignment import attention_of
from interlingua.inference.drafts import translation_of, watch_drafts
from interlingua.inference.inputs import check_chunk, read_pairs
from interlingua.inference.scoring import score, score_encoded
from interlingua.inference.translation import PairScore, Translation
from interlingua.inference.translator import DraftObserver
from interlingua.kinds import Source
from interlingua.pictures.patches import GRID
from interlingua.pictures.reading import (
    Pixels,
    decode_picture,
    fit,
    fit_image,
    read_picture,
    require_pictures,
)
from interlingua.pictures.source import FlatPixels, PictureSource
from interlingua.search.hypothesis import Hypothesis, SearchInput
from interlingua.search.settings import SearchSettings
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Captioner", "Picture"]

Picture = str | Path | bytes | npt.NDArray[Any] | Any
"""The name of a file, what is in one, an array (see `pictures.reading.fit`), or an `Image` of Pillow."""
PICTURES_AT_ONCE = 1024
"""Pictures in memory."""


class Painted(Protocol):
    """A picture that was painted."""

    @property
    def pixels(self) -> Pixels:
        """(size, size, 3)."""


T = TypeVar("T", bound=Painted)


class Captioner:
    """An engine with all it needs to be used on pictures.

    Args:
        engine: what computes.
        tokenizers: of the pictures and the target.
        settings: how to search, unless a call says otherwise.
        max_ratio: the largest usual target length / source length of the training, in tokens a patch.
        facts: of the targets of the training.
        extra_tokens: by how much targets exceed the ratio.
        **lengths: what search of texts must know besides.
    """

    def __init__(
        self, engine: Engine, tokenizers: TokenizerPair, *, settings: SearchSettings | None = None,
        max_ratio: float = 1.0, facts: TextFacts | None = None, extra_tokens: float = 0.0, **lengths: Any,
    ) -> None:  # fmt: skip
        self.engine, self.tokenizers = engine, tokenizers
        self.settings, self.facts = settings or SearchSettings(), facts or TextFacts()
        self.limit = tokenizers.target.length_limit(GRID * GRID, max_ratio, extra_tokens)
        """The most target tokens looked for."""

    @property
    def size(self) -> int:
        """The edge of the pictures that the model sees, in pixels."""
        source = self.tokenizers.source
        assert isinstance(source, PictureSource), "the sources are pictures"
        return source.size

    def translate(
        self, pictures: Iterable[Picture], *, attention: bool = False, observe: DraftObserver | None = None,
        **changes: Any,
    ) -> list[Translation]:  # fmt: skip
        """Says what pictures show; the order and the company of a picture do not matter to its text.

        Args:
            pictures: any number of them.
            attention: whether to give all attention weights; source positions are patches, row by row.
            observe: called after every step of decoding, perhaps from several threads; it may raise to stop,
                or return the numbers of pictures that are not wanted any more.
            **changes: fields of SearchSettings, such as beam=5.

        Raises:
            ConfigurationError: a search setting is not acceptable.
            DataError: a file cannot be read, or an array holds no picture.
        """
        settings = SearchSettings.parse({**self.settings.model_dump(), **changes}, where="search")
        if isinstance(pictures, str | Path | bytes | np.ndarray) or not isinstance(pictures, Iterable):
            raise DataError("this takes a list or the like", where="pictures", found=type(pictures).__name__,
                            accepted="A list of pictures; of one picture: [picture].")  # fmt: skip
        translations: list[Translation] = []
        for some in chunks(enumerate(pictures), PICTURES_AT_ONCE):
            pixels = [self._take(picture, f"pictures[{number}]") for number, picture in some]
            rows = settings.n_best if settings.sample else settings.beam
            memory_tokens = [rows * (self.limit + GRID * GRID)] * len(pixels)
            together = list(batches([GRID * GRID] * len(pixels), memory_tokens, self.engine.capacity, rows))

            def translate_batch(
                batch: list[int], some: Any = some, pixels: Any = pixels
            ) -> list[Translation]:
                numbers = [some[i][0] for i in batch]
                return self._translate([pixels[i] for i in batch], numbers, settings, attention, observe)

            found: dict[int, Translation] = {}
            for batch, of_batch in zip(
                together, side_by_side(translate_batch, together, self.engine), strict=True
            ):
                found.update(zip(batch, of_batch, strict=True))
            translations += [found[i] for i in range(len(pixels))]
        return translations

    def score_pairs(
        self, pairs: Iterable[tuple[str, str]], *, chunk: int = PICTURES_AT_ONCE
    ) -> Iterator[PairScore]:
        """Says how probable given texts of picture files are, in order, with flat memory."""
        check_chunk(chunk)
        parts = chunks(read_pairs(pairs, "pairs"), chunk)
        return (found for part in parts for found in score(self.engine, self.tokenizers, part))

    def score_pictures(self, pairs: Iterable[tuple[Picture, str]]) -> Iterator[float]:
        """The natural log-probability of each text, given its picture; in order, with flat memory."""
        target = self.tokenizers.target
        for some in chunks(pairs, PICTURES_AT_ONCE):
            pixels = [self._take(picture, f"pairs[{number}]") for number, (picture, _) in enumerate(some)]
            ids = target.encode_batch([target.normalise(text) for _, text in some])
            yield from (found.log_prob for found in score_encoded(self.engine, self.tokenizers, pixels, ids))

    def rank(self, captions: Sequence[str], paintings: Sequence[Sequence[T]]) -> list[list[T]]:
        """Puts the pictures painted of each caption first of which it is the most probable description.

        Args:
            captions: of the pictures.
            paintings: what `Painter.paint` made of each caption: anything with `pixels`.

        Raises:
            DataError: there are not as many captions as lists of paintings.
        """
        if len(captions) != len(paintings):
            raise DataError("captions and paintings are not the same number", where="captions",
                            found=f"{len(captions)} and {len(paintings)}")  # fmt: skip
        asked = zip(captions, paintings, strict=True)
        found = self.score_pictures((each.pixels, caption) for caption, some in asked for each in some)
        ranked = []
        for some in paintings:
            scores = [next(found) for _ in some]
            order = sorted(zip(scores, range(len(some)), strict=True), key=lambda each: (-each[0], each[1]))
            ranked.append([some[i] for _, i in order])
        return ranked

    def _take(self, picture: Picture, where: str) -> FlatPixels:
        if isinstance(picture, str | Path):
            return read_picture(picture, self.size).reshape(-1)
        if isinstance(picture, bytes):
            return decode_picture(picture, self.size, where).reshape(-1)
        if isinstance(picture, require_pictures().Image):
            return fit_image(picture, self.size, where).reshape(-1)
        if not isinstance(picture, np.ndarray):
            raise DataError(
                "this is no picture", where=where, found=type(picture).__name__,
                accepted="The name or the content of a file, an array, or an image of Pillow.",
            )  # fmt: skip
        return fit(picture, self.size, where).reshape(-1)

    def _translate(
        self, pixels: Sequence[FlatPixels], numbers: Sequence[int], settings: SearchSettings, attention: bool,
        observe: DraftObserver | None,
    ) -> list[Translation]:  # fmt: skip
        device = self.engine.device
        values, mask = make_source(pixels, "picture")
        source = Source(values.to(device), mask.to(device))
        limits = torch.full((len(pixels),), self.limit, device=device)
        observe_step = (
            None if observe is None else watch_drafts(self.tokenizers.target.decode, numbers, limits, observe)
        )
        found = self.engine.search(SearchInput(source, limits), settings, observe_step)
        translations = [self._translation(hypotheses) for hypotheses in found]
        if attention:
            weights = attention_of(self.engine, source, [hypotheses[0].ids for hypotheses in found])
            translations = [
                replace(each, attention=own) for each, own in zip(translations, weights, strict=True)
            ]
        return translations

    def _translation(self, hypotheses: Sequence[Hypothesis]) -> Translation:
        first, *others = (self._hypothesis_to_translation(each) for each in hypotheses)
        return replace(first, alternatives=tuple(others)) if others else first

    def _hypothesis_to_translation(self, hypothesis: Hypothesis) -> Translation:
        target = self.tokenizers.target
        return translation_of(target, hypothesis, repetitive=self.facts.repetitive)
