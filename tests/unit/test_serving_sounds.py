"""Sounds through the service, with workers that only pretend to hear: limits, queue, what is left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import pytest

from interlingua.errors import ConfigurationError
from interlingua.serving.app import Sounds, build_app
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Catalogue
from interlingua.serving.models.sounds import SoundCatalogue, SoundModel
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.process import AboutModel, WorkerGoneError
from interlingua.serving.pool.queue import Job, Queue, RequestTurn
from interlingua.serving.pool.sounds import SAMPLES_SUFFIX, read_upload
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings
from interlingua.sound.utterances import find_parts
from tests.tones import melody, write_wav
from tests.unit import test_serving_api

RATE = 16_000
MODELS = [
    SoundModel("calls", Path(), "en", "en", 1),
    SoundModel("songs", Path(), "pt-BR", "en", 2),
]


class Hearing(test_serving_api.Pretended):
    """A worker whose sounds are JSON: how many seconds each piece is, a minus for silence, or a trouble."""

    pieces: ClassVar[list[list[int]]] = []

    def __init__(self) -> None:
        super().__init__()
        self.about = {model.name: AboutModel(250, beam=5, attention_heads=0) for model in MODELS}

    async def translate(self, task: dict[str, Any], on_drafts: Any, abandoned: Any) -> list[dict[str, Any]]:
        if task["reads"]:
            return [self.read(json.loads(Path(path).read_bytes())) for path in task["texts"]]
        self.pieces.append([end // RATE for _, _, end in task["texts"]])
        assert all(Path(path).exists() for path, _, _ in task["texts"])
        if any(end - start == 7 * RATE for _, start, end in task["texts"]):
            raise WorkerGoneError
        if any(end - start == 9 * RATE for _, start, end in task["texts"]):
            opened = asyncio.ensure_future(self.gate.wait())
            await asyncio.wait([opened, abandoned], return_when="FIRST_COMPLETED")
            if abandoned.done():
                return []
        return [
            {"text": f"t{start // RATE}", "flags": [], "count": 1, "tokens": [], "log_probs": [-0.1],
             "score": -0.1, "words": [[f"t{start // RATE}", 0.5, 0.75, 0.9]]}
            for _, start, end in task["texts"]
        ]  # fmt: skip

    def read(self, told: Any) -> dict[str, Any]:
        if isinstance(told, dict):
            return told
        pieces, start = [], 0
        for seconds in told:
            end = start + abs(seconds) * RATE
            pieces.append([start, end, seconds < 0])
            start = end
        return {"pieces": pieces}


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Runs some work against a service with these settings, which must leave no sound behind."""

    def run(work: Any, **values: Any) -> None:
        settings = ServeSettings.parse({"workers": 1, "wait_ms": 0, **values})

        async def main() -> None:
            Hearing.started, Hearing.devices, Hearing.pieces = [], [], []
            Hearing.gate = asyncio.Event()
            monkeypatch.setattr("interlingua.serving.pool.pool.Worker", Hearing)
            metrics = Metrics()
            pool = Pool({model.name: "" for model in MODELS}, settings, metrics)
            await pool.start()
            sounds = Sounds(SoundCatalogue(MODELS), tmp_path)
            app = build_app(Catalogue([]), pool, settings, metrics, sounds=sounds)
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with test_serving_api.Client(transport=transport, base_url="http://here") as client:
                client.pool, client.metrics = pool, metrics
                async with asyncio.timeout(120):
                    await work(client)
            await pool.stop()

        asyncio.run(main())
        assert list(tmp_path.iterdir()) == []

    return run


def ask(client: httpx.AsyncClient, told: Any, **query: Any) -> Any:
    return client.post("/v1/transcribe", content=json.dumps(told), params=query)


def test_pieces_are_put_together_and_silence_is_not_sent(visit):
    async def work(client):
        answer = (await ask(client, [2, -3, 4])).json()
        assert (answer["text"], answer["duration"], answer["flags"]) == ("t0 t5", 9, [])
        assert [word["start"] for word in answer["words"]] == [0.5, 5.5]
        assert [(each["start"], each["end"], each["flags"]) for each in answer["segments"]] == [
            (0, 2, []), (2, 5, ["empty"]), (5, 9, []),
        ]  # fmt: skip
        assert sorted(end for batch in Hearing.pieces for end in batch) == [2, 9]
        silent = (await ask(client, [-30])).json()
        assert (silent["text"], silent["flags"], silent["duration"]) == ("", ["empty"], 30)

    visit(work)


