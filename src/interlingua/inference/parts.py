"""Parts of texts to translations: batches of similar length, search, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from interlingua.data.batch import pad
from interlingua.engine.protocol import Engine
from interlingua.engine.workload import batches, side_by_side
from interlingua.flags import FLAGS, Flag
from interlingua.inference.alignment import align, attention_of, mean_cross_attention
from interlingua.inference.coverage import coverage
from interlingua.inference.signs import Sign, put_back, take_out
from interlingua.inference.translation import EMPTY, Translation
from interlingua.kinds import EOS, PAD, Source
from interlingua.search.hypothesis import Hypothesis, SearchInput, StepObserver
from interlingua.search.settings import SearchSettings
from interlingua.terms.automaton import SentenceTerms
from interlingua.terms.constraints import TermConstraint
from interlingua.terms.encoding import TermEncoder
from interlingua.terms.glossary import Occurrence
from interlingua.terms.placement import find_replaced
from interlingua.terms.width import beam_width
from interlingua.text.column_tokenizer import TextColumn
from interlingua.text.columns import NO_OTHERS, OtherColumns
from interlingua.text.facts import TextFacts
from interlingua.text.repetition import repeats
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Extras", "Part", "PartDrafts", "PartObserver", "PartTranslator"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""Parts of other characters, not worth naming."""

PartDrafts = Callable[[], dict[int, str]]
"""Gives the translation so far of each part that is being decoded, by the part's number."""
PartObserver = Callable[[PartDrafts], Collection[int]]
"""Told of every step; it returns the numbers of parts that nobody waits for any more."""


class Part(NamedTuple):
    """What goes through the model as a whole."""

    text: str
    terms: tuple[Occurrence, ...]
    """Where those of the glossary occur."""
    others: OtherColumns = NO_OTHERS
    """The other columns of the source."""


class Extras(NamedTuple):
    """What a call asks for beside the text."""

    alignment: bool
    attention: bool
    log_probs: bool = True


class _EncodedPart(NamedTuple):
    """A part ready for a batch."""

    number: int
    """Its place among all parts."""
    part: Part
    signs: tuple[Sign, ...]
    """That the model does not know, taken out of the part."""
    ids: list[int]
    sentence_terms: SentenceTerms | None
    """The terms that must come out, if there are any."""


