"""Sound files, bytes and pipes to samples: one channel, 16 kHz, 16 bits.

Files are told apart by their content. Every error names the file, after what named it: "pairs.tsv:12: a.wav".
"""

from __future__ import annotations

import io
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from interlingua.errors import ConfigurationError, DataError
from interlingua.missing import explain_missing
from interlingua.sound.conversion import SAMPLE_RATE, Conversion
from interlingua.sound.opening import RATES, SUFFIXES, Blocks, begins_as_sound, open_sound, read_native
from interlingua.sound.piped import read_bare, read_wav
from interlingua.sound.report import SoundReport, describe_sound
from interlingua.sound.wav import read_exactly

__all__ = [
    "SAMPLE_RATE", "Samples", "SoundReport", "decode_sound", "inspect_sound", "is_sound", "measure_seconds",
    "read_blocks", "read_sound",
]  # fmt: skip

Samples = npt.NDArray[np.int16]

_PROBE = 32_768
"""Bytes of a pipe by which it is told whether it is a sound: a second of bare samples."""


class _Recording(NamedTuple):
    """What is known of a recording before it is read, and its samples to come."""

    rate: int
    channels: int
    conversion: Conversion
    pieces: Iterator[Samples]


def read_sound(path: str | Path, where: str | None = None, max_seconds: float | None = None) -> Samples:
    """The samples of a sound file: mono, 16 kHz.

    Args:
        path: a file of any rate, number of channels and usual format.
        where: what named the file, such as "pairs.tsv:12", for messages.
        max_seconds: longer ones are refused, mostly before they are read.

    Raises:
        DataError: there is no such file, or it is empty, no sound, damaged, cut off or without samples.
        ConfigurationError: the extra `sound` is not installed.
    """
    place = _place(path, where)
    with _open(path, place) as stream:
        return _read_all(_decode(stream, place, max_seconds), place, max_seconds)


def decode_sound(data: bytes, name: str = "sound", max_seconds: float | None = None) -> Samples:
    """As `read_sound`, of a file's content.

    Args:
        data: the whole file.
        name: for messages.
        max_seconds: see `read_sound`.
    """
    return _read_all(_decode(io.BytesIO(data), name, max_seconds), name, max_seconds)


def inspect_sound(
    path: str | Path, where: str | None = None, max_seconds: float | None = None
) -> tuple[Samples, SoundReport]:
    """As `read_sound`, for a file that is to be trained on: also refuses what nothing can be learnt from.

    Raises:
        DataError: also when it is shorter than 25 ms, or silent.
    """
    place = _place(path, where)
    with _open(path, place) as stream:
        recording = _decode(stream, place, max_seconds)
        samples = _read_all(recording, place, max_seconds)
    conversion = recording.conversion
    report = describe_sound(samples, recording.rate, recording.channels, conversion.clipped)
    report.refuse_useless(place)
    return samples, report


def read_blocks(
    source: str | Path | BinaryIO,
    seconds: float = 10.0,
    where: str | None = None,
    bare_rate: int | None = None,
) -> Iterator[Samples]:
    """Yields a recording of any length in blocks, which takes the same memory for hours as for minutes.

    From a pipe, WAV and bare samples are read as they come; other formats are first collected in a
    temporary file.

    Args:
        source: a path, or a binary stream such as `sys.stdin.buffer`, which stays open.
        seconds: of each block but the last, which is shorter.
        where: what named the file or the stream, for messages.
        bare_rate: in Hz, when the source has no header: 16-bit little-endian samples of one channel.

    Raises:
        DataError: as `read_sound`; of damage in the middle only once it is reached.
    """
    if isinstance(source, str | Path):
        place = _place(source, where)
        with _open(source, place, regular=False) as stream:
            yield from _blocks_of(stream, seconds, place, bare_rate)
    else:
        yield from _blocks_of(source, seconds, where or str(getattr(source, "name", "sound")), bare_rate)


def _blocks_of(stream: BinaryIO, seconds: float, place: str, bare_rate: int | None) -> Iterator[Samples]:
    size = max(1, round(seconds * SAMPLE_RATE))
    if bare_rate is not None:
        if bare_rate not in RATES:
            raise ConfigurationError("the sample rate is not plausible", where=place, found=bare_rate)
        conversion = Conversion(bare_rate, 1.0, place)
        pieces = _convert(read_bare(stream, max(1, round(seconds * bare_rate))), conversion)
        yield from _regroup(pieces, size, place)
    elif stream.seekable():
        yield from _regroup(_decode(stream, place).pieces, size, place)
    elif (head := read_exactly(stream, 12))[:4] == b"RIFF" and head[8:] == b"WAVE":
        rate, _, blocks = read_wav(stream, seconds, place)
        yield from _regroup(_convert(blocks, Conversion(rate, 1.0, place)), size, place)
    else:
        with tempfile.TemporaryFile() as collected:
            collected.write(head + read_exactly(stream, _PROBE))
            _refuse_no_sound(collected, place)
            shutil.copyfileobj(stream, collected)
            collected.seek(0)
            yield from _regroup(_decode(collected, place).pieces, size, place)


