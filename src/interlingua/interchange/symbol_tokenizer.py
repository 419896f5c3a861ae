"""Tokenizers of words, characters and bytes as a tokenizer.json of the package `tokenizers`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from interlingua.kinds import EOS, SPECIALS, UNK
from interlingua.text.normalise import normalise
from interlingua.text.symbols import SymbolTokenizer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["build_tokenizer", "name_specials"]

MARK = "\ufdd0"
"""A code point that Unicode never assigns: it begins the name of a target's token, so that one symbol may be
two tokens."""
NO_WORD = "\ufdd1"
"""Another one: it ends the names of special tokens beside words, which a text may hold as words otherwise."""


def name_specials(tokenizer: Tokenizer) -> list[str]:
    """Names for the special tokens that no symbol has, and no word of a text."""
    end = NO_WORD if tokenizer.kind == "words" else ""
    return [_free(name + end, symbols_of(tokenizer)) for name in SPECIALS]


def symbols_of(tokenizer: Tokenizer) -> Sequence[str]:
    """What stands for each id but the special ones in a tokenizer.json."""
    if not isinstance(tokenizer, SymbolTokenizer):
        return _byte_letters()
    symbols = list(tokenizer.vocabulary.symbols)
    for number, symbol in enumerate(symbols):
        if symbol != symbol.encode(errors="replace").decode():  # a lone surrogate, which no text there holds
            symbols[number] = _free(f"<{number}>", symbols)
    return symbols


def build_tokenizer(source: Tokenizer, target: Tokenizer | None = None) -> Any:
    """What cuts texts as the source's tokenizer does, and writes texts as the target's does.

    Args:
        source: of words, characters or bytes.
        target: another, whose ids come after the source's; None: of one side alone, or of a joint vocabulary.

    Returns:
        A tokenizers.Tokenizer.
    """
    from tokenizers import Tokenizer as Built
    from tokenizers import models, processors

    specials = name_specials(source)
    tokens = [*specials, *symbols_of(source)]
    mark = MARK if target else ""
    if target:
        tokens += [mark + token for token in (*name_specials(target), *symbols_of(target))]
    built = Built(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token=specials[UNK]))
    assert built.get_vocab_size() == len(tokens)
    _set_cutting(built, source)
    end = specials[EOS]
    built.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, EOS)])
    built.decoder = _decoder(target or source, mark)
    built.add_special_tokens(specials)
    if target:
        built.add_special_tokens([mark + name for name in name_specials(target)])
    return built


def _set_cutting(built: Any, tokenizer: Tokenizer) -> None:
    from tokenizers import Regex, normalizers, pre_tokenizers

    if steps := _normalisation(tokenizer):
        built.normalizer = normalizers.Sequence(steps)
    if tokenizer.kind == "words":
        built.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    elif tokenizer.kind == "characters":
        built.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    else:
        letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        each = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        built.pre_tokenizer = pre_tokenizers.Sequence([letters, each])


def _normalisation(tokenizer: Tokenizer) -> list[Any]:
    """The steps of the tokenizer's rule; invisible characters are those that the rule itself takes out."""
    from tokenizers import Regex, normalizers

    if tokenizer.normalisation in ("none", "target text"):  # targets are not cut there
        return []
    if tokenizer.normalisation != "text":
        return [normalizers.NFKC() if tokenizer.normalisation == "NFKC" else normalizers.NFC()]
    every = [chr(code) for code in range(0xD800)] + [chr(code) for code in range(0xE000, 0x10000)]
    spaces = [character for character in every if character.isspace()]
    gone = [c for c in every if not c.isspace() and normalise(f"a{c}b", "text") == "ab"]
    return [
        normalizers.Replace(Regex(_class_of(gone)), ""), normalizers.NFC(),
        normalizers.Replace(Regex(_class_of(spaces) + "+"), " "), normalizers.Strip(),
    ]  # fmt: skip


def _class_of(characters: Sequence[str]) -> str:
    return "[" + "".join(f"\\x{{{ord(character):x}}}" for character in characters) + "]"


def _decoder(tokenizer: Tokenizer, mark: str) -> Any:
    """What puts tokens together; of words with spaces between."""
    from tokenizers import decoders

    if tokenizer.kind == "words":
        if not mark:
            return None  # as tokenizers do by default
        return decoders.Sequence([
            decoders.Fuse(), decoders.Replace(mark, " "), decoders.Strip(" ", 1, 0),
        ])  # fmt: skip
    steps = [decoders.Replace(mark, "")] if mark else []
    return decoders.Sequence([*steps, decoders.ByteLevel() if tokenizer.kind == "bytes" else decoders.Fuse()])


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or one like it that is free."""
    taken = set(taken)
    while name in taken:
        name = f"<{name}>"
    return name


def _byte_letters() -> list[str]:
    """The visible letter that stands for each byte in `tokenizers`: itself, or one from U+0100 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]
