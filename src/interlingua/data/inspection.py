"""A look at the pairs while they are read: what is often a mistake is found before a training spends hours.

Nothing here is an error: each finding may be meant, and is said in a line of the account.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any

__all__ = ["Inspection", "are_swapped", "describe_findings", "hash_source"]

SAMPLE = 2_000
"""Pairs compared to see whether columns are swapped."""
MENTION_FROM = 0.01
"""The share of pairs from which equal sides are worth a line."""
WARN_FROM = 0.2
FEWEST_NUMBERED = 3
"""Sources that are the one before with a number in brackets; fewer may be chance."""
_NUMBERED = re.compile(r"(.*\S)\s*\(\d+\)")
NATURE_FROM = 0.5
"""A share from which a finding is the nature of the data, such as Morse code, and no mistake in it."""

_LANGUAGE_CODE = (
    "a[abefkmnrsvyz]|b[aeghimnors]|c[aehorsuvy]|d[aevz]|e[elnostu]|f[afijory]|g[adlnuv]|h[aeiortuyz]|"
    "i[adegikostu]|j[av]|k[agijklmnorsuvwy]|l[abginotuv]|m[ghiklnrsty]|n[abdeglnorvy]|o[cjmrs]|p[ailst]|qu|"
    "r[mnouw]|s[acdegiklmnoqrstuvw]|t[aeghiklnorstwy]|u[gkrz]|v[eio]|w[ao]|xh|y[io]|z[ahu]|"
    "eng|deu|ger|fr[ae]|spa|ita|por|rus|zho|chi|jpn|kor|ara|nld|pol|tur|swe|ces|cze|ukr"
)
_LANGUAGE = (
    "english|german|french|spanish|italian|portuguese|russian|chinese|japanese|korean|arabic|dutch|polish|"
    "turkish|swedish|danish|norwegian|finnish|czech|hungarian|greek|hebrew|hindi|bengali|urdu|persian|farsi|"
    "swahili|vietnamese|thai|indonesian|malay|ukrainian|romanian|bulgarian|serbian|croatian|slovak|slovenian|"
    "lithuanian|latvian|estonian|catalan|basque|galician|welsh|irish|latin|esperanto|icelandic|maltese|zulu|"
    "xhosa|yoruba|hausa|igbo|amharic|somali|tamil|telugu|marathi|nepali|deutsch|englisch|französisch|spanisch|"
    "français|anglais|allemand|español|inglés|alemán|italiano|português|русский"
)
_ROLE = (
    "(source|target|src|tgt|trg|input|output)([_ ]?(text|sentence|language|lang))?|"
    "(sentence|text|column)[_ ]?[12]?|translation|original|words?|pronunciation|spelling|graphemes?|"
    "phonemes?|question|answer|quelle|ziel"
)
_COLUMN_NAME = re.compile(f"({_LANGUAGE_CODE})([-_][a-z]{{2,4}}){{0,2}}|{_LANGUAGE}|{_ROLE}")


def hash_source(source: str) -> int:
    """One number for a source, whichever code points spell its letters; another one in another process."""
    return hash(unicodedata.normalize("NFC", source))


class Inspection:
    """Counts what is conspicuous in a stream of pairs.

    Args:
        watched: hashes of sources that should not occur, those of the validation pairs: see `hash_source`.
    """

    def __init__(self, watched: Set[int] = frozenset()) -> None:
        self.sample: list[tuple[str, str]] = []
        """The first pairs."""
        self._watched, self._seen = watched, set[int]()
        self._headers: list[int] = []
        self._equal = self._nothing = self._marks = self._nuls = self._numbered = self._pairs = 0
        self._unnumbered = ""
        self._one_target = True

    def begin(self, file: int, pair: tuple[str, str]) -> None:
        """Takes the first pair of a file, beside `add`."""
        if _is_header(pair):
            self._headers.append(file)

    def add(self, pair: tuple[str, str]) -> None:
        """Takes the next pair; its sides are not empty."""
        source, target = pair
        self._pairs += 1
        if len(self.sample) < SAMPLE:
            self.sample.append((source[:1000], target[:1000]))
        if self._one_target:
            self._one_target = target[:1000] == self.sample[0][1]
        if source == target:
            self._equal += 1
        elif not (source[0].isalnum() and target[0].isalnum()):
            self._nothing += _is_nothing(source) != _is_nothing(target)
            self._marks += source[0] == "\ufeff" or target[0] == "\ufeff"
        numbered = _NUMBERED.fullmatch(source) if source[-1] == ")" else None
        if numbered is None:
            self._unnumbered = source
        elif numbered[1] == self._unnumbered:
            self._numbered += 1
        if "\0" in source or "\0" in target:
            self._nuls += 1
        if self._watched and (value := hash_source(source)) in self._watched:
            self._seen.add(value)

    def findings(self) -> dict[str, Any]:
        """Returns what was found, as plain values for JSON; nothing for what was not."""
        found = {
            "headers": self._headers,
            "equal_sides": self._equal,
            "only_punctuation": self._nothing,
            "byte_order_marks": self._marks,
            "nul_characters": self._nuls,
            "numbered_variants": self._numbered if self._numbered >= FEWEST_NUMBERED else 0,
            "one_target": self._one_target and self._pairs > 1,
            "quoted": len(self.sample) > 2 and all(map(_is_quoted, self.sample)),
            "repeats_validation": round(len(self._seen) / max(1, len(self._watched)), 4),
        }
        return {name: value for name, value in found.items() if value}


def _header_advice(file: str) -> str:
    if ".csv" in file.lower():
        return ", choose columns by the names in it: --columns SOURCE,TARGET"
    return ": tail -n +2"


def describe_findings(findings: dict[str, Any], files: Sequence[str], pairs: int) -> list[str]:
    """Returns lines for people on what `Inspection.findings` returned.

    Args:
        findings: the findings.
        files: the names by which the user knows the files.
        pairs: how many pairs were looked at.
    """
    lines = [
        f"warning: {files[number]} begins with what looks like a header, which is used as a pair; "
        f"to leave it out{_header_advice(files[number])}"
        for number in findings.get("headers", [])
    ]
    if findings.get("one_target"):
        lines.append("warning: all targets are the same, so there is nothing to learn")
    if findings.get("quoted"):
        lines.append('warning: every text stands in "quotes", which are kept as a part of it')
    equal = findings.get("equal_sides", 0) / max(1, pairs)
    if equal >= WARN_FROM:
        lines.append(f"warning: source and target are equal in {equal:.0%} of the pairs: not translated?")
    elif equal >= MENTION_FROM:
        lines.append(f"source and target are equal in {equal:.0%} of the pairs")
    counted = {
        "only_punctuation": "a side of nothing but punctuation or invisible characters",
        "byte_order_marks": "a byte order mark at the beginning (files joined together?)",
        "nul_characters": "NUL characters",
    }
    for name, what in counted.items():
        if 0 < (count := findings.get(name, 0)) < NATURE_FROM * pairs or (
            count and name != "only_punctuation"
        ):
            lines.append(f"warning: pairs with {what}: {count:,} (used)")
    if numbered := findings.get("numbered_variants"):
        file = shlex.quote(Path(files[0]).name) if len(files) == 1 else "FILE"
        lines.append(
            f"warning: sources like the one before, with a number in brackets (WORD(2)): {numbered:,}; the "
            f"brackets are learnt as letters. To take them off: sed 's/([0-9]*)\\t/\\t/' {file} > words.tsv"
        )
    if odd := findings.get("odd_files"):
        examples = "; ".join(odd["examples"])
        lines.append(f"warning: files that may be faulty: {odd['count']:,} (used), such as {examples}")
    if share := findings.get("repeats_validation"):
        warning = "warning: " if share >= MENTION_FROM else ""
        lines.append(
            f"{warning}{share:.1%} of the validation sources are training sources as well; "
            "scores on them say less about new texts"
        )
    return lines


def are_swapped(train: Sequence[tuple[str, str]], valid: Sequence[tuple[str, str]]) -> bool:
    """Whether the validation pairs' columns look like the training pairs' the other way round.

    Compared by the share of running words, or where there are no common ones of running characters, that
    the other file knows.
    """
    for split in (str.split, list):
        known = [set().union(*(split(pair[side]) for pair in train)) for side in (0, 1)]
        straight, crossed = (
            min(_covered((pair[0] for pair in valid), known[first], split),
                _covered((pair[1] for pair in valid), known[1 - first], split))
            for first in (0, 1)
        )  # fmt: skip
        if max(straight, crossed) >= 0.1:
            return (crossed > 0.3 and crossed > 2 * straight) or (crossed > 0.9 and straight < 0.75)
    return False


def _covered(texts: Iterable[str], known: Set[str], split: Any) -> float:
    counts = Counter(symbol for text in texts for symbol in split(text))
    return sum(count for symbol, count in counts.items() if symbol in known) / max(1, counts.total())


def _is_header(pair: tuple[str, str]) -> bool:
    names = [side.strip().strip("\"'").lower() for side in pair]
    return names[0] != names[1] and all(map(_COLUMN_NAME.fullmatch, names))


def _is_quoted(pair: tuple[str, str]) -> bool:
    return all(len(side) > 1 and side[0] == side[-1] == '"' for side in pair)


def _is_nothing(text: str) -> bool:
    """Whether there is nothing but punctuation, space and invisible characters; symbols such as + count."""
    return all(unicodedata.category(character)[0] in "PZC" for character in text)
