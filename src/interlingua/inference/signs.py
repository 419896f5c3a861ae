"""Emoji and other signs in a sentence that a model does not know: taken out, and put back in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from interlingua.documents.passage import is_foreign_sign
from interlingua.documents.projection import Projection, TranslatedPart, project
from interlingua.inference.translation import Translation
from interlingua.text.columns import NO_OTHERS, OtherColumns
from interlingua.text.tokenizer import Tokenizer

__all__ = ["Sign", "put_back", "take_out"]


class Sign(NamedTuple):
    """Signs that stood together."""

    text: str
    offset: int
    """In the text without signs, of the character that came after them."""
    space_before: bool
    space_after: bool


def take_out(text: str, tokenizer: Tokenizer) -> tuple[str, tuple[Sign, ...]]:
    """The text without the signs that the tokenizer does not know, and these."""
    if text.isascii():
        return text, ()
    plain, signs = "", list[Sign]()
    runs = [
        (foreign, "".join(run)) for foreign, run in groupby(text, lambda c: is_foreign_sign(c, tokenizer))
    ]
    for number, (foreign, run) in enumerate(runs):
        if not foreign:
            # Where signs stood between two spaces, one is left.
            plain += run[1:] if plain[-1:].isspace() and run[:1].isspace() else run
            continue
        after = runs[number + 1][1] if number + 1 < len(runs) else ""
        before, follows = plain[-1:].isspace(), after[:1].isspace()
        if signs and (gap := runs[number - 1][1]).isspace():  # nothing else between them
            signs[-1] = signs[-1]._replace(text=signs[-1].text + gap + run, space_after=follows)
            continue
        signs.append(Sign(run, len(plain) + (follows and not before), before, follows))
    return plain, tuple(signs)


def put_back(
    source: str, translation: Translation, signs: Sequence[Sign], columns: OtherColumns = NO_OTHERS
) -> Translation:
    """The translation with the signs before the words that come from what they stood before.

    Args:
        source: without the signs.
        translation: with its alignment, if the model tells one; without, signs go to the end.
        signs: as `take_out` gave them.
        columns: the other ones of the source.
    """
    part = TranslatedPart(
        translation.text, (), (), translation.alignment or (), translation.tokens, translation.source_tokens
    )
    projection = project(source, part, columns)
    others = tuple(
        replace(other, text=_insert(source, projection.carry_over(other.text), signs))
        for other in translation.alternatives
    )
    return replace(translation, text=_insert(source, projection, signs), alternatives=others)


def _insert(source: str, projection: Projection, signs: Sequence[Sign]) -> str:
    text = projection.text
    places = [_find_place(source, projection, sign) for sign in signs]
    # From the end to the beginning, also of those that belong to the same place.
    for i in sorted(range(len(signs)), key=lambda i: (places[i], i), reverse=True):
        sign, before, after = signs[i], text[: places[i]], text[places[i] :]
        left = " " if sign.space_before and before and not before[-1].isspace() else ""
        right = " " if sign.space_after and after[:1].isalnum() else ""
        text = before + left + sign.text + right + after
    return text


def _find_place(source: str, projection: Projection, sign: Sign) -> int:
    """Where in the translation signs belong: at the end of the word before them, or before the next one."""
    words = projection.words
    before, after = source[: sign.offset].rstrip(), source[sign.offset :]
    if not sign.space_before and before and (sign.space_after or not after):
        start = len(before) - len(before.split()[-1])
        if found := projection.find_words(start, len(before)):
            return words[found[1] - 1][1]
    elif after.strip() and (
        found := projection.find_words(sign.offset, sign.offset + len(after.split(maxsplit=1)[0]))
    ):
        return words[found[0]][0]
    place = projection.find_places([sign.offset], 0, len(words))[0]
    return words[place][0] if place < len(words) else len(projection.text)