class PartTranslator:
    """Translates parts that the model can take as a whole.

    Args:
        engine: what computes.
        tokenizers: of the source and the target.
        term_encoder: of these.
        length_limit: the most target tokens for so many source tokens.
        facts: what kind of text the model is for.
        text_column: the text of sources.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizers: TokenizerPair,
        term_encoder: TermEncoder,
        length_limit: Callable[[int], int],
        facts: TextFacts,
        text_column: TextColumn,
    ) -> None:
        self.engine, self.tokenizers, self._length_limit, self.facts = engine, tokenizers, length_limit, facts
        self._term_encoder, self._text_column = term_encoder, text_column

    def translate(
        self,
        parts: Sequence[Part],
        settings: SearchSettings,
        extras: Extras,
        observe: PartObserver | None = None,
    ) -> list[Translation]:
        """A translation for each part, in order.

        Args:
            parts: within the model's limit.
            settings: of the search.
            extras: what is asked for beside the text.
            observe: called after every step of decoding, perhaps from several threads; it may raise to stop.
        """
        without = [self._take_out_signs(part) for part in parts]
        parts = [part for part, _ in without]
        sources = [part.others.complete(part.text) for part in parts]
        encoded = [
            ids if source.strip() else []
            for source, ids in zip(sources, self.tokenizers.source.encode_batch(sources), strict=True)
        ]
        sentence_terms = [
            self._encode_terms(part, ids) if ids and part.terms else None
            for part, ids in zip(parts, encoded, strict=True)
        ]
        translations = [EMPTY] * len(parts)

        def translate_batch(batch: list[int]) -> list[Translation]:
            inputs = [_EncodedPart(i, *without[i], encoded[i], sentence_terms[i]) for i in batch]
            return self._translate_batch(inputs, settings, extras, observe)

        together = list(self._batches(encoded, sentence_terms, settings))
        found = side_by_side(translate_batch, together, self.engine)
        for batch, of_batch in zip(together, found, strict=True):
            for i, translation in zip(batch, of_batch, strict=True):
                translations[i] = translation
        return translations

    def _translate_batch(
        self,
        inputs: Sequence[_EncodedPart],
        settings: SearchSettings,
        extras: Extras,
        observe: PartObserver | None,
    ) -> list[Translation]:
        """Translates parts together: either all of them have terms or none has."""
        batch = self._search_input(inputs)._replace(log_probs=extras.log_probs)
        constraint = None
        if sentence_terms := [one.sentence_terms for one in inputs if one.sentence_terms]:
            assert len(sentence_terms) == len(inputs), (
                "constraints are told apart by their place in the batch"
            )
            self._place_terms(sentence_terms, batch)
            constraint = TermConstraint(sentence_terms, settings.beam, self.engine.device)
        part_numbers = [one.number for one in inputs]
        observe_step = None if observe is None else self._step_observer(part_numbers, batch.limits, observe)
        found = self.engine.search(batch, settings, observe_step, constraint)
        translations = [
            self._translation(one, hypotheses) for one, hypotheses in zip(inputs, found, strict=True)
        ]
        best = [hypotheses[0].ids for hypotheses in found]
        translations = self._flag_uncovered(translations, inputs, batch.source, best)
        have_signs = any(one.signs for one in inputs)
        if extras.alignment or extras.attention or (have_signs and self.engine.has_attention):
            translations = self._with_attention(translations, batch.source, best, extras, have_signs)
        translations = [
            put_back(one.part.text, translation, one.signs, one.part.others) if one.signs else translation
            for one, translation in zip(inputs, translations, strict=True)
        ]
        if have_signs and not extras.alignment:
            return [replace(translation, alignment=None) for translation in translations]
        return translations

    def _encode_terms(self, part: Part, ids: list[int]) -> SentenceTerms | None:
        limit, offset = self._length_limit(len(ids)), self._text_column.span(ids).start
        return self._term_encoder.encode(part.text, part.terms, limit, offset)

    def _take_out_signs(self, part: Part) -> tuple[Part, tuple[Sign, ...]]:
        """Terms are told by their places in the text, so that it stays as it is where there are some."""
        if not self.facts.natural or part.terms:
            return part, ()
        text, signs = take_out(part.text, self._text_column.tokenizer)
        return (part._replace(text=text), signs) if text.strip() else (part, ())

    def _place_terms(self, sentence_terms: Sequence[SentenceTerms], batch: SearchInput) -> None:
        """Translates once without the terms, greedily, and finds there which words they replace."""
        if not self.engine.has_attention:
            return  # the terms find their places by probability alone
        unconstrained = [best.ids for best, *_ in self.engine.search(batch, SearchSettings(beam=1))]
        attentions = attention_of(self.engine, batch.source, unconstrained)
        for each, ids, attention in zip(sentence_terms, unconstrained, attentions, strict=True):
            each.replaced_tokens = find_replaced(each, ids, mean_cross_attention(attention.cross))

    def _batches(
        self,
        encoded: Sequence[list[int]],
        sentence_terms: Sequence[SentenceTerms | None],
        settings: SearchSettings,
    ) -> Iterator[list[int]]:
        """Which sources go together: those with terms, which need wider beams, on their own."""
        width = settings.n_best if settings.sample else settings.beam
        widest = max((beam_width(each.num_tokens, width) for each in sentence_terms if each), default=width)
        for rows, constrained in ((width, False), (widest, True)):
            # A length of 0 leaves a part out: an empty one, or one of the other group.
            lengths = [
                len(ids) if (own_terms is not None) == constrained else 0
                for ids, own_terms in zip(encoded, sentence_terms, strict=True)
            ]
            # A hypothesis takes memory for what it wrote so far, which may come to the limit.
            memory_tokens = [rows * self._length_limit(length) for length in lengths]
            yield from batches(lengths, memory_tokens, self.engine.capacity, rows)

    def _step_observer(
        self, part_numbers: Sequence[int], limits: Int[Tensor, " batch"], observe: PartObserver
    ) -> StepObserver:
        def observe_step(numbers: Tensor, ids: Tensor) -> None:
            # Texts are made only if they are wanted.
            unwanted = observe(lambda: self._drafts(part_numbers, numbers, ids))
            rows = [row for row, number in enumerate(part_numbers) if number in unwanted]
            if rows:
                limits[rows] = limits[rows].clamp(max=ids.shape[1])

        return observe_step

    def _drafts(
        self,
        part_numbers: Sequence[int],
        numbers: Int[Tensor, " sentences"],
        ids: Int[Tensor, "sentences length"],
    ) -> dict[int, str]:
        drafts = {}
        for number, row in zip(numbers.tolist(), ids.tolist(), strict=True):
            text, _ = self._decode(row[: row.index(EOS)] if EOS in row else row)
            drafts[part_numbers[number]] = text.rstrip(
                "\ufffd"
            )  # a character of which some bytes are to come
        return drafts

    def _search_input(self, inputs: Sequence[_EncodedPart]) -> SearchInput:
        """A batch; terms may make a target longer."""
        limits = [
            self._length_limit(len(one.ids)) + (one.sentence_terms.num_tokens if one.sentence_terms else 0)
            for one in inputs
        ]
        ids = pad([one.ids for one in inputs], after=EOS).to(self.engine.device)
        return SearchInput(Source(ids, ids != PAD), torch.tensor(limits, device=self.engine.device))

    def _translation(self, source: _EncodedPart, hypotheses: list[Hypothesis]) -> Translation:
        source_tokens = tuple(self.tokenizers.source.pieces(source.ids))
        text = source.part.others.complete(source.part.text)
        unknown = [c for c in self.tokenizers.source.unknown(text) if c not in _JOINERS]
        first, *others = (
            self._hypothesis_to_translation(hypothesis, source.part, source_tokens, unknown)
            for hypothesis in hypotheses
        )
        return replace(first, alternatives=tuple(others)) if others else first

    def _decode(self, ids: list[int]) -> tuple[str, int]:
        """What the ids say, and how many control characters became spaces."""
        return _CONTROL.subn(" ", self.tokenizers.target.decode(ids))

    def _hypothesis_to_translation(
        self, hypothesis: Hypothesis, source: Part, source_tokens: tuple[str, ...], unknown: Sequence[str]
    ) -> Translation:
        text, control_characters = self._decode(hypothesis.ids)
        tokens = tuple(self.tokenizers.target.pieces(hypothesis.ids))
        checked = self._term_encoder.check(source.terms, text)
        lost = tuple(symbol for symbol in unknown if symbol not in text)
        found: dict[Flag, bool] = {
            "limit": hypothesis.limited,
            "short": self.facts.is_short(source.text, text),
            "repeated": not self.facts.repetitive and repeats(tokens) and not repeats(source_tokens),
            "control": control_characters > 0,
            "unknown": bool(lost),
            "unmet": not all(term.satisfied for term in checked),
        }
        return Translation(
            text,
            hypothesis.score,
            tokens,
            tuple(hypothesis.log_probs),
            tuple(flag for flag, holds in found.items() if holds),
            lost,
            source_tokens,
            terms=checked,
            engine=hypothesis.engine,
        )

    def _flag_uncovered(
        self, translations: Sequence[Translation], inputs: Sequence[_EncodedPart], source: Source,
        targets: Sequence[list[int]],
    ) -> list[Translation]:  # fmt: skip
        """Looks at what the short ones among the translations looked at, by one teacher-forced pass."""
        flagged = list(translations)
        rows = [row for row, one in enumerate(inputs)
                if self.facts.may_lack(one.part.text, translations[row].text)]  # fmt: skip
        if not rows or not self.engine.has_attention:
            return flagged
        chosen = Source(source.values[rows], source.mask[rows])
        attentions = attention_of(self.engine, chosen, [targets[row] for row in rows])
        for row, attention in zip(rows, attentions, strict=True):
            span = self._text_column.span(inputs[row].ids)
            if coverage(attention.cross, translations[row].source_tokens, span) < self.facts.min_coverage:
                flags: set[Flag] = {*translations[row].flags, "uncovered"}
                flagged[row] = replace(translations[row], flags=tuple(filter(flags.__contains__, FLAGS)))
        return flagged

    def _with_attention(
        self, translations: list[Translation], source: Source, targets: list[list[int]], extras: Extras,
        have_signs: bool,
    ) -> list[Translation]:  # fmt: skip
        """Adds what one teacher-forced pass over the translations shows."""
        return [
            replace(
                translation,
                alignment=align(attention.cross) if extras.alignment or have_signs else None,
                attention=attention if extras.attention else None,
            )
            for translation, attention in zip(
                translations, attention_of(self.engine, source, targets), strict=True
            )
        ]
