"""`interlingua serve` with a model of sounds: what programs get, what hostile ones cannot do."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import io
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import soundfile

import interlingua
from interlingua.inference.transcriber import Transcriber
from tests.system.conftest import call
from tests.system.served import PATIENCE_S, Served
from tests.tones import melody, write_wav

RATE = 16_000
TUNE = ["la", "do", "mi"]
SECONDS, BYTES = 400, 2 << 20


def encoded(samples: np.ndarray, format: str = "WAV", rate: int = RATE, **options: Any) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=format, **options)
    return content.getvalue()


def tune(seed: int = 1) -> bytes:
    return encoded(melody(TUNE, seed=seed))


@functools.cache
def long_tune(seconds: float) -> bytes:
    one = np.concatenate([melody(["la", "do", "mi", "so"], seed=4), np.zeros(RATE // 2, np.int16)])
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", RATE, 1, format="OGG") as file:
        for _ in range(int(seconds * RATE / len(one))):  # libsndfile crashes on too much at once
            file.write(one)
    return content.getvalue()


@pytest.fixture(scope="module")
def served(model: Path, sound_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a model of texts and one of sounds."""
    private = tmp_path_factory.mktemp("private")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(private))
        service = Served(
            tmp_path_factory.mktemp("log") / "log", model, sound_model, "--workers", 1,
            "--set", f"max_sound_seconds={SECONDS}", "--set", f"max_sound_bytes={BYTES}",
            "--set", "body_timeout_s=1", "--set", "max_body_bytes=1000000",
        )  # fmt: skip
    yield service
    assert service.stop() == 0
    assert list(private.iterdir()) == []


