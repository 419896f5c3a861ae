"""Files to translate at leisure, kept on the disk with what became of them, so that a restart loses none.

A directory for each: state.json, the source, and the result once there is one. Only who was given the key
of a document can ask for it; a hash of the key is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from interlingua.errors import OutputError
from interlingua.files import write_text, write_whole

__all__ = ["DocumentState", "DocumentStore", "Full", "new_document"]

_MAX_ATTEMPTS = 3  # starts of a document; one that takes the service down must not do so for ever
_ID = re.compile(r"[0-9a-f]{32}")


class Full(Exception):  # noqa: N818
    """There is no room for another document."""


class DocumentState(BaseModel):
    """What is known of a document."""

    id: str
    key_hash: str
    name: str
    """Of the file."""
    source: str
    target: str
    tag: str | None = None
    """Of a model with tags."""
    characters: int
    status: Literal["queued", "translating", "done", "error"] = "queued"
    error: str | None = None
    attempts: int = 0
    created_at: float
    """In seconds since 1970, as is the next."""
    ended_at: float | None = None


class DocumentStore:
    """The documents in a directory.

    Args:
        directory: made if it is not there.
        max_documents: how many there may be at a time.
        max_bytes: of all together, about.
        keep_s: how long one stays after it has ended.

    Raises:
        OutputError: the directory cannot be written, or another service uses it.
    """

    def __init__(self, directory: Path, max_documents: int, max_bytes: int, keep_s: float) -> None:
        self.directory, self.max_documents, self.max_bytes = directory, max_documents, max_bytes
        self.keep_s = keep_s
        self.states: dict[str, DocumentState] = {}
        self._adding = threading.Lock()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FileLock(directory / ".lock", timeout=0)
            self._lock.acquire()
            for path in sorted(directory.iterdir()):
                if _ID.fullmatch(path.name):
                    self._load(path)
        except Timeout:
            raise OutputError("another service translates documents here", where=directory) from None
        except OSError as error:
            raise OutputError(
                "documents cannot be kept here", where=directory, found=error.strerror
            ) from None  # fmt: skip

    def close(self) -> None:
        """Lets another service use the directory."""
        self._lock.release()

    def add(self, state: DocumentState, content: bytes) -> str:
        """Keeps a document to be translated; gives its key.

        Raises:
            Full: there are too many, or they are too large.
            OutputError: it could not be written, and nothing is left of it.
        """
        with self._adding:
            return self._add(state, content)

    def _add(self, state: DocumentState, content: bytes) -> str:
        self.remove_old()
        used = _size(self.directory)
        if len(self.states) >= self.max_documents or used + 3 * len(content) > self.max_bytes:
            raise Full
        key = secrets.token_hex(32)
        state.key_hash = _hash(key)
        path = self.directory / state.id
        try:
            path.mkdir(mode=0o700)
            write_whole(path / "source", lambda aside: _write(aside, content))
            self.save(state)
        except (OSError, OutputError):
            shutil.rmtree(path, ignore_errors=True)
            raise
        return key

    def find(self, document_id: str, key: str) -> DocumentState | None:
        """The document of that id, if the key is its own."""
        self.remove_old()
        state = self.states.get(document_id)
        known = hmac.compare_digest(_hash(key), state.key_hash if state else _hash(""))
        return state if known else None

    def next_queued(self) -> DocumentState | None:
        """The document that waits for the longest time."""
        queued = (state for state in self.states.values() if state.status == "queued")
        return min(queued, key=lambda state: state.created_at, default=None)

    def save(self, state: DocumentState) -> None:
        """Writes what is known of a document.

        Raises:
            OutputError: the disk is full or cannot be written.
        """
        write_text(self.directory / state.id / "state.json", state.model_dump_json(indent=1))
        self.states[state.id] = state

    def read_source(self, state: DocumentState) -> bytes:
        """The file as it came."""
        return (self.directory / state.id / "source").read_bytes()

    def read_result(self, state: DocumentState) -> bytes:
        """The translated file, of a document that is done."""
        return (self.directory / state.id / "result").read_bytes()

    def write_result(self, state: DocumentState, content: bytes) -> None:
        """Keeps the translated file; the source is of no more use.

        Raises:
            OutputError: the disk is full or cannot be written.
        """
        write_whole(self.directory / state.id / "result", lambda aside: _write(aside, content))
        self.end(state, "done")

    def end(self, state: DocumentState, status: Literal["done", "error"], error: str | None = None) -> None:
        """Notes that a document is done, or why it failed."""
        state.status, state.error, state.ended_at = status, error, time.time()
        self.save(state)
        (self.directory / state.id / "source").unlink(missing_ok=True)

    def remove_old(self) -> None:
        """Removes what ended long ago."""
        before = time.time() - self.keep_s
        for state in list(self.states.values()):
            if state.ended_at is not None and state.ended_at < before:
                self.states.pop(state.id, None)
                shutil.rmtree(self.directory / state.id, ignore_errors=True)

    def _load(self, path: Path) -> None:
        """Takes up what an earlier service left; what was being translated is to be translated anew."""
        try:
            state = DocumentState.model_validate(json.loads((path / "state.json").read_text("utf-8")))
        except (FileNotFoundError, ValueError, ValidationError):
            shutil.rmtree(path, ignore_errors=True)  # the service was killed while it took it in
            return
        self.states[state.id] = state
        if state.status in ("queued", "translating"):
            state.status = "queued"
            if state.attempts >= _MAX_ATTEMPTS:
                times = f"{state.attempts} times"
                self.end(state, "error", f"The service ended {times} while it translated this document.")


def new_document(
    name: str, source: str, target: str, characters: int, tag: str | None = None
) -> DocumentState:
    """A document that nobody has seen yet; it gets its key when it is added."""
    return DocumentState(
        id=secrets.token_hex(16), key_hash="", name=name, source=source, target=target, tag=tag,
        characters=characters, created_at=time.time(),
    )  # fmt: skip


def _size(directory: Path) -> int:
    """The bytes of all files; one that goes away meanwhile counts no more."""
    size = 0
    for path, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(path) / name).stat().st_size
    return size


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
