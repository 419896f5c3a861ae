"""Where a service listens, the names it answers to, whom it believes, what it does without file handles."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
from typing import Any

import pytest

from interlingua.errors import ConfigurationError
from interlingua.serving.http.hosts import HostCheck
from interlingua.serving.http.limits import AccessControl, read_keys
from interlingua.serving.http.listening import AcceptErrors, address_of, listen
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings


async def inside(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def answer_to(named: str | None, /, version: str = "1.1", **values: Any) -> tuple[int, str]:
    """The status and the message."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [] if named is None else [(b"host", each.encode("latin-1")) for each in named.split("|")]
    scope = {"type": "http", "http_version": version, "method": "GET", "path": "/", "headers": headers}
    asyncio.run(HostCheck(inside, ServeSettings.parse(values))(scope, None, send))
    body = sent[1]["body"]
    return sent[0]["status"], json.loads(body)["error"] if body else ""


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:5000", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1:5000", "10.0.0.7",
     "[::1]", "[::1]:5000", "[fe80::1]:80"],
)  # fmt: skip
def test_addresses_and_localhost_are_answered(host):
    assert answer_to(host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:5000", "localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example",
     "x@localhost", "", "[::1", "::1", "a b", "localhost|localhost", "\xff.example", None],
)  # fmt: skip
def test_other_names_are_refused_with_what_to_do(host):
    status, message = answer_to(host)
    assert status == 400
    if host and host.endswith("evil.example"):
        assert f"--allowed-host {host}" in message


def test_names_can_be_allowed():
    allowed = {"allowed_host": ("mt.example.org", "*.example.net", "MÜLLER.example")}
    for host in ("mt.example.org", "MT.example.org:80", "a.example.net", "a.b.example.net",
                 "xn--mller-kva.example"):  # fmt: skip
        assert answer_to(host, **allowed)[0] == 200
    for host in ("example.org", "x.mt.example.org", "example.net", "evilexample.net"):
        assert answer_to(host, **allowed)[0] == 400
    assert answer_to("any.thing", allowed_host="*")[0] == 200
    assert answer_to("b.org", allowed_host="a.org, b.org")[0] == 200  # as --set gives it
    assert answer_to(None, version="1.0")[0] == 200
    for wrong in ("https://a.org", "a.org:80", "a*.org", "a/b"):
        with pytest.raises(ConfigurationError, match=r"such as translate\.example\.org"):
            ServeSettings.parse({"allowed_host": [wrong]})


def test_the_machines_name_is_answered_where_others_can_connect(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Box.lan")
    for name in ("box", "box.lan", "box.local"):
        assert answer_to(name, host="0.0.0.0")[0] == 200
        assert answer_to(name)[0] == 400
    assert answer_to("box.evil", host="0.0.0.0")[0] == 400
    assert answer_to("named", host="named")[0] == 200


def test_made_up_names_do_not_fill_the_log(caplog):
    async def ask() -> None:
        check = HostCheck(inside, ServeSettings())
        for i in [*range(100), *range(100)]:
            scope = {"type": "http", "headers": [(b"host", b"%d.example" % i)]}
            with pytest.raises(RefusalError):
                check.check(scope)

    with caplog.at_level(logging.INFO):
        asyncio.run(ask())
    assert 0 < len(caplog.records) < 50


@pytest.mark.parametrize("host", ["", "  ", "[]"])
def test_an_empty_host_is_refused(host):
    with pytest.raises(ConfigurationError, match=r"host: is empty; 0\.0\.0\.0"):
        ServeSettings.parse({"host": host})


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("no.such.host.invalid", "there is no such host"),
        ("a" * 100 + ".de", "there is no such host"),
        ("203.0.113.7", "a name of this machine"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(host, said):
    with pytest.raises(ConfigurationError, match=said) as error:
        listen(ServeSettings.parse({"host": host, "port": 0}))
    assert "Another program" not in str(error.value)


def test_a_port_is_taken_at_once():
    with listen(ServeSettings.parse({"port": 0})) as first:
        port = first.getsockname()[1]
        assert address_of(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(ConfigurationError, match="Another program listens there"):
            listen(ServeSettings.parse({"port": port}))


def test_a_port_that_is_not_allowed_is_explained(monkeypatch):
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigurationError, match="choose a --port from 1024 on"):
        listen(ServeSettings.parse({"port": 80}))


def test_a_unix_socket_replaces_only_one_that_is_left_behind(tmp_path):
    settings = ServeSettings.parse({"uds": tmp_path / "socket"})
    with listen(settings) as first:
        assert address_of(first) == f"unix:{tmp_path / 'socket'}"
        with pytest.raises(ConfigurationError, match="Another program"):
            listen(settings)
    listen(settings).close()  # the file of the first is still there
    file = tmp_path / "file"
    file.write_text("kept")
    for wrong in (file, tmp_path / "none" / "socket", tmp_path / ("x" * 200)):
        with pytest.raises(ConfigurationError, match="--uds"):
            listen(ServeSettings.parse({"uds": wrong}))
    assert file.read_text() == "kept"


@pytest.mark.parametrize("value", ["10.0.0.1", "10.0.0.0/8,::1", "*", ("127.0.0.1",)])
def test_proxies_are_addresses(value):
    assert ServeSettings.parse({"forwarded_allow_ips": value}).forwarded_allow_ips
    with pytest.raises(ConfigurationError, match="is an address such as"):
        ServeSettings.parse({"forwarded_allow_ips": "proxy.example"})


def test_ipv6_clients_are_counted_by_their_network():
    access = AccessControl(ServeSettings.parse({"requests_per_minute": 2}))
    for address in ("2001:db8::1", "2001:db8:0:0:ffff::2"):
        access.check(None, address)
    with pytest.raises(RefusalError):
        access.check(None, "2001:db8::3%eth0")
    access.check(None, "2001:db8:0:1::1")  # another one
    for address in ("::ffff:1.2.3.4", "1.2.3.4"):
        access.check(None, address)
    with pytest.raises(RefusalError):
        access.check(None, "1.2.3.4")
    access.check(None, "1.2.3.5")
    access.check(None, "unknown")


def test_lines_of_keys_end_at_newlines_alone(tmp_path):
    path = tmp_path / "keys"
    key = "0" * 64
    path.write_bytes(f"\ufeff{key}  Zoë\x0b\u2028 of the\x85 office\r\n\r\n{key}\n".encode())
    assert read_keys(path) == [key, key]


def test_no_file_handles_left_is_said_once(caplog):
    handler = AcceptErrors()
    defaults: list[Any] = []

    class Loop:
        def default_exception_handler(self, context: Any) -> None:
            defaults.append(context)

    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            handler(Loop(), {"exception": OSError(errno.EMFILE, "Too many open files"), "socket": None})
    assert len(caplog.records) == 1
    assert not defaults
    handler(Loop(), {"exception": ValueError("other")})
    assert len(defaults) == 1


def test_settings_are_refused_that_are_no_paths():
    assert ServeSettings.parse({"root_path": "/mt/"}).root_path == "/mt"
    for wrong in ("mt", "/a b", "/a//b", "/x?y", "http://a/b"):
        with pytest.raises(ConfigurationError, match="begins with /"):
            ServeSettings.parse({"root_path": wrong})
