"""Texts to translations: cut into what the model can take, translated once each, put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from interlingua.engine.protocol import Engine
from interlingua.engine.workload import chunks
from interlingua.errors import ConfigurationError
from interlingua.inference.inputs import check_chunk, read_pairs, read_texts
from interlingua.inference.parts import DraftObserver, Drafts, Extras, Part, PartTranslator
from interlingua.inference.scoring import score
from interlingua.inference.translation import PairScore, Translation, join
from interlingua.search.settings import SearchSettings
from interlingua.terms.terminology import GlossaryInput, Terminology
from interlingua.text.sentences import split_long
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Drafts", "PairScore", "Translation", "Translator"]

CHUNK = 4096
"""Lines read ahead when streaming: enough for batches of nearly equal lengths."""


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
        self._parts = PartTranslator(engine, tokenizers, self._terminology, max_ratio)

    def translate(
        self, texts: Iterable[str], *, glossary: GlossaryInput | None = None, alignment: bool = False,
        attention: bool = False, observe: DraftObserver | None = None, **changes: Any,
    ) -> list[Translation]:  # fmt: skip
        """Translates texts; the order and the company of a text do not matter to its translation.

        Args:
            texts: any number of them: a list, a column of a table, a generator, an open file.
            glossary: terms that are to be translated in a given way; interlingua.terms.glossary tells where
                they apply. Each translation tells which terms it holds.
            alignment: whether to say which source token each token comes from.
            attention: whether to give all attention weights.
            observe: called after every step of decoding, perhaps from several threads; it may raise to stop.
            **changes: fields of SearchSettings, such as beam=5, n_best=3 or sample=True.

        Raises:
            ConfigurationError: a search setting is not acceptable, or a glossary is to go with sampling.
            DataError: a single string instead of a list, something that is not a text or holds a lone
                surrogate (the message says which, such as texts[3]), or an empty term.
        """
        texts = list(read_texts(texts, "texts"))
        settings = SearchSettings.parse({**self.settings.model_dump(), **changes}, where="search")
        if settings.sample and glossary:
            raise ConfigurationError("a glossary does not go with sampling", where="glossary")
        glossaries = self._terminology.glossaries(glossary, len(texts))
        cut = self._cut(texts)
        parts = [
            [Part(part, tuple(terms.find(part))) for part, _ in pieces]
            for pieces, terms in zip(cut, glossaries, strict=True)
        ]
        distinct = list(dict.fromkeys(part for of_text in parts for part in of_text))
        found = self._parts.translate(distinct, settings, Extras(alignment, attention), observe)
        by_part = dict(zip(distinct, found, strict=True))
        return [
            by_part[of_text[0]] if len(of_text) == 1
            else join([by_part[part] for part in of_text], [gap for _, gap in pieces])
            for of_text, pieces in zip(parts, cut, strict=True)
        ]  # fmt: skip

    def translate_lines(
        self, lines: Iterable[str], *, chunk: int = CHUNK, **options: Any
    ) -> Iterator[Translation]:
        """Translates a stream of lines with flat memory; one translation for each, in order.

        Args:
            lines: without their newlines; an open file's are taken off.
            chunk: lines read before the first is translated; 1 answers line by line.
            **options: as `translate` takes them.
        """
        check_chunk(chunk)
        parts = chunks(read_texts(lines, "lines"), chunk)
        return (translation for part in parts for translation in self.translate(part, **options))

    def score_pairs(self, pairs: Iterable[tuple[str, str]], *, chunk: int = CHUNK) -> Iterator[PairScore]:
        """Says how probable given targets are, in order, with flat memory; nothing is split."""
        check_chunk(chunk)
        parts = chunks(read_pairs(pairs, "pairs"), chunk)
        return (found for part in parts for found in score(self.engine, self.tokenizers, part))

    def _cut(self, texts: Sequence[str]) -> list[list[tuple[str, str]]]:
        """Each text as parts that the model can take, and what follows each part."""
        encode = self.tokenizers.source.encode
        lengths = map(len, self.tokenizers.source.encode_batch(texts))
        return [
            [(text, "")] if length <= self.max_source_length
            else split_long(text, lambda part: len(encode(part)), self.max_source_length)
            for text, length in zip(texts, lengths, strict=True)
        ]  # fmt: skip
