"""`interlingua transcribe`."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from interlingua.cli.lines import (
    check_input,
    check_output,
    line_chunks,
    open_output,
    place_of,
    refuse_same_file,
)
from interlingua.cli.models import find_model, load_model
from interlingua.cli.options import Beam, Device, Json, Precision, Threads
from interlingua.cli.streams import require_input
from interlingua.cli.transcripts import STANDARD_INPUT, Heard, write_transcript
from interlingua.errors import ConfigurationError, DataError
from interlingua.flags import FLAGS

if TYPE_CHECKING:
    from interlingua.inference.transcriber import Transcriber
    from interlingua.inference.translation import Translation

__all__ = ["transcribe"]

BLOCK_S = 30.0
"""Of a file, read at a time."""
LIVE_BLOCK_S = 0.5
"""Of a live sound."""
FILES_AT_ONCE, SHORT_S = 64, 60.0
"""So many files that are at most so long go through the model together."""
EMPTY_LINE = "the names of files"


def transcribe(
    model: Annotated[Path, typer.Argument(help="The directory of a model of sounds.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Sound files; - is a sound on standard input. Without any, standard input names them.",
        ),
    ] = None,
    input: Annotated[
        Path | None, typer.Option(help="A file of names, instead of standard input; may be .gz or .xz.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Instead of standard output; may be .gz or .xz.")
    ] = None,
    srt: Annotated[bool, typer.Option("--srt", help="Subtitles (SubRip) of one file.")] = False,
    vtt: Annotated[bool, typer.Option("--vtt", help="Subtitles (WebVTT) of one file.")] = False,
    json_lines: Json = False,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(
            help="When a file cannot be read: stop, or tell it and go on; its line stays empty, and in JSON "
            'has an "error"; where none can be read, the exit code is 2.'
        ),
    ] = "stop",
    beam: Beam = None,
    device: Device = "auto",
    threads: Threads = None,
    precision: Precision = None,
) -> None:
    """Write down what is said: a line for each file.

    Example: `interlingua transcribe runs/calls meeting.mp3 > meeting.txt`

    With times: `interlingua transcribe runs/calls meeting.mp3 --srt > meeting.srt`

    What is being said, a line at each pause: `arecord -q -f S16_LE -r 16000 -t wav | interlingua transcribe
    runs/calls -`

    With --json: a line of JSON a file, with segments, words, times in seconds and how sure the model is.
    """
    from interlingua.sound.reading import read_blocks

    formats: list[Literal["srt", "vtt", "json"]] = []
    formats += ["srt"] if srt else []
    formats += ["vtt"] if vtt else []
    formats += ["json"] if json_lines else []
    if len(formats) > 1:
        found = ", ".join(f"--{each}" for each in formats)
        raise ConfigurationError("there can be one form of output only", where="command line", found=found)
    if (srt or vtt) and len(files or []) != 1:
        raise ConfigurationError("subtitles are of one sound", where=f"--{formats[0]}",
                                 found=f"{len(files or [])} files")  # fmt: skip
    if files and input is not None:
        raise ConfigurationError("there are files and a file of their names", where="--input",
                                 found=str(input), accepted="Give one of them.")  # fmt: skip
    if (files or []).count(STANDARD_INPUT) > 1:
        raise ConfigurationError("standard input can be read only once", where="transcribe", found="- twice")
    find_model(model)
    refuse_same_file([*model.iterdir(), *(Path(name) for name in files or [] if name != "-")], output)
    check_output(output)
    if not files:
        check_input(input)
    elif STANDARD_INPUT in files:
        require_input()
    for name in files or []:
        if on_error == "stop" and name != STANDARD_INPUT and not _is_pipe(name):
            next(read_blocks(name), None)  # no sound is told before PyTorch, which takes seconds, is loaded
    transcriber = load_model(model, device, threads, precision, of="sound")
    from interlingua.engine.workload import chunks

    options: dict[str, Any] = {"words": bool(formats)} | ({} if beam is None else {"beam": beam})
    flags: Counter[str] = Counter()
    form, count, unread = formats[0] if formats else None, 0, list[DataError]()

    def tell(error: DataError) -> None:
        if error.where == EMPTY_LINE:
            error = DataError(
                error.what, where=f"{input or 'standard input'}:{count + 1}", accepted=error.accepted
            )
        unread.append(error)
        print(f"interlingua: {error}", file=sys.stderr)

    with open_output(output) as write:
        for names in chunks(files, FILES_AT_ONCE) if files else _listed(input, on_error):
            for some, together in _grouped(names):
                transcribe_some = _together if together else _one_by_one
                for heard, segments in transcribe_some(transcriber, some, output, options):
                    go_on = tell if on_error == "skip" else None
                    write_transcript(heard, _counted(segments, flags), form, write, go_on)
                    count += 1
    for flag, what in FLAGS.items():
        if flags[flag] and flag != "empty":
            print(f"interlingua: {flags[flag]:,} parts: {what}", file=sys.stderr)
    if unread:
        print(f"interlingua: {len(unread):,} of {count:,} files could not be read whole", file=sys.stderr)
    if unread and len(unread) == count:
        raise typer.Exit(2)


def _is_pipe(name: str) -> bool:
    """Whether what is read of it is gone, as of `<(ffmpeg …)`."""
    try:
        return Path(name).is_fifo() or Path(name).is_char_device()
    except (OSError, ValueError):  # told when it is read
        return False


def _listed(input: Path | None, on_error: str) -> Iterator[list[str]]:
    """The names on the lines of a file or of standard input.

    Raises:
        DataError: one is empty, which may not be skipped; those before it were yielded.
    """
    number = 0
    for names in line_chunks(input, FILES_AT_ONCE):
        for place, name in enumerate(names):
            if not name.strip() and on_error == "stop":
                yield [place_of(each, input) for each in names[:place]]
                where = f"{input or 'standard input'}:{number + place + 1}"
                raise DataError("the line is empty", where=where, accepted="The name of a sound file.")
        yield [place_of(name, input) if name.strip() else "" for name in names]
        number += len(names)


def _grouped(names: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """Short files that follow each other, to go through the model together, and True; any other by itself."""
    from interlingua.sound.reading import measure_seconds

    group: list[str] = []
    for name in names:
        with suppress(DataError):  # it is told when its turn comes
            if name not in ("", STANDARD_INPUT) and (measure_seconds(name) or math.inf) <= SHORT_S:
                group.append(name)
                continue
        if group:
            yield group, True
        yield [name], False
        group = []
    if group:
        yield group, True


def _one_by_one(
    transcriber: Transcriber, names: list[str], output: Path | None, options: dict[str, Any]
) -> Iterator[tuple[Heard, Iterator[Translation]]]:
    """The transcripts of each file's parts, as they come."""
    for name in names:
        heard = Heard(name)
        if not name:
            yield heard, _refuse_empty()
            continue
        with _segments(transcriber, heard, output, options) as segments:
            yield heard, segments


