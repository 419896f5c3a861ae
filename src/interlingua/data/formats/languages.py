"""Which texts of a unit are source and target: by the codes of their languages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from interlingua.data.formats.language_codes import shortest_code
from interlingua.errors import DataError

__all__ = ["Languages", "describe_languages", "is_code", "match", "primary"]

_CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
SHOWN = 20


def is_code(text: str) -> bool:
    """Whether it looks like the code of a language: en, pt-BR, zh_Hans."""
    return _CODE.fullmatch(text) is not None


def normalised(code: str) -> str:
    """A code as it is compared: "en-gb" of "eng_GB", "sr-latin" of gettext's "sr@latin"."""
    language, *more = re.sub("[_@]", "-", code.strip()).lower().split("-")
    return "-".join([shortest_code(language), *more])


def primary(code: str) -> str:
    """The language without script and country: "en" of "en-US"."""
    return normalised(code).split("-")[0]


def match(asked: str, code: str) -> bool:
    """Whether a code is of the language asked for: "en" is that of "en-US", not the other way round."""
    asked, code = normalised(asked), normalised(code)
    return code == asked or code.startswith(f"{asked}-")


def describe_languages(counts: Counter[str]) -> str:
    """Languages with their counts, the most frequent first."""
    shown = [f"{code or 'not said'} ({count:,})" for code, count in counts.most_common(SHOWN)]
    return ", ".join([*shown, *(["…"] if len(counts) > SHOWN else [])]) or "none"


class Languages:
    """Says which side texts belong to.

    Args:
        asked: codes of source and target; when not given, the two that there are.
        where: the file, for messages.
    """

    def __init__(self, asked: tuple[str, str] | None, where: object) -> None:
        self.sides = asked
        self._where, self._told = where, asked is not None
        self.counts: Counter[str] = Counter()
        """Texts by the codes that the file has."""
        self._side_of: dict[str, int | None] = {}
        if asked and normalised(asked[0]) == normalised(asked[1]):
            raise DataError("source and target are the same language", where=where, found=asked[0])

    def decide(self, codes: Iterable[str], source: str | None) -> None:
        """Takes the codes of the first unit that has two, and what the file says is its source.

        Raises:
            DataError: they leave open which is source and which is target.
        """
        codes = list(dict.fromkeys([*self.counts, *codes]))
        by_primary = list(dict.fromkeys(map(primary, codes)))
        pair = by_primary if len(by_primary) == 2 else list(dict.fromkeys(map(normalised, codes)))
        sources = [code for code in pair if source and (match(code, source) or match(source, code))]
        if len(pair) == 2 and len(sources) == 1:
            self.sides = (sources[0], pair[1] if pair[0] == sources[0] else pair[0])

    def side(self, code: str) -> int | None:
        """Returns 0 for the source, 1 for the target, None for another language."""
        if code not in self._side_of:
            self._side_of[code] = self._find(code)
        return self._side_of[code]

    def is_foreign(self, code: str) -> bool:
        """Whether a third language turns up where none was asked for."""
        return not self._told and self.sides is not None and self.side(code) is None

    def _find(self, code: str) -> int | None:
        if self.sides is None:
            return None
        fitting = [side for side in (0, 1) if match(self.sides[side], code)]
        return max(fitting, key=lambda side: len(self.sides[side]) if self.sides else 0, default=None)

    def refuse(self) -> None:
        """Raises the DataError for languages, all counted, that do not say the direction."""
        raise DataError(
            "it is not clear which language is the source, and which the target",
            where=self._where,
            found=describe_languages(self.counts),
            accepted=self._advice(),
        )

    def refuse_none(self) -> None:
        """Raises the DataError for a file without a pair, if its languages are the cause."""
        found = describe_languages(self.counts)
        if self.sides is None:
            raise DataError("no unit has texts in two languages", where=self._where, found=found)
        absent = [code for side, code in enumerate(self.sides)
                  if not any(self.side(each) == side for each in self.counts)]  # fmt: skip
        if self._told and absent:
            raise DataError(f"there is no text in {' or in '.join(absent)}", where=self._where, found=found,
                            accepted=self._advice())  # fmt: skip

    def _advice(self) -> str:
        if {*self.counts} == {""}:
            return "Its texts do not say their languages (xml:lang), so which is which cannot be told."
        most = [code for code, _ in self.counts.most_common(2)]
        example = " ".join(most) if len(most) == 2 and all(most) else "en de"
        return f"Say which is the source and which the target: --languages {example}"
