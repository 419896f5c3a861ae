"""The speech synthesizer espeak-ng, in a process of its own.

The PyPI package `espeakng-loader` carries its library and data. espeak-ng is GPL-3: it is not part of this
package, the user installs it, and only sounds come from it. In a fresh process the same utterances in the
same order always sound the same, and nothing that the library does can end the program that asked.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from interlingua.errors import DataError

__all__ = ["SAMPLE_RATE", "Utterance", "require_espeak", "speak"]

SAMPLE_RATE = 22_050
"""In Hz, of what espeak-ng says with the voices that it computes itself."""
PACKAGE = "espeakng_loader"

# From espeak-ng's speak_lib.h.
_RETRIEVE_SYNCHRONOUSLY = 2
_DO_NOT_EXIT = 0x8000
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_UTF8 = 1
_Receiver = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Utterance(NamedTuple):
    """What is said, and how."""

    text: str
    voice: str
    """A language and a variant, such as "en-us+f3"."""
    rate: int = 175
    """In words a minute."""
    pitch: int = 50
    """From 0 to 100, of the voice's range."""
    pitch_range: int = 50
    """From 0, monotone, to 100."""


def speak(utterances: Sequence[Utterance]) -> Generator[npt.NDArray[np.int16]]:
    """Yields the samples of each utterance, one channel at `SAMPLE_RATE`.

    Raises:
        DataError: espeak-ng is not installed, or fails.
    """
    require_espeak()
    with tempfile.TemporaryFile() as requests, tempfile.TemporaryFile() as complaints:
        requests.writelines(json.dumps(utterance).encode() + b"\n" for utterance in utterances)
        requests.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__], stdin=requests, stdout=subprocess.PIPE, stderr=complaints
        )
        assert process.stdout is not None
        try:
            for utterance in utterances:
                sound = _receive(process.stdout)
                if sound is None:
                    process.wait()
                    complaints.seek(0)
                    raise DataError(
                        f"the speech synthesizer espeak-ng failed on {utterance.text!r}",
                        where="quickstart sound",
                        found=complaints.read().decode(errors="replace").strip().rpartition("\n")[2],
                    )
                yield sound
        finally:
            process.stdout.close()
            process.kill()
            process.wait()


def require_espeak() -> None:
    """Refuses to go on without the synthesizer; nothing of it is loaded into this process.

    Raises:
        DataError: espeak-ng is not installed.
    """
    try:
        found = importlib.util.find_spec(PACKAGE)
    except ValueError:  # said of a module that is blocked
        found = None
    if found is None:
        raise DataError(
            "the speech synthesizer espeak-ng is not installed", where="quickstart sound",
            accepted="pip install 'interlingua[quickstart]'  (or: pip install espeakng-loader)",
        )  # fmt: skip


def _receive(stream: IO[bytes]) -> npt.NDArray[np.int16] | None:
    """The next utterance; None when the stream ends before."""
    head = stream.read(4)
    size = int.from_bytes(head, "little")
    content = stream.read(size)
    if len(head) < 4 or len(content) < size:
        return None
    return np.frombuffer(content, dtype="<i2").astype(np.int16)


def _serve(requests: Iterable[bytes], answers: IO[bytes]) -> None:
    """What the process does: a line of JSON in, a length in bytes and so many of 16-bit samples out."""
    library = _load()
    pieces: list[bytes] = []

    def receive(samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _Receiver(receive)  # has a name so that it lives as long as the library may call it
    library.espeak_SetSynthCallback(callback)
    for request in requests:
        utterance = Utterance(*json.loads(request))
        pieces.clear()
        _say(library, utterance)
        sound = b"".join(pieces)
        answers.write(len(sound).to_bytes(4, "little") + sound)
    answers.flush()


def _load() -> ctypes.CDLL:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # The library keeps its data's path in a buffer of 160 characters, which environments deep in a file
    # system do not fit into: it is told a relative one.
    os.chdir(os.path.dirname(espeakng_loader.get_data_path()))  # noqa: PTH120
    rate = library.espeak_Initialize(_RETRIEVE_SYNCHRONOUSLY, 0, b".", _DO_NOT_EXIT)
    if rate != SAMPLE_RATE:
        sys.exit(f"its data cannot be loaded: {rate}")
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    return library


def _say(library: ctypes.CDLL, utterance: Utterance) -> None:
    if library.espeak_SetVoiceByName(utterance.voice.encode()):
        sys.exit(f"there is no voice {utterance.voice}")
    library.espeak_SetParameter(_RATE, utterance.rate, 0)
    library.espeak_SetParameter(_PITCH, utterance.pitch, 0)
    library.espeak_SetParameter(_PITCH_RANGE, utterance.pitch_range, 0)
    text = utterance.text.encode() + b"\0"
    if library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, _UTF8, None, None):
        sys.exit("the synthesis did not begin")


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
