"""Sound in any usual file format, opened by its content: a name or its ending decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from interlingua.errors import ConfigurationError, DataError
from interlingua.sound.mp3 import with_length
from interlingua.sound.wav import (
    STREAMED_FROM,
    read_header,
    refuse_more_samples,
    with_finished_header,
    without_wav_around_mp3,
)

__all__ = [
    "FORMATS",
    "RATES",
    "SUFFIXES",
    "Blocks",
    "begins_as_sound",
    "open_sound",
    "read_native",
    "require_sound",
]

Blocks = Iterator[npt.NDArray[np.float32] | npt.NDArray[np.int16]]
"""Floats of (samples, channels), full scale 1; or 16-bit samples of one channel."""

FORMATS = (
    "WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU, CAF and NIST SPHERE can be read; "
    "to convert others: ffmpeg -i FILE -ar 16000 -ac 1 FILE.flac"
)
BARE = "; of bare samples without a header: ffmpeg -f s16le -ar 16000 -ac 1 -i FILE FILE.flac"
SUFFIXES = (
    ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".webm", ".sph", ".wave", ".oga", ".aif", ".aiff",
    ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".bwf", ".nist", ".mp2", ".aac", ".wma", ".amr", ".3gp",
    ".spx", ".ape", ".wv", ".tta", ".ac3", ".mka", ".m4b", ".mp4", ".mkv", ".mov", ".avi", ".ogv", ".flv",
    ".mpg", ".mpeg",
)  # fmt: skip
"""Ends of names of files with sound, of those that cannot be read as well: the reason is said."""
RATES = range(4_000, 768_001)
"""Plausible sample rates, in Hz."""
BLOCK = 65_536
"""Samples of all channels read at a time."""
MP3_TOLERANCE_S = 0.2
"""Decoders of MP3 do not agree on how much silence belongs to the beginning and the end."""

_SOUND = re.compile(
    rb"RIFF....WAVE|RIFX....WAVE|RF64|riff|fLaC|OggS|FORM....AIF|\.snd|caff|NIST_1A|ID3|\xff[\xe2-\xfd]",
    re.DOTALL,
)
"""How files begin that are meant to be sound."""
_TEXT = re.compile(rb"[\t\n\r -~]*")
_OTHERS = {
    rb"....ftyp": "an MP4 or M4A file",
    rb"\x1aE\xdf\xa3": "a Matroska or WebM file",
    rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "a Windows Media file",
    rb"#!AMR": "an AMR file",
    rb"\xff[\xf0\xf1\xf8\xf9]": "an AAC file",
    rb"RIFF....AVI ": "an AVI file",
    rb"version https://git-lfs": "a Git LFS pointer, in place of the file itself (git lfs pull brings it)",
    rb"PK\x03\x04": "a ZIP archive",
    rb"\x1f\x8b": "a gzip file",
    rb"\s*<(!DOCTYPE|!doctype|html|HTML|\?xml)": "a web page",
    rb"%PDF": "a PDF file",
    rb"\x89PNG|\xff\xd8\xff[\xe0\xe1]": "a picture",
}
# What libsndfile says of a size that the file does not keep; the size of a whole RIFF file is often
# sloppy, that of its samples is not.
_PROMISE = re.compile(r"^ *(?:data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)


def require_sound() -> tuple[Any, Any]:
    """The libraries that read and resample sound: soundfile and soxr.

    Raises:
        ConfigurationError: they are not installed.
    """
    try:
        import soundfile
        import soxr
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the packages for sound are not installed",
            found=error.name,
            accepted="pip install 'interlingua[sound]'",
        ) from None
    except OSError as error:  # soundfile without the library that it wraps
        raise ConfigurationError(
            "the library libsndfile is missing",
            found=str(error),
            accepted="On Debian and Ubuntu: sudo apt install libsndfile1",
        ) from error
    return soundfile, soxr


def begins_as_sound(head: bytes) -> bool:
    """Whether a file that begins so is meant to be sound, of a format that can be read."""
    return _SOUND.match(head) is not None


def open_sound(stream: BinaryIO, place: str) -> Any:
    """Opens a seekable stream of any sound format, as a `soundfile.SoundFile`.

    Args:
        stream: stays open.
        place: for messages.

    Raises:
        DataError: it is empty or no sound that can be read.
    """
    soundfile, _ = require_sound()
    head = stream.read(64)
    if not head:
        raise DataError("the file is empty", where=place)
    stream.seek(0)
    readable = with_length(without_wav_around_mp3(with_finished_header(stream), place), place)
    try:
        file = soundfile.SoundFile(_Unnamed(readable))
    except soundfile.LibsndfileError as error:
        _check_end_of_wav(stream, place)
        raise _not_sound(head, error, place) from error
    if file.samplerate not in RATES:
        file.close()
        raise DataError(
            "the sample rate is not plausible",
            where=place,
            found=f"{file.samplerate} Hz",
            accepted=f"{RATES.start:,} to {RATES.stop - 1:,} Hz are.",
        )
    return file


class _Unnamed:
    """A stream without its name, by which soundfile takes some files for headerless ones."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.read, self.tell = stream.read, stream.tell
        self.readinto = stream.readinto  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = 0) -> None:
        """Goes nowhere when a damaged header wants to go to before the file."""
        with suppress(OSError, ValueError):
            self._stream.seek(offset, whence)


