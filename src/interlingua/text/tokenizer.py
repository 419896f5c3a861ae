"""The tokenizers of both sides, and how they are learnt from pairs."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from interlingua.errors import ConfigurationError, DataError
from interlingua.kinds import SPECIALS
from interlingua.settings import Settings
from interlingua.text.choice import (
    SideStatistics,
    TokenizerKind,
    are_cut_otherwise,
    are_in_other_letters,
    are_spelt_alike,
    choose_between,
    choose_kind,
    choose_vocabulary_size,
    share_alphabet,
)
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.columns import COLUMN_END, count_columns, normalise_columns
from interlingua.text.normalise import Normalisation, normalise, rule_for_targets
from interlingua.text.protocol import Tokenizer
from interlingua.text.sentencepiece_model import read_sentencepiece
from interlingua.text.subwords import MAX_LINE, SubwordTokenizer, check_vocabulary_size, smallest_vocabulary
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
    source_model: str | None = None
    """A SentencePiece model (.model) that cuts sources; what it says goes, and nothing is learnt."""
    target_model: str | None = None
    """The same for targets; the same file for both sides makes a joint vocabulary."""
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

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        for side in ("source", "target"):
            kind, model = getattr(self, side), getattr(self, f"{side}_model")
            if kind != "auto" and model is not None:
                raise ValueError(f"{side} is {kind}, and {side}_model says what it is as well: leave one out")
        if self.vocabulary_size is not None and self.source_model and self.target_model:
            raise ValueError(
                "vocabulary_size is for what is learnt, but both sides have models: leave it out"
            )
        return self

    def own_models(self) -> dict[str, str]:
        """The files that are named, by their keys."""
        named = {"source_model": self.source_model, "target_model": self.target_model}
        return {key: file for key, file in named.items() if file is not None}


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
    source_rule: Normalisation = settings.normalisation
    target_rule = rule_for_targets(source_rule)
    own = [
        _load(file, rule) if file else None
        for file, rule in ((settings.source_model, source_rule), (settings.target_model, target_rule))
    ]
    if own[0] and own[1] and own[0].model == own[1].model and settings.joint is not False:
        return TokenizerPair.of_joint(own[0]), f"joint: {_describe(own[0])}, as given"
    if any(own) and settings.joint is True:
        raise ConfigurationError("a joint vocabulary of given models needs the same one for both sides",
                                 where="tokenizer.joint", found="true")  # fmt: skip
    sides = [SideStatistics.of(side) for side in texts]
    given = (settings.source, settings.target)
    kinds = [choose_kind(side) if kind == "auto" else kind for kind, side in zip(given, sides, strict=True)]
    if {*kinds} == {"words", "characters"}:
        closed = kinds.index("words")
        if given[closed] == "auto" and are_spelt_alike(texts[closed], texts[1 - closed]):
            kinds[closed] = choose_kind(sides[closed], spelt=True)
    if _are_read_by_letters(texts[0], texts[1], settings):
        kinds = ["characters", "characters"]
    if not any(own) and _share_vocabulary(settings, kinds, sides):
        both = texts[0] + texts[1]
        # The targets' rule leaves normalised sources as they are.
        tokenizer = _train(kinds[0], both, target_rule, settings.vocabulary_size, sum(characters))
        pair = TokenizerPair.of_joint(tokenizer.with_normalisation(source_rule))
        return pair, f"joint: {_describe(tokenizer)}"
    rules, size = (source_rule, target_rule), settings.vocabulary_size
    if size is not None:
        smallest = [smallest_vocabulary(side, rule) for model, kind, side, rule
                    in zip(own, kinds, texts, rules, strict=True)
                    if model is None and kind in ("unigram", "bpe")]  # fmt: skip
        check_vocabulary_size(size, max(smallest, default=0))
    source, target = (
        given_model or _train(kind, side, rule, size, count)
        for given_model, kind, side, rule, count in zip(own, kinds, texts, rules, characters, strict=True)
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
    # Bytes have nothing to learn.
    alone = settings.model_copy(update={"joint": False, "target": "bytes", "target_model": None})
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
    tokenizer = _target_tokenizer(targets, rule, settings, characters[1], choose)
    return tokenizer, _describe(tokenizer)


def _target_tokenizer(
    targets: Sequence[str], rule: Normalisation, settings: TokenizerSettings, characters: int,
    choose: Callable[[SideStatistics], TokenizerKind] = choose_kind,
) -> Tokenizer:  # fmt: skip
    if settings.target_model:
        return _load(settings.target_model, rule)
    kind = choose(SideStatistics.of(targets)) if settings.target == "auto" else settings.target
    return _train(kind, targets, rule, settings.vocabulary_size, characters)


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
    targets = [target for _, target in sample]
    together = [_are_read_by_letters(texts, targets, settings, number)
                for number, texts in enumerate(columns[bool(tags) :])]  # fmt: skip
    choose: Callable[[SideStatistics], TokenizerKind] = (
        (lambda _: "characters") if any(together) else choose_kind
    )
    target = _target_tokenizer(targets, target_rule, settings, characters[1], choose)
    learnt: list[Tokenizer] = [SymbolTokenizer.of_tags(tags, rule)] if tags else []
    for number, texts in enumerate(columns[len(learnt) :]):
        if number == 0 and settings.source_model:
            learnt.append(_load(settings.source_model, rule))
            continue
        asked = settings.source if number == 0 else "auto"
        asked = "characters" if together[number] else asked
        between = choose_between(texts) if asked == "auto" else None
        spelt = between is not None and target.kind == "characters" and are_spelt_alike(texts, targets)
        if between is not None and not spelt:
            learnt.append(SymbolTokenizer.train(texts, "words", rule, between=between))
            continue
        kind = choose_kind(SideStatistics.of(texts), spelt=spelt) if asked == "auto" else asked
        share = sum(map(len, texts)) / max(1, sum(len(source) for source, _ in sample))
        learnt.append(_train(kind, texts, rule, settings.vocabulary_size, round(share * characters[0])))
    of_columns = " + ".join(map(_describe, learnt))
    described = f"source: {of_columns}; target: {_describe(target)}"
    return TokenizerPair(ColumnTokenizer(learnt), target), described


def _are_read_by_letters(
    texts: Sequence[str], targets: Sequence[str], settings: TokenizerSettings, number: int = 0
) -> bool:
    """Whether a column and the targets differ in where words end, or in their alphabets, letter for letter.

    It does not count where somebody says how they are cut.
    """
    source = settings.source if number == 0 else "auto"
    is_open = source == settings.target == "auto" and settings.vocabulary_size is None
    if not is_open or settings.own_models():
        return False
    cut_otherwise = are_cut_otherwise(texts, targets)
    if not cut_otherwise and not are_in_other_letters(texts, targets):
        return False
    kinds = {choose_kind(SideStatistics.of(side)) for side in (texts, targets)}
    return kinds != {"words"} if cut_otherwise else "words" not in kinds


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


def _load(file: str, rule: Normalisation) -> SubwordTokenizer:
    model = read_sentencepiece(Path(file))
    return SubwordTokenizer(model.with_special_ids(), model.kind, rule)


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
