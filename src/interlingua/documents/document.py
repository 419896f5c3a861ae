"""A text or HTML on its way through a model: the parts to translate, and the translation from theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from interlingua.documents.html import Segment, render_segment, split_html
from interlingua.documents.passage import Passage, split_passage
from interlingua.documents.projection import Projection, Span, TranslatedPart, project
from interlingua.documents.protect import find_missing, has_placeholders, restore
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
    """Of a plain text; those that have lost a placeholder are left out."""
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
    """

    parts: list[Part]
    """What is to be translated, in order."""

    def __init__(
        self, text: str, format: Format, tokenizer: Tokenizer, max_tokens: int, *, can_align: bool = False,
        find_terms: Callable[[str], Sequence[tuple[str, str]]] | None = None,
        facts: TextFacts | None = None,
    ) -> None:  # fmt: skip
        self.format: Format = format
        self._pieces: list[str | tuple[Segment, Passage]] = []
        self.parts = []
        for piece in split_html(text) if format == "html" else [Segment(text)]:
            if isinstance(piece, str):
                self._pieces.append(piece)
                continue
            passage = split_passage(piece.plain, tokenizer, max_tokens, facts)
            self._pieces.append((piece, passage))
            for part, num_tokens in zip(passage.parts, passage.num_tokens, strict=True):
                align = can_align and (bool(piece.elements) or has_placeholders(part))
                terms = tuple(find_terms(part)) if find_terms else ()
                self.parts.append(Part(part, align, num_tokens, terms))

    def fill(self, translations: Sequence[str]) -> str:
        """A plain text with its first parts translated, up to the last of the translations, to show early."""
        ((_, passage),) = self._translatable()
        return passage.fill(translations)

    def finish(self, translations: Sequence[TranslatedPart]) -> TranslatedDocument:
        """The translation from those of all parts."""
        remaining = iter(translations)
        text = ""
        plain_sources, plain_targets, alternatives = list[str](), list[str](), list[str]()
        for piece in self._pieces:
            if isinstance(piece, str):
                text += piece
                continue
            segment, passage = piece
            translated = list(islice(remaining, len(passage.parts)))
            projection = _join(passage, translated)
            if self.format == "html":
                text += render_segment(segment, projection)
            else:
                text += projection.text
                alternatives = _join_alternatives(segment.plain, passage, translated, projection.text)
            plain_sources.append(segment.plain)
            plain_targets.append(projection.text)
        flags = [flag for translation in translations for flag in translation.flags]
        if any(passage.has_long_line for _, passage in self._translatable()):
            flags.insert(0, "split")
        not_kept = find_missing("\n".join(plain_sources), "\n".join(plain_targets))
        return TranslatedDocument(text, alternatives, list(dict.fromkeys(flags)), not_kept)

    def _translatable(self) -> list[tuple[Segment, Passage]]:
        return [piece for piece in self._pieces if not isinstance(piece, str)]


def _join(passage: Passage, translations: Sequence[TranslatedPart]) -> Projection:
    """The translation of a passage, still knowing where the words come from."""
    text = passage.gaps[0]
    words: list[Span] = []
    source_offsets: list[int | None] = []
    for part, offset, translation, gap in zip(
        passage.parts, passage.offsets, translations, passage.gaps[1:], strict=True
    ):
        projection = restore(part, project(part, translation)).shift(len(text), offset)
        words += projection.words
        source_offsets += projection.source_offsets
        text += projection.text + gap
    return Projection(text, words, source_offsets)


def _join_alternatives(
    source: str, passage: Passage, translations: Sequence[TranslatedPart], best: str
) -> list[str]:
    """The other translations of a passage: the first alternatives of all parts, then the second, and so on.

    One in which a placeholder was garbled is no choice; it would not be put right.
    """
    count = max((len(translation.alternatives) for translation in translations), default=0)
    found = []
    for i in range(count):
        texts = [[*part.alternatives[i : i + 1], part.text][0] for part in translations]
        found.append(passage.fill(texts))
    return [
        text
        for text in dict.fromkeys(found)
        if text != best and not find_missing(source, text, numbers=False)
    ]
