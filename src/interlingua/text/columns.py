"""Sources of several columns: a word and its tags, a sentence and its domain, two sentences.

A text of several columns has a tab between them, as it had in its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from interlingua.errors import ConfigurationError
from interlingua.text.normalise import Normalisation, normalise

__all__ = ["COLUMN_END", "NO_OTHERS", "OtherColumns", "add_tag", "check_tag", "count_columns", "list_tags",
           "normalise_columns"]  # fmt: skip

COLUMN_END = "\t"
"""What stands between the columns of a text."""
SHOWN_TAGS = 30


class OtherColumns(NamedTuple):
    """What goes with every part of a text that is one column of several, such as its tag."""

    before: str = ""
    """With the tab after it."""
    after: str = ""
    """With the tab before it."""

    def complete(self, part: str) -> str:
        """Returns all columns with a part of the text."""
        return self.before + part + self.after


NO_OTHERS = OtherColumns()
"""Of a source that is one text."""


def count_columns(texts: Iterable[str]) -> int:
    """How many columns all the texts have; 1 when they differ."""
    counts = {text.count(COLUMN_END) for text in texts}
    return 1 + counts.pop() if len(counts) == 1 else 1


def normalise_columns(text: str, rule: Normalisation) -> str:
    """Normalises each column for itself, since the rule would make spaces of tabs."""
    return COLUMN_END.join(normalise(column, rule) for column in text.split(COLUMN_END))


def add_tag(tag: str | None, text: str) -> str:
    """Returns the text with its tag, if it has one, as the first column."""
    return text if tag is None else f"{tag}{COLUMN_END}{text}"


def check_tag(tag: str, tokenizer: object, where: str) -> None:
    """Refuses a tag that a model does not know.

    Args:
        tag: the first column of sources.
        tokenizer: of the model's sources; a ColumnTokenizer if they have tags.
        where: the tag comes from, for the message.

    Raises:
        ConfigurationError: names the tags that there are.
    """
    tags: list[str] = getattr(tokenizer, "tags", [])
    if not tags:
        raise ConfigurationError("the sources of the model have no tag", where=where, found=tag)
    if normalise(tag, "text") not in tags or COLUMN_END in tag:
        raise ConfigurationError("the model knows no such tag", where=where, found=tag,
                                 accepted=f"One of: {list_tags(tags)}")  # fmt: skip


def list_tags(tags: Sequence[str]) -> str:
    """Returns the tags for a message, not too many of them."""
    return ", ".join([*tags[:SHOWN_TAGS], *(["…"] if len(tags) > SHOWN_TAGS else [])])