def _refuse_no_sound(collected: BinaryIO, place: str) -> None:
    """Raises a DataError for what does not begin as a sound, for which nobody should wait until it ends."""
    collected.seek(0)
    if not begins_as_sound(collected.read(64)):
        collected.seek(0)
        open_sound(collected, place).close()
    collected.seek(0, io.SEEK_END)


def is_sound(path: str | Path) -> bool:
    """Whether there is a file of that name that begins as sound files do."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return begins_as_sound(file.read(64))
    except (OSError, ValueError):
        return False


def _place(path: str | Path, where: str | None) -> str:
    return f"{where}: {path}" if where else str(path)


def _open(path: str | Path, place: str, regular: bool = True) -> BinaryIO:
    accepted = "Paths are relative to the current directory."
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError("this is a directory, not a sound file", where=place)
        if regular and not stat.S_ISREG(mode):
            raise DataError("this is not a regular file", where=place)
        return Path(path).open("rb")
    except FileNotFoundError:
        meant = explain_missing(path, SUFFIXES)
        raise DataError("there is no such file", where=place, accepted=meant) from None
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        found = getattr(error, "strerror", None) or str(error)
        raise DataError("the file cannot be read", where=place, found=found, accepted=accepted) from error


def _decode(stream: BinaryIO, place: str, max_seconds: float | None = None) -> _Recording:
    file = open_sound(stream, place)
    if max_seconds is not None and file.frames < 2**62 and file.frames > max_seconds * file.samplerate:
        file.close()
        raise _too_long(place, file.frames / file.samplerate, max_seconds)
    eight_bits = file.subtype in ("PCM_U8", "PCM_S8", "ULAW", "ALAW")
    conversion = Conversion(file.samplerate, 0.98 if eight_bits else 0.9999, place)
    return _Recording(
        file.samplerate, file.channels, conversion, _convert(_closing(file, stream, place), conversion)
    )


def _closing(file: object, stream: BinaryIO, place: str) -> Blocks:
    with file:  # type: ignore[attr-defined]
        yield from read_native(file, stream, place)


def _convert(blocks: Blocks, conversion: Conversion) -> Iterator[Samples]:
    for block in blocks:
        yield conversion.add(block)
    yield conversion.add(np.zeros(0, np.float32), last=True)
    conversion.refuse_cancelled()


def _read_all(recording: _Recording, place: str, max_seconds: float | None) -> Samples:
    pieces, count = [], 0
    for piece in recording.pieces:
        pieces.append(piece)
        count += len(piece)
        if max_seconds is not None and count > max_seconds * SAMPLE_RATE + 1:
            raise _too_long(place, None, max_seconds)
    if not count:
        raise DataError("the file holds no samples", where=place)
    return np.concatenate(pieces)


def _too_long(place: str, seconds: float | None, max_seconds: float) -> DataError:
    return DataError(
        "the recording is too long", where=place, found=None if seconds is None else f"{seconds:,.1f} s",
        accepted=f"At most {max_seconds:g} s are accepted.",
    )  # fmt: skip


def _regroup(pieces: Iterable[Samples], size: int, place: str) -> Iterator[Samples]:
    """Yields the same samples in blocks of one size, the last one shorter; before an error what there is."""
    waiting: list[Samples] = []
    count, any_samples = 0, False
    damage = None
    try:
        for piece in pieces:
            any_samples |= len(piece) > 0
            waiting.append(piece)
            count += len(piece)
            if count >= size:
                joined = np.concatenate(waiting)
                whole = count // size * size
                for start in range(0, whole, size):
                    yield joined[start : start + size]
                waiting, count = [joined[whole:]], count - whole
    except DataError as error:
        damage = error
    if count:
        yield np.concatenate(waiting)
    if damage is not None:
        raise damage
    if not any_samples:
        raise DataError("the recording holds no samples", where=place)


def measure_seconds(path: str | Path) -> float | None:
    """How long a sound file says it is; None when it does not say.

    Raises:
        DataError: as `read_sound`.
    """
    with _open(path, str(path)) as stream, open_sound(stream, str(path)) as file:
        return file.frames / file.samplerate if file.frames < 2**62 else None
