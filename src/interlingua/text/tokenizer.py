"""The tokenizers of both sides, and how they are learnt from pairs."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from interlingua.errors import ConfigurationError, DataError
from interlingua.kinds import SPECIALS
from interlingua.settings import Settings
from interlingua.text.choice import (
    SideStatistics,
    TokenizerKind,
    choose_between,
    choose_kind,
    choose_vocabulary_size,
    share_alphabet,
)
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.columns import COLUMN_END, count_columns, normalise_columns
from interlingua.text.normalise import Normalisation, normalise, rule_for_targets
from interlingua.text.protocol import Tokenizer
from interlingua.text.subwords import MAX_LINE, SubwordTokenizer, smallest_vocabulary
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer

__all__ = ["Tokenizer", "TokenizerPair", "TokenizerSettings", "train_source_tokenizer",
           "train_target_tokenizer", "train_tokenizers"]  # fmt: skip


class TokenizerPair(NamedTuple):
    """The tokenizers of the two sides."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        """Whether both sides have the same ids, so that embeddings may be shared."""
        return self.source.vocabulary is self.target.vocabulary

    @classmethod
    def of_joint(cls, tokenizer: Tokenizer) -> TokenizerPair:
        """Both sides of a joint vocabulary, from the source's tokenizer."""
        rule = rule_for_targets(tokenizer.normalisation)
        same = rule == tokenizer.normalisation
        return cls(tokenizer, tokenizer if same else tokenizer.with_normalisation(rule))

    def encode_sampled(
        self, sources: Sequence[str], targets: Sequence[str], alpha: float, seed: int
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Encodes pairs of normalised texts, subwords at random: see `SubwordTokenizer.encode_sampled`."""
        source, target = (
            tokenizer.encode_sampled(texts, alpha, seed)
            if isinstance(tokenizer, SubwordTokenizer | ColumnTokenizer)
            else tokenizer.encode_batch(texts)
            for tokenizer, texts in zip(self, (sources, targets), strict=True)
        )  # fmt: skip
        return source, target


class TokenizerSettings(Settings):
    """How texts become ids."""

    source: TokenizerKind | Literal["auto"] = "auto"
    """unigram, bpe, characters, bytes or words; auto chooses from the data."""
    target: TokenizerKind | Literal["auto"] = "auto"
    """The same for the target side."""
    vocabulary_size: Annotated[int, Field(gt=len(SPECIALS), le=1_000_000)] | None = None
    """The most ids of a vocabulary; chosen from the data when not given."""
    joint: bool | Literal["auto"] = "auto"
    """One vocabulary for both sides; auto: for subwords of one script."""
    normalisation: Literal["text", "NFC", "NFKC", "none"] = "text"
    """What becomes of a text before it is split. text: white space of every kind in a source is a space,
    invisible characters go, and NFC; a target keeps its own spaces. NFC and NFKC: only this Unicode
    normalisation of both sides. none: nothing."""
    sample: Annotated[int, Field(ge=1, lt=2**31)] = 200_000
    """A number of pairs: tokenizers are learnt from so many at most, drawn at random from larger data."""


def train_tokenizers(
    pairs: Iterable[tuple[str, str]], settings: TokenizerSettings, tags: Collection[str] = (), seed: int = 0
) -> tuple[TokenizerPair, str]:
    """Learns the tokenizers of both sides from pairs, in memory bounded by `settings.sample`.

    Args:
        pairs: (source, target), read once.
        settings: the kinds, or "auto".
        tags: what the first column of all sources may be, of which a sample may lack the rare ones; nothing
            where sources have no tag.
        seed: draws the sample.

    Returns:
        The tokenizers, and the choice in one line such as "source: words, 29 symbols; target: ...".

    Raises:
        ConfigurationError: the settings contradict each other or the data.
        DataError: there are no pairs, or they have tags and differ in their numbers of columns.
    """
    sample, characters = _sample(pairs, settings, seed)
    if not sample:
        raise DataError("there are no pairs to learn a vocabulary from")
    if count_columns(source for source, _ in sample) > 1:
        return _train_columns(sample, tags, settings, characters)
    if tags:
        raise DataError("some sources have more columns than others", where="data.corpora",
                        accepted="Beside their tags, all sources have equally many columns.")  # fmt: skip
    sources = [normalise(source, settings.normalisation) for source, _ in sample]
    texts = [sources, [target for _, target in sample]]
    sides = [SideStatistics.of(side) for side in texts]
    given = (settings.source, settings.target)
    source_rule: Normalisation = settings.normalisation
    target_rule = rule_for_targets(source_rule)
    kinds = [choose_kind(side) if kind == "auto" else kind for kind, side in zip(given, sides, strict=True)]
    if _share_vocabulary(settings, kinds, sides):
        both = texts[0] + texts[1]
        # The targets' rule leaves normalised sources as they are.
        tokenizer = _train(kinds[0], both, target_rule, settings.vocabulary_size, sum(characters))
        pair = TokenizerPair.of_joint(tokenizer.with_normalisation(source_rule))
        return pair, f"joint: {_describe(tokenizer)}"
    source, target = (
        _train(kind, side, rule, settings.vocabulary_size, count)
        for kind, side, rule, count in zip(kinds, texts, (source_rule, target_rule), characters, strict=True)
    )
    return TokenizerPair(source, target), f"source: {_describe(source)}; target: {_describe(target)}"


def train_source_tokenizer(
    pairs: Iterable[tuple[str, str]], settings: TokenizerSettings, tags: Collection[str] = (), seed: int = 0
) -> tuple[Tokenizer, str]:
    """Learns a tokenizer of the sources alone, of pairs whose targets are no texts.

    Args:
        pairs: (source, target), read once.
        settings: of the source, whose kind may be "auto".
        tags: see `train_tokenizers`.
        seed: draws the sample.

    Returns:
        The tokenizer, and what it is in words.

    Raises:
        ConfigurationError: the settings contradict the data.
        DataError: there are no pairs.
    """
    alone = settings.model_copy(update={"joint": False, "target": "bytes"})  # which have nothing to learn
    learnt, described = train_tokenizers(((source, "-") for source, _ in pairs), alone, tags, seed)
    return learnt.source, described.removeprefix("source: ").removesuffix("; target: bytes")


def train_target_tokenizer(
    pairs: Iterable[tuple[str, str]], settings: TokenizerSettings, seed: int = 0,
    choose: Callable[[SideStatistics], TokenizerKind] = choose_kind,
) -> tuple[Tokenizer, str]:  # fmt: skip
    """Learns a tokenizer of the targets alone, of pairs whose sources are no texts.

    Args:
        pairs: (source, target), read once.
        settings: of the target, whose kind may be "auto".
        seed: draws the sample.
        choose: the kind, where it is "auto".

    Returns:
        The tokenizer, and what it is in words.

    Raises:
        ConfigurationError: the settings contradict the data.
        DataError: there are no pairs.
    """
    sample, characters = _sample((("", target) for _, target in pairs), settings, seed)
    if not sample:
        raise DataError("there are no pairs to learn a vocabulary from")
    targets, rule = [target for _, target in sample], rule_for_targets(settings.normalisation)
    kind = choose(SideStatistics.of(targets)) if settings.target == "auto" else settings.target
    tokenizer = _train(kind, targets, rule, settings.vocabulary_size, characters[1])
    return tokenizer, _describe(tokenizer)


def _train_columns(
    sample: Sequence[tuple[str, str]], tags: Collection[str], settings: TokenizerSettings,
    characters: tuple[int, int],
) -> tuple[TokenizerPair, str]:  # fmt: skip
    """Learns tokenizers from pairs whose sources have several columns.

    The kind that is asked for is the first column's, or that of the first after the tag.
    """
    rule, target_rule = settings.normalisation, rule_for_targets(settings.normalisation)
    if settings.joint is True:
        raise ConfigurationError(
            "sources of several columns have vocabularies of their own", where="tokenizer.joint",
            found="true", accepted="Leave it out, or use one column.",
        )  # fmt: skip
    columns = [*zip(*(source.split(COLUMN_END) for source, _ in sample), strict=True)]
    learnt: list[Tokenizer] = [SymbolTokenizer.of_tags(tags, rule)] if tags else []
    for number, texts in enumerate(columns[len(learnt) :]):
        asked = settings.source if number == 0 else "auto"
        between = choose_between(texts) if asked == "auto" else None
        if between is not None:
            learnt.append(SymbolTokenizer.train(texts, "words", rule, between=between))
            continue
        kind = choose_kind(SideStatistics.of(texts)) if asked == "auto" else asked
        share = sum(map(len, texts)) / max(1, sum(len(source) for source, _ in sample))
        learnt.append(_train(kind, texts, rule, settings.vocabulary_size, round(share * characters[0])))
    targets = [target for _, target in sample]
    kind = choose_kind(SideStatistics.of(targets)) if settings.target == "auto" else settings.target
    target = _train(kind, targets, target_rule, settings.vocabulary_size, characters[1])
    of_columns = " + ".join(map(_describe, learnt))
    described = f"source: {of_columns}; target: {_describe(target)}"
    return TokenizerPair(ColumnTokenizer(learnt), target), described


def _sample(
    pairs: Iterable[tuple[str, str]], settings: TokenizerSettings, seed: int
) -> tuple[list[tuple[str, str]], tuple[int, int]]:
    """Returns a uniform sample (reservoir; Vitter 1985, algorithm R) and each side's number of characters."""
    generator = random.Random(seed)
    sample: list[tuple[str, str]] = []
    source_characters = target_characters = 0
    for seen, (source, target) in enumerate(pairs):
        source_characters += min(len(source), MAX_LINE)
        target_characters += min(len(target), MAX_LINE)
        if seen < settings.sample:
            slot = seen
            sample.append(("", ""))
        else:
            slot = int(generator.random() * (seen + 1))
        if slot < settings.sample:
            rule = settings.normalisation
            sample[slot] = normalise_columns(source, rule), normalise(target, rule_for_targets(rule))
    return sample, (source_characters, target_characters)


def _share_vocabulary(
    settings: TokenizerSettings, kinds: Sequence[TokenizerKind], sides: Sequence[SideStatistics]
) -> bool:
    same = kinds[0] == kinds[1]
    if settings.joint == "auto":
        subwords = kinds[0] in ("unigram", "bpe")
        return same and (kinds[0] == "bytes" or (subwords and share_alphabet(*sides)))
    if settings.joint and not same:
        raise ConfigurationError(
            "a joint vocabulary needs the same kind of tokenizer on both sides",
            where="tokenizer.joint",
            found=f"source {kinds[0]}, target {kinds[1]}",
            accepted="Give both kinds alike, or joint = false.",
        )
    return settings.joint


def _train(
    kind: TokenizerKind, texts: Sequence[str], rule: Normalisation, size: int | None, characters: int
) -> Tokenizer:
    if kind == "bytes":
        return ByteTokenizer(rule)
    if kind == "words" or kind == "characters":
        return SymbolTokenizer.train(texts, kind, rule, size)
    if size is None:
        size = max(choose_vocabulary_size(characters), smallest_vocabulary(texts, rule))
    return SubwordTokenizer.train(texts, kind, rule, size)


def _describe(tokenizer: Tokenizer) -> str:
    if isinstance(tokenizer, SymbolTokenizer):
        return f"{tokenizer.kind}, {len(tokenizer.vocabulary.symbols):,} symbols"
    return f"{tokenizer.kind}, {len(tokenizer):,} pieces" if tokenizer.kind != "bytes" else "bytes"
