"""The service's glossaries and corrections: what a request may ask for, what it is told, what is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from interlingua.errors import ConfigurationError, DataError, OutputError
from interlingua.serving.app import build_app
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Catalogue
from interlingua.serving.models.corrections import Corrections, to_pairs
from interlingua.serving.models.glossaries import Glossaries
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.process import AboutModel
from interlingua.serving.settings import ServeSettings
from interlingua.terms.glossary import Glossary
from tests.unit.test_serving_api import MODELS, Pretended, events

Work = Callable[[httpx.AsyncClient], Awaitable[None]]


class Obedient(Pretended):
    """Writes the target of each term in place of its source, but for those that are to be missing."""

    asked: list[list[dict[str, str]]] = []  # noqa: RUF012

    async def translate(self, task: dict[str, Any], on_drafts: Any, abandoned: Any) -> list[dict[str, Any]]:
        self.asked.append(task["glossaries"])
        drafts = {
            number: next(iter(task["glossaries"][number].values()), "none") for number in task["watched"]
        }
        on_drafts(drafts)
        answers = await super().translate({**task, "watched": []}, on_drafts, abandoned)
        for answer, text, glossary in zip(answers, task["texts"], task["glossaries"], strict=True):
            terms = [each.term for each in Glossary(glossary).find(text)]
            for source, target in glossary.items():
                text = text.replace(source, target)
            answer["text"] = text
            if terms:
                answer["terms"] = [
                    {"source": source, "target": target, "satisfied": "missing" not in target}
                    for source, target in terms
                ]
        return answers


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs some work against a service with these settings."""

    def run(work: Work, **values: Any) -> None:
        settings = ServeSettings.parse({"workers": 1, "wait_ms": 20, **values})

        async def main() -> None:
            Obedient.asked, Pretended.started, Pretended.batches = [], [], []
            monkeypatch.setattr("interlingua.serving.pool.pool.Worker", Obedient)
            metrics, catalogue = Metrics(), Catalogue(MODELS)
            pool = Pool({model.name: "" for model in MODELS}, settings, metrics)
            await pool.start()
            kept = None
            if settings.corrections:
                kept = Corrections(settings.corrections, [model.name for model in MODELS])
            app = build_app(catalogue, pool, settings, metrics, kept)
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                async with asyncio.timeout(120):
                    await work(client)
            await pool.stop()
            if kept:
                kept.close()

        asyncio.run(main())

    return run


def ask(q: Any = "a dog", **more: Any) -> dict[str, Any]:
    return {"q": q, "source": "en", "target": "de", **more}


def used(source: str, target: str, satisfied: bool = True) -> dict[str, Any]:
    return {"source": source, "target": target, "satisfied": satisfied}


def test_the_answer_tells_which_terms_came_out(visit):
    async def work(client: httpx.AsyncClient) -> None:
        glossary = {"dog": "Hund", "cat": "missing", "cow": "Kuh"}
        answer = (await client.post("/translate", json=ask("a dog, a cat", glossary=glossary))).json()
        assert answer["translatedText"] == "a Hund, a missing"
        assert answer["terms"] == [used("dog", "Hund"), used("cat", "missing", False)]
        several = ask(["a dog", "a pig"], glossary=glossary)
        assert (await client.post("/translate", json=several)).json()["terms"] == [[used("dog", "Hund")], []]
        assert "terms" not in (await client.post("/translate", json=ask("a pig", glossary=glossary))).json()
        html = ask("<p>a <b>dog</b></p><p>Dog dog</p>", format="html", glossary=glossary)
        answer = (await client.post("/translate", json=html)).json()
        assert answer["terms"] == [used("dog", "Hund")] * 3
        own = ask("one dog\na pig", glossary=glossary)
        (told,) = (await client.post("/v1/translate", json=own)).json()["translations"]
        assert told["terms"] == [used("dog", "Hund")]
        assert [part.get("terms") for part in told["parts"]] == [[used("dog", "Hund")], None]

    visit(work)


def test_requests_with_and_without_terms_are_decoded_together(visit):
    async def work(client: httpx.AsyncClient) -> None:
        asked = [
            ask("a dog", glossary={"dog": "Hund"}),
            ask("a dog"),
            ask("a dog", glossary={"dog": "Köter"}),
        ]
        answers = await asyncio.gather(*(client.post("/translate", json=each) for each in asked))
        texts = [answer.json()["translatedText"] for answer in answers]
        assert texts == ["a Hund", "a dog", "a Köter"]
        assert len(Obedient.asked) == 1

    visit(work)


def test_nobody_is_shown_drafts_of_another(visit):
    async def work(client: httpx.AsyncClient) -> None:
        asked = [ask("a dog", stream=True, glossary={"dog": f"secret{i}"} if i else {}) for i in range(8)]
        answers = await asyncio.gather(*(client.post("/v1/translate", json=each) for each in asked))
        for i, answer in enumerate(answers):
            drafts = [content["text"] for name, content in events(answer) if name == "progress"]
            assert drafts
            assert set(drafts) <= {f"secret{i}" if i else "none", f"a secret{i}" if i else "a dog"}
        assert len(Obedient.asked) < len(asked)

    visit(work, draft_ms=0)


