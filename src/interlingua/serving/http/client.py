"""What a request says of the client that sent it, and what the log may say of the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from interlingua.serving.settings import ServeSettings

__all__ = ["address_of", "api_key_of", "arrived_at", "log_texts"]


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"


def arrived_at(request: Request) -> float:
    """When it was there as a whole, by the monotonic clock."""
    arrived: float = request.scope["state"]["arrived_at"]
    return arrived


def api_key_of(request: Request, field: str | None) -> str | None:
    """The API key of a request: its field, or else the header "Authorization: Bearer"."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return field or (key.strip() or None if scheme.lower() == "bearer" else None)


def log_texts(request: Request, settings: ServeSettings, texts: Sequence[str], model: str) -> None:
    """Adds to the request's line in the log: how long the texts are; the texts themselves if that is set."""
    fields: dict[str, Any] = {"model": model, "texts": len(texts), "characters": sum(map(len, texts))}
    if settings.log_texts:
        fields["q"] = list(texts)
    request.scope.setdefault("state", {})["log_fields"] = fields
