"""A name for each token id, for formats that know tokens by their names alone."""

from __future__ import annotations

from interlingua.kinds import SPECIALS
from interlingua.text.tokenizer import Tokenizer

__all__ = ["name_tokens"]


def name_tokens(tokenizer: Tokenizer) -> list[str]:
    """The name of each id, all of them distinct: the piece itself where it can be one, else with its id.

    A piece cannot be the name of two ids, as columns have them, nor of a special token, as a word may be, nor
    a lone surrogate, which UTF-8 does not express. SentencePiece's models have none of these: programs that
    read them know the names.
    """
    pieces = tokenizer.pieces(range(len(tokenizer)))
    names, taken = list(SPECIALS), {*SPECIALS, *pieces}
    seen = set(SPECIALS)
    for i, piece in enumerate(pieces[len(SPECIALS) :], start=len(SPECIALS)):
        name = piece
        if piece in seen or not _has_utf8(piece):
            name = f"{piece.encode(errors='backslashreplace').decode()}#{i}"
            while name in taken:
                name += "#"
        names.append(name)
        seen.add(name)
        taken.add(name)
    return names


def _has_utf8(piece: str) -> bool:
    try:
        piece.encode()
    except UnicodeEncodeError:
        return False
    return True
