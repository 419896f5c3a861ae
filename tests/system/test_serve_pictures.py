"""`interlingua serve` with models of pictures: what programs get, what hostile ones cannot do."""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import signal
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from PIL import Image

import interlingua
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from interlingua.kinds import SPECIALS
from interlingua.serving.pool import pictures
from interlingua.serving.pool.worker import _CancelledError, _translate, _Watch
from tests.system.conftest import PictureModels, call
from tests.system.served import PATIENCE_S, Served
from tests.system.test_serve_sounds import events, metric
from tests.tiles import read_tiles, tiles

CAPTION = "red green blue black"
BYTES = 1 << 20


def png(names: list[str] | None = None, **options: Any) -> bytes:
    return encoded(Image.fromarray(tiles(names or ["red", "green", "blue", "black"])), **options)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


def read(b64: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(b64))))


@pytest.fixture(scope="module")
def served(
    model: Path, picture_models: PictureModels, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A service of a model of texts, one that paints and one that sees."""
    private = tmp_path_factory.mktemp("private")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(private))
        service = Served(
            tmp_path_factory.mktemp("log") / "log", model, *picture_models, "--workers", 1,
            "--set", f"max_picture_bytes={BYTES}", "--set", "draft_ms=0",
        )  # fmt: skip
    yield service
    assert service.stop() == 0
    assert list(private.iterdir()) == []


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def painter(picture_models: PictureModels) -> Painter:
    model = interlingua.load(picture_models.paints, threads=1)
    assert isinstance(model, Painter)
    return model


@pytest.fixture(scope="module")
def captioner(picture_models: PictureModels) -> Captioner:
    model = interlingua.load(picture_models.says, threads=1)
    assert isinstance(model, Captioner)
    return model


def test_openais_client_has_captions_painted(client, painter):
    extra = {"seed": 7, "guidance": 2, "temperature": 0.5}
    found = client.images.generate(
        model="gpt-image-1", prompt=CAPTION, n=3, size="64x64", response_format="b64_json", extra_body=extra
    )
    (offline,) = painter.paint([CAPTION], samples=3, seed=7, guidance=2, temperature=0.5)
    assert found.created > 1_700_000_000
    for image, expected in zip(found.data, offline, strict=True):
        assert (read(image.b64_json) == expected.pixels.repeat(2, 0).repeat(2, 1)).all()
        with Image.open(io.BytesIO(base64.b64decode(image.b64_json))) as png:
            assert png.info["Title"] == CAPTION
            assert json.loads(png.info["Comment"])["seed"] == expected.seed
    assert sum(read_tiles(each.pixels) == CAPTION.split() for each in offline) >= 2
    one = client.images.generate(prompt=CAPTION)  # all the rest left out
    assert [read(image.b64_json).shape for image in one.data] == [(32, 32, 3)]
    assert client.images.generate(model="paints", prompt="blue", size="auto", n=2, quality="hd").data[1]
    assert [model.id for model in client.models.list()] == ["paints", "says"]
    assert client.models.retrieve("says").owned_by == "interlingua"


@pytest.mark.parametrize(
    ("given", "kind", "field", "code", "said"),
    [
        ({"model": "sora"}, openai.NotFoundError, "model", "model_not_found", "Known: paints"),
        ({"model": "says"}, openai.NotFoundError, "model", "model_not_found", "Known: paints"),
        ({"response_format": "url"}, openai.BadRequestError, "response_format", None, "b64_json"),
        ({"n": 17}, openai.BadRequestError, "n", None, "limit of 16"),
        ({"size": "100x100"}, openai.BadRequestError, "size", None, "32x32"),
        ({"size": "1024x1792"}, openai.BadRequestError, "size", None, "up to 1024x1024"),
        ({"prompt": ""}, openai.BadRequestError, "prompt", None, "at least 1"),
        ({"prompt": "x" * 1001}, openai.BadRequestError, "prompt", None, "limit of 1000"),
        ({"output_format": "jpeg"}, openai.BadRequestError, "output_format", None, "png"),
    ],
)
def test_openais_client_understands_what_is_wrong(client, given, kind, field, code, said):
    with pytest.raises(kind) as raised:
        client.images.generate(**{"prompt": CAPTION, **given})
    error = raised.value
    assert said in error.message
    assert (error.type, error.code, error.param) == ("invalid_request_error", code, field)


def test_a_picture_is_told_of_while_it_is_painted(served, painter):
    asked = {"prompt": f"{CAPTION} zebra", "n": 2, "seed": 3, "attention": True, "stream": True}
    with httpx.stream("POST", f"{served.url}/v1/paint", json=asked, timeout=PATIENCE_S) as answer:
        *told, (name, whole) = events(answer)
    assert name == "done"
    assert {event for event, _ in told} == {"progress"}
    for index in range(2):
        drafts = [content for _, content in told if content["index"] == index]
        painted = [content["painted"] for content in drafts]
        assert painted == sorted(set(painted))
        assert painted[0] < 64
        ids = [code + len(SPECIALS) for code in whole["pictures"][index]["tokens"]]
        for draft in drafts:
            assert (read(draft["b64_json"]) == painter.codec.decode(ids[: draft["painted"]])).all()
    assert served.post("/v1/paint", json={**asked, "stream": False}).json() == whole
    (offline,) = painter.paint([asked["prompt"]], samples=2, seed=3, attention=True)
    assert whole["unknown"] == ["zebra"]
    for picture, expected in zip(whole["pictures"], offline, strict=True):
        assert picture["tokens"] == list(expected.tokens)
        assert picture["log_prob"] == pytest.approx(expected.log_prob, abs=1e-3)
        mean = expected.attention.cross.mean(dim=(0, 1))[:64]
        assert np.array(picture["attention"]) == pytest.approx(mean.numpy(), abs=1e-3)
    assert len(picture["attention"][0]) == len(whole["source_tokens"]) + 1


def test_what_a_picture_shows_is_said(served, captioner):
    content = png()
    expected = captioner.translate([tiles(CAPTION.split())], attention=True)[0]
    raw = served.post("/v1/describe", content=content, params={"attention": "true"}).json()
    form = served.post("/v1/describe", files={"file": content}, data={"model": "says"}).json()
    assert raw["text"] == form["text"] == expected.text == CAPTION
    assert raw["tokens"] == list(expected.tokens)
    assert raw["log_probs"] == pytest.approx(expected.log_probs, abs=1e-3)
    assert np.array(raw["attention"]) == pytest.approx(expected.attention.cross.mean(dim=(0, 1)), abs=1e-3)
    large = Image.fromarray(tiles(CAPTION.split())).resize((320, 320), Image.Resampling.NEAREST)
    for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        answer = served.post("/v1/describe", content=encoded(large, format)).json()
        assert (answer["text"], answer["width"], answer["size"]) == (CAPTION, 320, 32)
    assert served.translate("1 2 3", source="fw", target="bw") == "3 2 1"


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan stands again and again: each goes through the whole picture."""
    content = encoded(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    last = content.rfind(b"\xff\xda")
    return content[:-2] + content[last:-2] * count + content[-2:]


def huge_header() -> bytes:
    content = bytearray(png())
    content[16:24] = struct.pack(">II", 100_000, 100_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a text": lambda: b"this is no picture at all" * 50,
    "a drawing": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "an SVG file": lambda: b'<?xml version="1.0"?>\n<svg width="1"></svg>',
    "a web page": lambda: b"<!DOCTYPE html><html>" * 100,
    "a ZIP archive": lambda: b"PK\x03\x04" + bytes(2000),
    "a PDF": lambda: b"%PDF-1.7" + bytes(2000),
    "a truncated PNG": lambda: encoded(noise(), "PNG")[:-2000],
    "a truncated JPEG": lambda: encoded(noise(), "JPEG")[:-2000],
    "a truncated WebP": lambda: encoded(noise(), "WEBP")[:-2000],
    "a truncated header": lambda: png()[:20],
    "a PNG of noise": lambda: b"\x89PNG\r\n\x1a\n" + noise().tobytes()[:2000],
    "a JPEG of noise": lambda: b"\xff\xd8\xff" + noise().tobytes()[:2000],
    "a GIF of noise": lambda: b"GIF89a" + noise().tobytes()[:2000],
    "a TIFF of noise": lambda: b"II*\0" + noise().tobytes()[:2000],
    "36 million pixels": lambda: encoded(Image.new("1", (6000, 6000)), "PNG"),
    "81 million pixels": lambda: encoded(Image.new("1", (9000, 9000)), "PNG"),
    "a header of 10 thousand million pixels": huge_header,
    "a line": lambda: encoded(Image.new("1", (20_000, 1)), "PNG"),
    "a thousand scans": lambda: jpeg_of_scans(1000),
}


@functools.cache
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_and_hurt_nobody(served, kind):
    restarts = metric(served, "worker_restarts_total")
    content = HOSTILE[kind]()
    assert len(content) < BYTES
    answer = served.post("/v1/describe", files={"file": ("../../etc/passwd", content)})
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error"}
    assert "interlingua-" not in answer.text
    assert "passwd" not in answer.text
    for sign, said in {
        "million": "At most 25 million",
        "SVG": "SVG",
        "drawing": "SVG",
        "scans": "scans",
    }.items():
        assert sign not in kind or said in answer.text
    assert served.post("/v1/describe", content=content).json() == answer.json()
    assert served.post("/v1/describe", content=png()).json()["text"] == CAPTION
    assert metric(served, "worker_restarts_total") == restarts
    for line in served.lines():
        assert line["event"] not in ("decoding_failed", "request_failed", "worker_lost"), line


def test_a_file_that_keeps_a_decoder_busy_is_given_up(captioner, tmp_path, monkeypatch):
    gif = encoded(Image.new("P", (8, 8)), "GIF")
    head = gif.index(b"\x2c", 16)
    (tmp_path / "a").write_bytes(gif[:head] + b"\x21\xfe" + b"\x01a" * 1000 + b"\0" + gif[head:])
    (tmp_path / "b").write_bytes(png())
    files = [(str(tmp_path / name), 10**6) for name in ("a", "b", "gone")]
    spent = iter(range(10**6))
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "_MAX_READ_S", 500)
        patch.setattr("time.thread_time", lambda: next(spent))  # a second at every look
        found = pictures.describe_files(captioner, files, [4, 5, 6], lambda numbers, _: None, {})
    assert "too long to read" in found[0]["refused"]
    assert found[1]["text"] == CAPTION
    assert "refused" in found[2]
    assert "refused" not in pictures.describe_files(captioner, files[:1], [4], lambda *_: None, {})[0]


def test_who_hangs_up_is_not_painted_for(served):
    before = metric(served, "pictures_painted_total")
    asked = {"prompt": CAPTION, "n": 16, "guidance": 2, "stream": True}
    (worker,) = served.started["workers"]
    try:
        with httpx.stream("POST", f"{served.url}/v1/paint", json=asked, timeout=PATIENCE_S) as answer:
            next(events(answer))
            os.kill(worker, signal.SIGSTOP)  # it is not to end before it was seen that nobody waits
        served.wait_for("request", route="/v1/paint", pictures=16)
    finally:
        os.kill(worker, signal.SIGCONT)
    deadline = time.monotonic() + PATIENCE_S
    while metric(served, "queue_sentences"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert served.post("/v1/paint", json={"prompt": CAPTION}).status_code == 200
    assert metric(served, "pictures_painted_total") == before + 1


def test_painting_stops_once_nobody_waits(painter):
    task = {
        "number": 1, "texts": [[CAPTION, seed, 1] for seed in range(3)], "glossaries": [{}] * 3,
        "watched": [1], "draft_s": 0, "options": {}, "detail": False,
    }  # fmt: skip
    told: list[Any] = []
    steps = 0

    class Leaving(_Watch):
        def __call__(self, numbers: Any, drafts: Any) -> list[int]:
            nonlocal steps
            steps += 1
            self.cancelled = steps == 5
            return super().__call__(numbers, drafts)

    with pytest.raises(_CancelledError):
        _translate(painter, task, Leaving(task, told.append), range(3))
    assert steps == 5
    assert [number for message in told for number, _ in message["drafts"]] == [1] * len(told)
    assert 0 < len(told) <= 4
    steps = 100
    whole = _translate(painter, task, Leaving(task, told.append), range(3))
    assert [each["seed"] for each in whole] == [0, 1, 2]
    assert [each["tokens"] for each in whole] == [
        each.tokens for each in painter.paint([CAPTION], samples=3)[0]
    ]


def test_the_log_holds_numbers_and_no_captions(served):
    served.post("/v1/paint", json={"prompt": "a secret caption"})
    served.wait_for("request", characters=16, pictures=1)
    assert "secret" not in served.log.read_text()


def test_models_that_cannot_be_served_together_are_refused(picture_models, tmp_path):
    other = tmp_path / picture_models.says.name
    other.symlink_to(picture_models.says)
    result = call("serve", picture_models.says, other, "--port", 0)
    assert result.code == 2
    assert "two models are called says" in result.err
