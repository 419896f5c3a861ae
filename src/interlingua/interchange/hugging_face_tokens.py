"""The vocabularies of a MarianMT directory, and which of their ids each of ours stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from interlingua.errors import BundleError
from interlingua.interchange.imported import ForeignVocabulary, order_ids
from interlingua.interchange.json_files import read_json, read_optional_json
from interlingua.text.vocabulary import Vocabulary

__all__ = ["Tokens", "about_added", "order_both", "read_tokens", "start_id"]

Orders = tuple[list[int | None], list[int | None]]


class Tokens(NamedTuple):
    """The vocabularies of a directory, and what stands for special tokens."""

    source: ForeignVocabulary
    target: ForeignVocabulary
    about: Mapping[str, Any]
    """tokenizer_config.json."""
    added: tuple[str, ...] = ()
    """Tokens that are in no vocab.json, since they were added to the tokenizer later."""

    def named(self, role: str, default: str) -> str:
        """The token that has a role, such as eos_token."""
        token = self.about.get(role, default)
        return str(token.get("content", default) if isinstance(token, dict) else token)


def read_tokens(directory: Path, sizes: tuple[int, int]) -> Tokens:
    """Reads vocab.json, and target_vocab.json where the target has its own.

    Args:
        directory: of the model.
        sizes: rows of the embeddings of source and target.

    Raises:
        BundleError: a file is missing or damaged.
    """
    about = read_optional_json(directory / "tokenizer_config.json")
    for name in ("source.spm", "target.spm", "vocab.json"):
        if not (directory / name).exists():
            raise BundleError(
                "a file of the tokenizer is missing", where=directory / name,
                accepted="source.spm, target.spm and vocab.json, as MarianTokenizer saves them.",
            )  # fmt: skip
    paths = [directory / "vocab.json"] * 2
    if about.get("separate_vocabs", (directory / "target_vocab.json").exists()):
        paths[1] = directory / "target_vocab.json"
    added = _added_ids(directory, about)
    source, target = (
        _with_added(ForeignVocabulary(_read_ids(path), size, path), added)
        for path, size in zip(paths, sizes, strict=True)
    )
    kept = tuple(token for token in added if token in target.ids and target.ids[token] == added[token])
    before = _read_ids(paths[1])
    return Tokens(source, target, about, tuple(token for token in kept if token not in before))


def _added_ids(directory: Path, about: Mapping[str, Any]) -> dict[str, int]:
    """The ids of tokens that were added to the tokenizer, in the files of its several versions."""
    found = dict(read_optional_json(directory / "added_tokens.json"))
    decoder = about.get("added_tokens_decoder")
    for i, token in (decoder if isinstance(decoder, dict) else {}).items():
        if isinstance(token, dict) and i.isdecimal():
            found.setdefault(str(token.get("content")), int(i))
    return {token: i for token, i in found.items() if isinstance(i, int)}


def _with_added(vocabulary: ForeignVocabulary, added: Mapping[str, int]) -> ForeignVocabulary:
    """The vocabulary with those added tokens that have rows of the embedding to themselves."""
    ids, taken = dict(vocabulary.ids), {*vocabulary.ids.values()}
    for token, i in added.items():
        if token not in ids and i not in taken and 0 <= i < vocabulary.size:
            ids[token] = i
    return vocabulary._replace(ids=ids)


def about_added(tokens: Tokens) -> list[str]:
    """What becomes of tokens that were added to a tokenizer, for people."""
    added = [token for token in tokens.added if not re.fullmatch(">>.+<<", token)]
    if not added:
        return []
    shown = ", ".join(added[:8]) + (", …" if len(added) > 8 else "")
    return [
        f"tokens that were added to the tokenizer ({shown}): the model can write them, but in sources they "
        "are cut into pieces as other text is"
    ]


def _read_ids(path: Path) -> dict[str, int]:
    ids = read_json(path)
    if wrong := [token for token, i in ids.items() if not isinstance(i, int) or isinstance(i, bool)]:
        raise BundleError("the vocabulary gives a token something else than an id", where=path,
                          found={wrong[0]: ids[wrong[0]]})  # fmt: skip
    return ids


def start_id(config: Mapping[str, Any], generation: Mapping[str, Any], where: Path) -> int:
    """The token that decoding starts with.

    Raises:
        BundleError: nothing says it.
    """
    for values in (generation, config):
        if isinstance(start := values.get("decoder_start_token_id"), int):
            return start
    raise BundleError("nothing says what decoding starts with", where=where,
                      accepted="decoder_start_token_id, which is the id of padding.")  # fmt: skip


def order_both(
    config: Mapping[str, Any], generation: Mapping[str, Any], tokens: Tokens, where: Path, *, one: bool
) -> tuple[Orders, tuple[Vocabulary, Vocabulary]]:
    """Which of their ids each of ours stands for on both sides, and our vocabularies.

    Args:
        config: config.json.
        generation: generation_config.json, which goes first.
        tokens: of the directory.
        where: config.json is, for messages.
        one: whether both sides have one embedding.

    Raises:
        BundleError: a special token is missing, or two are one.
    """
    end, unknown = tokens.named("eos_token", "</s>"), tokens.named("unk_token", "<unk>")
    for each in (tokens.source, tokens.target):
        if lacking := [token for token in (end, unknown) if token not in each.ids]:
            raise BundleError("the vocabulary lacks a special token", where=each.where, found=lacking)
    target_end = tokens.target.ids[end]
    if config.get("eos_token_id", target_end) not in (target_end, [target_end]):
        raise BundleError(
            "eos_token_id is not that of the vocabulary", where=where, found=config["eos_token_id"],
            accepted=f"{target_end}, the id of {end}.",
        )  # fmt: skip
    start, padding = start_id(config, generation, where), config.get("pad_token_id")
    order, vocabulary = order_ids(
        tokens.target, unknown=tokens.target.ids[unknown], end=target_end, start=start,
        padding=None if padding == start else padding,
    )  # fmt: skip
    if one:
        return (order, order), (vocabulary, vocabulary)
    source_order, source_vocabulary = order_ids(
        tokens.source, unknown=tokens.source.ids[unknown], end=tokens.source.ids[end],
        padding=tokens.source.ids.get(tokens.named("pad_token", "<pad>")),
    )  # fmt: skip
    return (source_order, order), (source_vocabulary, vocabulary)