def test_events_tell_the_text_so_far(visit):
    async def work(client):
        lines = (await ask(client, [2, 3, 4], stream="true")).text.split("\n\n")
        told = [json.loads(line.partition("data: ")[2]) for line in lines if line]
        assert [each["text"] for each in told] == ["t0", "t0 t2", "t0 t2 t5", "t0 t2 t5"]
        assert [each["seconds"] for each in told[:-1]] == [2, 5, 9]

    visit(work)


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({"too_long": True}, 422, "longer than 600 seconds"),
        ({"unreadable": "The file is empty."}, 400, "The file is empty."),
        ({"error": "MemoryError"}, 500, "The sound could not be transcribed."),
        ([7], 500, "The sound could not be transcribed."),  # workers die over it
    ],
)
@pytest.mark.parametrize("path", ["/v1/transcribe", "/v1/audio/transcriptions"])
def test_what_cannot_be_transcribed_is_told(visit, told, status, said, path):
    async def work(client):
        answer = await client.post(path, files={"file": json.dumps(told).encode()})
        assert answer.status_code == status
        error = answer.json()["error"]
        assert said in (error["message"] if "audio" in path else error)
        if "audio" in path:
            assert error["type"] == ("server_error" if status == 500 else "invalid_request_error")
        assert (await ask(client, [2])).json()["text"] == "t0"

    visit(work)


def test_a_long_sound_queues_a_few_pieces_at_a_time(visit):
    async def work(client):
        long = asyncio.create_task(ask(client, [9] * 40))
        while not Hearing.pieces:
            await asyncio.sleep(0)
        assert len(client.pool.queue) < 5
        short = await ask(client, [2])  # beside the long one
        assert short.json()["text"] == "t0"
        assert not long.done()
        Hearing.gate.set()
        assert (await long).json()["duration"] == 360

    visit(work)


def test_sounds_beyond_the_bound_of_seconds_are_refused(visit):
    async def work(client):
        waiting = asyncio.create_task(ask(client, [9, 9]))
        while not Hearing.pieces:
            await asyncio.sleep(0)
        refused = await ask(client, [2])
        assert refused.status_code == 503
        assert "Too many sounds" in refused.json()["error"]
        assert int(refused.headers["Retry-After"]) > 0
        Hearing.gate.set()
        assert (await waiting).status_code == 200
        assert (await ask(client, [2])).status_code == 200
        assert b"interlingua_queue_sound_seconds 0.0" in client.metrics.page()

    visit(work, queue_seconds=10)


def test_a_sound_that_takes_too_long_is_given_up(visit):
    async def work(client):
        answer = await ask(client, [9, 9])
        assert answer.status_code == 503
        assert "took too long" in answer.json()["error"]

    visit(work, sound_timeout_s=0.3)


def test_who_leaves_takes_the_sound_along(visit, tmp_path):
    async def work(client):
        waiting = asyncio.create_task(ask(client, [9, 9, 2]))
        while not Hearing.pieces:
            await asyncio.sleep(0)
        assert list(tmp_path.iterdir())
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        while client.pool.queue._jobs or list(tmp_path.iterdir()):
            client.pool.queue.drop_abandoned()
            await asyncio.sleep(0.01)

    visit(work)


def test_uploads_in_memory_are_bounded(visit):
    async def body():
        yield b"x" * 900
        await asyncio.sleep(30)

    async def work(client):
        slow = [asyncio.create_task(client.post("/v1/transcribe", content=body())) for _ in range(40)]
        done, _ = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().status_code for task in done} == {503}
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert (await ask(client, [2])).status_code == 200  # all of it is free again

    visit(work, max_sound_bytes=1000)


