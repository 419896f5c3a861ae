"""The log: one JSON object a line on standard error, without the users' texts."""

from __future__ import annotations

import json
import logging
import queue
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler, QueueListener
from typing import Any

__all__ = ["describe", "json_lines", "tell"]

_WAITING = 10_000  # lines; beyond, they are lost


def tell(log: logging.Logger, event: str, **fields: Any) -> None:
    """Writes an event with its fields."""
    log.info(event, extra={"fields": fields})


@contextmanager
def json_lines() -> Iterator[None]:
    """Makes everything that is logged in this process one JSON object a line."""
    root, own = logging.getLogger(), logging.getLogger("interlingua")
    before = root.handlers, root.level, own.level
    # A thread of its own writes, so that a reader who is slow, or gone, holds nobody up.
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(_WAITING)
    handler = _Patient(waiting)
    handler.setFormatter(_Json())
    writer = QueueListener(waiting, logging.StreamHandler(sys.stderr))
    writer.start()
    # What libraries tell at length may hold texts.
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    own.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        root.handlers = before[0]
        root.setLevel(before[1])
        own.setLevel(before[2])
        logging.captureWarnings(False)
        writer.stop()


class _Patient(QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


def describe(error: BaseException) -> dict[str, Any]:
    """The kind of an error and its place only: its message may quote a text."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "where": where}


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)
