"""Where a service listens: a port or a Unix socket, and how many connections it has file handles for."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from interlingua.errors import ConfigurationError
from interlingua.serving.logs import log_event
from interlingua.serving.settings import ServeSettings

__all__ = ["AcceptErrors", "address_of", "listen", "reserve_file_handles"]

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_LOG_INTERVAL_S = 60.0
_OTHER_HANDLES = 128  # for all but connections and workers
_HANDLES_PER_WORKER = 4
_WHAT_TO_DO = {
    errno.EADDRINUSE: "Another program listens there: stop it, or choose another --port.",
    errno.EACCES: "Ports below 1024 are for root, or for a proxy such as nginx in front: choose a --port "
    "from 1024 on.",
    errno.EADDRNOTAVAIL: "--host is an address or a name of this machine; 0.0.0.0 means all of them.",
}

log = logging.getLogger(__name__)


def listen(settings: ServeSettings) -> socket.socket:
    """Takes the address. Who connects waits until the service accepts.

    It listens at once: on Linux two sockets can be bound to a port while neither listens.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    if settings.uds is not None:
        return _listen_at_path(settings.uds, settings.max_connections)
    listener = None
    try:
        # An IPv4 address of a name comes first.
        infos = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(infos, key=lambda info: info[0] != socket.AF_INET)
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(settings.max_connections)
    except UnicodeError:
        raise _unusable(settings, "there is no such host", errno.EADDRNOTAVAIL) from None
    except OSError as error:
        if listener is not None:
            listener.close()
        if isinstance(error, socket.gaierror):
            raise _unusable(settings, "there is no such host", errno.EADDRNOTAVAIL) from None
        raise _unusable(settings, error.strerror, error.errno) from None
    return listener


def _unusable(settings: ServeSettings, reason: str | None, number: int | None) -> ConfigurationError:
    return ConfigurationError(
        f"the address cannot be listened on: {reason}", where="--host, --port",
        found=f"{settings.host}:{settings.port}", accepted=_WHAT_TO_DO.get(number or 0),
    )  # fmt: skip


def _listen_at_path(path: Path, backlog: int) -> socket.socket:
    """A Unix socket; one that a service left behind is replaced."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.exists():
            _remove_stale(path)
        listener.bind(str(path))
        path.chmod(0o666)  # as uvicorn does: its directory says who may come
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the socket cannot be listened on: {error.strerror or error}", where="--uds", found=str(path),
            accepted=_WHAT_TO_DO[errno.EADDRINUSE].replace("--port", "--uds")
            if error.errno == errno.EADDRINUSE
            else "Give a path of under 100 characters in a directory that you may write in.",
        ) from None  # fmt: skip
    return listener


def _remove_stale(path: Path) -> None:
    """Removes a socket that nobody listens on.

    Raises:
        OSError: somebody does, or it is no socket.
    """
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def address_of(listener: socket.socket) -> str:
    """The address of a service, for people."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def reserve_file_handles(settings: ServeSettings) -> int:
    """Asks the system for the file handles that are needed; returns how many connections there can be."""
    if sys.platform == "win32":
        return settings.max_connections
    import resource  # not on Windows

    others = _OTHER_HANDLES + _HANDLES_PER_WORKER * len(settings.worker_devices())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + others
    if resource.RLIM_INFINITY != soft < wanted:
        with suppress(OSError, ValueError):
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return settings.max_connections
    connections = max(soft // 4, soft - others)
    log_event(log, "fewer_connections", file_handles=soft, max_connections=connections, for_more="ulimit -n")
    return connections


class AcceptErrors:
    """A handler of an event loop's errors that says once a minute that there are no more file handles.

    The loop itself tries again after a second, but says so for every connection that waits.
    """

    def __init__(self) -> None:
        self._logged_at = -_LOG_INTERVAL_S

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handles an error."""
        error = context.get("exception")
        if isinstance(error, ValueError) and "_start_serving" in context.get("message", ""):
            return  # what was to be tried again was closed meanwhile
        if not (isinstance(error, OSError) and error.errno in _EXHAUSTED and "socket" in context):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._logged_at >= _LOG_INTERVAL_S:
            self._logged_at = time.monotonic()
            log_event(log, "connections_wait", reason=os.strerror(error.errno or 0), for_more="ulimit -n")
