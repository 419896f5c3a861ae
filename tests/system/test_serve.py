"""`interlingua serve` as a process of its own, with real workers, spoken to over real connections."""

from __future__ import annotations

import concurrent.futures
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from deep_translator import LibreTranslator
from hypothesis import HealthCheck, Phase, given, settings
from libretranslatepy import LibreTranslateAPI
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

import interlingua
from tests.system.conftest import call
from tests.system.served import PATIENCE_S, Served


@pytest.fixture(scope="module")
def models(model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The digits model under the names of languages that clients know."""
    directories = []
    for source, target in (("en", "de"), ("de", "en")):
        directory = tmp_path_factory.mktemp("served") / f"{source}-{target}"
        shutil.copytree(model, directory, ignore=shutil.ignore_patterns("training"))
        config = directory / "config.toml"
        config.write_text(config.read_text().replace('"fw"', f'"{source}"').replace('"bw"', f'"{target}"'))
        directories.append(directory)
    return directories


@pytest.fixture(scope="module")
def served(models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = Served(
        tmp_path_factory.mktemp("log") / "log", *models, "--workers", 2, "--set", "max_connections=500",
        "--set", "draft_ms=0",
    )  # fmt: skip
    yield service
    assert service.stop() == 0


def digits(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return list(
        dict.fromkeys(" ".join(draw.choices("0123456789", k=draw.randint(1, 6))) for _ in range(count))
    )


def test_libretranslates_clients_work(served):
    client = LibreTranslateAPI(served.url)
    assert client.translate("1 2 3", "en", "de") == served.translate("1 2 3") == "3 2 1"
    assert {language["code"]: language["targets"] for language in client.languages()} == {
        "en": ["de"], "de": ["en"]
    }  # fmt: skip
    assert client.detect("Der Hund läuft durch den Wald.")[0]["language"] == "de"
    other = LibreTranslator(source="en", target="de", custom_url=served.url + "/", api_key="any")
    assert other.translate("4 5") == "5 4"
    assert other.translate_batch(["4 5", "6"]) == ["5 4", "6"]


def test_answers_are_those_of_translate_whatever_comes_together(served, models):
    texts = digits(120)
    offline = interlingua.load(models[0], threads=1).translate(texts)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(served.translate, texts))
    assert answers == [translation.text for translation in offline]
    assert served.translate("\n\n".join(texts)) == "\n\n".join(answers)
    assert served.translate(texts[:50]) == answers[:50]


def test_html_holds_the_translation_of_the_plain_sentence(served):
    plain = served.translate("1 2 3 4 5")
    out = served.translate("<p>1 <b>2 3</b> <a href='x'>4</a> 5</p>", format="html")
    assert out.startswith("<p>")
    for tag in ("<b>", "</b>", "<a href='x'>", "</a>", "<p>", "</p>"):
        assert out.count(tag) == 1
        out = out.replace(tag, "")
    assert out == plain


def test_everything_about_a_translation(served, models):
    asked = {"q": "1 2 3", "target": "de", "source": "en", "alternatives": 2, "attention": True}
    part = served.post("/v1/translate", json=asked).json()["translations"][0]["parts"][0]
    (offline,) = interlingua.load(models[0], threads=1).translate(["1 2 3"], beam=5, n_best=3, attention=True)
    assert part["tokens"] == list(offline.tokens)
    assert part["log_probs"] == pytest.approx(offline.log_probs, abs=1e-3)
    assert [other["text"] for other in part["alternatives"]] == [other.text for other in offline.alternatives]
    cross = offline.attention.cross
    assert [len(part["attention"]["cross"]), len(part["attention"]["cross"][0][0])] == [
        cross.shape[0],
        cross.shape[2],
    ]


def test_events_tell_the_translation_so_far(served):
    assert _count_events(served, "\n".join(digits(30))) > 3  # it grew
    # Within a sentence too. A draft that another program holds up keeps the worker from more of them.
    sentences = [" ".join(str((first + i) % 10) for i in range(8)) for first in range(10)]
    assert any(_count_events(served, sentence) > 3 for sentence in sentences)


def _count_events(served: Served, q: str) -> int:
    """How many different texts it was told, which must end with the whole translation."""
    names, texts = [], []
    asked = {"q": q, "target": "de", "stream": True}
    with httpx.stream("POST", served.url + "/v1/translate", json=asked, timeout=PATIENCE_S) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                names.append(line.removeprefix("event: "))
            elif line.startswith("data: ") and names[-1] == "progress":
                texts.append(json.loads(line.removeprefix("data: "))["text"])
            elif line.startswith("data: "):
                texts.append(json.loads(line.removeprefix("data: "))["translations"][0]["text"])
    assert names[-1] == "done"
    assert texts[-1] == served.translate(q)
    return len(set(texts))


def test_a_file_comes_back_translated(served):
    content = b"1\n00:00:01,000 --> 00:00:02,000\n1 2\n3\n"
    form = {"source": "en", "target": "de"}
    url = served.post("/translate_file", data=form, files={"file": ("a.srt", content)}).json()
    with urllib.request.urlopen(url["translatedFileUrl"]) as answer:
        assert answer.read() == b"1\n00:00:01,000 --> 00:00:02,000\n3 2\n1\n"


HEADERS = b"Host: x\r\nContent-Type: application/json\r\n"
HOSTILE = {
    "no http": b"\x16\x03\x01\x02\x00\x01",
    "bad method": b"G\xffT / HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /translate HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "negative length": b"POST /translate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "bad chunk": b"POST /translate HTTP/1.1\r\n" + HEADERS + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "endless line": b"GET /" + b"a" * 300_000,
    "endless header": b"GET /health HTTP/1.1\r\nX: " + b"a" * 300_000,
    "header flood": b"GET /health HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)),
    "bad header": b"GET /health HTTP/1.1\r\nHost : x\r\n\x00\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_broken_http_gets_a_400_or_nothing(served, name):
    answer = served.raw(HOSTILE[name])
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert served.translate("1 2") == "2 1"


LEGAL = [
    "a" * 9_999,
    "\x00\x01\x07",
    "\u202e\ufeff\u200b",
    "😀" * 500,
    "a\n" * 300,
    "\u0301" * 500,
    " ",
    "{" * 2000,
]


def test_strange_but_legal_texts_are_translated(served):
    for text in LEGAL:
        for format in ("text", "html"):
            translated = served.translate(text, format=format)
            assert translated.count("\n") == text.count("\n") or format == "html"
    deep = "<b>" * 3000 + "1 2" + "</b>" * 3000
    assert served.translate(deep[:9999], format="html").count("<b>") == deep[:9999].count("<b>")


def test_a_huge_body_is_refused_politely(served):
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    answer = served.post("/translate", content=endless())
    assert (answer.status_code, list(answer.json())) == (413, ["error"])


def test_a_killed_worker_is_replaced_and_no_request_is_lost(served):
    texts = digits(200, seed=3)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(served.translate, text) for text in texts]
        time.sleep(0.1)
        os.kill(served.started["workers"][0], signal.SIGKILL)
        answers = [future.result() for future in futures]
    again = served.translate(texts[:100]) + served.translate(texts[100:])
    assert answers == again


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_schema_is_what_the_service_does(served, mode):
    description = schemathesis.openapi.from_url(served.url + "/openapi.json")
    operations = [each.ok() for each in description.get_all_operations()]
    assert {operation.path for operation in operations} >= {"/translate", "/v1/translate", "/health"}
    tried = set()
    for operation in operations:
        if mode == GenerationMode.NEGATIVE and operation.method == "get":
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=15, deadline=None, derandomize=True, database=None,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def visit(case):
            tried.add(case.operation.path)
            # A schema cannot say that a file must be called .txt, or be UTF-8.
            unsaid = [positive_data_acceptance] if case.operation.path == "/translate_file" else []
            case.call_and_validate(timeout=PATIENCE_S, excluded_checks=unsaid)

        visit()
    assert "/v1/translate" in tried


def test_a_stop_finishes_what_runs_and_refuses_what_comes(models, tmp_path):
    service = Served(tmp_path / "log", models[0], "--workers", 1)
    (worker,) = service.started["workers"]
    text = "\n".join(digits(900, seed=5))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(service.translate, text)
        while "interlingua_decode_seconds_count 0" in service.get("/metrics").text:
            time.sleep(0.01)
        os.kill(worker, signal.SIGSTOP)  # it is not to end before others were refused
        service.process.send_signal(signal.SIGTERM)
        try:
            deadline, refused = time.monotonic() + PATIENCE_S, False
            while not refused:
                assert time.monotonic() < deadline
                try:
                    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S):
                        time.sleep(0.01)
                except ConnectionError:
                    refused = True
        finally:
            os.kill(worker, signal.SIGCONT)
        translated = running.result()
    assert translated.count("\n") == text.count("\n")
    assert service.stop() == 0
    assert service.lines()[-1]["event"] == "stopped"


def test_the_service_itself_does_without_pytorch():
    program = "import interlingua.serving.run, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_mistakes_at_the_start_are_explained(models, model, tmp_path):
    unnamed = tmp_path / "unnamed"
    shutil.copytree(models[0], unnamed)
    config = unnamed / "config.toml"
    config.write_text(config.read_text().replace("languages", "spoken", 1))
    damaged = tmp_path / "damaged"
    shutil.copytree(models[0], damaged)
    (damaged / "model.safetensors").write_bytes(b"no")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, message in (
            ([tmp_path / "none"], "there is no such model directory"),
            ([unnamed], "languages = ["),
            ([models[0], models[0]], "two models translate en-de"),
            ([damaged], "the weights are damaged"),
            ([models[0], "--port", port], "cannot be listened on"),
            ([models[0], "--port", 70_000], "port"),
            ([models[0], "--api-keys", tmp_path / "keys"], "API keys cannot be read"),
            ([models[0], "--set", "quue=3"], "Did you mean 'queue'"),
        ):
            result = call("serve", *arguments, "--workers", 1)
            assert (result.code, message in result.err) == (2, True), result.err
