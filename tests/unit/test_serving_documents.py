"""Large files as jobs: they outlive deadlines and restarts, are bounded, and are read by their key alone."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from interlingua.errors import OutputError
from interlingua.serving.models.documents import DocumentStore, Full, new_document

from .test_serving_api import Client, Pretended, visit

__all__ = ["visit"]

FORM = {"source_lang": "EN", "target_lang": "de"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlingua.serving.routes.document_jobs._PAUSE_S", 0.01)
    monkeypatch.setattr("interlingua.serving.routes.document_jobs._FIRST_LOOK_S", 0.001)


async def upload(client: Client, content: bytes, name: str = "a.txt", **form: str) -> httpx.Response:
    return await client.post("/v2/document", data=FORM | form, files={"file": (name, content)})


async def ended(client: Client, given: dict[str, str]) -> dict[str, Any]:
    """The last status of a document."""
    key = {"document_key": given["document_key"]}
    while True:
        answer = await client.post(f"/v2/document/{given['document_id']}", data=key)
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        if status["status"] in ("done", "error"):
            return status
        await asyncio.sleep(0.001)


async def result(client: Client, given: dict[str, str]) -> httpx.Response:
    key = {"document_key": given["document_key"]}
    return await client.post(f"/v2/document/{given['document_id']}/result", json=key)


def test_a_document_is_uploaded_asked_about_and_downloaded(visit, tmp_path):
    content = "\ufeff" + "".join(f"line {i}\r\n" for i in range(100))

    async def work(client: Client) -> None:
        given = (await upload(client, content.encode(), "\u0444\u0430\u0439\u043b.txt")).json()
        assert set(given) == {"document_id", "document_key"}
        status = await ended(client, given)
        assert status == {
            "document_id": given["document_id"], "status": "done", "progress": 1.0,
            "billed_characters": len(content),
        }  # fmt: skip
        got = await result(client, given)
        assert got.content.decode() == content.upper()
        assert unquote(got.headers["content-disposition"]).endswith("\u0444\u0430\u0439\u043b_de.txt")
        assert max(map(len, Pretended.batches)) <= 16
        page = (await upload(client, b"<p>a <b>b</b></p>", "a.HTML")).json()
        await ended(client, page)
        assert (await result(client, page)).text == "<p>A <b>B</b></p>"
        through = (await upload(client, b"un chien", source_lang="fr", target_lang="en")).json()
        await ended(client, through)
        assert (await result(client, through)).text == "UN CHIEN"

    visit(work, documents=str(tmp_path), max_characters=20, max_body_bytes=500, timeout_s=5)
    kept = [path.read_text("utf-8") for path in tmp_path.glob("*/state.json")]
    assert len(kept) == 3
    assert not any("document_key" in state for state in kept)
    assert not list(tmp_path.glob("*/source"))  # what is done needs it no more


def test_only_the_key_of_a_document_opens_it(visit, tmp_path):
    async def work(client: Client) -> None:
        first, second = [(await upload(client, b"a")).json() for _ in range(2)]
        await ended(client, second)
        for document_id, key in (
            (first["document_id"], second["document_key"]), (first["document_id"], "x"),
            ("0" * 32, first["document_key"]), ("..", first["document_key"]), (".lock", "x"),
        ):  # fmt: skip
            for path in (f"/v2/document/{document_id}", f"/v2/document/{document_id}/result"):
                answer = await client.post(path, json={"document_key": key})
                assert answer.status_code in (404, 405), path
        without = await client.post(f"/v2/document/{first['document_id']}", json={})
        assert (without.status_code, "missing document_key" in without.text) == (400, True)

    visit(work, documents=str(tmp_path))


def test_a_document_waits_for_a_busy_service_and_says_how_far_it_is(visit, tmp_path):
    async def work(client: Client) -> None:
        lines = "".join(f"line {i}\n" for i in range(16)) + "slow\n"
        given = (await upload(client, lines.encode())).json()
        while not any("slow" in batch for batch in Pretended.dropped):  # it took longer than a request may
            await asyncio.sleep(0.001)
        key = {"document_key": given["document_key"]}
        status = (await client.post(f"/v2/document/{given['document_id']}", json=key)).json()
        assert status["status"] == "translating"
        assert 0.5 < status["progress"] < 1
        early = await result(client, given)
        assert (early.status_code, "retry-after" in early.headers) == (503, True)
        Pretended.gate.set()
        assert (await ended(client, given))["status"] == "done"
        assert (await result(client, given)).text == lines.upper()

    visit(work, documents=str(tmp_path), timeout_s=0.2)


def test_a_document_that_cannot_be_translated_says_why_and_holds_up_no_other(visit, tmp_path):
    async def work(client: Client) -> None:
        bad, good = [(await upload(client, text)).json() for text in (b"boom", b"fine")]
        status = await ended(client, bad)
        assert (status["status"], status["error_message"]) == ("error", "The text could not be translated.")
        assert (await result(client, bad)).status_code == 404
        assert (await ended(client, good))["status"] == "done"

    visit(work, documents=str(tmp_path))


def test_documents_survive_a_restart(visit, tmp_path):
    given: list[dict[str, str]] = []

    async def before(client: Client) -> None:
        for text in (b"done", b"slow", b"next"):
            given.append((await upload(client, text)).json())
        await ended(client, given[0])
        while not any("slow" in batch for batch in Pretended.batches):
            await asyncio.sleep(0.001)

    async def after(client: Client) -> None:
        Pretended.gate.set()
        for each, text in zip(given, ("DONE", "SLOW", "NEXT"), strict=True):
            assert (await ended(client, each))["status"] == "done"
            assert (await result(client, each)).text == text

    visit(before, documents=str(tmp_path))
    states = [json.loads(path.read_text()) for path in tmp_path.glob("*/state.json")]
    assert sorted(state["attempts"] for state in states) == [0, 0, 1]  # being stopped is no attempt
    visit(after, documents=str(tmp_path))


def test_documents_are_bounded_in_number_size_and_time(visit, tmp_path):
    async def work(client: Client) -> None:
        given = (await upload(client, b"a")).json()
        full = await upload(client, b"b")
        assert (full.status_code, full.headers["retry-after"]) == (503, "60")
        large = await upload(client, b"b" * 2001)
        assert (large.status_code, "2,000" in large.text) == (413, True)
        assert (await upload(client, b"b" * 30_000)).status_code == 413
        await ended(client, given)

    visit(work, documents=str(tmp_path), max_documents=1, max_document_bytes=2000, max_body_bytes=1000)

    async def later(client: Client) -> None:
        assert (await upload(client, b"b")).status_code == 200

    visit(later, documents=str(tmp_path), max_documents=1, document_hours=1e-9)
    assert len(list(tmp_path.glob("*/state.json"))) == 1


def test_what_a_crash_left_is_put_in_order(tmp_path):
    store = DocumentStore(tmp_path, 10, 1000, 1000)
    deadly = new_document("a.txt", "en", "de", 1)
    store.add(deadly, b"a")
    deadly.status, deadly.attempts = "translating", 3
    store.save(deadly)
    with pytest.raises(OutputError, match="another service"):
        DocumentStore(tmp_path, 10, 1000, 1000)
    with pytest.raises(Full):
        store.add(new_document("b.txt", "en", "de", 1), b"b" * 400)
    store.close()
    (tmp_path / ("0" * 32)).mkdir()
    half = tmp_path / ("1" * 32)
    half.mkdir()
    (half / "state.json").write_text("{")
    again = DocumentStore(tmp_path, 10, 1000, 1000)
    assert [state.status for state in again.states.values()] == ["error"]
    assert "3 times" in json.loads((tmp_path / deadly.id / "state.json").read_text())["error"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [deadly.id]
    again.close()


def test_a_file_that_goes_away_meanwhile_spoils_no_upload(tmp_path, monkeypatch):
    store = DocumentStore(tmp_path, 10, 1000, 1000)
    walk = [(str(tmp_path), [], ["gone"])]
    monkeypatch.setattr("interlingua.serving.models.documents.os.walk", lambda _: walk)
    store.add(new_document("a.txt", "en", "de", 1), b"a")
    store.close()


def test_a_full_disk_is_told(visit, tmp_path, monkeypatch):
    def full(path: Path, write: Any) -> None:
        raise OutputError("the disk is full", where=path)

    async def work(client: Client) -> None:
        given = (await upload(client, b"a")).json()
        assert "no room" in (await ended(client, given))["error_message"]
        refused = await upload(client, b"a")
        assert (refused.status_code, list(refused.json())) == (503, ["error"])

    keep = DocumentStore.write_result

    def fails(self: DocumentStore, state: Any, content: bytes) -> None:
        monkeypatch.setattr("interlingua.serving.models.documents.write_whole", full)
        keep(self, state, content)

    monkeypatch.setattr(DocumentStore, "write_result", fails)
    visit(work, documents=str(tmp_path))


def test_documents_need_a_place_and_a_key_where_keys_are_asked_for(visit, tmp_path):
    async def without(client: Client) -> None:
        for answer in (
            await upload(client, b"a"), await client.post("/v2/document/x", json={"document_key": "y"})
        ):  # fmt: skip
            assert (answer.status_code, list(answer.json())) == (404, ["error"])

    visit(without)
    keys = tmp_path / "keys"
    keys.write_text("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n")  # secret

    async def locked(client: Client) -> None:
        assert (await upload(client, b"a")).status_code == 403
        assert (await upload(client, b"a", api_key="secret")).status_code == 200
        header = {"authorization": "DeepL-Auth-Key secret"}
        files = {"file": ("a.txt", io.BytesIO(b"a"))}
        given = await client.post("/v2/document", data=FORM, files=files, headers=header)
        assert given.status_code == 200
        for request, message in (
            ({"files": {"file": ("a.pdf", b"")}}, "format not supported"),
            ({"files": {"file": ("a.txt", b"\xff")}}, "not UTF-8"), ({}, "missing file"),
        ):  # fmt: skip
            bad = await client.post("/v2/document", data=FORM, headers=header, **request)
            assert (bad.status_code, message in bad.text) == (400, True), bad.text

    visit(locked, documents=str(tmp_path / "documents"), api_keys=str(keys))
