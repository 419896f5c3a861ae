"""Pictures through the service, with workers that only pretend to see and paint: limits, queue, leftovers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from interlingua.errors import ConfigurationError
from interlingua.serving.app import Sounds, build_app
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Catalogue, refuse_same_names
from interlingua.serving.models.pictures import (
    ANY_PAINTER,
    PictureCatalogue,
    PictureModel,
    is_of_pictures,
    read_picture_model,
)
from interlingua.serving.models.sounds import SoundCatalogue, SoundModel
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.process import AboutModel, WorkerGoneError
from interlingua.serving.pool.queue import PictureFile
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.pictures import Pictures
from interlingua.serving.settings import ServeSettings
from tests.unit import test_serving_api

PAINTERS = [PictureModel("emoji", Path(), True, "en", 1), PictureModel("large", Path(), True, None, 2)]
DESCRIBERS = [PictureModel("says", Path(), False, "en", 3)]
ABOUT = {
    "emoji": AboutModel(0, 5, 4, picture_size=32, picture_grid=8, guidance=2.0),
    "large": AboutModel(0, 5, 0, picture_size=600, picture_grid=16),
    "says": AboutModel(0, 5, 4, picture_size=64),
}


class Seeing(test_serving_api.Pretended):
    """A worker whose files are JSON, a record or a trouble, and whose pictures are their orders."""

    tasks: ClassVar[list[dict[str, Any]]] = []

    def __init__(self) -> None:
        super().__init__()
        self.about = ABOUT

    async def translate(self, task: dict[str, Any], on_drafts: Any, abandoned: Any) -> list[dict[str, Any]]:
        self.tasks.append(task)
        self.batches.append([str(text[0]) for text in task["texts"]])
        if isinstance(task["texts"][0], PictureFile):
            told = [json.loads(Path(text.path).read_bytes()) for text in task["texts"]]
        else:
            told = [{"caption": text.caption} for text in task["texts"]]
            for number in task["watched"]:
                on_drafts({number: {"painted": 7, "png": "c28gZmFy"}})
        if any("kill" in str(each) for each in told):
            raise WorkerGoneError
        if any("slow" in str(each) for each in told):
            opened = asyncio.ensure_future(self.gate.wait())
            await asyncio.wait([opened, abandoned], return_when="FIRST_COMPLETED")
            if abandoned.done():
                self.dropped.append(self.batches[-1])
                return []
        return [self.see(text, each) for text, each in zip(task["texts"], told, strict=True)]

    def see(self, text: Any, told: dict[str, Any]) -> dict[str, Any]:
        if isinstance(text, PictureFile):
            said = {"text": "a cat", "flags": [], "score": -1.0, "tokens": ["a", "cat"], "count": 2,
                    "log_probs": [-0.1, -0.1, -0.1], "width": 8, "height": 9}  # fmt: skip
            return told if "refused" in told or "error" in told else said
        if "boom" in told["caption"]:
            return {"error": "ValueError"}
        if "columns" in told["caption"]:
            return {"refused": "The caption has another number of columns."}
        return {"png": base64.b64encode(json.dumps(text).encode()).decode(), "seed": text.seed, "count": 64,
                "tokens": [1, 2], "log_prob": -3.5, "unknown": ["zebra"], "source_tokens": ["a"],
                "attention": [[0.5, 0.5], [1.0, 0.0]]}  # fmt: skip


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Runs some work against a service with these settings, which must leave no picture behind."""

    def run(work: Any, painters: Any = PAINTERS, describers: Any = DESCRIBERS, **values: Any) -> None:
        settings = ServeSettings.parse({"workers": 1, "wait_ms": 0, **values})

        async def main() -> None:
            Seeing.started, Seeing.devices, Seeing.tasks = [], [], []
            Seeing.batches, Seeing.dropped, Seeing.left = [], [], []
            Seeing.gate = asyncio.Event()
            monkeypatch.setattr("interlingua.serving.pool.pool.Worker", Seeing)
            metrics = Metrics()
            pool = Pool({model.name: "" for model in (*painters, *describers)}, settings, metrics)
            await pool.start()
            pictures = Pictures(
                PictureCatalogue(painters, ANY_PAINTER), PictureCatalogue(describers), tmp_path
            )
            app = build_app(Catalogue([]), pool, settings, metrics, pictures=pictures)
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with test_serving_api.Client(transport=transport, base_url="http://here") as client:
                client.pool, client.metrics = pool, metrics
                async with asyncio.timeout(120):
                    await work(client)
            await pool.stop()

        asyncio.run(main())
        assert list(tmp_path.iterdir()) == []

    return run


