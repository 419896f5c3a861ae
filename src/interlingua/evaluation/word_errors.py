"""Which words transcripts have wrong: taken for others, left out, put in."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from interlingua.evaluation.references import Lines

__all__ = ["WordError", "WordErrors", "count_word_errors"]

MOST_SHOWN = 10


@dataclass(frozen=True)
class WordError:
    """One mistake, and how often it was made."""

    said: str
    """Empty for a word that was put in."""
    written: str
    """Empty for a word that was left out."""
    count: int
    of: int
    """How often the word is in the references; of a word that was put in, how often in the outputs."""


@dataclass(frozen=True)
class WordErrors:
    """The edits that make outputs of their references, word by word."""

    words: int
    """Of the references."""
    substituted: int
    deleted: int
    inserted: int
    substitutions: list[WordError]
    """The commonest, as the following."""
    deletions: list[WordError]
    insertions: list[WordError]


def count_word_errors(lines: Lines) -> WordErrors:
    """Aligns each output with its nearest reference (as WER does) and counts the edits."""
    edits: dict[str, Counter[tuple[str, str]]] = {
        "replace": Counter(), "delete": Counter(), "insert": Counter(),
    }  # fmt: skip
    said, written = Counter[str](), Counter[str]()
    for hypothesis, references in zip(lines.hypotheses, lines.references, strict=True):
        output = _words(hypothesis)
        nearest = min(
            map(_words, references), key=lambda words: (Levenshtein.distance(output, words), -len(words))
        )
        said.update(nearest)
        written.update(output)
        for edit in Levenshtein.editops(nearest, output):
            source = nearest[edit.src_pos] if edit.tag != "insert" else ""
            edits[edit.tag][source, output[edit.dest_pos] if edit.tag != "delete" else ""] += 1
    commonest = {
        tag: [
            WordError(one, other, count, said[one] if one else written[other])
            for (one, other), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ][:MOST_SHOWN]
        for tag, counts in edits.items()
    }
    return WordErrors(
        said.total(), edits["replace"].total(), edits["delete"].total(), edits["insert"].total(),
        commonest["replace"], commonest["delete"], commonest["insert"],
    )  # fmt: skip


def _words(text: str) -> list[str]:
    return unicodedata.normalize("NFC", text).split()
