"""Who may ask, and how often."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import time
from pathlib import Path

from cachetools import TTLCache
from fastapi import Request

from interlingua.errors import ConfigurationError
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings

__all__ = ["AccessControl", "read_keys"]

_MAX_CLIENTS = 100_000  # keys and addresses remembered
_HASH = re.compile(r"[0-9a-fA-F]{64}")


def read_keys(path: Path) -> list[str]:
    """The hashes of the API keys: the first word of each line, as `sha256sum` writes them.

    Raises:
        ConfigurationError: the file cannot be read, or a line does not begin with a hash.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("the API keys cannot be read", where=path, found=str(error)) from None
    hashes = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        word = line.split()[0]
        if not _HASH.fullmatch(word):
            raise ConfigurationError(
                "the line does not begin with a SHA-256", where=f"{path}:{number}",
                accepted='To add a key: printf %s "$KEY" | sha256sum >> ' + str(path),
            )  # fmt: skip
        hashes.append(word.lower())
    return hashes


class AccessControl:
    """Lets requests through that name a known key, if keys are asked for, and are not too many a minute.

    Each key, or else each address (of IPv6 each /64: a connection gets as much), has a bucket of as many
    requests as it may make a minute, which fills up again evenly. Only so many are remembered (the memory
    storage of the `limits` package has no such bound).
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.hashes = read_keys(settings.api_keys) if settings.api_keys else None
        self.per_minute = settings.requests_per_minute
        # Requests left, and when that was so. A bucket that was not used for a minute is full again.
        self._buckets: TTLCache[str, tuple[float, float]] = TTLCache(_MAX_CLIENTS, ttl=60)

    @property
    def key_required(self) -> bool:
        """Whether requests must name a key."""
        return self.hashes is not None

    def check_request(self, request: Request, key_field: str | None) -> None:
        """Counts a request, whose key is in a field or the header "Authorization: Bearer".

        Raises:
            RefusalError: 403 without a known key, 429 when there were too many.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        bearer = key.strip() or None if scheme.lower() == "bearer" else None
        self.check(key_field or bearer, request.client.host if request.client else "unknown")

    def check(self, key: str | None, address: str) -> None:
        """Counts a request with a key, or from an address.

        Raises:
            RefusalError: 403 without a known key, 429 when there were too many.
        """
        known = self._known_hash(key) if key else None
        self._count(known or _subscriber(address))
        if self.hashes is not None and known is None:
            message = "This API key is not known." if key else "Please name an API key: api_key."
            raise RefusalError(403, message)

    def _known_hash(self, key: str) -> str | None:
        """The hash of a key, if it is one of ours; takes as long whatever the key."""
        digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()
        equal = [hmac.compare_digest(digest, known) for known in self.hashes or []]
        return digest if any(equal) else None

    def _count(self, client: str) -> None:
        if not self.per_minute:
            return
        now = time.monotonic()
        left, before = self._buckets.get(client, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - before) * self.per_minute / 60)
        if left < 1:
            raise RefusalError(
                429, f"Slow down: {self.per_minute} requests a minute are allowed.",
                retry_after_s=(1 - left) * 60 / self.per_minute,
            )  # fmt: skip
        self._buckets[client] = (left - 1, now)


def _subscriber(address: str) -> str:
    """What somebody with an address cannot change as they like."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), 64), strict=False))
