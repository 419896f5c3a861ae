"""Texts to translations: split into what the model can take, translated once each, put together again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from interlingua.documents.passage import Passage, split_passage
from interlingua.engine.protocol import Engine
from interlingua.engine.workload import chunks
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.inputs import check_chunk, read_pairs, read_texts
from interlingua.inference.parts import Extras, Part, PartDrafts, PartObserver, PartTranslator
from interlingua.inference.scoring import score
from interlingua.inference.translation import PairScore, Translation, join
from interlingua.search.settings import SearchSettings
from interlingua.terms.encoding import TermEncoder
from interlingua.terms.glossary import Glossary, GlossaryInput, glossary_for_each
from interlingua.text.column_tokenizer import ColumnTokenizer, TextColumn
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["DraftObserver", "Drafts", "PairScore", "Translation", "Translator"]

Drafts = Callable[[], dict[tuple[int, int], str]]
"""Gives the translation so far of each part that is being decoded, by the numbers of its text and of the part
in that; a text that is not split is part 0."""
DraftObserver = Callable[[Drafts], Collection[int] | None]
"""Told of every step; it may return the numbers of texts that nobody waits for any more: they are cut off."""

CHUNK = 4096
"""Lines read ahead when streaming: enough for batches of nearly equal lengths."""


class Translator:
    """An engine with all it needs to be used on texts.

    Args:
        engine: what computes.
        tokenizers: of the source and the target.
        settings: how to search, unless a call says otherwise.
        max_ratio: the largest usual target length / source length of the training, in tokens.
        max_source_length: a source of more tokens is split.
        facts: what kind of text the model is for.
        extra_tokens: by how much targets of short sources exceed the ratio.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizers: TokenizerPair,
        *,
        settings: SearchSettings | None = None,
        max_ratio: float = 2.0,
        max_source_length: int = 256,
        facts: TextFacts | None = None,
        extra_tokens: float = 0.0,
    ) -> None:
        self.engine = engine
        self.tokenizers = tokenizers
        self.settings = settings or SearchSettings()
        self.max_ratio, self.extra_tokens = max_ratio, extra_tokens
        self.max_source_length = max_source_length
        self.facts = facts or TextFacts()
        self.text_column = TextColumn(tokenizers.source, self.facts.column)
        encoder = TermEncoder(tokenizers, self.text_column)
        self._parts = PartTranslator(
            engine, tokenizers, encoder, self.length_limit, self.facts, self.text_column
        )

    def with_engine(self, engine: Engine) -> Translator:
        """The same with another engine of the same model."""
        return Translator(
            engine, self.tokenizers, settings=self.settings, max_ratio=self.max_ratio,
            max_source_length=self.max_source_length, facts=self.facts, extra_tokens=self.extra_tokens,
        )  # fmt: skip

    def length_limit(self, source_length: int) -> int:
        """The most target tokens looked for, of a source of so many tokens."""
        return self.tokenizers.target.length_limit(source_length, self.max_ratio, self.extra_tokens)

    def translate(
        self, texts: Iterable[str], *, glossary: GlossaryInput | None = None, alignment: bool = False,
        attention: bool = False, log_probs: bool = True, observe: DraftObserver | None = None,
        whole: bool = False, **changes: Any,
    ) -> list[Translation]:  # fmt: skip
        """Translates texts; the order and the company of a text do not matter to its translation.

        Where the training data was natural language, lines are translated one by one, and, if it was single
        sentences, sentences too; of sources with several columns the one that is natural language, with the
        others for each part. What stands between them comes through as it is, and so do texts without
        words and, around a sentence, emoji that the model does not know.

        Args:
            texts: any number of them: a list, a column of a table, a generator, an open file.
            glossary: terms that are to be translated in a given way; interlingua.terms.glossary tells where
                they apply. Each translation tells which terms it holds.
            alignment: whether to say which source token each token comes from.
            attention: whether to give all attention weights.
            log_probs: whether to give the log-probability of each token; a foreign engine is faster without,
                and its scores then leave out what a search never writes, such as the unknown symbol.
            observe: called after every step of decoding, perhaps from several threads; it may raise to stop,
                or return the numbers of texts that are not wanted any more. A foreign engine calls it before
                and after each batch alone.
            whole: whether texts go through the model as they are, unless they are too long for it.
            **changes: fields of SearchSettings, such as beam=5, n_best=3 or sample=True.

        Raises:
            ConfigurationError: a search setting is not acceptable, or a glossary is to go with sampling.
            DataError: a single string instead of a list, something that is not a text or holds a lone
                surrogate (the message says which, such as texts[3]), an empty term, or glossaries that are
                not one for each text.
        """
        texts = list(read_texts(texts, "texts"))
        settings = SearchSettings.parse({**self.settings.model_dump(), **changes}, where="search")
        if settings.sample and glossary:
            raise ConfigurationError("a glossary does not go with sampling", where="glossary")
        glossaries = glossary_for_each(glossary, len(texts), self.text_column.tokenizer.normalise)
        passages = self.split(texts, whole=whole)
        parts = [
            [Part(part, tuple(own.find(part)), passage.others) for part in passage.parts]
            for passage, own in zip(passages, glossaries, strict=True)
        ]
        places: dict[Part, list[tuple[int, int]]] = {}  # where each distinct part stands
        for text_number, of_text in enumerate(parts):
            for part_number, part in enumerate(of_text):
                places.setdefault(part, []).append((text_number, part_number))
        observe_parts = None if observe is None else _by_place(observe, list(places.values()))
        found = self._parts.translate(
            list(places), settings, Extras(alignment, attention, log_probs), observe_parts
        )
        by_part = dict(zip(places, found, strict=True))
        return [
            join([by_part[part] for part in of_text], passage.gaps, split=passage.has_long_line)
            for of_text, passage in zip(parts, passages, strict=True)
        ]

    def translate_lines(
        self,
        lines: Iterable[str],
        *,
        chunk: int = CHUNK,
        glossary: Glossary | Mapping[str, str] | None = None,
        **options: Any,
    ) -> Iterator[Translation]:
        """Translates a stream of lines with flat memory; one translation for each, in order.

        Args:
            lines: without their newlines; an open file's are taken off.
            chunk: lines read before the first is translated; 1 answers line by line.
            glossary: as `translate` takes it, one for all lines.
            **options: as `translate` takes them.
        """
        if isinstance(glossary, Mapping):
            # Made once: it may hold tens of thousands of terms.
            glossary = Glossary(glossary, self.text_column.tokenizer.normalise) if glossary else None
        elif glossary is not None and not isinstance(glossary, Glossary):
            raise DataError(
                "translate_lines takes one glossary for all lines", where="glossary", found=glossary,
                accepted="{source term: target term}; translate(texts, glossary=[…]) takes one a text.",
            )  # fmt: skip
        check_chunk(chunk)
        given = {"glossary": glossary, **options}
        parts = chunks(read_texts(lines, "lines"), chunk)
        return (translation for part in parts for translation in self.translate(part, **given))

    def score_pairs(self, pairs: Iterable[tuple[str, str]], *, chunk: int = CHUNK) -> Iterator[PairScore]:
        """Says how probable given targets are, in order, with flat memory; nothing is split."""
        check_chunk(chunk)
        parts = chunks(read_pairs(pairs, "pairs"), chunk)
        return (found for part in parts for found in score(self.engine, self.tokenizers, part))

    def split(self, texts: Sequence[str], *, whole: bool = False) -> list[Passage]:
        """Splits texts into the parts that `translate` translates on their own.

        Args:
            texts: any number of them.
            whole: whether only those that are too long are split.
        """
        tokenizer, limit = self.tokenizers.source, self.max_source_length
        lengths = map(len, tokenizer.encode_batch(texts))
        facts = TextFacts() if whole else self.facts  # of none: split only what is too long
        # Of several columns it is known which one may be split only where it is natural language.
        may_split = self.facts.natural or not isinstance(tokenizer, ColumnTokenizer)
        apart = map(self.text_column.take_out, texts)
        return [
            split_passage(text, tokenizer, limit, facts, others)
            if may_split and (length > limit or facts.natural)
            else Passage([text], [0], [length], ["", ""], has_long_line=False, others=others)
            for (text, others), length in zip(apart, lengths, strict=True)
        ]


def _by_place(observe: DraftObserver, places: Sequence[Sequence[tuple[int, int]]]) -> PartObserver:
    """Tells the drafts of distinct parts by all places where each stands."""

    def observe_parts(drafts: PartDrafts) -> set[int]:
        unwanted = observe(
            lambda: {place: draft for number, draft in drafts().items() for place in places[number]}
        )
        if not unwanted:
            return set()
        return {i for i, standing in enumerate(places) if all(text in unwanted for text, _ in standing)}

    return observe_parts
