"""A worker: a process with one thread that loads the models and translates what it is sent.

`python -m interlingua.serving.worker` reads messages from standard input and answers each on standard output;
the first says which models to load. It ends when its standard input does, so it never outlives the service.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import interlingua
from interlingua.errors import InterlinguaError
from interlingua.serving import frames
from interlingua.translation import Translation
from interlingua.translator import Translator

__all__ = ["main", "repeats"]


def main() -> None:
    """Serves one service until it goes."""
    # A Ctrl-C or a stop of the whole group is the service's to handle: running requests are to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library may print must not be taken for an answer

    def answer(message: dict[str, Any]) -> None:
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
    for model in models.values():
        model.translate(["."], beam=1)  # the first call is slow
    answer({"ready": {name: {"max_source_length": m.max_source_length} for name, m in models.items()}})
    while (task := frames.read(sys.stdin.buffer)) is not None:
        try:
            answer({"done": _translate(models[task["model"]], task)})
        except BrokenPipeError:
            return


def _translate(model: Translator, task: dict[str, Any]) -> list[dict[str, Any]]:
    """Translates together; when that fails one by one, so that a failure is only its own text's."""
    texts, options, detail = task["texts"], task["options"], task["detail"]
    try:
        return [_record(each, detail) for each in model.translate(texts, **options)]
    except Exception as error:
        if len(texts) == 1:
            # Only the kind of error is told: its message may hold the text.
            return [{"error": type(error).__name__}]
    return [_translate(model, {**task, "texts": [text]})[0] for text in texts]


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
    if translation.alignment is not None:
        record["alignment"] = translation.alignment
    if translation.attention is not None:
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
