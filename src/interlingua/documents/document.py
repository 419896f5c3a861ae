"""A text or HTML on its way through a model: the parts to translate, and the translation from theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from interlingua.documents.html import Segment, render_segment, split_html
from interlingua.documents.passage import Passage, split_passage
from interlingua.documents.projection import Projection, Span, TranslatedPart, project
from interlingua.documents.protect import find_missing, has_placeholders, restore
from interlingua.text.columns import NO_OTHERS, OtherColumns
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import Tokenizer

__all__ = ["Document", "Format", "Part", "TranslatedDocument"]

Format = Literal["text", "html"]


class Part(NamedTuple):
    """A part to translate: a line or a sentence, as the model needs it."""

    text: str
    align: bool
    """Whether its alignment is needed."""
    num_tokens: int
    terms: tuple[tuple[str, str], ...] = ()
    """(source, target) of the glossary, for each time that a term occurs."""


class TranslatedDocument(NamedTuple):
    """The translation of a document."""

    text: str
    alternatives: list[str]
    """Those that have lost a placeholder are left out."""
    flags: list[str]
    """Of the parts, and split: something was too long and went in parts."""
    not_kept: list[str]
    """Addresses, numbers and placeholders of the source that are missing or changed."""


class Document:
    """A text split into parts.

    Args:
        text: any.
        format: whether it is HTML.
        tokenizer: of the source side.
        max_tokens: the most tokens of a part.
        can_align: whether the model tells an alignment.
        find_terms: gives the terms of a glossary that occur in a part, in order.
        facts: what kind of text the model is for.
        check_numbers: whether numbers must come through, which some tasks are to rewrite.
        others: columns of the source that are not in the text.
    """

    parts: list[Part]
    """What is to be translated, in order."""

    def __init__(
        self, text: str, format: Format, tokenizer: Tokenizer, max_tokens: int, *, can_align: bool = False,
        find_terms: Callable[[str], Sequence[tuple[str, str]]] | None = None, check_numbers: bool = True,
        facts: TextFacts | None = None, others: OtherColumns = NO_OTHERS,
    ) -> None:  # fmt: skip
        self.format: Format = format
        self.check_numbers = check_numbers
        self._pieces: list[str | _Translatable] = []
        self.parts = []
        for piece in split_html(text) if format == "html" else [Segment(text)]:
            if isinstance(piece, str):
                self._pieces.append(piece)
                continue
            for segment in (*piece.values(), piece):
                passage = split_passage(segment.plain, tokenizer, max_tokens, facts, others)
                self._pieces.append(_Translatable(segment, passage, in_tag=segment is not piece))
                for part, num_tokens in zip(passage.parts, passage.num_tokens, strict=True):
                    align = can_align and (bool(segment.elements) or has_placeholders(part))
                    terms = tuple(find_terms(part)) if find_terms else ()
                    self.parts.append(Part(part, align, num_tokens, terms))

    def fill(self, translations: Sequence[str]) -> str:
        """A plain text with its first parts translated, up to the last of the translations, to show early."""
        ((_, passage, _),) = self._translatable()
        return passage.fill(translations)

    def finish(self, translations: Sequence[TranslatedPart]) -> TranslatedDocument:
        """The translation from those of all parts."""
        best = self._join(translations)
        text = self._render(best)
        sources = [segment.plain for segment, _, _ in self._translatable()]
        alternatives: list[str] = []
        for number in range(max((len(translation.alternatives) for translation in translations), default=0)):
            projections = self._join(translations, number)
            # One in which a placeholder was garbled is no choice; without an alignment it is not put right.
            if not any(
                find_missing(source, projection.text, numbers=False)
                for source, projection in zip(sources, projections, strict=True)
            ):
                alternatives.append(self._render(projections))
        flags = [flag for translation in translations for flag in translation.flags]
        if any(passage.has_long_line for _, passage, _ in self._translatable()):
            flags.insert(0, "split")
        targets = "\n".join(projection.text for projection in best)
        not_kept = find_missing("\n".join(sources), targets, numbers=self.check_numbers)
        different = [other for other in dict.fromkeys(alternatives) if other != text]
        return TranslatedDocument(text, different, list(dict.fromkeys(flags)), not_kept)

    def _translatable(self) -> list[_Translatable]:
        return [piece for piece in self._pieces if not isinstance(piece, str)]

    def _join(self, translations: Sequence[TranslatedPart], number: int | None = None) -> list[Projection]:
        """The translation of each passage, or one of that number among the others."""
        remaining = iter(translations)
        return [
            _join(passage, list(islice(remaining, len(passage.parts))), number)
            for _, passage, _ in self._translatable()
        ]

    def _render(self, projections: Sequence[Projection]) -> str:
        remaining = iter(projections)
        text: list[str] = []
        values: dict[Segment, str] = {}
        for piece in self._pieces:
            if isinstance(piece, str):
                text.append(piece)
            elif self.format == "text":
                text.append(next(remaining).text)
            elif piece.in_tag:
                values[piece.segment] = render_segment(piece.segment, next(remaining))
            else:
                text.append(render_segment(piece.segment, next(remaining), values))
        return "".join(text)


class _Translatable(NamedTuple):
    """A stretch of a document to translate."""

    segment: Segment
    passage: Passage
    in_tag: bool
    """Whether it is a value in a tag of the segment that comes after it."""


def _join(passage: Passage, translations: Sequence[TranslatedPart], number: int | None) -> Projection:
    """The translation of a passage, or another one, still knowing where the words come from.

    The parts without another translation of that number keep the best.
    """
    texts = [passage.gaps[0]]
    length = len(texts[0])
    words: list[Span] = []
    source_offsets: list[int | None] = []
    for part, offset, translation, gap in zip(
        passage.parts, passage.offsets, translations, passage.gaps[1:], strict=True
    ):
        projection = restore(part, project(part, translation, passage.others))
        if number is not None and number < len(translation.alternatives):
            projection = projection.carry_over(translation.alternatives[number])
        projection = projection.shift(length, offset)
        words += projection.words
        source_offsets += projection.source_offsets
        texts += [projection.text, gap]
        length += len(projection.text) + len(gap)
    return Projection("".join(texts), words, source_offsets)