def order(b64: str) -> list[Any]:
    return json.loads(base64.b64decode(b64))


def events(text: str) -> list[tuple[str, Any]]:
    lines = [message.split("\n") for message in text.split("\n\n") if message]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


def test_each_picture_has_its_seed_and_its_size(visit):
    async def work(client):
        asked = {"prompt": "a cat", "n": 3, "seed": 5, "size": "96x96", "guidance": 1.5, "top_k": 9}
        openai = (await client.post("/v1/images/generations", json=asked)).json()
        assert [order(each["b64_json"]) for each in openai["data"]] == [["a cat", s, 3] for s in (5, 6, 7)]
        assert [each["seed"] for each in openai["data"]] == [5, 6, 7]
        assert openai["created"] > 1_700_000_000
        assert Seeing.tasks[-1]["options"] == {"guidance": 1.5, "top_k": 9}
        own = (await client.post("/v1/paint", json={**asked, "attention": True})).json()
        assert (own["model"], own["size"], own["grid"], own["unknown"]) == ("emoji", "96x96", 8, ["zebra"])
        assert own["source_tokens"] == ["a"]
        assert own["pictures"][1] == {
            "b64_json": openai["data"][1]["b64_json"], "seed": 6, "tokens": [1, 2], "log_prob": -3.5,
            "attention": [[0.5, 0.5], [1.0, 0.0]],
        }  # fmt: skip
        for size in (None, "auto", "32x32"):
            one = (await client.post("/v1/paint", json={"prompt": "x", "size": size})).json()
            assert one["size"] == "32x32"
        random = {
            (await client.post("/v1/paint", json={"prompt": "x"})).json()["pictures"][0]["seed"]
            for _ in range(9)
        }
        assert len(random) > 1
        assert b"interlingua_pictures_painted_total 18.0" in client.metrics.page()

    visit(work)


@pytest.mark.parametrize("path", ["/v1/paint", "/v1/images/generations"])
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("prompt", "", "at least 1 character"),
        ("prompt", " \n", "there is nothing to see in it"),
        ("prompt", "\u200b\ufeff", "there is nothing to see in it"),
        ("prompt", 7, "valid string"),
        ("prompt", None, "valid string"),
        ("prompt", "x" * 1001, "1001 characters exceed the limit of 1000"),
        ("n", 0, "greater than or equal to 1"),
        ("n", 17, "17 pictures exceed the limit of 16"),
        ("n", "2", "valid integer"),
        ("size", "33x33", "accepted: auto, 32x32, or a whole multiple of that up to 1024x1024"),
        ("size", "32x64", "accepted: auto, 32x32"),
        ("size", "1056x1056", "accepted: auto, 32x32"),
        ("size", "0x0", "accepted: auto, 32x32"),
        ("size", "", "accepted: auto, 32x32"),
        ("size", 32, "valid string"),
        ("seed", 2**31 - 1, "of 2 pictures the first seed is at most 2147483646"),
        ("seed", -1, "greater than or equal to 0"),
        ("guidance", 101, "less than or equal to 100"),
        ("guidance", -1, "greater than or equal to 0"),
        ("temperature", 0, "greater than or equal to 0.05"),
        ("top_k", -1, "greater than or equal to 0"),
        ("top_p", 0, "greater than or equal to 0.01"),
        ("top_p", 2, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_for_is_told(visit, path, field, value, said):
    async def work(client):
        answer = await client.post(path, json={"prompt": "a cat", "n": 2, field: value})
        assert answer.status_code == 400
        error = answer.json()["error"]
        if "images" in path:
            assert (error["param"], error["type"]) == (field, "invalid_request_error")
        assert said in (error["message"] if "images" in path else error)
        assert Seeing.tasks == []

    visit(work)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"response_format": "url"}, "'url' is not given"),
        ({"output_format": "webp"}, "'png'"),
        ({"background": "transparent"}, "'auto'"),
        ({"stream": True}, "False"),
        ({"prompt": 1}, "valid string"),
    ],
)
def test_what_openai_paints_and_we_do_not_is_told(visit, given, said):
    async def work(client):
        answer = await client.post("/v1/images/generations", json={"prompt": "x", **given})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert said in error["message"]
        assert error["param"] == next(iter(given))
        for ignored in ({"quality": "hd", "user": "me"}, {"response_format": None, "model": "dall-e-3"}):
            answer = await client.post("/v1/images/generations", json={"prompt": "x", **ignored})
            assert answer.status_code == 200
        form = await client.post("/v1/images/generations", data={"prompt": "x"})
        assert form.status_code == 415
        broken = await client.post(
            "/v1/images/generations", content=b"{", headers={"content-type": "application/json"}
        )
        assert (broken.status_code, broken.json()["error"]["param"]) == (400, None)

    visit(work)


