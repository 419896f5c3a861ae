"""Texts to translations: splitting, batches by length, search, and the order restored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from interlingua.data.batch import pad
from interlingua.engine.protocol import Engine
from interlingua.engine.workload import batches, chunks, side_by_side
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.alignment import align, attention_of, mean_cross_attention
from interlingua.inference.scoring import score
from interlingua.inference.translation import EMPTY, Flag, PairScore, Translation, join
from interlingua.kinds import EOS, PAD, Source
from interlingua.search.hypothesis import Hypothesis, SearchSettings, Sources
from interlingua.terms.automaton import SentenceTerms
from interlingua.terms.constraints import TermConstraints, beam_width
from interlingua.terms.glossary import Term
from interlingua.terms.placement import find_replaced
from interlingua.terms.terminology import Glossaries, Terminology
from interlingua.text.sentences import split_long
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Drafts", "PairScore", "Translation", "Translator"]

CHUNK = 4096
"""Lines read ahead when streaming: enough for batches of nearly equal lengths."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Drafts = Callable[[], dict[str, str]]
"""Gives the translation so far of each part that is being decoded, by the part."""
Observer = Callable[[Drafts], object]


class _Part(NamedTuple):
    """What goes through the model as a whole."""

    text: str
    terms: tuple[Term, ...]
    """Of the glossary, for each time that one occurs."""


class _Input(NamedTuple):
    """A part ready for a batch."""

    part: _Part
    ids: list[int]
    sentence_terms: SentenceTerms | None
    """The terms that must come out, if there are any."""


class _Extras(NamedTuple):
    """What a call asks for beside the text."""

    alignment: bool
    attention: bool


