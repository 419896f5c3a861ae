"""A worker: a process that loads the models and translates what it is sent, by one thread for each batch.

`python -m interlingua.serving.pool.worker` reads JSON objects from standard input and writes them to standard
output, one a line. The first says which models to load; then each holds a batch, or the number of one to
cancel, or to drop a text of. Sounds and pictures are in files, which it is told of. A batch is answered once,
and before that with drafts of the texts that are watched. A worker ends when its standard input does: it
never outlives the service.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

import torch

import interlingua
from interlingua.errors import ConfigurationError, InterlinguaError
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from interlingua.inference.transcriber import Transcriber
from interlingua.inference.translation import Translation
from interlingua.inference.translator import DraftObserver, Drafts, Translator
from interlingua.inference.using import AnyUse
from interlingua.model.protocol import Attention
from interlingua.pictures.reading import require_pictures
from interlingua.serving.logs import describe_error
from interlingua.serving.pool.pictures import (
    describe_files,
    paint_captions,
    warm_up_captioner,
)
from interlingua.serving.pool.records import record_translation
from interlingua.serving.pool.sounds import read_upload, transcribe_pieces, warm_up
from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.opening import require_sound
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.columns import COLUMN_END

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
_DRAFT_TIMES = 5  # the time that making drafts takes, until they are made again
_TRIM_S = 3.0  # between times that freed memory is given back: it takes some time to get it again


def main() -> None:
    """Serves one service until it goes."""
    # A Ctrl-C or a stop of the whole group is the service's to handle: running requests are to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library may print must not be taken for an answer
    messages = _read_messages(sys.stdin.buffer)
    setup = next(messages, None)
    if setup is None or _is_left_behind(setup["service"]):
        return
    try:
        loaded = {path: _load(path, setup) for path in dict.fromkeys(setup["models"].values())}
        models = {
            name: loaded[path] for name, path in setup["models"].items()
        }  # of several languages perhaps
    except InterlinguaError as error:
        _write(answers, {"error": str(error)})
        return
    except Exception as error:
        _write(answers, {"error": f"a model cannot be loaded: {type(error).__name__}: {error}"})
        return
    _write(answers, {"ready": {name: _about(model) for name, model in models.items()}})
    _Worker(models, answers).run(messages)


def _load(path: str, setup: dict[str, Any]) -> AnyUse:
    how = {name: setup[name] for name in ("device", "precision", "engine")}
    model = interlingua.load(path, threads=1, **how)
    if isinstance(model, Transcriber):
        require_sound()
    if isinstance(model, Captioner | Painter):
        require_pictures()
    return model


class _Worker:
    """The models, and the batches that are being decoded."""

    def __init__(self, models: Mapping[str, AnyUse], answers: BinaryIO) -> None:
        self.models, self.answers = models, answers
        self.running: dict[int, _Watch] = {}
        self.worked = threading.Event()
        self._writing = threading.Lock()

    def run(self, messages: Iterable[dict[str, Any]]) -> None:
        """Serves until the messages end."""
        threading.Thread(target=_trim_memory, args=[self.worked], daemon=True).start()
        # Two threads, so that short sentences need not wait for the end of a long one.
        with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as threads:
            for message in messages:
                if watch := self.running.get(message.get("cancel", 0)):
                    watch.cancelled = True
                elif watch := self.running.get(message.get("drop", 0)):
                    watch.unwanted |= {message["text"]}
                elif "texts" in message:
                    self.running[message["number"]] = _Watch(message, self.answer)
                    threads.submit(self._work, message, self.running[message["number"]])
            os._exit(0)  # nobody waits for what is still running

    def answer(self, message: dict[str, Any]) -> None:
        """Sends a message to the service."""
        with self._writing:
            _write(self.answers, message)

    def _work(self, task: dict[str, Any], watch: _Watch) -> None:
        model = self.models[task["model"]]
        try:
            if task["reads"]:
                assert isinstance(model, Transcriber)
                done = _read_uploads(model, task, watch)
            else:
                done = _translate(model, task, watch, range(len(task["texts"])))
        except _CancelledError:
            done = []
        del self.running[task["number"]]
        self.answer({"number": task["number"], "done": done})
        self.worked.set()


def _is_left_behind(service: int) -> bool:
    """Whether the service has gone already; where it can, the process ends with it from now on.

    While a model is loaded nobody reads standard input to see its end.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.name == "posix" and os.getppid() != service