@pytest.mark.parametrize("path", ["/v1/paint", "/v1/images/generations"])
@pytest.mark.parametrize(
    ("prompt", "status", "said"),
    [
        ("boom", 500, "The picture could not be painted."),
        ("kill", 500, "The picture could not be painted."),
        ("columns", 400, "The caption has another number of columns."),
    ],
)
def test_what_cannot_be_painted_is_told(visit, path, prompt, status, said):
    async def work(client):
        answer = await client.post(path, json={"prompt": prompt, "n": 4})
        assert answer.status_code == status
        error = answer.json()["error"]
        assert said == (error["message"] if "images" in path else error)
        assert (await client.post(path, json={"prompt": "a cat"})).status_code == 200

    visit(work)


def test_events_tell_the_pictures_so_far(visit):
    async def work(client):
        answer = await client.post("/v1/paint", json={"prompt": "x", "n": 3, "seed": 1, "stream": True})
        *told, (name, whole) = events(answer.text)
        assert told == [
            ("progress", {"index": index, "painted": 7, "b64_json": "c28gZmFy"}) for index in range(3)
        ]
        assert name == "done"
        assert whole == (await client.post("/v1/paint", json={"prompt": "x", "n": 3, "seed": 1})).json()
        (told,) = events((await client.post("/v1/paint", json={"prompt": "boom", "stream": True})).text)[-1:]
        assert told == ("error", {"error": "The picture could not be painted."})

    visit(work)


def test_pictures_of_several_requests_are_painted_together(visit):
    async def work(client):
        first = asyncio.create_task(client.post("/v1/paint", json={"prompt": "slow"}))
        while not Seeing.batches:
            await asyncio.sleep(0)
        others = [
            asyncio.create_task(client.post("/v1/paint", json={"prompt": f"cat {i}", "n": 2, "seed": i}))
            for i in range(3)
        ]
        while len(client.pool.queue) < 6:
            await asyncio.sleep(0)
        Seeing.gate.set()
        assert {answer.status_code for answer in await asyncio.gather(first, *others)} == {200}
        assert sorted(Seeing.batches[1]) == ["cat 0", "cat 0", "cat 1", "cat 1", "cat 2", "cat 2"]
        assert len(Seeing.batches) == 2

    visit(work)


def test_who_leaves_is_not_painted_for(visit):
    async def work(client):
        waiting = asyncio.create_task(client.post("/v1/paint", json={"prompt": "slow", "n": 16}))
        while not Seeing.batches:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        while not Seeing.dropped or client.pool.queue._jobs:
            client.pool.queue.drop_abandoned()
            await asyncio.sleep(0)

    visit(work)