def test_a_request_s_terms_come_before_those_of_the_service(visit, tmp_path):
    path = tmp_path / "terms.tsv"
    path.write_text("dog\tHund\ncat\tKatze\n", encoding="utf-8")

    async def work(client: httpx.AsyncClient) -> None:
        for asked, text in (
            (ask("dog cat"), "Hund Katze"),
            (ask("dog cat", glossary={"dog": "Köter"}), "Köter Katze"),
            (ask("dog cat", glossary={}), "Hund Katze"),
            (ask("dog cat", glossary=None), "Hund Katze"),
            ({"q": "dog", "source": "fr", "target": "de"}, "dog"),
        ):
            assert (await client.post("/translate", json=asked)).json()["translatedText"] == text
        drawn = ask("dog", sample=True)
        assert (await client.post("/v1/translate", json=drawn)).json()["translations"][0]["text"] == "dog"

    visit(work, glossary=(f"en-de={path}",))


@pytest.mark.parametrize("path", ["/translate", "/v1/translate"])
def test_terms_beyond_the_limits_are_refused(visit, path):
    async def work(client: httpx.AsyncClient) -> None:
        for glossary, message in (
            ({str(i): "x" for i in range(4)}, "4 terms exceed the limit of 3"),
            ({"x" * 11: "y"}, "over 10 characters"),
            ({"x": "y" * 11}, "over 10 characters"),
            ({"": "y"}, "empty"),
            ({"x": " \n"}, "empty"),
            ({"x": 1}, "valid string"),
            ([["x", "y"]], "an object"),
            ("x=y", "an object"),
        ):
            for target in ("de", "en"):  # what is already in the target's language is held to the same limits
                answer = await client.post(path, json=ask(glossary=glossary, target=target))
                assert answer.status_code == 400
                assert answer.json()["error"].startswith("Invalid request: glossary: ")
                assert message in answer.json()["error"]
        surrogate = '{"q": "a", "source": "en", "target": "de", "glossary": {"a": "\\ud800"}}'
        headers = {"Content-Type": "application/json"}
        assert (await client.post(path, content=surrogate, headers=headers)).status_code == 400
        drawn = ask(glossary={"a": "b"}, sample=True)
        assert (await client.post("/v1/translate", json=drawn)).status_code == 400

    visit(work, max_terms=3, max_term_characters=10)


def test_mistaken_glossaries_are_explained_at_the_start(tmp_path, monkeypatch):
    path = tmp_path / "terms.tsv"
    path.write_text("dog\tHund\ncat\n", encoding="utf-8")

    def start(*given: str, models: int = 3) -> Glossaries:
        return Glossaries(Catalogue(MODELS[:models]), ServeSettings.parse({"glossary": given}))

    with pytest.raises(DataError, match=r"terms.tsv:2: the line has no tab"):
        start(f"en-de={path}")
    with pytest.raises(ConfigurationError, match="which model"):
        start(str(path))
    with pytest.raises(ConfigurationError, match="no model 'en-xx'"):
        start(f"en-xx={path}")
    path.write_text("dog\tHund\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no model 'en-xx'"):
        start(f"en-xx={path}", models=1)
    other = tmp_path / "more=terms.tsv"
    other.write_text("cat\tKatze\n", encoding="utf-8")
    for given in ((f"en-de={path}", f"en-de={other}"), (f"en-de={path}", f"en-de={path}")):
        with pytest.raises(ConfigurationError, match="en-de has two glossaries"):
            start(*given)
    with pytest.raises(ConfigurationError, match="two glossaries"):
        start(str(path), str(other), models=1)
    with pytest.raises(ConfigurationError, match="which model"):
        start(str(other))
    for given in (str(other), f"en-de={other}"):
        assert start(given, models=1).choose(MODELS[0], None).terms == {"cat": "Katze"}
    monkeypatch.chdir(tmp_path)
    assert start(other.name, models=1).choose(MODELS[0], None).terms == {"cat": "Katze"}
    with pytest.raises(DataError, match="a=b"):
        start(f"{tmp_path}/a=b/none.tsv", models=1)
    assert start(str(path), models=1).choose(MODELS[0], None).terms == {"dog": "Hund"}


def test_many_terms_cost_no_more_than_the_widest_beam():
    async def work() -> None:
        pool = Pool({}, ServeSettings(), Metrics())
        pool.about = {"en-de": AboutModel(100, beam=4, attention_heads=0)}
        costs = [pool.cost("en-de", 10, {}, num_terms=count) for count in (0, 3, 14, 50)]
        assert costs == [10, 20, 64, 64]
        assert pool.cost("en-de", 10, {"beam": 40}, num_terms=50) == 80

    asyncio.run(work())


def correct(q: str, translation: str, **more: Any) -> dict[str, Any]:
    return {**ask(q, translation=translation), **more}


