"""The names that a service answers to.

A web page may give its own name the address of a service on its reader's machine (DNS rebinding) and then
read all that the service says. Such a request still bears the page's name in Host, so names are known ones
only. An address in Host cannot be of such a page. (Starlette's TrustedHostMiddleware takes no addresses, and
does not say what to do.)
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket

from starlette.types import ASGIApp, Receive, Scope, Send

from interlingua.serving.logs import log_event
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings

__all__ = ["HostCheck"]

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/?#@\s]+))(?::[0-9]*)?")
_MAX_LOGGED = 20  # names; whoever makes them up does not fill the log

log = logging.getLogger(__name__)


class HostCheck:
    """Guards an application against requests to names that are not the service's."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app = app
        self.names = {"localhost", "*.localhost", settings.host.lower(), *settings.allowed_host}
        if settings.uds is None and not _is_loopback(settings.host):
            machine = socket.gethostname().lower()
            short = machine.partition(".")[0]
            self.names |= {machine, short, f"{short}.local"}
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        try:
            if scope["type"] == "http":
                self.check(scope)
        except RefusalError as refusal:
            await refusal.response(scope["path"])(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def check(self, scope: Scope) -> None:
        """Looks at a request's Host.

        Raises:
            RefusalError: with 400, the name is not known, or there is none, or several.
        """
        found = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if "*" in self.names or (not found and scope.get("http_version") == "1.0"):
            return
        if len(found) != 1 or not (match := _HOST.fullmatch(found[0].strip())):
            raise RefusalError(400, "Invalid request: it must name one host.")
        name = (match[1] or match[2]).lower().removesuffix(".")
        if not self._is_known(name):
            self._log(name)
            shown = name[:100].encode("ascii", "replace").decode()
            raise RefusalError(
                400, f"This service does not go by the name {shown}. If it should, start it with "
                f"--allowed-host {shown}.",
            )  # fmt: skip

    def _is_known(self, name: str) -> bool:
        domains = (f"*.{name[i + 1 :]}" for i, character in enumerate(name) if character == ".")
        return name in self.names or not self.names.isdisjoint(domains) or _address(name) is not None

    def _log(self, name: str) -> None:
        if name not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(name)
            log_event(log, "host_refused", host=name[:100], to_accept_it="--allowed-host NAME")


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