@pytest.mark.parametrize(
    "ask",
    [
        {"url": "/v1/paint", "json": {"prompt": "slow"}},
        {"url": "/v1/images/generations", "json": {"prompt": "slow", "n": 4}},
        {"url": "/v1/describe", "content": b'{"slow": 1}'},
    ],
)
def test_what_takes_too_long_is_given_up(visit, ask):
    async def work(client):
        answer = await client.post(**ask)
        assert answer.status_code == 503
        assert "took too long" in answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert b'interlingua_refused_total{reason="deadline"} 1.0' in client.metrics.page()

    visit(work, picture_timeout_s=0.3)


def test_a_full_queue_refuses(visit):
    async def work(client):
        many = await client.post("/v1/paint", json={"prompt": "a cat", "n": 5})
        assert many.status_code == 503
        assert "Too many requests are waiting" in many.json()["error"]
        streamed = await client.post("/v1/paint", json={"prompt": "a cat", "n": 5, "stream": True})
        assert "Too many" in streamed.text
        assert (await client.post("/v1/paint", json={"prompt": "a cat", "n": 4})).status_code == 200

    visit(work, queue=4)


def test_a_picture_is_described_however_it_is_sent(visit):
    async def work(client):
        for way in ({"content": b"{}"}, {"files": {"file": b"{}"}, "data": {"model": "says", "beam": "3"}}):
            answer = (await client.post("/v1/describe", **way)).json()
            assert (answer["text"], answer["model"], answer["size"]) == ("a cat", "says", 64)
            assert (answer["width"], answer["height"]) == (8, 9)
        assert [task["options"] for task in Seeing.tasks] == [{}, {"beam": 3}]
        asked = await client.post("/v1/describe", content=b"{}", params={"attention": "true"})
        assert asked.status_code == 200
        assert Seeing.tasks[-1]["options"] == {"attention": True}
        assert b"interlingua_pictures_described_total 3.0" in client.metrics.page()

    visit(work)


@pytest.mark.parametrize(
    ("ask", "status", "said"),
    [
        ({"content": b""}, 400, "the body is empty; it should be the picture"),
        ({"files": {"file": b""}}, 400, "it is empty"),
        ({"files": [("file", b"{}"), ("file", b"{}")]}, 400, "there are 2 files"),
        ({"files": {"picture": b"{}"}}, 400, "there is no file"),
        ({"content": b"{}", "params": {"beam": 0}}, 400, "beam"),
        ({"content": b"{}", "params": {"model": "emoji"}}, 404, "Known: says"),
        ({"content": b'{"refused": "The picture is cut off."}'}, 400, "The picture is cut off."),
        ({"content": b'{"error": "MemoryError"}'}, 500, "The picture could not be described."),
        ({"content": b'{"kill": 1}'}, 500, "The picture could not be described."),
        ({"content": b" " * 1001}, 413, "The picture is larger than 1,000 bytes."),
        ({"content": b" " * 9000}, 413, "The picture is larger than 1,000 bytes."),
        ({"files": {"file": b" " * 1001}}, 413, "The picture is larger than 1,000 bytes."),
    ],
)
def test_what_cannot_be_described_is_told(visit, ask, status, said):
    async def work(client):
        answer = await client.post("/v1/describe", **ask)
        assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
        assert (await client.post("/v1/describe", content=b" " * 998 + b"{}")).status_code == 200

    visit(work, max_picture_bytes=1000, max_body_bytes=100)


def test_who_leaves_takes_the_picture_along(visit, tmp_path):
    async def work(client):
        waiting = asyncio.create_task(client.post("/v1/describe", content=b'{"slow": 1}'))
        while not Seeing.batches:
            await asyncio.sleep(0.001)
        assert list(tmp_path.iterdir())
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert list(tmp_path.iterdir()) == []

    visit(work)