@pytest.fixture(scope="module")
def said(sound_model: Path) -> str:
    """What the model takes the tune for: nearly what it is, or just that."""
    model = interlingua.load(sound_model, threads=1)
    assert isinstance(model, Transcriber)
    return model.transcribe([melody(TUNE, seed=1)])[0].text


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def transcribe(served: Served, content: bytes, **query: Any) -> Any:
    answer = served.post("/v1/transcribe", content=content, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def metric(served: Served, name: str) -> float:
    lines = served.get("/metrics").text.split("\n")
    return float(next(line.split()[1] for line in lines if line.startswith(f"interlingua_{name} ")))


def test_openais_client_gets_every_format(client, said, tmp_path):
    file = write_wav(tmp_path / "tune.wav", melody(TUNE, seed=1))
    ask = client.audio.transcriptions.create
    assert ask(model="whisper-1", file=file).text == said
    assert ask(model="melodies", file=file, prompt="notes", temperature=0, language="en").text == said
    assert ask(model="melodies", file=("x", encoded(melody(TUNE, seed=1), "FLAC"))).text == said
    assert ask(model="melodies", file=file, response_format="text") == f"{said}\n"
    srt = ask(model="melodies", file=file, response_format="srt")
    assert srt.startswith("1\n00:00:00,")
    assert srt.endswith(f"\n{said}\n\n")
    vtt = ask(model="melodies", file=file, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.")
    assert said in vtt
    whole = ask(model="melodies", file=file, response_format="verbose_json")
    assert [segment.text for segment in whole.segments] == [said]
    assert whole.duration == pytest.approx(0.6, abs=0.01)
    assert whole.words is None
    timed = ask(model="melodies", file=file, response_format="verbose_json", timestamp_granularities=["word"])
    assert [word.word for word in timed.words] == said.split()
    assert timed.segments is None
    assert all(0 <= word.start <= word.end <= whole.duration + 0.05 for word in timed.words)
    assert ask(model="melodies", file=file, temperature=0.2).text


def test_openais_client_gets_a_text_piece_by_piece(client, served):
    content = long_tune(8)
    told = list(client.audio.transcriptions.create(model="melodies", file=content, stream=True))
    assert [each.type for each in told[:-1]] == ["transcript.text.delta"] * (len(told) - 1)
    assert len(told) > 2
    assert told[-1].type == "transcript.text.done"
    whole = client.audio.transcriptions.create(model="melodies", file=content).text
    assert told[-1].text == "".join(each.delta for each in told[:-1]) == whole
    with pytest.raises(openai.APIError, match="sound file"):
        list(client.audio.transcriptions.create(model="melodies", file=b"no sound", stream=True))


def test_openais_client_finds_the_models(client):
    assert [model.id for model in client.models.list()] == ["melodies"]
    assert client.models.retrieve("melodies").owned_by == "interlingua"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("en-de")


@pytest.mark.parametrize(
    ("given", "kind", "field", "code", "said"),
    [
        ({"model": "gpt"}, openai.NotFoundError, "model", "model_not_found", "Known: melodies"),
        ({"response_format": "doc"}, openai.BadRequestError, "response_format", None, "verbose_json"),
        ({"temperature": 7}, openai.BadRequestError, "temperature", None, "less than or equal to 1"),
        ({"timestamp_granularities": ["x"]}, openai.BadRequestError, None, None, "timestamp_granularities"),
        ({"stream": True, "response_format": "srt"}, openai.BadRequestError, "stream", None, "json"),
        ({"file": b"no sound"}, openai.BadRequestError, "file", None, "sound file"),
        ({"file": b""}, openai.BadRequestError, "file", None, "empty"),
        ({"file": bytes(BYTES + 10_000)}, openai.APIStatusError, None, None, f"{BYTES:,} bytes"),
    ],
)
def test_openais_client_understands_what_is_wrong(client, given, kind, field, code, said):
    with pytest.raises(kind) as raised:
        client.audio.transcriptions.create(**{"model": "whisper-1", "file": tune(), **given})
    error = raised.value
    assert said in error.message
    assert error.code == code
    assert error.type == "invalid_request_error"
    if field:
        assert error.param == field


def test_everything_about_a_sound(served, sound_model):
    sounds = {seed: melody(["so", *TUNE][: 1 + seed % 4], seed=seed) for seed in range(12)}
    model = interlingua.load(sound_model, threads=1)
    assert isinstance(model, Transcriber)
    offline = model.transcribe(list(sounds.values()), words=True)

    def ask(seed: int) -> Any:
        content = encoded(sounds[seed])
        if seed % 2:  # as a form or as the body
            return served.post("/v1/transcribe", files={"file": content}, data={"model": "melodies"}).json()
        return transcribe(served, content, model="melodies")

    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        texts = [threads.submit(served.translate, "1 2 3", source="fw", target="bw") for _ in range(6)]
        answers = list(threads.map(ask, sounds))
    assert {text.result() for text in texts} == {"3 2 1"}
    for answer, expected in zip(answers, offline, strict=True):
        assert answer["text"] == expected.text
        assert answer["flags"] == list(expected.flags)
        (segment,) = answer["segments"]
        assert segment["tokens"] == list(expected.tokens)
        assert segment["log_probs"] == pytest.approx(expected.log_probs, abs=1e-3)
        assert answer["duration"] == pytest.approx(expected.span_s[1], abs=1e-3)
        assert [word["word"] for word in answer["words"]] == [word.text for word in expected.words]
        for word, other in zip(answer["words"], expected.words, strict=True):
            assert word["confidence"] == pytest.approx(other.confidence, abs=2e-3)
            assert word["start"] == pytest.approx(other.start_s, abs=1e-3)


def test_silence_is_nothing_that_was_said(served):
    answer = transcribe(served, encoded(np.zeros(RATE * 30, np.int16)))
    assert (answer["text"], answer["flags"], answer["duration"]) == ("", ["empty"], 30.0)
    assert transcribe(served, encoded(melody(TUNE)[:100]))["text"] == ""


def events(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_long_sound_holds_nobody_up_and_tells_how_far_it_is(served, said):
    asked = {"params": {"stream": True}, "content": long_tune(300)}
    with httpx.stream("POST", f"{served.url}/v1/transcribe", timeout=PATIENCE_S, **asked) as answer:
        told = events(answer)
        first = next(told)
        assert first[0] == "progress"
        before = metric(served, "sounds_total")
        assert transcribe(served, tune())["text"] == said
        assert served.translate("4 5", source="fw", target="bw") == "5 4"
        # Only the short one was done meanwhile.
        assert metric(served, "sounds_total") == before + 1
        assert metric(served, "queue_sound_seconds") == pytest.approx(300, abs=5)
        *rest, (name, whole) = told
    assert name == "done"
    texts = [content["text"] for _, content in (first, *rest)]
    assert all(whole["text"].startswith(text) for text in texts)
    assert sorted(texts, key=len) == texts
    assert whole["duration"] == pytest.approx(300, abs=5)
    starts = [word["start"] for word in whole["words"]]
    assert starts == sorted(starts)
    assert starts[-1] > 280
    assert len(whole["segments"]) > 50


def test_who_hangs_up_leaves_nothing_behind(served, said):
    asked = {"params": {"stream": True}, "content": long_tune(300)}
    with httpx.stream("POST", f"{served.url}/v1/transcribe", timeout=PATIENCE_S, **asked) as answer:
        next(events(answer))
    deadline = time.monotonic() + PATIENCE_S
    while metric(served, "queue_sound_seconds") or metric(served, "queue_sentences"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert transcribe(served, tune())["text"] == said


def wav_header(rate: int = RATE, channels: int = 1, data_bytes: int = 1 << 30) -> bytes:
    frame = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * frame % 2**32, frame % 2**16, 16)
    size = min(data_bytes + 36, 2**32 - 1)
    return b"".join(
        [b"RIFF", struct.pack("<I", size), b"WAVEfmt ", struct.pack("<I", 16), form, b"data",
         struct.pack("<I", data_bytes)]
    )  # fmt: skip


@functools.cache
def flac_silence(seconds: int, *, said: bool) -> bytes:
    content = bytearray(encoded(np.zeros(seconds * 8000, np.int16), "FLAC", 8000))
    if not said:  # the header may leave out how many samples there are
        content[21] &= 0xF0
        content[22:26] = bytes(4)
    return bytes(content)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "text": lambda: b"this is no sound at all" * 50,
    "a truncated WAV file": lambda: tune()[:-5000],
    "a truncated FLAC file": lambda: encoded(melody(TUNE), "FLAC")[:-500],
    "a truncated Ogg file": lambda: encoded(melody(TUNE), "OGG")[:-500],
    "a truncated header": lambda: tune()[:30],
    "a header that claims eight hours": lambda: wav_header(data_bytes=8 * 3600 * 2 * RATE) + bytes(1000),
    "a header that claims all there can be": lambda: wav_header(data_bytes=2**32 - 1) + bytes(1000),
    "65535 channels": lambda: wav_header(channels=65_535) + bytes(500_000),
    "1024 channels": lambda: wav_header(channels=1024, data_bytes=2**31) + bytes(100_000),
    "a rate of nothing": lambda: wav_header(rate=0) + bytes(1000),
    "a rate of gigahertz": lambda: wav_header(rate=2**31) + bytes(1000),
    "hours of silence in a few bytes": lambda: flac_silence(3600, said=True),
    "hours of silence that are not announced": lambda: flac_silence(3600, said=False),
    "no numbers": lambda: encoded(np.full(RATE, np.nan, np.float32), subtype="FLOAT"),
    "huge numbers": lambda: encoded(np.full(RATE, 1e30, np.float32), subtype="FLOAT"),
    "no samples": lambda: encoded(np.zeros(0, np.int16)),
    "a ZIP archive": lambda: b"PK\x03\x04" + os.urandom(2000),
    "a WebM file": lambda: b"\x1aE\xdf\xa3" + os.urandom(2000),
    "a web page": lambda: b"<!DOCTYPE html><html>" * 100,
    "an Ogg file of noise": lambda: b"OggS" + os.urandom(5000),
    "an MP3 file of noise": lambda: b"ID3" + os.urandom(50_000),
    "a FLAC file of noise": lambda: b"fLaC" + os.urandom(5000),
    "a damaged FLAC file": lambda: damaged(encoded(melody(TUNE * 5), "FLAC")),
    "a damaged MP3 file": lambda: damaged(encoded(melody(TUNE * 5), "MP3")),
}  # fmt: skip


READABLE = {"a header that claims all there can be", "1024 channels", "a damaged MP3 file"}
"""Such headers are those of a stream; and MP3 is made to be read all the same."""


def damaged(content: bytes) -> bytes:
    changed = bytearray(content)
    for place in np.random.default_rng(3).integers(40, len(content), 200):
        changed[place] ^= 0x5A
    return bytes(changed)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_sounds_are_refused_and_hurt_nobody(served, said, kind):
    restarts = metric(served, "worker_restarts_total")
    content = HOSTILE[kind]()
    answer = served.post("/v1/audio/transcriptions", files={"file": ("../../etc/passwd", content)})
    assert answer.status_code in ((200, 400) if kind in READABLE else (400, 422)), answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert "interlingua-" not in answer.text
        assert "passwd" not in answer.text
    assert served.post("/v1/transcribe", content=content).status_code == answer.status_code
    assert transcribe(served, tune())["text"] == said
    assert metric(served, "worker_restarts_total") == restarts
    if "silence" in kind:
        assert answer.status_code == 422
        assert f"{SECONDS} seconds" in answer.text
    for line in served.lines():
        assert line["event"] not in ("decoding_failed", "request_failed", "worker_lost"), line


def multipart(*parts: bytes, boundary: str = "b") -> dict[str, Any]:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return {"content": body, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


def part(name: str, content: bytes, filename: str | None = "a.wav") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"content": b""}, 400, "multipart"),
        ({"json": {"file": "a", "model": "whisper-1"}}, 400, "multipart"),
        ({"data": {"file": "a"}}, 400, "multipart"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "cannot be read"),
        (multipart(part("file", b"x"), boundary="other"), 400, "cannot be read"),
        (multipart(), 400, "no file"),
        (multipart(part("model", b"whisper-1", None)), 400, "no file"),
        (multipart(part("file", b"in a field", None)), 400, "no file"),
        (multipart(part("sound", b"RIFF")), 400, "no file"),
        (multipart(part("file", b"")), 400, "empty"),
        (multipart(part("file", b"RIFF"), part("file", b"RIFF")), 400, "2 files"),
        (multipart(*[part("x", b"1", None)] * 500), 400, "cannot be read"),
        (multipart(*[part(f"f{i}", b"1") for i in range(500)]), 400, "cannot be read"),
        (multipart() | {"content": b"--b\r\nnonsense"}, 400, "Invalid request"),
        ({"content": b"x", "headers": {"Content-Encoding": "gzip"}}, 415, "Compressed"),
        ({"content": bytes(BYTES * 2)}, 413, f"{BYTES:,} bytes"),
    ],
)  # fmt: skip
def test_requests_that_are_none_are_refused_in_openais_form(served, request_, status, said):
    answer = served.post("/v1/audio/transcriptions", **request_)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert said in error["message"]
    assert error["type"] == "invalid_request_error"


