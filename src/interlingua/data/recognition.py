"""What a file is that is not what it should be: recognised by its content, so that the advice is right."""

from __future__ import annotations

import csv
import json
import re
import shlex
import tomllib
from pathlib import Path

from interlingua.data.member import AnyFile
from interlingua.errors import DataError
from interlingua.missing import is_file

__all__ = [
    "encoding_advice", "recognise_form", "refuse_foreign_bytes", "refuse_foreign_text", "refuse_wide_encoding"
]  # fmt: skip

_MAGIC: list[tuple[bytes, str, str]] = [
    (b"%PDF-", "a PDF document", "Take the text out of it first, for example with pdftotext."),
    (b"\x89PNG", "a picture (PNG)", ""),
    (b"\xff\xd8\xff", "a picture (JPEG)", ""),
    (b"GIF8", "a picture (GIF)", ""),
    (b"RIFF", "a sound, film or picture (RIFF)", ""),
    (b"OggS", "a sound (Ogg)", ""),
    (b"fLaC", "a sound (FLAC)", ""),
    (b"SQLite format 3\0", "an SQLite database", "Export a table as tab-separated text."),
    (b"PAR1", "a Parquet file", "Let its name end with .parquet."),
    (b"ARROW1", "an Arrow file", "Name the directory that datasets.save_to_disk wrote."),
    (b"\xd0\xcf\x11\xe0", "an old Office document", "Save it as tab-separated text (UTF-8)."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first: 7z x {}"),
    (b"Rar!", "a RAR archive", "Unpack it first: unrar x {}"),
    (
        b"version https://git-lfs.github.com/",
        "a pointer of Git LFS, not the file itself",
        "Fetch the file: git lfs pull",
    ),
    (b"\x1f\x8b", "compressed twice (gzip)", "Unpack it first."),
    (b"\xfd7zXZ\0", "compressed twice (xz)", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "compressed twice (zstd)", "Unpack it first."),
]
_ENCODING_MARKS = [
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
]
SOUND_ENDS = (".flac", ".wav", ".mp3", ".ogg", ".opus", ".sph")
JSON_LINES = "the file looks like JSON lines"
_COCO = re.compile(r"""\s*\{\s*"(info|images|licenses|annotations)"\s*:\s*[{\[]""")
_OTHER_ENCODINGS = (
    "Its encoding cannot be told from the bytes (windows-1251 for Cyrillic, windows-1250, shift_jis, "
    "gb18030, …); convert it with: iconv -f ENCODING -t UTF-8"
)


def refuse_foreign_bytes(head: bytes, path: AnyFile, inside: str = "") -> None:
    """Raises a DataError for content that is no text.

    Args:
        head: the beginning of the file.
        path: the file, for messages.
        inside: where else than in the file itself.
    """
    if head.startswith(b"PK\x03\x04"):
        what, advice = _recognise_zip(head, path)
        raise _foreign(path, what + inside, advice)
    if head[257:262] == b"ustar":
        raise _foreign(path, f"a tar archive{inside}", f"Unpack it first: tar -xf {_quoted(path)}")
    for magic, what, advice in _MAGIC:
        if head.startswith(magic) and (not magic.isascii() or not _is_lines(head)):
            accepted = advice.format(_quoted(path)) or "A file of pairs of texts is needed."
            raise _foreign(path, what + inside, accepted)


def refuse_foreign_text(head: bytes, path: AnyFile) -> None:
    """Raises a DataError for text in UTF-16 or UTF-32, with old Macs' line ends, or marked up."""
    refuse_wide_encoding(head, path)
    if b"\n" not in head and (head.count(b"\r") > 1 or head.endswith(b"\r")):
        raise DataError(
            "the lines end with a carriage return alone, as on old Macs", where=path,
            accepted=f"Convert it first: tr '\\r' '\\n' < {_quoted(path)} > {_quoted(_new(path, 'unix'))}",
        )  # fmt: skip
    if _is_lines(head):
        return
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1000].lower()
    if start.startswith(b"<?xml") or start.startswith((b"<tmx", b"<xliff")):
        for mark, what, suffix in ((b"<tmx", "a translation memory (TMX)", "tmx"),
                                   (b"<xliff", "an XLIFF document", "xliff")):  # fmt: skip
            if mark in start:
                advice = f"Let its name end with .{suffix} (or, in training, --set data.format={suffix})"
                raise _foreign(path, what, advice)
        raise _foreign(path, "an XML document", "Of XML, TMX and XLIFF are read.")
    if start.startswith((b"<!doctype html", b"<html")) and b"</html>" not in start.split(b"\n", 1)[0]:
        raise _foreign(path, "an HTML page", "Was a page saved in place of the file itself?")