def _read_messages(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    for line in stream:
        if line.endswith(b"\n"):  # else the service was killed while it wrote
            yield json.loads(line)


def _write(stream: BinaryIO, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    stream.flush()


def _about(model: AnyUse) -> dict[str, Any]:
    """What the service must know of a model; also its first call, which is slow."""
    about: dict[str, Any] = {"max_source_length": 0, "attention_heads": 0, "beam": model.settings.beam}
    if isinstance(model, Painter):
        ((painting,),) = model.paint([_first_text(model)], attention=model.engine.has_attention)
        about |= {
            "picture_size": model.codec.size, "picture_grid": model.codec.settings.grid,
            "guidance": model.settings.guidance, "attention_heads": _count_heads(painting.attention),
        }  # fmt: skip
    elif isinstance(model, Captioner):
        seen = warm_up_captioner(model)
        about |= {"picture_size": model.size, "attention_heads": _count_heads(seen.attention)}
    else:
        about["max_source_length"] = model.max_source_length
        if isinstance(model, Transcriber):
            warm_up(model)
        else:
            model.translate([_first_text(model)], beam=1, whole=True)
            about["attention_heads"] = _count_attention_heads(model)
    return {**about, "facts": model.facts._asdict()}


def _first_text(model: Translator | Painter) -> str:
    """A text of as many columns as the model's sources have."""
    source = model.tokenizers.source
    return COLUMN_END.join("." * len(source.columns)) if isinstance(source, ColumnTokenizer) else "."


def _count_attention_heads(model: Translator) -> int:
    with suppress(ConfigurationError):  # it has no attention
        (translation,) = model.translate([_first_text(model)], beam=1, attention=True, whole=True)
        return _count_heads(translation.attention)
    return 0


def _count_heads(attention: Attention | None) -> int:
    return sum(len(weights) * weights.shape[1] for weights in attention or ())


def _trim_memory(worked: threading.Event) -> None:
    """Gives freed memory back to the system after work, where the C library can.

    Otherwise a process would hold on to what its largest batch took, in pieces that fit nothing else.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    while trim:
        worked.wait()
        worked.clear()
        time.sleep(_TRIM_S)
        trim(0)


class _CancelledError(Exception):
    """Nobody waits for the batch any more."""


class _Watch:
    """Looks at a batch after every step of its decoding: sends drafts, or ends it."""

    def __init__(self, task: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
        self.number, self.answer, self.cancelled = task["number"], answer, False
        self.sent: dict[int, Any] = dict.fromkeys(task["watched"], "")
        """By the number of a text, what was last said of it."""
        self.least_s = self.every_s = task["draft_s"]
        self.sent_at = time.monotonic()
        self.unwanted: frozenset[int] = frozenset()
        """The numbers of texts that nobody waits for any more."""

    def is_unwanted(self, number: int) -> bool:
        """Whether nobody waits for a text any more."""
        return self.cancelled or number in self.unwanted

    def __call__(self, numbers: Sequence[int], drafts: Drafts) -> list[int]:
        """Is told of a step of the texts with these numbers; returns which of them are unwanted."""
        if self.cancelled:
            raise _CancelledError
        if self.sent and time.monotonic() - self.sent_at >= self.every_s:
            started = time.monotonic()
            # The service sends no text that would be split.
            new = {numbers[text]: draft for (text, part), draft in drafts().items() if part == 0}
            changed = {
                number: draft for number, draft in new.items() if self.sent.get(number, draft) != draft
            }
            if changed:
                self.answer({"number": self.number, "drafts": list(changed.items())})
            self.sent |= changed
            self.sent_at = time.monotonic()
            # Pictures so far take some time to paint: most of it is for the picture itself.
            self.every_s = max(self.least_s, _DRAFT_TIMES * (self.sent_at - started))
        return [text for text, number in enumerate(numbers) if number in self.unwanted]


def _read_uploads(model: Transcriber, task: dict[str, Any], watch: _Watch) -> list[dict[str, Any]]:
    """Reads uploaded sounds and cuts them into what the model takes."""
    max_piece_s = model.max_source_length * POSITION_SAMPLES / SAMPLE_RATE
    return [
        read_upload(
            path, task["options"]["max_seconds"], max_piece_s, functools.partial(watch.is_unwanted, number)
        )
        for number, path in enumerate(task["texts"])
    ]


def _translate(
    model: AnyUse, task: dict[str, Any], watch: _Watch, numbers: Sequence[int]
) -> list[dict[str, Any]]:
    """Translates together; when that fails one by one, so that a failure is only its own text's.

    Args:
        model: translates.
        task: the batch.
        watch: told of every step.
        numbers: of the texts of the batch that are to be translated.
    """
    texts = [task["texts"][number] for number in numbers]
    glossaries = [task["glossaries"][number] for number in numbers]
    options, detail = dict(task["options"]), task["detail"]
    if any(glossaries):
        options["glossary"] = glossaries
    observe = functools.partial(watch, numbers)
    try:
        if isinstance(model, Painter):
            return paint_captions(model, texts, lambda i: numbers[i] in watch.sent, observe, options)
        if isinstance(model, Captioner):
            return describe_files(model, texts, numbers, watch, options)
        if isinstance(model, Transcriber):
            found = transcribe_pieces(model, texts, observe, options)
        else:
            # They are split already.
            found = _search(model, texts, observe, {"whole": True, "log_probs": detail, **options})
        return [record_translation(each, detail) for each in found]
    except _CancelledError:
        raise
    except Exception as error:
        if len(texts) == 1:
            return [describe_error(error)]
    return [_translate(model, task, watch, [number])[0] for number in numbers]


def _search(
    model: Translator, texts: Sequence[str], observe: DraftObserver, options: dict[str, Any]
) -> list[Translation]:
    """The translations, and beside them alternatives, which never change them.

    Those that the beam does not hold are of a second, wider search, and so are further draws at random.
    """
    beam, n_best = options.get("beam", model.settings.beam), options.get("n_best", 1)
    if n_best == 1 or (n_best <= beam and not options.get("sample")):
        return model.translate(texts, observe=observe, **options)
    found = model.translate(texts, observe=observe, **{**options, "n_best": 1})
    more = {**options, "beam": max(beam, n_best), "alignment": False, "attention": False}
    wider = model.translate(texts, observe=lambda _: observe(dict), **more)
    return [
        replace(one, alternatives=_others(one, [other, *other.alternatives])[: n_best - 1])
        for one, other in zip(found, wider, strict=True)
    ]


def _others(one: Translation, candidates: Sequence[Translation]) -> tuple[Translation, ...]:
    return tuple(
        replace(each, alternatives=(), alignment=None, attention=None)
        for each in candidates
        if each.text != one.text
    )


if __name__ == "__main__":
    main()
