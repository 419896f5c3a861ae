"""XML as a stream, in memory that does not grow; nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar
from xml.parsers import expat

from interlingua.data.member import AnyFile
from interlingua.data.opening import HEAD, ChangeDetector, open_unpacked
from interlingua.data.recognition import refuse_foreign_bytes
from interlingua.errors import DataError

__all__ = ["XML_LANGUAGE", "Handler", "read_xml"]

XML_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
"""The attribute xml:lang."""
BLOCK = 1 << 16
MAX_TOKEN = 1 << 26
"""Bytes of a tag, a comment and the like."""
Found = TypeVar("Found")


class Handler(Protocol[Found]):
    """Takes what the parser meets, and gathers what it is read for."""

    found: list[Found]
    parser: Any
    """Set before the first call; it knows the line."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Takes the beginning of an element: "namespace name", or its name alone."""

    def end(self, name: str) -> None:
        """Takes the end of an element."""

    def text(self, text: str) -> None:
        """Takes characters."""


def read_xml(
    file: AnyFile, handler: Handler[Found], changes: ChangeDetector | None = None
) -> Iterator[Found]:
    """Yields what a handler finds, as soon as it is found.

    Raises:
        DataError: with the file and line, where the file is no well-formed XML or declares entities.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    handler.parser = parser
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.EntityDeclHandler = _refuse_declaration
    parser.SkippedEntityHandler = _refuse_entity
    fed = 0
    with open_unpacked(file, changes) as stream:
        refuse_foreign_bytes(stream.peek(HEAD)[:HEAD], file)
        while True:
            block = stream.read(BLOCK)
            fed += len(block)
            _parse(parser, block, file)
            yield from handler.found
            handler.found.clear()
            if fed - parser.CurrentByteIndex > MAX_TOKEN:
                raise DataError("a tag or a comment has no end", where=f"{file}:{parser.CurrentLineNumber}")
            if not block:
                return


def _parse(parser: expat.XMLParserType, block: bytes, file: AnyFile) -> None:
    try:
        parser.Parse(block, not block)
    except DataError as error:
        where = f"{file}:{parser.CurrentLineNumber}"
        raise DataError(error.what, where=where, found=error.found, accepted=error.accepted) from None
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code) or str(error)
        accepted = None
        if not block:
            said, accepted = f"{said}, at the end of the file", "Is the file complete?"
        elif "invalid token" in said:
            accepted = "A stray < or &, or a control character, is often the cause."
        raise DataError("the XML is not well-formed", where=f"{file}:{error.lineno}", found=said,
                        accepted=accepted) from None  # fmt: skip
    except (LookupError, ValueError) as error:  # of an encoding that is not known
        where = f"{file}:{parser.CurrentLineNumber}"
        raise DataError("the XML cannot be read", where=where, found=str(error),
                        accepted="Convert it to UTF-8 first.") from None  # fmt: skip


def _refuse_declaration(name: str, *_: object) -> None:
    raise DataError("the document declares an entity of its own, which is not read", found=f"<!ENTITY {name}",
                    accepted="Write what it stands for in its place.")  # fmt: skip


def _refuse_entity(name: str, is_parameter: bool) -> None:
    if not is_parameter:
        raise DataError(
            "the entity is not declared",
            found=f"&{name};",
            accepted="XML itself knows &lt; &gt; &amp; &quot; &apos; and numbers, such as &#160;",
        )
