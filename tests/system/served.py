"""A service in a process of its own, and how to talk to it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

PATIENCE_S = 180
"""How long what has to come may take on a machine that is busy with other tests."""


class Served:
    """A service that runs."""

    def __init__(self, log: Path, *arguments: object) -> None:
        self.log = log
        with log.open("w") as stream:
            command = [sys.executable, "-m", "interlingua", "serve", *map(str, arguments), "--port", "0"]
            self.process = subprocess.Popen(command, stderr=stream)
        (self.started,) = self.wait_for("started")
        self.port = self.started["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def wait_for(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """The lines of the log about an event with these fields, once there is one: a thread writes them."""
        sought = {"event": event, **fields}.items()
        deadline = time.monotonic() + PATIENCE_S
        while not (found := [line for line in self.lines() if sought <= line.items()]):
            assert self.process.poll() is None
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return found

    def get(self, path: str, **request: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE_S, **request)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=PATIENCE_S, **request)

    def translate(self, q: Any, **more: Any) -> Any:
        answer = self.post("/translate", json={"q": q, "source": "en", "target": "de", **more})
        assert answer.status_code == 200, answer.text
        return answer.json()["translatedText"]

    def raw(self, content: bytes) -> bytes:
        """What comes back on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
            answer = b""
            try:
                connection.sendall(content)
                while part := connection.recv(65536):
                    answer += part
            except ConnectionError:
                pass
            return answer

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)
