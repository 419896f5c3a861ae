"""What a request says of its sender, and what the log may say of the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from interlingua.serving.settings import ServeSettings

__all__ = ["address", "arrived", "key_of", "note"]


def address(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"


def arrived(request: Request) -> float:
    """When it did, by the monotonic clock."""
    since: float = request.scope["state"]["arrived"]
    return since


def key_of(request: Request, given: str | None) -> str | None:
    """The API key of a request: its field, or else the header "Authorization: Bearer"."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return given or (key.strip() or None if kind.lower() == "bearer" else None)


def note(request: Request, settings: ServeSettings, texts: Sequence[str], model: str) -> None:
    """Adds to the request's line in the log."""
    notes: dict[str, Any] = {"model": model, "texts": len(texts), "characters": sum(map(len, texts))}
    if settings.log_texts:
        notes["q"] = list(texts)
    request.scope.setdefault("state", {})["notes"] = notes