def _refuse_empty() -> Iterator[Translation]:
    raise DataError("the line is empty", where=EMPTY_LINE, accepted="The name of a sound file.")
    yield  # only then it is an iterator


def _together(
    transcriber: Transcriber, names: list[str], output: Path | None, options: dict[str, Any]
) -> Iterator[tuple[Heard, Iterator[Translation]]]:
    """The transcripts of the parts of short files, which are all in memory."""
    from interlingua.sound.reading import read_sound

    sounds = list[Any]()
    with suppress(DataError):  # what is before it is written, and so is what of it can be heard
        for name in names:
            sounds.append(read_sound(name))
    for name, sound, found in zip(names, sounds, transcriber.translate(sounds, **options), strict=False):
        yield Heard(name, len(sound)), iter(found.parts or ([found] if found.span_s else []))
    if others := names[len(sounds) :]:
        yield from _one_by_one(transcriber, others[:1], output, options)
        yield from _together(transcriber, others[1:], output, options)


@contextmanager
def _segments(
    transcriber: Transcriber, heard: Heard, output: Path | None, options: dict[str, Any]
) -> Iterator[Iterator[Translation]]:
    """The transcripts of a sound's parts as they come; with a bar where people see one and it is a file."""
    from interlingua.sound.reading import measure_seconds, read_blocks

    name, piped = heard.name, heard.name == STANDARD_INPUT
    live = piped and not sys.stdin.seekable()  # "- < meeting.wav" is a file
    where = "standard input" if piped else None
    blocks = read_blocks(sys.stdin.buffer if piped else name, LIVE_BLOCK_S if live else BLOCK_S, where)
    segments = transcriber.transcribe_blocks(heard.count(blocks), at_once=1 if live else None, **options)
    if piped or _is_pipe(name) or not sys.stderr.isatty() or (output is None and sys.stdout.isatty()):
        yield segments
        return
    columns = (TextColumn(Path(name).name), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=measure_seconds(name))

        def watched() -> Iterator[Translation]:
            for segment in segments:
                if segment.span_s is not None:
                    bar.update(task, completed=segment.span_s[1])
                yield segment

        yield watched()


def _counted(segments: Iterator[Translation], flags: Counter[str]) -> Iterator[Translation]:
    for segment in segments:
        flags.update(segment.flags)
        yield segment