class Translator:
    """An engine with all it needs to be used on texts.

    Args:
        engine: what computes.
        tokenizers: of the source and the target.
        settings: how to search, unless a call says otherwise.
        max_ratio: the largest target length / source length seen in training, in tokens.
        max_source_length: a source of more tokens is split.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizers: TokenizerPair,
        *,
        settings: SearchSettings | None = None,
        max_ratio: float = 2.0,
        max_source_length: int = 256,
    ) -> None:
        self.engine = engine
        self.tokenizers = tokenizers
        self.settings = settings or SearchSettings()
        self.max_ratio = max_ratio
        self.max_source_length = max_source_length
        self._terminology = Terminology(tokenizers)

    def translate(
        self, texts: Sequence[str], *, glossary: Glossaries | None = None, alignment: bool = False,
        attention: bool = False, observe: Observer | None = None, **changes: Any,
    ) -> list[Translation]:  # fmt: skip
        """Translates texts; the order and the company of a text do not matter to its translation.

        Args:
            texts: any number of them.
            glossary: terms that are to be translated in a given way; interlingua.terms.glossary tells where
                they apply. Each translation tells which terms it holds.
            alignment: whether to say which source token each token comes from.
            attention: whether to give all attention weights.
            observe: called after every step of decoding, perhaps from several threads; it may raise to stop.
            **changes: fields of SearchSettings, such as beam=5, n_best=3 or sample=True.

        Raises:
            ConfigurationError: a search setting is not acceptable, or a glossary is to go with sampling.
            DataError: a single string instead of a list, a text with a lone surrogate, or an empty term.
        """
        if isinstance(texts, str):
            raise DataError("translate takes a list of texts", found=texts, accepted="Use translate([text]).")
        settings = SearchSettings.parse({**self.settings.model_dump(), **changes}, where="search")
        if settings.sample and glossary:
            raise ConfigurationError("a glossary does not go with sampling", where="glossary")
        cut = self._cut(texts)
        parts = [
            [_Part(part, tuple(own.find(part))) for part, _ in each]
            for each, own in zip(cut, self._terminology.glossaries(glossary, len(texts)), strict=True)
        ]
        unique = list(dict.fromkeys(part for each in parts for part in each))
        translated = self._each(unique, settings, _Extras(alignment, attention), observe)
        done = dict(zip(unique, translated, strict=True))
        return [
            done[own[0]] if len(own) == 1
            else join([done[part] for part in own], [gap for _, gap in each])
            for own, each in zip(parts, cut, strict=True)
        ]  # fmt: skip

    def translate_lines(
        self, lines: Iterable[str], *, chunk: int = CHUNK, **options: Any
    ) -> Iterator[Translation]:
        """Translates a stream of lines with flat memory; one translation for each, in order.

        Args:
            lines: without their newlines.
            chunk: lines read before the first is translated; 1 answers line by line.
            **options: as `translate` takes them.
        """
        for some in chunks(lines, chunk):
            yield from self.translate(some, **options)

    def score_pairs(self, pairs: Iterable[tuple[str, str]], *, chunk: int = CHUNK) -> Iterator[PairScore]:
        """Says how probable given targets are, in order, with flat memory; nothing is split."""
        for some in chunks(pairs, chunk):
            yield from score(self.engine, self.tokenizers, some)

    def _cut(self, texts: Sequence[str]) -> list[list[tuple[str, str]]]:
        """Each text as parts that the model can take, and what follows each part."""
        encode = self.tokenizers.source.encode
        lengths = map(len, self.tokenizers.source.encode_batch(texts))
        return [
            [(text, "")] if length <= self.max_source_length
            else split_long(text, lambda part: len(encode(part)), self.max_source_length)
            for text, length in zip(texts, lengths, strict=True)
        ]  # fmt: skip

    def _each(
        self, parts: list[_Part], settings: SearchSettings, extras: _Extras, observe: Observer | None
    ) -> list[Translation]:
        """Translates distinct parts within the length limit, in batches of similar length."""
        encoded = [
            ids if part.text.strip() else []
            for part, ids in zip(
                parts, self.tokenizers.source.encode_batch([part.text for part in parts]), strict=True
            )
        ]
        sentence_terms = [
            self._terminology.encode(*part, self._length_limit(len(ids))) if ids else None
            for part, ids in zip(parts, encoded, strict=True)
        ]
        translations = [EMPTY] * len(parts)

        def translate_batch(batch: list[int]) -> list[Translation]:
            inputs = [_Input(parts[i], encoded[i], sentence_terms[i]) for i in batch]
            return self._batch(inputs, settings, extras, observe)

        together = list(self._batches(encoded, sentence_terms, settings))
        found = side_by_side(translate_batch, together, self.engine)
        for batch, some in zip(together, found, strict=True):
            for i, translation in zip(batch, some, strict=True):
                translations[i] = translation
        return translations

    def _batch(
        self, inputs: Sequence[_Input], settings: SearchSettings, extras: _Extras, observe: Observer | None
    ) -> list[Translation]:
        """Translates parts together."""
        sources = self._sources(inputs)
        constraint = None
        if terms := [one.sentence_terms for one in inputs if one.sentence_terms]:
            self._find_replaced(terms, sources)
            constraint = TermConstraints(terms, settings.beam, self.engine.device)
        texts = [one.part.text for one in inputs]
        observe_step = None if observe is None else lambda *step: observe(lambda: self._drafts(texts, *step))
        found = self.engine.search(sources, settings, observe_step, constraint)
        translations = [
            self._translation(one.ids, hypotheses, one.part.terms)
            for one, hypotheses in zip(inputs, found, strict=True)
        ]
        if any(extras):
            best = [hypotheses[0].ids for hypotheses in found]
            return self._with_attention(translations, sources.source, best, extras)
        return translations

    def _find_replaced(self, sentence_terms: Sequence[SentenceTerms], sources: Sources) -> None:
        """Finds in a greedy translation which words the terms of a batch replace."""
        unconstrained = [best.ids for best, *_ in self.engine.search(sources, SearchSettings(beam=1))]
        try:
            attentions = list(attention_of(self.engine, sources.source, unconstrained))
        except ConfigurationError:
            return  # a model without attention: the terms find their places by probability alone
        for terms, ids, attention in zip(sentence_terms, unconstrained, attentions, strict=True):
            find_replaced(terms, ids, mean_cross_attention(attention.cross))

    def _batches(
        self,
        encoded: Sequence[list[int]],
        sentence_terms: Sequence[SentenceTerms | None],
        settings: SearchSettings,
    ) -> Iterator[list[int]]:
        """Which sources go together: those with terms, which need wider beams, on their own."""
        width = settings.n_best if settings.sample else settings.beam
        widest = max((beam_width(terms, width) for terms in sentence_terms if terms), default=width)
        for rows, constrained in ((width, False), (widest, True)):
            lengths = [
                len(ids) if (terms is not None) == constrained else 0
                for ids, terms in zip(encoded, sentence_terms, strict=True)
            ]
            # A hypothesis takes memory for what it wrote so far, which may come to the limit.
            memory_tokens = [rows * self._length_limit(length) for length in lengths]
            yield from batches(lengths, memory_tokens, self.engine.capacity, rows)

    def _drafts(
        self, texts: list[str], numbers: Int[Tensor, " sentences"], ids: Int[Tensor, "sentences length"]
    ) -> dict[str, str]:
        drafts = {}
        for number, own in zip(numbers.tolist(), ids.tolist(), strict=True):
            text, _ = self._text(own[: own.index(EOS)] if EOS in own else own)
            drafts[texts[number]] = text.rstrip("\ufffd")  # a character of which some bytes are to come
        return drafts

    def _sources(self, inputs: Sequence[_Input]) -> Sources:
        """A batch; terms may make a target longer."""
        limits = [
            self._length_limit(len(one.ids)) + (one.sentence_terms.num_tokens if one.sentence_terms else 0)
            for one in inputs
        ]
        ids = pad([one.ids for one in inputs], after=EOS).to(self.engine.device)
        return Sources(Source(ids, ids != PAD), torch.tensor(limits, device=self.engine.device))

    def _length_limit(self, source_length: int) -> int:
        return self.tokenizers.target.length_limit(source_length, self.max_ratio)

    def _translation(
        self, source: list[int], hypotheses: list[Hypothesis], terms: tuple[Term, ...]
    ) -> Translation:
        source_tokens = tuple(self.tokenizers.source.pieces(source))
        first, *others = (self._one(hypothesis, source_tokens, terms) for hypothesis in hypotheses)
        return replace(first, alternatives=tuple(others)) if others else first

    def _text(self, ids: list[int]) -> tuple[str, int]:
        """What the ids say, and how many control characters became spaces."""
        return _CONTROL.subn(" ", self.tokenizers.target.decode(ids))

    def _one(
        self, hypothesis: Hypothesis, source_tokens: tuple[str, ...], terms: tuple[Term, ...]
    ) -> Translation:
        text, replaced = self._text(hypothesis.ids)
        used = self._terminology.check(terms, text)
        found: dict[Flag, bool] = {
            "limit": hypothesis.limited, "control": replaced > 0,
            "unmet": not all(term.satisfied for term in used),
        }  # fmt: skip
        return Translation(
            text,
            hypothesis.score,
            tuple(self.tokenizers.target.pieces(hypothesis.ids)),
            tuple(hypothesis.log_probs),
            tuple(flag for flag, holds in found.items() if holds),
            source_tokens,
            terms=used,
        )

    def _with_attention(
        self, translations: list[Translation], source: Source, targets: list[list[int]], extras: _Extras
    ) -> list[Translation]:
        """Adds what one teacher-forced pass over the translations shows."""
        return [
            replace(
                translation,
                alignment=align(attention.cross) if extras.alignment else None,
                attention=attention if extras.attention else None,
            )
            for translation, attention in zip(
                translations, attention_of(self.engine, source, targets), strict=True
            )
        ]
