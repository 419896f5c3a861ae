"""XML as a stream, in memory that does not grow; nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar
from xml.parsers import expat

from interlingua.data.member import AnyFile
from interlingua.data.opening import HEAD, ChangeDetector, open_unpacked
from interlingua.data.recognition import encoding_advice, refuse_foreign_bytes, refuse_wide_encoding
from interlingua.errors import DataError

__all__ = ["XML_LANGUAGE", "Handler", "read_xml"]

XML_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
"""The attribute xml:lang."""
BLOCK = 1 << 16
MAX_TOKEN = 1 << 26
"""Bytes of a tag, a comment and the like."""
ADVICE = {
    "reference to invalid character number":
        "XML has no control characters, also not as numbers such as &#x1F; or &#11;: take them out.",
    "undefined entity": "XML itself knows &lt; &gt; &amp; &quot; &apos; and numbers, such as &#160;",
    "junk after document element":
        "The document ends before this; of files joined together, each is to be given by itself.",
    "mismatched tag":
        "A tag is closed here that is not the one open: one of the two is missing, or in another place.",
    "XML or text declaration not at start of entity":
        "Remove what stands before <?xml, such as an empty line; give files joined together one by one.",
    "encoding specified in XML declaration is incorrect":
        "The file is not in the encoding that its first line names: correct the name there.",
}  # fmt: skip
"""What to do, by the parser's own words."""
_BEFORE_ROOT = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"
"""Byte order marks, white space, and what these are in UTF-16."""
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
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
        head = stream.peek(HEAD)[:HEAD]
        refuse_foreign_bytes(head, file)
        refuse_wide_encoding(head, file, among=("UTF-32",))
        while True:
            block = stream.read(BLOCK)
            _parse(parser, block, fed, file)
            fed += len(block)
            yield from handler.found
            handler.found.clear()
            if fed - parser.CurrentByteIndex > MAX_TOKEN:
                raise DataError("a tag or a comment has no end", where=f"{file}:{parser.CurrentLineNumber}")
            if not block:
                return


def _parse(parser: expat.XMLParserType, block: bytes, before: int, file: AnyFile) -> None:
    try:
        parser.Parse(block, not block)
    except DataError as error:
        where = f"{file}:{parser.CurrentLineNumber}"
        raise DataError(error.what, where=where, found=error.found, accepted=error.accepted) from None
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code) or str(error)
        accepted = ADVICE.get(said)
        if not block:
            said = f"{said}, at the end of the file"
            accepted = "Is the file complete?" if before else "The file is empty."
        elif not before and not block.lstrip(_BEFORE_ROOT).startswith(b"<"):
            accepted = "This is no XML, which begins with <."
        elif "invalid token" in said:
            said, accepted = _explain(block, parser.ErrorByteIndex - before, file)
        raise DataError("the XML is not well-formed", where=f"{file}:{error.lineno}", found=said,
                        accepted=accepted) from None  # fmt: skip
    except (LookupError, ValueError) as error:  # of an encoding that is not known
        where = f"{file}:{parser.CurrentLineNumber}"
        raise DataError("the XML cannot be read", where=where, found=str(error),
                        accepted="Convert it to UTF-8 first.") from None  # fmt: skip


def _explain(block: bytes, index: int, file: AnyFile) -> tuple[str, str]:
    """What the parser met where it says "invalid token", and what to do."""
    at = max(0, index)
    line = block[block.rfind(b"\n", 0, at) + 1 :].split(b"\n", 1)[0]
    if _CONTROL.match(block, at):
        return f"invalid token: U+{block[at]:04X}", "XML has no control character such as this: take it out."
    if block[at : at + 1] >= b"\x80":
        return f"bytes of another encoding: {block[at : at + 20]!r}", encoding_advice(line, block[:at], file)
    return f"invalid token: {block[max(0, at - 10) : at + 10]!r}", "A stray < or & is often the cause."


def _refuse_declaration(name: str, *_: object) -> None:
    raise DataError("the document declares an entity of its own, which is not read", found=f"<!ENTITY {name}",
                    accepted="Write what it stands for in its place.")  # fmt: skip


def _refuse_entity(name: str, is_parameter: bool) -> None:
    if not is_parameter:
        raise DataError(
            "the entity is not declared",
            found=f"&{name};",
            accepted=ADVICE["undefined entity"],
        )