def refuse_wide_encoding(head: bytes, path: AnyFile, among: tuple[str, ...] = ("UTF-16", "UTF-32")) -> None:
    """Raises a DataError for text in one of these encodings."""
    if (encoding := wide_encoding(head)) and encoding.startswith(among):
        raise DataError(
            f"the file is text in {encoding}, not UTF-8", where=path, accepted=_conversion(encoding, path)
        )


def encoding_advice(line: bytes, head: bytes, path: AnyFile) -> str:
    """Says how to convert a file with a line that is not UTF-8.

    Args:
        line: the line.
        head: the beginning of the file, unpacked, or of what precedes the line.
        path: the file.
    """
    sample = [each for each in (*head.split(b"\n")[:-1], line) if not each.isascii()]
    good = [each for each in sample if _is_utf8(each)]
    if len(good) * 10 > len(sample):  # hardly ever is text of another encoding UTF-8 by chance
        return (
            "Other lines of the file are UTF-8, so this one is damaged or comes from elsewhere: mend it by "
            f"hand, or drop the bytes: iconv -c -f UTF-8 -t UTF-8 {_quoted(path)} > {_quoted(_new(path))}"
        )
    bad = b"".join(each for each in sample if not _is_utf8(each))
    high = sum(byte >= 0x80 for byte in bad)
    letters = high + sum(chr(byte).isalpha() for byte in bad if byte < 0x80)
    undefined = any(byte in b"\x81\x8d\x8f\x90\x9d" for byte in bad)
    if (high > letters * 0.4 and high > 8) or undefined:
        return f"{_OTHER_ENCODINGS} {_quoted(path)} > {_quoted(_new(path))}"
    encoding = "windows-1252" if any(0x80 <= byte < 0xA0 for byte in bad) else "ISO-8859-1"
    command = _conversion(encoding, path).removeprefix("Convert it first: ")
    return f"Convert it first; if it is a Western European text (else name its encoding after -f): {command}"


def recognise_form(head: bytes, path: AnyFile) -> tuple[str, str] | None:
    """Says what text without any tab looks like, and what to do with it: "looks like CSV", advice.

    Args:
        head: the beginning of the file, unpacked.
        path: the file.
    """
    text = head.decode(errors="ignore").removeprefix("\ufeff")
    lines = [line.rstrip("\r") for line in text.split("\n")[:LINES_LOOKED_AT] if line.strip()]
    if not lines or "\t" in text:
        return None
    if len(lines) > 1 and len(head) == 1 << 16:
        lines = lines[:-1]  # the last one may be cut
    if _COCO.match(text) and _is_coco(lines[0]):
        return "the file looks like one JSON object with captions of pictures (COCO)", (
            "Make pairs of it: jq -r '(.images | map({(.id|tostring): .file_name}) | add) as $names | "
            f".annotations[] | [$names[.image_id|tostring], .caption] | @tsv' {_quoted(path)} > pairs.tsv"
        )
    if lines[0].lstrip().startswith("{") and _is_json(lines[0]):
        return JSON_LINES, f"Call it {path.stem}.jsonl (or, in training, --set data.format=jsonl)"
    if lines[0].lstrip().startswith("[") and path.suffix.lower() == ".json":
        return (
            "the file looks like one JSON array",
            f"Make lines of it: jq -c '.[]' {_quoted(path)} > a.jsonl",
        )
    if _is_toml(lines, text):
        return "the file looks like a configuration (TOML)", "An experiment is given by itself: " + (
            f"interlingua train {_quoted(path)}"
        )
    return _recognise_list_of_sounds(lines, path) or _recognise_separator(lines, path)