def test_uploads_in_memory_are_bounded(visit):
    async def body():
        yield b" " * 900
        await asyncio.sleep(30)

    async def work(client):
        slow = [asyncio.create_task(client.post("/v1/describe", content=body())) for _ in range(40)]
        done, _ = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().status_code for task in done} == {503}
        assert "Too many pictures" in done.pop().result().text
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert (await client.post("/v1/describe", content=b"{}")).status_code == 200  # all is free again

    visit(work, max_picture_bytes=1000)


def test_a_full_disk_is_told(visit, monkeypatch):
    async def work(client):
        def fail(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("interlingua.serving.routes.pictures.overwrite", fail)
            answer = await client.post("/v1/describe", content=b"{}")
        assert answer.status_code == 503
        assert "could not be kept" in answer.json()["error"]

    visit(work)


def test_a_model_without_attention_says_so(visit):
    async def work(client):
        asked = {"prompt": "x", "model": "large", "attention": True}
        answer = await client.post("/v1/paint", json=asked)
        assert answer.status_code == 400
        assert "no attention" in answer.json()["error"]
        assert (await client.post("/v1/paint", json={**asked, "attention": False})).status_code == 200

    visit(work)


def test_a_model_too_large_to_be_enlarged_has_one_size(visit):
    async def work(client):
        answer = await client.post("/v1/paint", json={"prompt": "x", "model": "large", "size": "1200x1200"})
        assert answer.json()["error"].endswith("accepted: auto, 600x600.")
        answer = await client.post("/v1/paint", json={"prompt": "x", "model": "large", "size": "600x600"})
        assert answer.json()["size"] == "600x600"

    visit(work)


def test_keys_and_logs(visit, tmp_path_factory, caplog):
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(hashlib.sha256(b"secret").hexdigest())

    async def work(client):
        key = {"Authorization": "Bearer secret"}
        assert (await client.post("/v1/paint", json={"prompt": "x"})).status_code == 403
        assert (await client.post("/v1/images/generations", json={"prompt": "x"})).status_code == 401
        assert (await client.post("/v1/describe", content=b"{}")).status_code == 403
        assert (await client.get("/v1/models")).status_code == 401
        with caplog.at_level("INFO"):
            asked = {"prompt": "my secret cat", "n": 2, "api_key": "secret"}
            assert (await client.post("/v1/paint", json=asked)).status_code == 200
            answer = await client.post("/v1/images/generations", json={"prompt": "my secret"}, headers=key)
            assert answer.status_code == 200
            assert (await client.post("/v1/describe", content=b"{}", headers=key)).status_code == 200
        logged = [record.fields for record in caplog.records if record.getMessage() == "request"]
        assert [each["route"] for each in logged] == ["/v1/paint", "/v1/images/generations", "/v1/describe"]
        assert (logged[0]["pictures"], logged[0]["characters"], logged[2]["pixels"]) == (2, 13, 72)
        assert "secret cat" not in str(logged)
        assert "a cat" not in str(logged)

    visit(work, api_keys=keys)


def test_models_are_listed_and_chosen(visit):
    async def work(client):
        names = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
        assert names == ["emoji", "large", "says"]
        assert (await client.get("/v1/models/says")).json()["created"] == 3
        missing = (await client.get("/v1/models/gpt")).json()["error"]
        assert (missing["code"], "Known: emoji, large, says" in missing["message"]) == (
            "model_not_found",
            True,
        )
        assert (await client.get("/health")).status_code == 200
        pictures = (await client.get("/frontend/settings")).json()["pictures"]
        assert [each["paints"] for each in pictures] == [True, True, False]
        assert pictures[0] == {"model": "emoji", "paints": True, "size": 32, "grid": 8, "guidance": 2.0,
                               "attention": True}  # fmt: skip
        for asked, status in ({"model": "says"}, 404), ({"model": "large"}, 200), ({"model": ""}, 200):
            assert (await client.post("/v1/paint", json={"prompt": "x", **asked})).status_code == status
        page = await client.get("/")
        assert "img-src 'self' data: blob:;" in page.headers["content-security-policy"]

    visit(work)
    catalogue = PictureCatalogue(PAINTERS, ANY_PAINTER)
    for asked in (None, "", "dall-e-2", "gpt-image-1", "gpt-image-2-2026-04-21", "chatgpt-image-latest"):
        assert catalogue.choose(asked).name == "emoji"
    with pytest.raises(RefusalError):
        PictureCatalogue(DESCRIBERS).choose("gpt-image-1")
    with pytest.raises(ConfigurationError, match="two models are called says"):
        refuse_same_names([*PAINTERS, *DESCRIBERS], ["de-en", "says"])


def test_the_description_tells_the_limits(visit):
    async def work(client):
        paths = (await client.get("/openapi.json")).json()["paths"]
        for path in ("/v1/paint", "/v1/images/generations"):
            body = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
            assert body["properties"]["prompt"]["maxLength"] == 77
            assert body["properties"]["n"]["maximum"] == 3
            assert body["required"] == ["prompt"]

    visit(work, max_pictures=3, max_caption_characters=77)


def test_only_what_there_is_a_model_for_can_be_asked(visit):
    async def work(client):
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert ("/v1/paint" in paths, "/v1/describe" in paths) == (False, True)
        assert (await client.post("/v1/paint", json={"prompt": "x"})).status_code == 404
        assert (await client.get("/v1/models/dall-e-3")).status_code == 404

    visit(work, painters=[])

    async def work_too(client):
        page = await client.get("/")
        assert "blob:" not in page.headers["content-security-policy"]
        assert (await client.post("/v1/describe", content=b"x" * 2000)).status_code == 413

    visit(work_too, describers=[], max_body_bytes=1000)


def test_models_of_every_kind_stand_side_by_side(monkeypatch, tmp_path):
    settings = ServeSettings.parse({"workers": 1})
    sounds = Sounds(SoundCatalogue([SoundModel("calls", Path(), "en", "en", 1)]), tmp_path)
    pictures = Pictures(PictureCatalogue(PAINTERS, ANY_PAINTER), PictureCatalogue(DESCRIBERS), tmp_path)

    async def main() -> None:
        monkeypatch.setattr("interlingua.serving.pool.pool.Worker", Seeing)
        metrics = Metrics()
        pool = Pool({}, settings, metrics)
        await pool.start()
        app = build_app(
            Catalogue(test_serving_api.MODELS), pool, settings, metrics, sounds=sounds, pictures=pictures
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            listed = (await client.get("/v1/models")).json()["data"]
            assert [each["id"] for each in listed] == ["calls", "emoji", "large", "says"]
            for asked, found in {"whisper-1": "calls", "dall-e-2": "emoji", "says": "says"}.items():
                assert (await client.get(f"/v1/models/{asked}")).json()["id"] == found
            paths = set((await client.get("/openapi.json")).json()["paths"])
            assert paths > {"/translate", "/v1/transcribe", "/v1/paint", "/v1/describe"}
            headers = (await client.get("/")).headers
            assert "img-src 'self' data: blob:;" in headers["content-security-policy"]
            assert "media-src blob:" in headers["content-security-policy"]
        await pool.stop()

    asyncio.run(main())


def write_model(directory: Path, source: str, target: str, languages: str = "") -> Path:
    directory.mkdir()
    (directory / "config.toml").write_text(languages)
    for side, kind in (("source", source), ("target", target)):
        (directory / f"{side}.json").write_text(json.dumps({"kind": kind}))
    return directory


def test_a_directory_says_what_it_is_for(tmp_path):
    languages = 'languages = ["en", "de"]'
    paints = read_picture_model(write_model(tmp_path / "a", "words", "picture", languages))
    assert paints[:4] == ("a", tmp_path / "a", True, "en")
    says = read_picture_model(write_model(tmp_path / "b", "picture", "unigram", languages))
    assert (says.paints, says.language) == (False, "de")
    assert read_picture_model(write_model(tmp_path / "c", "picture", "words")).language is None
    assert not is_of_pictures(write_model(tmp_path / "d", "sound", "words"))
    assert not is_of_pictures(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="from sounds to pictures are not served"):
        read_picture_model(write_model(tmp_path / "e", "sound", "picture"))