def test_a_full_disk_is_told(visit, monkeypatch):
    async def work(client):
        def fail(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("interlingua.serving.routes.transcription.overwrite", fail)
            answer = await ask(client, [2])
        assert answer.status_code == 503
        assert "could not be kept" in answer.json()["error"]

    visit(work)


@pytest.mark.parametrize("size", [999, 1001, 9000])
@pytest.mark.parametrize("path", ["/v1/transcribe", "/v1/audio/transcriptions"])
def test_the_limit_of_bytes_is_the_sounds_own(visit, size, path):
    async def work(client):
        answer = await client.post(path, files={"file": b" " * (size - 3) + b"[2]"})
        assert answer.status_code == (200 if size < 1000 else 413)
        if size > 1000:
            assert "The sound is larger than 1,000 bytes." in answer.text

    visit(work, max_sound_bytes=1000, max_body_bytes=100)


def test_a_model_is_chosen_by_name_and_language():
    catalogue = SoundCatalogue([*MODELS, SoundModel("any", Path(), None, None, 3)])
    for asked, found in {
        (None, None): "calls", ("whisper-1", None): "calls", ("", "pt"): "songs", (None, "en-GB"): "calls",
        ("songs", "pt-PT"): "songs", ("any", "sw"): "any", ("whisper-1", "sw"): "any",
    }.items():  # fmt: skip
        assert catalogue.choose(*asked).name == found
    for name, language, status in (("songs", "en", 400), ("Calls", None, 404), ("../x", None, 404)):
        with pytest.raises(RefusalError) as raised:
            catalogue.choose(name, language)
        assert raised.value.status == status
    with pytest.raises(ConfigurationError):
        SoundCatalogue(MODELS, taken=["de-en", "calls"])


def test_a_service_of_texts_alone_hears_nothing(monkeypatch):
    async def work(client):
        page = await client.get("/")
        assert "microphone=()" in page.headers["permissions-policy"]
        assert "media-src" not in page.headers["content-security-policy"]
        assert (await client.get("/frontend/settings")).json()["sounds"] == []
        for path in ("/v1/transcribe", "/v1/audio/transcriptions"):
            assert (await client.post(path, content=b"x" * 100)).status_code == 404
            assert (await client.post(path, content=b"x" * 2000)).status_code == 413
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert not [path for path in paths if "transcri" in path or "models" in path]

    test_serving_api.visit.__wrapped__(monkeypatch)(work, max_body_bytes=1000)


def test_reading_stops_once_nobody_waits(tmp_path):
    upload = write_wav(tmp_path / "upload", np.tile(melody(["la"]), 400))
    samples = tmp_path / f"upload{SAMPLES_SUFFIX}"
    samples.touch()
    whole = read_upload(str(upload), 600, 10, lambda: False)["pieces"]
    assert whole[-1][1] * 2 == samples.stat().st_size
    assert all(end - start <= 10 * RATE and not silent for start, end, silent in whole)
    asked = []
    found = read_upload(str(upload), 600, 10, lambda: bool(asked.append(1)) or len(asked) > 2)
    assert len(asked) == 3
    assert found["pieces"][-1][1] < whole[-1][1]
    assert read_upload(str(upload), 20, 10, lambda: False) == {"too_long": True}
    samples.unlink()  # the request has gone: nothing is to be written any more
    assert "pieces" not in read_upload(str(upload), 600, 10, lambda: False)
    assert not samples.exists()


def test_what_is_read_is_cut_as_without_a_service(tmp_path):
    """A room's noise between words is nothing that a model is asked about."""
    hiss = np.random.default_rng(0).normal(0, 60, 20 * RATE).astype(np.int16)
    sound = np.concatenate([hiss, melody(["la", "do"]), hiss, melody(["mi"]), hiss])
    upload = write_wav(tmp_path / "upload", sound)
    samples = tmp_path / f"upload{SAMPLES_SUFFIX}"
    samples.touch()
    pieces = read_upload(str(upload), 600, 10, lambda: False)["pieces"]
    assert [silent for _, _, silent in pieces] == [True, False, True, False, True]
    assert [end for _, end, _ in pieces] == [*(start for start, _, _ in pieces[1:]), len(sound)]
    assert [(start, end) for start, end, silent in pieces if not silent] == [
        (part.start, part.end) for part in find_parts([sound], 10)
    ]
    assert np.array_equal(np.fromfile(samples, "<i2"), sound)


@pytest.mark.parametrize("seconds", [0.001, 1, 30])
def test_a_silent_sound_is_one_silent_piece(tmp_path, seconds):
    upload = write_wav(tmp_path / "upload", np.zeros(int(seconds * RATE), np.int16))
    (tmp_path / f"upload{SAMPLES_SUFFIX}").touch()
    found = read_upload(str(upload), 600, 10, lambda: False)
    assert found == {"pieces": [(0, int(seconds * RATE), True)]}


def test_openais_segments_are_what_was_said(visit):
    async def work(client):
        asked = {
            "files": {"file": json.dumps([-3, 2, -4]).encode()},
            "data": {"response_format": "verbose_json"},
        }
        answer = (await client.post("/v1/audio/transcriptions", **asked)).json()
        assert answer["duration"] == 9
        assert [(each["id"], each["start"], each["text"]) for each in answer["segments"]] == [(0, 3, "t3")]

    visit(work)


def test_reading_takes_no_more_time_than_a_sound_is_worth(tmp_path, monkeypatch):
    upload = write_wav(tmp_path / "upload", np.tile(melody(["la"]), 400))
    (tmp_path / f"upload{SAMPLES_SUFFIX}").touch()
    with monkeypatch.context() as patch:
        spent = iter(range(0, 1000, 10))
        patch.setattr("time.thread_time", lambda: next(spent))
        assert "too long to read" in read_upload(str(upload), 600, 10, lambda: False)["unreadable"]
    assert "pieces" in read_upload(str(upload), 600, 10, lambda: False)


def test_sounds_are_read_one_by_one():
    async def work():
        queue, turn = Queue(64, 0), RequestTurn()
        for _ in range(3):
            queue.add(Job("upload", 3.0, "calls", reads=True), turn)
        assert [len(queue.take_batch()) for _ in range(4)] == [1, 1, 1, 0]

    asyncio.run(work())
