"""A worker: a process that loads the models and translates what it is sent, by one thread for each batch.

`python -m interlingua.serving.pool.worker` reads messages from standard input and writes to standard output.
The first says which models to load; then each holds a batch, or the number of one that nobody waits for any
more. A batch is answered once, and before that it is told what has become so far of the texts that are
watched. A worker ends when its standard input does, so it never outlives the service.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

import interlingua
from interlingua.errors import ConfigurationError, InterlinguaError
from interlingua.inference.translation import Translation
from interlingua.inference.translator import Drafts, Translator
from interlingua.serving.logs import describe
from interlingua.serving.pool import frames

__all__ = ["main", "repeats"]

_CELLS = 1 << 20  # attention weights of a text that are told: more would be tens of megabytes of JSON

_TRIM_S = 3.0  # between times that freed memory is given back: it takes some time to get it again

Answer = Callable[[dict[str, Any]], None]


def main() -> None:
    """Serves one service until it goes."""
    # A Ctrl-C or a stop of the whole group is the service's to handle: running requests are to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library may print must not be taken for an answer
    lock = threading.Lock()

    def answer(message: dict[str, Any]) -> None:
        with lock:
            answers.write(frames.pack(message))
            answers.flush()

    setup = frames.read(sys.stdin.buffer)
    if setup is None:
        return
    try:
        models = {
            name: interlingua.load(path, device="cpu", threads=1, precision=setup["precision"])
            for name, path in setup["models"].items()
        }
    except InterlinguaError as error:
        answer({"error": str(error)})
        return
    about = {
        name: {
            "max_source_length": model.max_source_length,
            "beam": model.settings.beam,
            "maps": _maps(model),
        }
        for name, model in models.items()
    }
    answer({"ready": about})
    running: dict[int, _Watch] = {}
    worked = threading.Event()

    def work(task: dict[str, Any], watch: _Watch) -> None:
        try:
            done = _translate(models[task["model"]], task, watch)
        except _UnwantedError:
            done = []
        del running[task["number"]]
        answer({"number": task["number"], "done": done})
        worked.set()

    threading.Thread(target=_tidy, args=[worked], daemon=True).start()
    # Two threads, so that short sentences need not wait for the end of a long one.
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        while (message := frames.read(sys.stdin.buffer)) is not None:
            if watch := running.get(message.get("unwanted", 0)):
                watch.unwanted = True
            elif "texts" in message:
                running[message["number"]] = _Watch(message, answer)
                pool.submit(work, message, running[message["number"]])
        os._exit(0)  # nobody waits for what is still running


def _maps(model: Translator) -> int:
    """The heads of all layers whose attention can be told of; also the first call, which is slow."""
    model.translate(["."], beam=1)
    try:
        (translation,) = model.translate(["."], beam=1, attention=True)
    except ConfigurationError:
        return 0
    assert translation.attention is not None
    return sum(len(weights) * weights.shape[1] for weights in translation.attention)


def _tidy(worked: threading.Event) -> None:
    """Gives freed memory back to the system after work, where the C library can.

    Otherwise a process would hold on to what its largest batch took, in pieces that fit nothing else.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    while trim:
        worked.wait()
        worked.clear()
        time.sleep(_TRIM_S)
        trim(0)


class _UnwantedError(Exception):
    """Nobody waits for the batch any more."""


class _Watch:
    """Looks at a batch after every step of its decoding."""

    def __init__(self, task: dict[str, Any], answer: Answer) -> None:
        self.number, self.answer, self.unwanted = task["number"], answer, False
        self.drafts, self.every_s = dict.fromkeys(task["watched"], ""), task["draft_s"]
        self.told = time.monotonic()

    def __call__(self, drafts: Drafts) -> None:
        if self.unwanted:
            raise _UnwantedError
        if self.drafts and time.monotonic() - self.told >= self.every_s:
            some = {text: draft for text, draft in drafts().items() if self.drafts.get(text, draft) != draft}
            if some:
                self.answer({"number": self.number, "drafts": some})
            self.drafts |= some
            self.told = time.monotonic()


def _translate(model: Translator, task: dict[str, Any], watch: _Watch) -> list[dict[str, Any]]:
    """Translates together; when that fails one by one, so that a failure is only its own text's."""
    texts, options, detail = task["texts"], dict(task["options"]), task["detail"]
    if any(task["terms"]):
        options["glossary"] = [dict(terms) for terms in task["terms"]]
    try:
        return [_record(each, detail) for each in model.translate(texts, watch=watch, **options)]
    except _UnwantedError:
        raise
    except Exception as error:
        if len(texts) == 1:
            return [describe(error)]
    return [
        _translate(model, {**task, "texts": [text], "terms": [terms]}, watch)[0]
        for text, terms in zip(texts, task["terms"], strict=True)
    ]


def _record(translation: Translation, detail: bool) -> dict[str, Any]:
    flags = [*translation.flags, *(["repeated"] if repeats(translation.tokens) else [])]
    record: dict[str, Any] = {
        "text": translation.text, "flags": flags, "count": len(translation.tokens),
        "alternatives": [_record(each, detail) for each in translation.alternatives],
    }  # fmt: skip
    if detail or translation.alignment is not None:
        record |= {"tokens": translation.tokens, "source_tokens": translation.source_tokens}
    if detail:
        record["score"] = round(translation.score, 4)
        record["log_probs"] = [round(value, 4) for value in translation.log_probs]
    if translation.terms:
        record["terms"] = [term._asdict() for term in translation.terms]
    if translation.alignment is not None:
        record["alignment"] = translation.alignment
    if translation.attention is not None and sum(map(torch.numel, translation.attention)) <= _CELLS:
        record["attention"] = {
            name: weights.mul(10_000).round().div(10_000).tolist()
            for name, weights in translation.attention._asdict().items()
        }
    return record


def repeats(tokens: Sequence[str], times: int = 4, longest: int = 8) -> bool:
    """Whether some run of up to `longest` tokens comes `times` times in a row: decoding went in circles."""
    for size in range(1, longest + 1):
        same = 0
        for i in range(size, len(tokens)):
            same = same + 1 if tokens[i] == tokens[i - size] else 0
            if same >= (times - 1) * size:
                return True
    return False


if __name__ == "__main__":
    main()
