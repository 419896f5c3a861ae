"""How a service starts, does not start, and is reached: as a process of its own."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.system.served import PATIENCE_S, Served

ONE = ("--workers", 1)


@pytest.fixture(scope="module")
def bundle(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits model from en to de."""
    directory = tmp_path_factory.mktemp("started") / "en-de"
    shutil.copytree(model, directory, ignore=shutil.ignore_patterns("training"))
    config = directory / "config.toml"
    config.write_text(config.read_text().replace('"fw"', '"en"').replace('"bw"', '"de"'))
    return directory


@pytest.fixture(scope="module")
def served(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = Served(
        tmp_path_factory.mktemp("log") / "log",
        bundle,
        *ONE,
        "--url-prefix",
        "/mt",
        "--allowed-host",
        "mt.example",
    )
    yield service
    assert service.stop() == 0


def test_only_known_names_are_answered(served):
    for host, status in (("localhost", 200), ("127.0.0.1:1", 200), ("[::1]", 200), ("mt.example", 200),
                         ("rebound.example", 400)):  # fmt: skip
        answer = served.get("/health", headers={"Host": host})
        assert answer.status_code == status
    assert "--allowed-host rebound.example" in answer.json()["error"]
    assert [line["host"] for line in served.wait_for("host_refused")] == ["rebound.example"]
    assert b" 400 " in served.raw(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert b" 200 " in served.raw(b"GET /health HTTP/1.0\r\n\r\n")


def test_head_is_get_without_the_body(served):
    for path in ("/", "/health", "/languages", "/metrics", "/openapi.json", "/page.js"):
        head, get = httpx.head(served.url + path, timeout=PATIENCE_S), served.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert httpx.head(served.url + "/translate", timeout=PATIENCE_S).status_code == 405
    assert httpx.head(served.url + "/none", timeout=PATIENCE_S).status_code == 404
    assert served.raw(b"HEAD /health HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n")


@pytest.mark.parametrize("prefix", ["", "/mt"])
def test_it_lives_below_a_path_whether_or_not_the_proxy_cuts_it_off(served, prefix):
    assert served.get(prefix + "/").text.startswith("<!doctype html>")
    assert served.get(prefix + "/page.js").status_code == 200
    assert served.get(prefix + "/openapi.json").json()["servers"] == [{"url": "/mt"}]
    asked = {"q": "1 2", "source": "en", "target": "de"}
    assert served.post(prefix + "/translate", json=asked).json() == {"translatedText": "2 1"}
    form = {"source": "en", "target": "de"}
    answer = served.post(prefix + "/translate_file", data=form, files={"file": ("a.txt", b"1 2")})
    assert answer.json()["translatedFileUrl"].startswith(served.url + "/mt/download_file/")
    assert served.get(answer.json()["translatedFileUrl"].removeprefix(served.url)).text == "2 1"
    if prefix:  # the page's links are relative
        assert served.get(prefix).headers["location"].endswith("/mt/")


def test_a_unix_socket_is_listened_on(bundle, tmp_path):
    path = tmp_path / "socket"
    process, log = start(tmp_path, bundle, *ONE, "--uds", path, "--requests-per-minute", 1)
    wait_for(process, log, "started")
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=PATIENCE_S) as client:
        asked = {"q": "1 2", "source": "en", "target": "de"}
        for address, status in (("1.1.1.1", 200), ("2.2.2.2", 200), ("1.1.1.1", 429)):  # a proxy is believed
            answer = client.post("/translate", json=asked, headers={"X-Forwarded-For": address})
            assert answer.status_code == status
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_S) == 0
    assert not path.exists()


def start(tmp_path: Path, *arguments: object) -> tuple[subprocess.Popen[bytes], Path]:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "interlingua", "serve", *map(str, arguments)]
    with log.open("w") as stream:
        return subprocess.Popen(command, stderr=stream, stdout=stream), log


def wait_for(process: subprocess.Popen[bytes], log: Path, event: str) -> None:
    while f'"{event}"' not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Once there are any."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        assert process.poll() is None
        time.sleep(0.01)
    return [int(each) for each in found]


def is_running(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stop_while_it_loads_leaves_nothing_behind(bundle, tmp_path, number):
    process, log = start(tmp_path, bundle, "--workers", 2, "--port", 0)
    workers = workers_of(process)
    process.send_signal(number)
    code = process.wait(timeout=PATIENCE_S)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    while any(map(is_running, workers)):
        time.sleep(0.02)
    assert "Traceback" not in log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_that_is_killed_while_it_loads_is_explained(bundle, tmp_path):
    process, log = start(tmp_path, bundle, "--workers", 2, "--port", 0)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    assert process.wait(timeout=PATIENCE_S) == 2
    assert "killed by signal 9" in log.read_text()
    assert "fewer --workers" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_device_that_is_not_there_is_explained(bundle, tmp_path):
    process, log = start(tmp_path, bundle, *ONE, "--device", "cuda:99", "--port", 0)
    assert process.wait(timeout=PATIENCE_S) == 2
    assert "cuda:99" in log.read_text()
    assert "Traceback" not in log.read_text()


def free_port() -> int:
    """One that no connection is given meanwhile, as one of those that a system gives out may be."""
    for port in random.sample(range(20_000, 30_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("there is no free port")


def test_of_two_services_started_at_once_one_gets_the_port(bundle, tmp_path):
    port = free_port()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    both = [start(tmp_path / name, bundle, *ONE, "--port", port) for name in "ab"]
    while all(process.poll() is None for process, _ in both):
        time.sleep(0.02)
    (lost, log), (won, log_of_won) = sorted(both, key=lambda each: each[0].poll() is None)
    assert lost.returncode == 2
    assert "Another program listens there" in log.read_text()
    assert "Traceback" not in log.read_text()
    wait_for(won, log_of_won, "started")
    won.send_signal(signal.SIGTERM)
    assert won.wait(timeout=PATIENCE_S) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_file_handles_that_run_out_are_said_once_and_it_recovers(bundle, tmp_path):
    service = Served(tmp_path / "log", bundle, *ONE)
    pid = service.process.pid
    few = len(list(Path(f"/proc/{pid}/fd").iterdir())) + 5
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, hard))
    others = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(60)]
    said = service.wait_for("connections_wait")
    for each in others:
        each.close()
    assert service.get("/health").status_code == 200
    assert service.stop() == 0
    assert said == [
        line for line in service.lines() if line["event"] not in ("started", "request", "stopped")
    ]


def test_there_are_no_more_connections_than_file_handles(bundle, tmp_path):
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)); "
        "from interlingua.cli.main import main; main()"
    )
    log = tmp_path / "log"
    with log.open("w") as stream:
        command = [sys.executable, "-c", program, "serve", bundle, "--workers", "1", "--port", "0"]
        process = subprocess.Popen(command, stderr=stream, stdout=stream)
    wait_for(process, log, "started")
    assert '"max_connections": 68' in log.read_text()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_S) == 0
