"""The log: one JSON object a line on standard error, without the users' texts."""

from __future__ import annotations

import json
import logging
import queue
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any

__all__ = ["describe_error", "json_lines", "log_event"]

_MAX_QUEUED_LINES = 10_000  # beyond, they are lost


def log_event(log: logging.Logger, event: str, **fields: Any) -> None:
    """Writes an event with its fields."""
    log.info(event, extra={"fields": fields})


@contextmanager
def json_lines() -> Iterator[None]:
    """Makes everything that is logged in this process one JSON object a line."""
    root, interlingua = logging.getLogger(), logging.getLogger("interlingua")
    before = root.handlers, root.level, interlingua.level
    # A thread of its own writes, so that a reader who is slow, or gone, holds nobody up.
    lines: queue.Queue[logging.LogRecord] = queue.Queue(_MAX_QUEUED_LINES)
    handler = _NonBlockingHandler(lines)
    handler.setFormatter(_JsonFormatter())
    writer = QueueListener(lines, logging.StreamHandler(sys.stderr))
    writer.start()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)  # libraries' information may hold texts
    interlingua.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        root.handlers = before[0]
        root.setLevel(before[1])
        interlingua.setLevel(before[2])
        logging.captureWarnings(False)
        writer.stop()


class _NonBlockingHandler(QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


def describe_error(error: BaseException) -> dict[str, Any]:
    """The kind of an error and its place only: its message may quote a text."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "where": where}


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= describe_error(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)