def _not_sound(head: bytes, error: Any, place: str) -> DataError:
    for beginning, kind in _OTHERS.items():
        if re.match(beginning, head, re.DOTALL):
            return DataError(
                f"the file is not a sound file that can be read, but {kind}", where=place, accepted=FORMATS
            )
    said = error.error_string.strip() or f"libsndfile's error {error.code}"
    if _SOUND.match(head):
        what = "the sound cannot be decoded: the file is damaged, cut off or of a rare coding"
        return DataError(what, where=place, found=said, accepted=FORMATS)
    accepted = FORMATS if _TEXT.fullmatch(head) else FORMATS + BARE
    return DataError(
        "the file is not a sound file that can be read", where=place, found=head, accepted=accepted
    )


def read_native(file: Any, stream: BinaryIO, place: str) -> Blocks:
    """Yields all samples of a file that `open_sound` opened, at its own rate.

    Args:
        file: 16-bit files of one channel give 16-bit samples, all others floats.
        stream: what the file was opened from.
        place: for messages.

    Raises:
        DataError: the file is damaged, or shorter than its header promises.
    """
    soundfile, _ = require_sound()
    # Reading on without seeking: soundfile would seek after each block, which some FLAC files refuse.
    file.seekable = lambda: False
    plain = file.channels == 1 and file.subtype == "PCM_16"
    size = max(1, BLOCK // file.channels)
    count = 0
    while True:
        try:
            block = (
                file.read(size, dtype="int16") if plain else file.read(size, dtype="float32", always_2d=True)
            )
        except soundfile.LibsndfileError as error:
            raise DataError(
                f"the file is damaged or cut off after {count / file.samplerate:.1f} s",
                where=place,
                found=error.error_string.strip() or f"libsndfile's error {error.code}",
            ) from error
        if not len(block):
            break
        count += len(block)
        yield block
    _check_whole(file, count, stream, place)


def _check_whole(file: Any, count: int, stream: BinaryIO, place: str) -> None:
    log = str(file.extra_info)
    if "libogg reports a hole" in log:
        raise DataError("the file is damaged: a part in the middle is missing", where=place)
    tolerance = MP3_TOLERANCE_S * file.samplerate if file.format == "MP3" else 0
    cut_off = count < file.frames - tolerance and file.frames < 2**62
    for promised, there in re.findall(_PROMISE, log):
        cut_off |= int(there) + 1 < int(promised) < STREAMED_FROM
    if file.format == "NIST" and (samples := re.search(rb"sample_count -i (\d+)", _read_at(stream, 0, 1024))):
        cut_off |= count < int(samples[1])
    if file.format == "OGG":
        cut_off |= _ends_within_page(stream)
    if cut_off:
        raise DataError(
            "the file is cut off: it promises more than there is",
            where=place,
            found=f"{count / file.samplerate:.2f} s",
        )
    if file.format in ("WAV", "WAVEX"):
        _check_end_of_wav(stream, place)
    if file.format == "OGG" and _has_several_links(stream):
        raise DataError(
            "several recordings follow each other in the file; only the first could be read", where=place,
            found=f"{count / file.samplerate:.2f} s", accepted="To join them: ffmpeg -i FILE FILE.flac",
        )  # fmt: skip


def _check_end_of_wav(stream: BinaryIO, place: str) -> None:
    if _read_at(stream, 0, 4) != b"RIFF":
        return
    stream.seek(12)
    try:
        _, size = read_header(stream, place)
    except DataError:  # of an odd order, which libsndfile could make sense of
        return
    if size is not None:
        stream.seek(size, 1)
        refuse_more_samples(stream, place, size)


def _has_several_links(stream: BinaryIO) -> bool:
    """Whether an Ogg file is chained (RFC 3533, 4): whether a stream begins after another one did."""
    at, data_seen = 0, False
    while len(head := _read_at(stream, at, 27 + 255)) >= 27 and head[:4] == b"OggS":
        begins = bool(head[5] & 2)
        if begins and data_seen:
            return True
        data_seen |= not begins
        at += 27 + head[26] + sum(head[27 : 27 + head[26]])
    return False


def _ends_within_page(stream: BinaryIO) -> bool:
    """Whether the last page of an Ogg file (RFC 3533, 6) is longer than what is left of the file."""
    size = stream.seek(0, 2)
    tail = _read_at(stream, max(0, size - 2 * 65_307), 2 * 65_307)  # a page is not longer than half of that
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return True
    segments = tail[at + 26]
    table = tail[at + 27 : at + 27 + segments]
    return len(table) < segments or len(tail) < at + 27 + segments + sum(table)


def _read_at(stream: BinaryIO, position: int, size: int) -> bytes:
    stream.seek(position)
    return stream.read(size)