def test_an_upload_that_never_ends_is_ended(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S) as connection:
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BYTES}\r\n\r\n"
        connection.sendall(head.encode() + bytes(1000))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"type":"invalid_request_error"' in answer


def test_a_workers_memory_stays_bounded(served):
    (pid,) = {int(child) for child in children(served.process.pid)}
    before = peak_mb(pid)
    for content in (flac_silence(3600, said=False), flac_silence(SECONDS - 1, said=True)):
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            statuses = threads.map(
                lambda it: served.post("/v1/transcribe", content=it).status_code, [content] * 4
            )
            assert set(statuses) <= {200, 422}
    # Hours would be hundreds of megabytes as samples.
    assert peak_mb(pid) - before < 150


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().split("\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def test_the_log_holds_lengths_and_no_texts(served, said):
    transcribe(served, tune(), model="melodies")
    served.wait_for("request", route="/v1/transcribe", model="melodies", seconds=0.6)
    assert said not in served.log.read_text()
    assert metric(served, "sound_seconds_total") > 0


def test_only_sounds_with_keys(sound_model, said, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"secret").hexdigest() + "\n")
    served = Served(tmp_path / "log", sound_model, "--workers", 1, "--api-keys", keys)
    try:
        assert served.get("/").status_code == 200
        assert served.get("/health").status_code == 200
        assert served.get("/languages").json() == []
        told = served.get("/frontend/settings").json()
        assert told["language"] is None
        assert [each["model"] for each in told["sounds"]] == ["melodies"]
        assert served.post("/translate", json={"q": "1", "source": "a", "target": "b"}).status_code == 404
        assert "/translate" not in served.get("/openapi.json").json()["paths"]
        for key, allowed in (("secret", True), ("guessed", False)):
            with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) as client:
                if allowed:
                    found = client.audio.transcriptions.create(model="whisper-1", file=tune())
                    assert found.text == said
                    continue
                with pytest.raises(openai.AuthenticationError) as raised:
                    client.audio.transcriptions.create(model="whisper-1", file=tune())
                assert raised.value.code == "invalid_api_key"
                with pytest.raises(openai.AuthenticationError):
                    client.models.list()
        assert served.post("/v1/transcribe", content=tune()).status_code == 403
        assert served.post("/v1/transcribe", content=tune(), params={"api_key": "secret"}).status_code == 200
    finally:
        assert served.stop() == 0


def test_two_models_of_one_name_are_refused(sound_model, tmp_path):
    other = tmp_path / sound_model.name
    other.symlink_to(sound_model)
    result = call("serve", sound_model, other, "--port", 0)
    assert result.code == 2
    assert "two models are called melodies" in result.err