def _recognise_list_of_sounds(lines: list[str], path: AnyFile) -> tuple[str, str] | None:
    """Lists as Kaldi and LibriSpeech have them: a name, a space, and the rest of the line."""
    pairs = [line.split(" ", 1) for line in lines]
    if any(len(pair) < 2 or not pair[0] for pair in pairs):
        return None
    name = pairs[0][0]
    beside = path.parent if isinstance(path, Path) else Path()
    if sound := next((end for end in SOUND_ENDS if is_file(beside / f"{name}{end}")), None):
        return "names of sounds stand without their ends before a space, as in LibriSpeech", (
            f"Convert each such list: sed 's/ /{sound}\\t/' {_quoted(path)} > {_quoted(_new(path, 'tsv'))}"
        )
    if all(rest.rstrip().endswith("|") for _, rest in pairs):
        return "commands stand where the names of sounds should, as in Kaldi's wav.scp", (
            "Run them first, to have a file of each, and let the list name these."
        )
    names_sounds = all(rest.lower().rstrip().endswith(SOUND_ENDS) for _, rest in pairs)
    if names_sounds or (path.name == "text" and (beside / "wav.scp").is_file()):
        sounds, texts = (path.name, "text") if names_sounds else ("wav.scp", path.name)
        return "an utterance's name, a space and the rest stand on a line, as in Kaldi's lists", (
            f"Join both lists: join {shlex.quote(sounds)} {texts} | sed 's/^[^ ]* //; s/ /\\t/' > pairs.tsv"
        )
    return None


LONGEST_SOUND = 4
"""Characters, as in AH0 or t͡ʃː."""
LINES_LOOKED_AT = 100
_COMMENT_LINE, _COMMENT = ";;;", re.compile(r"\s+#.*")
"""As in CMUdict's files: of a line of its own, and at the end of one."""


def _recognise_separator(lines: list[str], path: AnyFile) -> tuple[str, str] | None:
    def with_tabs(pattern: str) -> str:
        return f"sed 's/{pattern}/\\t/' {_quoted(path)} > {_quoted(_new(path, 'tsv'))}"

    if all("|||" in line for line in lines):
        return "the sides are separated by |||", f"Convert it: {with_tabs(' *||| *')}"
    if all("\\t" in line for line in lines):
        convert = with_tabs("\\\\t")
        return "the lines hold a backslash and a t in place of a tab", f"Convert it: {convert}"
    for delimiter, separated in ((",", "commas"), (";", "semicolons"), ("|", "vertical bars")):
        counts = {len(row) for row in _csv_rows(lines, delimiter)}
        quoted = sum(line.startswith('"') for line in lines) * 2 > len(lines)
        if (
            len(counts) == 1
            and min(counts) > 1
            and (len(lines) > 2 or quoted or path.suffix.lower() == ".csv")
        ):
            return f"the file looks like CSV ({separated} between columns)", (
                f"Call it {path.stem}.csv (or, in training, --set data.format=csv)"
            )
    if all(len(re.split(r" {2,}", line.strip())) == 2 for line in lines):
        return "two or more spaces are between source and target", f"Convert it: {with_tabs('   *')}"
    return _recognise_dictionary(lines, path)


def _recognise_dictionary(lines: list[str], path: AnyFile) -> tuple[str, str] | None:
    """A word and its sounds on a line, perhaps with comments, as the CMU Pronouncing Dictionary has them."""
    words = [line for line in lines if not line.startswith(_COMMENT_LINE)]
    without = [_COMMENT.sub("", line) for line in words]
    commands = [f"/^{_COMMENT_LINE}/d"] if words != lines else []
    if not _are_words_with_sounds(words):
        words = without
        commands.append("s/ *#.*//")
    if not _are_words_with_sounds(words):
        return None
    of_two = all(len(re.split(r" {2,}", word.strip())) == 2 for word in words)
    commands.append("s/   */\\t/" if of_two else "s/ /\\t/")
    convert = f"sed '{'; '.join(commands)}' {_quoted(path)} > {_quoted(_new(path, 'tsv'))}"
    what = f"it looks like a word and its sounds, with {'comments and ' * (len(commands) > 1)}spaces only"
    return what, f"If a word ends at the first space: {convert}"


