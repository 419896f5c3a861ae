"""Texts to translations: splitting, batches by length, search, and the order restored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Int

from interlingua.data.batch import pad
from interlingua.engine.workload import batches, chunks, side_by_side
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.alignment import align, attended, looked_at
from interlingua.inference.scoring import score
from interlingua.inference.translation import EMPTY, Flag, PairScore, Translation, join
from interlingua.model.seq2seq import Seq2Seq
from interlingua.search import Hypothesis, SearchSettings, Sources, length_limit, search
from interlingua.terms.automaton import Wanted
from interlingua.terms.constraints import Constraints, places
from interlingua.terms.glossary import Term
from interlingua.terms.terminology import Glossaries, Terminology
from interlingua.text.sentences import split_long
from interlingua.text.tokenizer import TokenizerPair
from interlingua.text.vocabulary import EOS, PAD

__all__ = ["Drafts", "PairScore", "Translation", "Translator"]

CHUNK = 4096
"""Lines read ahead when streaming: enough for batches of nearly equal lengths."""

_ROWS = 192  # hypotheses a batch: wider ones leave the processor's cache and are slower
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Drafts = Callable[[], dict[str, str]]
"""Gives the translation so far of each part that is being decoded, by the part."""
Watch = Callable[[Drafts], object]


class _Part(NamedTuple):
    """What goes through the model as a whole."""

    text: str
    terms: tuple[Term, ...]
    """Of the glossary, for each time that one occurs."""


class _Extras(NamedTuple):
    """What a call asks for beside the text."""

    alignment: bool
    attention: bool


class Translator:
    """A model with all it needs to be used on texts.

    Args:
        model: any Seq2Seq, in evaluation mode.
        tokenizers: of the source and the target.
        settings: how to search, unless a call says otherwise.
        max_ratio: the largest target length / source length seen in training, in tokens.
        max_source_length: a source of more tokens is split.
        device: where the model is.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizers: TokenizerPair,
        *,
        settings: SearchSettings | None = None,
        max_ratio: float = 2.0,
        max_source_length: int = 256,
        device: torch.device | str = "cpu",
    ) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.settings = settings or SearchSettings()
        self.max_ratio = max_ratio
        self.max_source_length = max_source_length
        self.device = torch.device(device)
        self._terminology = Terminology(tokenizers)

    def translate(
        self, texts: Sequence[str], *, glossary: Glossaries | None = None, alignment: bool = False,
        attention: bool = False, watch: Watch | None = None, **changes: Any,
    ) -> list[Translation]:  # fmt: skip
        """Translates texts; the order and the company of a text do not matter to its translation.

        Args:
            texts: any number of them.
            glossary: terms that are to be translated in a given way; interlingua.terms.glossary tells where
                they apply. Each translation tells which terms it holds.
            alignment: whether to say which source token each token comes from.
            attention: whether to give all attention weights.
            watch: called after every step of decoding, perhaps from several threads; it may raise to stop.
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
        translated = self._each(unique, settings, _Extras(alignment, attention), watch)
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
            yield from score(self.model, self.tokenizers, some, self.device)

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
        self, parts: list[_Part], settings: SearchSettings, extras: _Extras, watch: Watch | None
    ) -> list[Translation]:
        """Translates distinct parts within the length limit, in batches of similar length."""
        encoded = [
            ids if part.text.strip() else []
            for part, ids in zip(
                parts, self.tokenizers.source.encode_batch([part.text for part in parts]), strict=True
            )
        ]
        wanted = [
            self._terminology.wanted(*part, length_limit(len(ids), self.max_ratio)) if ids else None
            for part, ids in zip(parts, encoded, strict=True)
        ]
        done = [EMPTY] * len(parts)

        def one(batch: list[int]) -> list[Translation]:
            terms = [each for i in batch if (each := wanted[i])]
            sources = self._sources([encoded[i] for i in batch], [each.tokens for each in terms])
            if terms:
                self._guide(terms, sources)
            constraints = Constraints(terms, settings.beam, self.device) if terms else None
            texts = [parts[i].text for i in batch]
            observe = None if watch is None else lambda *step: watch(lambda: self._drafts(texts, *step))
            found = search(self.model, sources, settings, observe, constraints)
            translations = [
                self._translation(encoded[i], hypotheses, parts[i].terms)
                for i, hypotheses in zip(batch, found, strict=True)
            ]
            if any(extras):
                best = [hypotheses[0].ids for hypotheses in found]
                translations = self._look(translations, sources, best, extras)
            return translations

        together = list(self._batches(encoded, wanted, settings))

        for batch, translations in zip(together, side_by_side(one, together, self.device), strict=True):
            for i, translation in zip(batch, translations, strict=True):
                done[i] = translation
        return done

    def _guide(self, wanted: Sequence[Wanted], sources: Sources) -> None:
        """Finds in a quick translation which words the terms of a batch stand for."""
        drafts = [best.ids for best, *_ in search(self.model, sources, SearchSettings(beam=1))]
        try:
            for terms, ids, own in zip(wanted, drafts, attended(self.model, sources, drafts), strict=True):
                self._terminology.guide(terms, ids, looked_at(own.cross))
        except ConfigurationError:
            return  # a model without attention: the terms find their places by probability alone

    def _batches(
        self, encoded: Sequence[list[int]], wanted: Sequence[Wanted | None], settings: SearchSettings
    ) -> Iterator[list[int]]:
        """Which sources go together: those with terms, which need wider beams, on their own."""
        width = settings.n_best if settings.sample else settings.beam
        widest = max((places(each, width) for each in wanted if each), default=width)
        for most, constrained in ((width, False), (widest, True)):
            lengths = [
                len(ids) if (terms is not None) == constrained else 0
                for ids, terms in zip(encoded, wanted, strict=True)
            ]
            # A hypothesis holds what it wrote so far, which may come to the limit.
            held = [most * length_limit(length, self.max_ratio) for length in lengths]
            yield from batches(lengths, held, max(1, _ROWS // most))

    def _drafts(
        self, texts: list[str], numbers: Int[Tensor, " sentences"], ids: Int[Tensor, "sentences length"]
    ) -> dict[str, str]:
        drafts = {}
        for number, own in zip(numbers.tolist(), ids.tolist(), strict=True):
            text, _ = self._text(own[: own.index(EOS)] if EOS in own else own)
            drafts[texts[number]] = text.rstrip("\ufffd")  # a character of which some bytes are to come
        return drafts

    def _sources(self, encoded: list[list[int]], more: list[int]) -> Sources:
        """A batch; `more` are the tokens of each one's terms, if there are any."""
        limits = [length_limit(len(ids), self.max_ratio) for ids in encoded]
        if more:
            limits = [limit + tokens for limit, tokens in zip(limits, more, strict=True)]
        ids = pad(encoded, after=EOS).to(self.device)
        return Sources(ids, ids != PAD, torch.tensor(limits, device=self.device))

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
        used = self._terminology.used(terms, text)
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

    def _look(
        self, translations: list[Translation], sources: Sources, targets: list[list[int]], extras: _Extras
    ) -> list[Translation]:
        """Adds what one teacher-forced pass over the translations shows."""
        return [
            replace(
                translation,
                alignment=align(own.cross) if extras.alignment else None,
                attention=own if extras.attention else None,
            )
            for translation, own in zip(translations, attended(self.model, sources, targets), strict=True)
        ]