def test_corrections_are_saved_ready_to_train_on(visit, tmp_path):
    folder = tmp_path / "corrections"

    async def work(client: httpx.AsyncClient) -> None:
        settings = (await client.get("/frontend/settings")).json()
        assert settings["corrections"] is True
        for asked, saved in (
            (correct("a dog", "ein Hund"), 1),
            (correct("one\ntwo\n\nthree\n", "eins\n zwei\t2 \n\ndrei"), 3),
            (correct("one\r\ntwo", "eins zwei"), 1),
            (correct("\n", "x"), 0),
            (correct("un chien", "ein Hund", source="fr"), 1),
        ):
            answer = await client.post("/v1/corrections", json=asked)
            assert (answer.status_code, answer.json()) == (200, {"saved": saved})
        for asked in (
            correct("x", ""),
            correct("x" * 101, "y"),
            correct("a", "b", source="de"),
        ):
            assert (await client.post("/v1/corrections", json=asked)).status_code == 400
        some = [client.post("/v1/corrections", json=correct(f"q{i}", "t" * i)) for i in range(1, 51)]
        assert {answer.status_code for answer in await asyncio.gather(*some)} == {200}

    visit(work, corrections=folder, max_characters=100)
    lines = (folder / "en-de.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[:5] == ["a dog\tein Hund", "one\teins", "two\tzwei 2", "three\tdrei", "one two\teins zwei"]
    assert sorted(lines[5:-1]) == sorted(f"q{i}\t{'t' * i}" for i in range(1, 51))
    assert lines[-1] == ""
    assert (folder / "fr-de.tsv").read_text(encoding="utf-8") == "un chien\tein Hund\n"
    assert not list(folder.glob("*.torn"))


def test_without_the_option_no_corrections_are_taken(visit):
    async def work(client: httpx.AsyncClient) -> None:
        assert (await client.get("/frontend/settings")).json()["corrections"] is False
        answer = await client.post("/v1/corrections", json=correct("a", "b"))
        assert (answer.status_code, answer.json()) == (404, {"error": "Corrections are not saved here."})

    visit(work)


@pytest.mark.parametrize("torn", ["half\tein", "x" * 200_000, "\udcff"])
def test_a_torn_last_line_is_put_aside(tmp_path, torn):
    path = tmp_path / "en-de.tsv"
    rest = torn.encode(errors="surrogateescape")
    path.write_bytes(b"a\tb\n" + rest)
    (tmp_path / "de-en.tsv").write_bytes(b"")
    (tmp_path / "fr-de.tsv").write_bytes(rest)
    kept = Corrections(tmp_path, ["en-de", "de-en", "fr-de", "xx-yy"])
    assert path.read_bytes() == b"a\tb\n"
    assert path.with_suffix(".torn").read_bytes() == rest + b"\n"
    assert (tmp_path / "fr-de.tsv").read_bytes() == b""
    asyncio.run(kept.save("en-de", [("c", "d")]))
    assert path.read_bytes() == b"a\tb\nc\td\n"
    kept.close()
    Corrections(tmp_path, ["en-de"]).close()
    assert path.read_bytes() == b"a\tb\nc\td\n"


def test_one_service_saves_at_a_time(tmp_path):
    kept = Corrections(tmp_path, ["en-de"])
    with pytest.raises(OutputError, match="another service"):
        Corrections(tmp_path, ["en-de"])
    kept.close()
    Corrections(tmp_path, ["en-de"]).close()
    with pytest.raises(OutputError, match="cannot be saved"):
        Corrections(Path("/dev/null/x"), ["en-de"])


def test_what_cannot_be_written_whole_is_not_written(tmp_path, monkeypatch):
    kept = Corrections(tmp_path, ["en-de"])
    asyncio.run(kept.save("en-de", [("a", "b")]))
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        asyncio.run(kept.save("en-de", [("c", "d")]))
    assert (tmp_path / "en-de.tsv").read_bytes() == b"a\tb\n"
    kept.close()


def test_nobody_writes_before_a_cancelled_write_is_done(tmp_path, monkeypatch):
    kept = Corrections(tmp_path, ["en-de"])
    order: list[str] = []

    def slowly(path: Path, lines: bytes) -> None:
        order.append(f"begin {lines!r}")
        time.sleep(0.1)
        order.append(f"end {lines!r}")

    monkeypatch.setattr("interlingua.serving.models.corrections._append", slowly)

    async def work() -> None:
        first = asyncio.create_task(kept.save("en-de", [("a", "b")]))
        await asyncio.sleep(0.02)
        first.cancel()
        await kept.save("en-de", [("c", "d")])
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(work())
    kept.close()
    assert [event.split()[0] for event in order] == ["begin", "end", "begin", "end"]


def test_lines_that_do_not_match_become_one_pair():
    assert to_pairs("a\u2028b", "c\nd") == [("a", "c"), ("b", "d")]
    assert to_pairs("a\nb\nc", "d\te") == [("a b c", "d e")]
    assert to_pairs(" \x00 ", "a") == []