def _are_words_with_sounds(lines: list[str]) -> bool:
    sounds = [sound for line in lines for sound in line.split()[1:]]
    of_text = any(sound[-1] in ".,!?" for sound in sounds)
    return (
        bool(sounds)
        and len(sounds) >= 2 * len(lines)
        and max(map(len, sounds)) <= LONGEST_SOUND
        and not of_text
    )


def _csv_rows(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return []


def _is_toml(lines: list[str], text: str) -> bool:
    if not any(re.match(r"\s*(\[[\w.\"-]+\]|[\w.-]+\s*=)", line) for line in lines):
        return False
    try:
        return bool(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return False


def _is_coco(line: str) -> bool:
    """Whether the first line of what begins like COCO is no line of JSON lines; a long one is cut."""
    try:
        return bool({"images", "annotations"} <= json.loads(line).keys())
    except ValueError:
        return True


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def wide_encoding(head: bytes) -> str | None:
    """The name, as iconv knows it, of an encoding with two or four bytes a character."""
    for mark, name in _ENCODING_MARKS:
        if head.startswith(mark):
            return name
    if head.count(0) < 4:
        return None
    for name, width in (("UTF-32LE", 4), ("UTF-32BE", 4), ("UTF-16LE", 2), ("UTF-16BE", 2)):
        whole = head[: len(head) - len(head) % width]
        try:
            text = whole.decode(name)
        except UnicodeDecodeError:
            continue
        plain = sum(character.isalnum() or character in " \t\r\n.,;:!?-'\"{}" for character in text)
        ends = {whole[i : i + width] for i in range(0, len(whole), width)} & {
            character.encode(name) for character in "\t\n "
        }
        if ends and plain > 0.8 * len(text) and (width == 4 or _one_sided(whole)):
            return name
    return None


def _one_sided(content: bytes) -> bool:
    """Whether the NUL bytes stand at odd positions only, or at even ones, as in UTF-16."""
    even, odd = content[::2].count(0), content[1::2].count(0)
    return min(even, odd) <= 0.02 * (even + odd)


def _recognise_zip(head: bytes, path: AnyFile) -> tuple[str, str]:
    save = "Save it as tab-separated text (UTF-8)."
    names = {
        b"word/": ("a Word document (docx)", save), b"xl/": ("an Excel workbook (xlsx)", save),
        b"ppt/": ("a presentation (pptx)", save), b"opendocument": ("an OpenDocument file (ods, odt)", save),
        b"epub": ("an e-book (EPUB)", "Take the text out of it first."),
    }  # fmt: skip
    for name, found in names.items():
        if name in head:
            return found
    by_suffix = {".xlsx": b"xl/", ".docx": b"word/", ".pptx": b"ppt/", ".ods": b"opendocument"}
    if name := by_suffix.get(path.suffix.lower()):  # type: ignore[assignment]
        return names[name]
    return "a zip archive", f"Let its name end with .zip, or unpack it first: unzip {_quoted(path)}"


def _is_lines(head: bytes) -> bool:
    """Whether this is text with a tab in its first line: "PAR1 is a gene<tab>…" is no Parquet file."""
    first = head.split(b"\n", 1)[0]
    return b"\t" in first and _is_utf8(first)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _foreign(path: AnyFile, what: str, accepted: str) -> DataError:
    return DataError(f"the file is {what}", where=path, accepted=accepted)


def _conversion(encoding: str, path: AnyFile) -> str:
    return f"Convert it first: iconv -f {encoding} -t UTF-8 {_quoted(path)} > {_quoted(_new(path))}"


def _quoted(path: AnyFile) -> str:
    return shlex.quote(path.name)


def _new(path: AnyFile, suffix: str = "") -> Path:
    """A name for the converted file."""
    return (
        Path(f"{path.stem}.{suffix}")
        if suffix == "tsv"
        else Path(f"{path.stem}.{suffix or 'utf8'}{path.suffix}")
    )
