"""The service with workers that only pretend to be processes: what it answers, sheds, survives and keeps."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import unquote

import httpx
import pytest

from interlingua.documents.document import Part
from interlingua.errors import ConfigurationError
from interlingua.serving import logs
from interlingua.serving.app import build_app
from interlingua.serving.http.limits import AccessControl, read_keys
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Catalogue, ServedModel, read_model
from interlingua.serving.models.corrections import Corrections
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.process import AboutModel, WorkerGoneError
from interlingua.serving.pool.queue import Job, Queue, RequestTurn
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.answer_cache import AnswerCache, cache_key
from interlingua.serving.routes.files import TranslatedFiles
from interlingua.serving.run import open_documents
from interlingua.serving.settings import ServeSettings
from interlingua.text.repetition import repeats
from interlingua.text.symbols import ByteTokenizer

MODELS = [
    ServedModel(f"{source}-{target}", Path(), source, target, ByteTokenizer("NFC"))
    for source, target in (("en", "de"), ("de", "en"), ("fr", "de"))
]


class Pretended:
    """A worker that turns texts into capitals; some texts are trouble."""

    started: ClassVar[list[Pretended]] = []
    batches: ClassVar[list[list[str]]] = []
    options: ClassVar[list[dict[str, Any]]] = []
    dropped: ClassVar[list[list[str]]] = []
    devices: ClassVar[list[str]] = []
    left: ClassVar[list[tuple[str, int]]] = []
    gate = asyncio.Event()

    def __init__(self) -> None:
        self.about = {model.name: AboutModel(100, beam=1, attention_heads=32) for model in MODELS}
        self.gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.process = SimpleNamespace(pid=len(self.started))
        self.started.append(self)

    @classmethod
    async def start(cls, models: Any, precision: str, device: str, engine: str) -> Pretended:
        cls.devices.append(device)
        return cls()

    async def translate(self, task: dict[str, Any], on_drafts: Any, abandoned: Any) -> list[dict[str, Any]]:
        self.batches.append(task["texts"])
        self.options.append(task["options"])
        for number in task["watched"]:
            for end in range(1, 4):
                on_drafts({number: task["texts"][number].upper()[:end]})
                await asyncio.sleep(0.06)
        if any("slow" in text for text in task["texts"]):
            opened = asyncio.ensure_future(self.gate.wait())
            await asyncio.wait([opened, abandoned, self.gone], return_when="FIRST_COMPLETED")
            if abandoned.done():
                self.dropped.append(task["texts"])
                return []
        if self.gone.done() or any("kill" in text for text in task["texts"]):
            raise WorkerGoneError
        await asyncio.sleep(0)
        return [self.answer(text, task) for text in task["texts"]]

    def answer(self, text: str, task: dict[str, Any]) -> dict[str, Any]:
        if "boom" in text:
            return {"error": "ValueError"}
        tokens = text.split()
        n_best = task["options"].get("n_best", 1)
        record = {
            "text": text.upper(), "flags": [], "count": len(tokens), "tokens": [t.upper() for t in tokens],
            "source_tokens": tokens, "score": -1.0, "log_probs": [-0.5] * (len(tokens) + 1),
        }  # fmt: skip
        if task["options"].get("attention") and "verbose" in text:  # 100 target tokens for each of the source
            record["attention"] = {
                "encoder": [],
                "decoder": [],
                "cross": [[[[0.5] * len(tokens)] * 100 * len(tokens)] * 32],
            }
        if task["options"].get("alignment"):
            record["alignment"] = [(i, i) for i in range(len(tokens))]
        others = [{**record, "text": f"{text.upper()} {i}"} for i in range(1, n_best)]
        return {**record, "alternatives": others}

    def drop(self, number: int, text: int) -> None:
        self.left.append((self.batches[-1][text], number))

    async def stop(self) -> None:
        if not self.gone.done():
            self.gone.set_result(0)


class Client(httpx.AsyncClient):
    pool: Pool
    metrics: Metrics


Work = Callable[[Client], Awaitable[None]]


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs some work against a service with these settings."""

    def run(work: Work, models: list[ServedModel] = MODELS, **values: Any) -> None:
        settings = ServeSettings.parse({"workers": 1, "wait_ms": 0, **values})

        async def main() -> None:
            Pretended.started, Pretended.batches, Pretended.options, Pretended.dropped = [], [], [], []
            Pretended.left, Pretended.devices = [], []
            Pretended.gate = asyncio.Event()
            monkeypatch.setattr("interlingua.serving.pool.pool.Worker", Pretended)
            metrics = Metrics()
            pool = Pool({model.name: "" for model in models}, settings, metrics)
            await pool.start()
            names = [model.name for model in models]
            store = Corrections(settings.corrections, names) if settings.corrections else None
            documents = open_documents(settings)
            catalogue = Catalogue(models, pivot=settings.pivot)
            app = build_app(catalogue, pool, settings, metrics, store, documents)
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with Client(transport=transport, base_url="http://here") as client:
                client.pool, client.metrics = pool, metrics
                async with asyncio.timeout(120):
                    await work(client)
            await pool.stop()
            for each in (store, documents):
                if each:
                    each.close()

        asyncio.run(main())

    return run


def ask(q: Any = "a dog", **more: Any) -> dict[str, Any]:
    return {"q": q, "source": "en", "target": "de", **more}


def test_every_way_to_send_a_text_gives_its_translation(visit):
    async def work(client: Client) -> None:
        wanted = {"translatedText": "A DOG É"}
        text = ask("a dog é")
        for way in ({"json": text}, {"data": text}, {"params": text}, {"files": {"x": b""}, "data": text}):
            answer = await client.post("/translate", **way)
            assert (answer.status_code, answer.json()) == (200, wanted)
        raw = "q=a dog é&source=en&target=de".encode()  # as curl -d sends it
        assert (await client.post("/translate", content=raw)).json() == wanted
        several = await client.post("/translate", json=ask(["x y", "", " z\n\nq "]))
        assert several.json() == {"translatedText": ["X Y", "", " Z\n\nQ "]}
        form = await client.post("/translate", data=ask(["x", "y"], format="", alternatives="0"))
        assert form.json() == {"translatedText": ["X", "Y"]}
        named = await client.post("/translate", json=ask(source="EN", target="de-AT", format=None))
        assert named.json() == {"translatedText": "A DOG"}

    visit(work)


def test_alternatives_detection_and_what_was_not_kept(visit):
    async def work(client: Client) -> None:
        answer = (await client.post("/translate", json=ask("x\ny", alternatives=2, source="auto"))).json()
        assert answer["translatedText"] == "X\nY"
        assert answer["alternatives"] == ["X 1\nY 1", "X 2\nY 2"]
        assert answer["detectedLanguage"]["language"] in ("en", "fr")
        text = "La maison est très belle aujourd'hui, et les enfants jouent dehors."
        french = (await client.post("/translate", json=ask(text, source="auto"))).json()
        assert french["detectedLanguage"]["language"] == "fr"
        found = (await client.post("/detect", json={"q": text})).json()
        assert found[0]["language"] == "fr"
        assert {each["language"] for each in found} == {"en", "de", "fr"}
        kept = (await client.post("/translate", json=ask(["see {name} on a.b@c.de", "5 dogs"]))).json()
        assert kept == {"translatedText": ["SEE {name} ON a.b@c.de", "5 DOGS"]}
        lost = (await client.post("/translate", json=ask(["go to {a}{b}", "x"]))).json()
        assert lost.get("notKept") in (None, [["{a}"], []], [["{b}"], []], [["{a}", "{b}"], []])

    visit(work)


def test_html_keeps_its_tags_and_its_text_is_that_of_the_plain_sentence(visit):
    async def work(client: Client) -> None:
        source = '<p>a <b>black</b> dog &amp; <a href="x">cat</a>.</p><br> end'
        answer = (await client.post("/translate", json=ask(source, format="html"))).json()
        assert answer["translatedText"] == '<p>A <b>BLACK</b> DOG &amp; <a href="x">CAT</a>.</p><br> END'
        assert Pretended.batches[-1] in (["a black dog & cat."], ["end"], ["a black dog & cat.", "end"])

    visit(work)


def test_alternatives_go_with_html(visit):
    async def work(client: Client) -> None:
        source = "<p>a <b>dog</b></p>"
        answer = (await client.post("/translate", json=ask(source, format="html", alternatives=2))).json()
        assert answer["translatedText"] == "<p>A <b>DOG</b></p>"
        assert answer["alternatives"] == ["<p>A <b>DOG</b> 1</p>", "<p>A <b>DOG</b> 2</p>"]

    visit(work)


def test_more_alternatives_than_allowed_are_not_refused(visit):
    async def work(client: Client) -> None:
        for way in ({"json": ask(alternatives=50)}, {"data": ask(alternatives="50")}):
            answer = await client.post("/translate", **way)
            assert answer.json()["alternatives"] == ["A DOG 1", "A DOG 2"]

    visit(work, max_alternatives=2)


def test_the_limit_of_characters_is_that_of_each_text(visit):
    async def work(client: Client) -> None:
        for path in ("/translate", "/v1/translate"):
            assert (await client.post(path, json=ask(["abcdefghij"] * 5))).status_code == 200
            refused = await client.post(path, json=ask(["a", "abcdefghijk"]))
            assert (refused.status_code, "11 characters exceed" in refused.text) == (400, True)

    visit(work, max_characters=10)


@pytest.mark.parametrize(
    ("info", "lost"),
    [("", ["5"]), ("{}", ["5"]), ('{"numbers_copied": 0.97}', ["5"]), ('{"numbers_copied": null}', ["5"]),
     ('{"numbers_copied": 0.3}', [])],
)  # fmt: skip
def test_numbers_that_the_task_rewrites_are_not_missing(visit, tmp_path, monkeypatch, info, lost):
    (tmp_path / "config.toml").write_text('languages = ["en", "de"]\n')
    if info:
        (tmp_path / "info.json").write_text(info)
    monkeypatch.setattr(
        "interlingua.serving.models.catalogue.load_tokenizer", lambda *_: ByteTokenizer("NFC")
    )
    monkeypatch.setattr(Pretended, "answer", lambda *_: {"text": "five", "flags": [], "alternatives": []})

    async def work(client: Client) -> None:
        answer = (await client.post("/translate", json=ask("5"))).json()
        assert answer.get("notKept", []) == lost

    visit(work, models=[read_model(tmp_path)])


def test_a_suggestion_is_a_correction(visit, tmp_path):
    suggested = ask("a dog", s="ein Hund")

    async def work(client: Client) -> None:
        assert (await client.get("/frontend/settings")).json()["suggestions"] is True
        for way in ({"json": suggested}, {"data": suggested}):
            assert (await client.post("/suggest", **way)).json() == {"success": True}
        missing = await client.post("/suggest", data=ask())
        assert (missing.status_code, "missing s" in missing.text) == (400, True)
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert (await client.post("/suggest", data=suggested, headers=elsewhere)).status_code == 415

    visit(work, corrections=str(tmp_path))
    assert (tmp_path / "en-de.tsv").read_text() == "a dog\tein Hund\n" * 2

    async def without(client: Client) -> None:
        assert (await client.get("/frontend/settings")).json()["suggestions"] is False
        assert (await client.post("/suggest", json=suggested)).status_code == 403

    visit(without)


def test_a_pair_without_a_model_goes_through_a_third_language(visit):
    async def work(client: Client) -> None:
        asked = ask("un chien", source="fr", target="en", alternatives=1)
        answer = (await client.post("/translate", json=asked)).json()
        assert (answer["translatedText"], answer["pivot"]) == ("UN CHIEN", "de")
        assert answer["alternatives"] == ["UN CHIEN 1"]
        own = (await client.post("/v1/translate", json=ask(source="fr", target="en", alignment=True))).json()
        (text,) = own["translations"]
        assert (own["model"], text["text"], text["flags"], text["parts"]) == ("fr-en", "A DOG", ["pivot"], [])
        auto = await client.post("/translate", json=ask("o\u00f9 est le chien", source="auto", target="en"))
        assert auto.json()["detectedLanguage"]["language"] in ("fr", "de")
        terms = await client.post("/translate", json=ask(source="fr", target="en", glossary={"a": "b"}))
        assert (terms.status_code, "goes through de" in terms.text) == (400, True)
        told = {each["code"]: each for each in (await client.get("/languages")).json()}
        assert (told["fr"]["targets"], told["fr"]["pivots"]) == (["de", "en"], {"en": "de"})
        assert (told["en"]["targets"], told["en"]["pivots"]) == (["de"], {})
        form = {"source": "fr", "target": "en"}
        files = {"file": ("a.html", b"<p>un <b>chien</b></p>")}
        url = (await client.post("/translate_file", data=form, files=files)).json()["translatedFileUrl"]
        assert (await client.get(url)).text == "<p>UN <b>CHIEN</b></p>"

    visit(work)

    async def without(client: Client) -> None:
        assert (await client.post("/translate", json=ask(source="fr", target="en"))).status_code == 400

    visit(without, pivot=False)


def test_a_text_that_comes_again_is_not_decoded_again(visit):
    async def work(client: Client) -> None:
        async def decoded(**more: Any) -> int:
            before = len(Pretended.batches)
            assert (await client.post("/v1/translate", json=ask("a dog", **more))).status_code == 200
            return len(Pretended.batches) - before

        assert [await decoded() for _ in range(3)] == [1, 0, 0]
        for more in (
            {"target": "en", "source": "de"}, {"alternatives": 1}, {"beam": 3}, {"glossary": {"dog": "Hund"}},
            {"alignment": True},
        ):  # fmt: skip
            assert [await decoded(**more) for _ in range(2)] == [1, 0]
        assert [await decoded(sample=True) for _ in range(2)] == [1, 1]
        assert [await decoded(attention=True) for _ in range(2)] == [1, 1]
        streamed = await client.post("/v1/translate", json=ask("a dog", stream=True))
        assert events(streamed)[-1][1]["translations"][0]["text"] == "A DOG"
        await Pretended.started[0].stop()  # the model in its place may be another one
        while len(Pretended.started) < 2 or not client.pool.alive:
            await asyncio.sleep(0)
        assert [await decoded() for _ in range(2)] == [1, 0]

    visit(work)
    visit(lambda client: _decoded_twice(client), cache_bytes=0)


async def _decoded_twice(client: Client) -> None:
    for _ in range(2):
        await client.post("/translate", json=ask())
    assert Pretended.batches == [["a dog"], ["a dog"]]


def test_kept_answers_are_bounded():
    cache = AnswerCache(1000)
    for i in range(100):
        key = cache_key("en-de", Part(str(i), False, 1), {}, detail=False)
        cache.get(key, [1])
        cache.put(key, {"text": "x" * 100}, [1])
    assert cache.get(key, [1]) == {"text": "x" * 100}
    assert cache._answers.currsize <= 1000
    cache.put(key, {"text": "y"}, [2])  # of a worker that came meanwhile
    assert cache.get(key, [2]) is None


def test_the_native_api_tells_all_and_streams(visit):
    async def work(client: Client) -> None:
        asked = ask(["one two", "http"], alternatives=1, alignment=True)
        answer = (await client.post("/v1/translate", json=asked)).json()
        first = answer["translations"][0]
        assert (answer["model"], first["text"], first["alternatives"]) == ("en-de", "ONE TWO", ["ONE TWO 1"])
        part = first["parts"][0]
        assert part["tokens"] == ["ONE", "TWO"]
        assert part["alignment"] == [[0, 0], [1, 1]]
        assert len(part["log_probs"]) == 3

    visit(work)


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """The name and the content of each."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    both = [event.splitlines() for event in answer.text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in both]


FRENCH = "La maison est très belle aujourd'hui, et les enfants jouent dehors."
GERMAN = "Die Kinder spielen heute im Garten hinter dem Haus."
ENGLISH = "The children are playing in the garden behind the house."
DUTCH = "De hond loopt door het bos en de kinderen spelen buiten."


def test_the_language_of_each_text_of_a_list_is_detected(visit):
    async def work(client: Client) -> None:
        texts = [ENGLISH, FRENCH, GERMAN, "12", ENGLISH.lower()]
        answer = (await client.post("/translate", json=ask(texts, source="auto"))).json()
        assert answer["translatedText"] == [ENGLISH.upper(), FRENCH.upper(), GERMAN, "12", ENGLISH.upper()]
        found = answer["detectedLanguage"]
        assert [each["language"] for each in found] == ["en", "fr", "de", "en", "en"]
        assert found[3]["confidence"] == 0
        whole = (await client.post("/v1/translate", json=ask(texts, source="auto"))).json()
        each = [
            (text["source"], text["model"], text["detected"]["language"]) for text in whole["translations"]
        ]
        assert each[:3] == [("en", "en-de", "en"), ("fr", "fr-de", "fr"), ("de", "de-de", "de")]
        assert [text["text"] for text in whole["translations"]] == answer["translatedText"]
        assert (whole["model"], whole["source"]) == ("en-de", "en")

    visit(work)


def test_progress_of_texts_in_several_languages_bears_their_numbers(visit):
    async def work(client: Client) -> None:
        asked = ask([FRENCH, ENGLISH], source="auto", stream=True)
        lines = (await client.post("/v1/translate", json=asked)).text.split("\n")
        events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
        last = {event["index"]: event["text"] for event in events if "index" in event}
        assert FRENCH.upper().startswith(last[0])
        assert ENGLISH.upper().startswith(last[1])

    visit(work, draft_ms=0)


@pytest.mark.parametrize("path", ["/translate", "/v1/translate"])
def test_a_language_without_a_model_is_named_and_not_guessed(visit, path):
    async def work(client: Client) -> None:
        for texts in (DUTCH, [ENGLISH, DUTCH]):
            answer = await client.post(path, json=ask(texts, source="auto"))
            assert answer.status_code == 400
            said = answer.json()["error"]
            assert "Dutch (nl)" in said
            assert "from en" in said
        assert (await client.post(path, json=ask(DUTCH))).status_code == 200  # the user knows better
        first = (await client.post("/detect", json={"q": DUTCH})).json()[0]
        assert first["language"] == "nl"

    visit(work, models=MODELS[:1])


def test_what_says_little_is_never_certain(visit):
    async def work(client: Client) -> None:
        for text in ("12", "OK", "Ciao", "一只狗在跑。", "Bonjour"):
            found = (await client.post("/detect", json={"q": text})).json()
            assert all(each["confidence"] < 60 for each in found if each["language"] in ("en", "de", "fr")), (
                found
            )

    visit(work)


def test_events_tell_a_sentence_while_it_is_decoded(visit):
    async def work(client: Client) -> None:
        one = events(await client.post("/v1/translate", json=ask("hello", stream=True)))
        drafts = [content["text"] for name, content in one if name == "progress"]
        assert [name for name, _ in one] == ["progress"] * len(drafts) + ["done"]
        assert set(drafts) > {"H", "HE", "HEL"}
        assert one[-1][1]["translations"][0]["text"] == "HELLO"
        two = events(await client.post("/v1/translate", json=ask([" ab\nslow", "x"], stream=True)))
        drafts = [content["text"] for name, content in two if name == "progress" and content["index"] == 0]
        assert set(drafts) > {" A\n", " AB\nS", " AB\nSL"}
        assert [each["text"] for each in two[-1][1]["translations"]] == [" AB\nSLOW", "X"]
        failed = events(await client.post("/v1/translate", json=ask("boom", stream=True)))
        assert failed[-1] == ("error", {"error": "The text could not be translated."})

    visit(lambda client: _open(client, work), draft_ms=0)


def test_an_event_says_when_to_try_again(visit):
    async def work(client: Client) -> None:
        name, content = events(await client.post("/v1/translate", json=ask("slow", stream=True)))[-1]
        assert (name, content["retryAfter"]) == ("error", 5)

    visit(work, timeout_s=3)


async def _open(client: Client, work: Work) -> None:
    Pretended.gate.set()
    await work(client)


def test_attention_is_told_of_a_bounded_number_of_tokens(visit):
    async def work(client: Client) -> None:
        text = "\n".join(f"{number} {'x' * 30}" for number in range(100))
        await client.post("/v1/translate", json=ask(text, attention=True))
        told = [wanted for wanted in Pretended.options if wanted.get("attention")]
        assert 0 < sum(len(batch) for batch in Pretended.batches[: len(told)]) < 40

    visit(work)


def test_attention_is_bounded_by_what_the_outputs_came_to(visit):
    async def work(client: Client) -> None:
        for count, told in ((2, 2), (12, 10)):
            text = "\n".join(f"verbose {number} x y" for number in range(count))
            answer = await client.post("/v1/translate", json=ask(text, attention=True))
            parts = answer.json()["translations"][0]["parts"]
            assert [bool(part.get("attention")) for part in parts] == [n < told for n in range(count)]

    visit(work)


def test_without_attention_the_rest_still_works(visit, monkeypatch):
    async def work(client: Client) -> None:
        client.pool.about = {name: AboutModel(100, 1, attention_heads=0) for name in client.pool.about}
        answer = await client.post("/translate", json=ask("<b>a</b> see https://a.org", format="html"))
        assert answer.json() == {
            "translatedText": "<b>A</b> SEE HTTPS://A.ORG", "notKept": ["https://a.org"]
        }  # fmt: skip
        assert not any(wanted.get("alignment") for wanted in Pretended.options)
        for wish in ("attention", "alignment"):
            refused = await client.post("/v1/translate", json=ask(**{wish: True}))
            assert (refused.status_code, "no attention" in refused.text) == (400, True)

    visit(work)


def test_a_text_that_is_in_the_language_already_stays_as_it_is(visit):
    german = "Die Kinder spielen draußen im Garten, und das Haus ist sehr schön."
    english = "The children are playing outside in the garden of the house."

    async def work(client: Client) -> None:
        async def translated(text: str, path: str = "/translate", **more: Any) -> Any:
            answer = await client.post(path, json=ask(text, **more))
            assert answer.status_code == 200, answer.text
            return answer.json()

        assert (await translated(german, source="de"))["translatedText"] == german
        found = await translated(german, source="auto")
        assert (found["translatedText"], found["detectedLanguage"]["language"]) == (german, "de")
        assert (await translated(english, source="auto"))["translatedText"] == english.upper()
        # A word or two could be anything: they are translated.
        assert (await translated("Hand", source="auto"))["translatedText"] == "HAND"
        own = await translated(german, "/v1/translate", source="auto", glossary={"Haus": "house"})
        assert (own["translations"][0]["text"], own["translations"][0]["parts"]) == (german, [])

    visit(work)


def test_alternatives_in_which_something_was_garbled_are_left_out(visit, monkeypatch):
    plain = Pretended.answer

    def garbling(self: Pretended, text: str, task: dict[str, Any]) -> dict[str, Any]:
        record = plain(self, text, task)
        record["alternatives"][0]["text"] = "GEH ZU hppt//a"
        record["alternatives"][1]["text"] = "GEH ZU https://a.org"
        return record

    monkeypatch.setattr(Pretended, "answer", garbling)

    async def work(client: Client) -> None:
        answer = await client.post("/translate", json=ask("go to https://a.org", alternatives=2))
        assert answer.json()["alternatives"] == ["GEH ZU https://a.org"]

    visit(work)


def test_many_requests_at_once_do_not_overfill_the_queue(visit):
    async def work(client: Client) -> None:
        async def send(number: int) -> int:
            texts = [f"slow {number} {i}" for i in range(8)]
            return (await client.post("/translate", json=ask(texts))).status_code

        sent = [asyncio.create_task(send(number)) for number in range(9)]
        most = 0
        for _ in range(50):
            await asyncio.sleep(0.002)
            most = max(most, len(client.pool.queue))
        Pretended.gate.set()
        statuses = await asyncio.gather(*sent)
        assert most <= 20
        assert statuses.count(200) >= 2
        assert statuses.count(503) == 9 - statuses.count(200) > 0
        assert (await client.post("/translate", json=ask(["a"] * 30))).status_code == 200

    visit(work, queue=20, batch=4)


def test_pages_of_other_sites_can_read_refusals(visit):
    async def work(client: Client) -> None:
        headers = {"origin": "https://a.org", "content-encoding": "gzip"}
        refused = await client.post("/translate", content=b"", headers=headers)
        assert refused.status_code == 415
        assert refused.headers["access-control-allow-origin"] == "https://a.org"

    visit(work, cors=("https://a.org",))


def test_files_come_back_translated_under_a_name_that_cannot_be_guessed(visit):
    async def work(client: Client) -> None:
        for name, content, wanted in (
            ("../a b.txt", "x\n\ny\n", "X\n\nY\n"),
            ("a.html", "<p>x <i>y</i></p>", "<p>X <i>Y</i></p>"),
            (
                "a.srt",
                "1\n0:00:01,0 --> 0:00:02,0\nhi <i>you</i>\n",
                "1\n0:00:01,0 --> 0:00:02,0\nHI <i>YOU</i>\n",
            ),
        ):
            fields = {"source": "en", "target": "de"}
            answer = await client.post(
                "/translate_file", data=fields, files={"file": (name, content.encode())}
            )
            url = httpx.URL(answer.json()["translatedFileUrl"])
            assert url.path.startswith("/download_file/")
            got = await client.get(url)
            assert got.content.decode() == wanted
            assert got.headers["content-disposition"].startswith("attachment")
        assert (await client.get("/download_file/..%2f..%2fetc%2fpasswd")).status_code == 404

    visit(work)


@pytest.mark.parametrize(
    "name", ["\u0444\u0430\u0439\u043b.txt", "\u5b57\u5e55 1.srt", "\u00fcber.html", "a; b.txt"]
)
def test_names_of_files_may_be_in_any_script(visit, name):
    async def work(client: Client) -> None:
        given = {"file": (name, "\ufeffx\r\n".encode())}
        answer = await client.post("/translate_file", data={"source": "en", "target": "de"}, files=given)
        got = await client.get(answer.json()["translatedFileUrl"])
        assert got.content.decode() in ("\ufeffX\r\n", "\ufeffx\r\n")
        header = got.headers["content-disposition"]
        stem, dot, suffix = name.rpartition(".")
        shown = unquote(header.partition("filename*=UTF-8''")[2])
        assert shown == re.sub(r"[^\w.]+", "_", stem) + f"_de{dot}{suffix}"
        assert re.match(r'attachment; filename="[\w.-]+"; ', header, re.ASCII)

    visit(work)


def test_files_are_kept_for_a_while_and_within_bounds():
    files = TranslatedFiles(seconds=1000, max_bytes=10)
    first, second = files.put("../../etc/pa ss\n.txt", b"123456"), files.put("b.txt", b"123456")
    assert files.get(first) is None
    assert files.get(second) == b"123456"
    assert re.fullmatch(r"[\w-]{32}\.[\w.-]+", first)
    gone = TranslatedFiles(seconds=0)
    assert gone.get(gone.put("a.txt", b"1")) is None


BAD = [
    ("/translate", {"json": {}}, 400, "missing q"),
    ("/translate", {"json": ask("")}, 400, "q:"),
    ("/translate", {"json": ask([])}, 400, "q:"),
    ("/translate", {"json": ask({"a": 1})}, 400, "q:"),
    ("/translate", {"json": ask(["a", 5])}, 400, "q:"),
    ("/translate", {"json": ask(target="xx")}, 400, "xx is not supported"),
    ("/translate", {"json": ask(source="de", target="fr")}, 400, "not available"),
    ("/translate", {"json": ask(source="auto", target="fr")}, 400, "into fr"),
    ("/translate", {"json": ask(format="pdf")}, 400, "format"),
    ("/translate", {"json": ask(alternatives=-1)}, 400, "alternatives"),
    ("/v1/translate", {"json": ask(alternatives=6)}, 400, "alternatives"),
    ("/translate", {"json": ask("a" * 300)}, 400, "300 characters"),
    ("/translate", {"json": ask(["a"] * 9)}, 400, "9 texts"),
    ("/translate", {"json": ask("a" * 5000)}, 413, "larger than"),
    ("/translate", {"content": b"[" * 3000, "headers": {"content-type": "application/json"}}, 400, "JSON"),
    ("/translate", {"content": b'{"q": "\xff"}', "headers": {"content-type": "application/json"}}, 400, ""),
    ("/translate", {"content": b'["\\ud800"]', "headers": {"content-type": "application/json"}}, 400, ""),
    ("/translate", {"content": b"q=%ff&source=en&target=de"}, 400, "UTF-8"),
    ("/translate", {"content": b"q=a" + b"&x=1" * 500}, 400, "too long"),
    ("/translate", {"content": b"-", "headers": {"content-type": "multipart/form-data"}}, 400, "form"),
    ("/translate", {"content": b"", "headers": {"content-encoding": "gzip"}}, 415, "Compressed"),
    ("/translate", {"data": ask(glossary="x=y")}, 400, "glossary: Input should be an object"),
    ("/v1/translate", {"data": ask()}, 415, "JSON"),
    ("/v1/corrections", {"data": ask(translation="x")}, 415, "JSON"),
    ("/v1/corrections", {"content": b"", "headers": {"content-type": "text/plain"}}, 415, "JSON"),
    ("/translate", {"json": ask("boom")}, 500, "could not be translated"),
    ("/v1/translate", {"json": ask(beam=0)}, 400, "beam"),
    ("/v1/translate", {"json": ask(temperature=0)}, 400, "temperature"),
    ("/detect", {"json": {"q": ""}}, 400, "q:"),
    ("/translate_file", {"data": {"source": "en", "target": "de"}}, 400, "file"),
    ("/translate_file", {"data": ask(), "files": {"file": ("a.exe", b"")}}, 400, "format not supported"),
    ("/translate_file", {"data": ask(), "files": {"file": ("a.txt", b"\xff")}}, 400, "not UTF-8"),
    ("/nothing", {}, 404, ""),
    ("/languages", {}, 405, ""),
]  # fmt: skip


def test_mistakes_are_told_as_json_with_the_right_status(visit):
    async def work(client: Client) -> None:
        for path, request, status, message in BAD:
            answer = await client.post(path, **request)
            assert answer.status_code == status, (path, request, answer.text)
            assert list(answer.json()) == ["error"]
            assert message in answer.json()["error"], answer.text
        assert (await client.post("/translate", json=ask())).status_code == 200

    visit(work, max_characters=200, max_texts=8, max_body_bytes=4000)


def test_a_failing_text_harms_no_other_and_a_deadly_one_only_itself(visit):
    async def work(client: Client) -> None:
        texts = ["one", "boom", "kill", "two", "three"]
        answers = await asyncio.gather(*(client.post("/translate", json=ask(text)) for text in texts))
        assert [answer.status_code for answer in answers] == [200, 500, 500, 200, 200]
        assert answers[4].json()["translatedText"] == "THREE"
        assert len(Pretended.started) == 3  # it took down two
        assert (await client.get("/health")).json() == {"status": "ok"}
        assert "interlingua_worker_restarts_total 2.0" in (await client.get("/metrics")).text

    visit(work, wait_ms=20)


def test_a_worker_that_dies_while_idle_is_replaced(visit):
    async def work(client: Client) -> None:
        await Pretended.started[0].stop()
        answer = await client.post("/translate", json=ask())
        assert answer.status_code == 200
        assert len(Pretended.started) == 2

    visit(work)


def test_a_full_queue_refuses_and_recovers_at_once(visit):
    async def work(client: Client) -> None:
        busy = [asyncio.create_task(client.post("/translate", json=ask("slow")))]
        while not Pretended.batches:
            await asyncio.sleep(0.001)
        busy += [asyncio.create_task(client.post("/translate", json=ask(f"slow {i}"))) for i in range(3)]
        while len(client.pool.queue) < 3:
            await asyncio.sleep(0.001)
        refused = await client.post("/translate", json=ask())
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert "error" in refused.json()
        assert (await client.post("/v1/translate", json=ask(stream=True))).status_code == 503
        Pretended.gate.set()
        assert {answer.status_code for answer in await asyncio.gather(*busy)} == {200}
        assert (await client.post("/translate", json=ask())).status_code == 200

    visit(work, queue=3, batch=1)


def test_a_long_request_leaves_room_for_others(visit):
    async def work(client: Client) -> None:
        lines = "\n".join(f"slow {i}" for i in range(180))
        long = asyncio.create_task(client.post("/translate", json=ask(lines)))
        while not Pretended.batches:
            await asyncio.sleep(0.001)
        assert len(client.pool.queue) < 130
        short = asyncio.create_task(client.post("/translate", json=ask("short")))
        Pretended.gate.set()
        assert (await short).status_code == (await long).status_code == 200
        order = [text for batch in Pretended.batches for text in batch]
        assert order.index("short") < len(order) - 1

        await client.post("/translate", json=ask("same\n" * 500))
        assert Pretended.batches[-1] == ["same"]

    visit(work, queue=150, batch=16)


def test_short_sentences_pass_a_long_one(visit):
    async def work(client: Client) -> None:
        long = asyncio.create_task(client.post("/translate", json=ask("slow " + "x" * 70)))
        while not Pretended.batches:
            await asyncio.sleep(0.001)
        assert (await client.post("/translate", json=ask("short"))).status_code == 200
        others = [
            asyncio.create_task(client.post("/translate", json=ask(text))) for text in ("x" * 80, "kill")
        ]
        while len(Pretended.started) < 2:  # it is killed while it decodes the long one
            await asyncio.sleep(0.001)
        Pretended.gate.set()
        answers = await asyncio.gather(long, *others)
        assert [answer.status_code for answer in answers] == [200, 200, 500]

    visit(work)


def test_a_request_past_its_deadline_is_given_up_and_leaves_nothing_behind(visit):
    async def work(client: Client) -> None:
        answers = await asyncio.gather(*(client.post("/translate", json=ask(f"slow {i}")) for i in range(3)))
        assert {answer.status_code for answer in answers} == {503}
        client.pool.queue.drop_abandoned()
        assert len(client.pool.queue) == 0
        assert Pretended.dropped  # the worker need not go on with it
        assert (await client.post("/translate", json=ask())).status_code == 200

    visit(work, timeout_s=3, batch=1)


def test_what_waits_for_a_client_that_left_is_dropped(visit):
    async def work(client: Client) -> None:
        first = asyncio.create_task(client.post("/translate", json=ask("slow")))
        second = asyncio.create_task(client.post("/translate", json=ask("later")))
        while not len(client.pool.queue):
            await asyncio.sleep(0.001)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        Pretended.gate.set()
        assert (await first).status_code == 200
        assert ["later"] not in Pretended.batches

    visit(work, batch=1)


def test_of_a_batch_that_runs_only_what_nobody_waits_for_is_dropped(visit):
    async def work(client: Client) -> None:
        stays = asyncio.create_task(client.post("/translate", json=ask("slow")))
        leaves = asyncio.create_task(client.post("/translate", json=ask("leaves")))
        while not Pretended.batches:
            await asyncio.sleep(0.001)
        assert sorted(Pretended.batches[0]) == ["leaves", "slow"]
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        await asyncio.sleep(0)
        assert [text for text, _ in Pretended.left] == ["leaves"]
        Pretended.gate.set()
        assert (await stays).json() == {"translatedText": "SLOW"}

    visit(work, wait_ms=500, batch=2)


@pytest.mark.parametrize(
    ("values", "devices"),
    [
        ({}, ["cpu"]),
        ({"workers": 2}, ["cpu", "cpu"]),
        ({"workers": 0, "device": "cuda:0, cuda:1"}, ["cuda:0", "cuda:1"]),
        ({"workers": 3, "device": ("cuda:0", "cuda:1")}, ["cuda:0", "cuda:1", "cuda:0"]),
    ],
)
def test_workers_are_shared_out_among_devices_and_replaced_on_their_own(visit, values, devices):
    async def work(client: Client) -> None:
        assert Pretended.devices == devices
        await Pretended.started[-1].stop()
        while len(Pretended.devices) == len(devices):
            await asyncio.sleep(0.001)
        assert Pretended.devices[-1] == devices[-1]
        assert (await client.post("/translate", json=ask())).status_code == 200

    visit(work, **values)


def test_devices_have_names():
    for wrong in ("gpu", "auto", "cuda:x", "", ()):
        with pytest.raises(ConfigurationError, match="device"):
            ServeSettings.parse({"device": wrong})


def test_alternatives_ask_for_no_other_beam(visit):
    async def work(client: Client) -> None:
        for path, asked in (("/translate", {}), ("/v1/translate", {}), ("/v1/translate", {"beam": 1})):
            for alternatives in (0, 5):
                answer = await client.post(path, json=ask(alternatives=alternatives, **asked))
                assert answer.status_code == 200
            without, with_them = Pretended.options[-2:]
            assert with_them.get("n_best") == 6
            assert with_them.get("beam") == without.get("beam") == asked.get("beam")

    visit(work)


def test_a_client_that_disconnects_cancels_its_request(visit):
    async def work(client: Client) -> None:
        app = client._transport.app
        body = json.dumps(ask("slow")).encode()
        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/translate", "query_string": b"",
                 "headers": headers, "client": ("1.2.3.4", 1), "http_version": "1.1", "scheme": "http",
                 "root_path": "", "server": ("here", 80), "state": {}}  # fmt: skip
        left = asyncio.Event()
        messages = iter([{"type": "http.request", "body": body}])

        async def receive() -> Any:
            for message in messages:
                return message
            await left.wait()
            return {"type": "http.disconnect"}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        request = asyncio.create_task(app(scope, receive, send))
        while not Pretended.batches:
            await asyncio.sleep(0.001)
        left.set()
        await request  # at once
        assert not sent
        assert (await client.post("/translate", json=ask())).status_code == 200

    visit(work)


def test_slow_bodies_are_refused(visit):
    async def slowly():
        yield b'{"q": '
        await asyncio.sleep(30)

    async def work(client: Client) -> None:
        answer = await client.post("/translate", content=slowly())
        assert (answer.status_code, answer.headers["connection"]) == (408, "close")

    visit(work, body_timeout_s=0.05)


def test_keys_and_rates(visit, tmp_path):
    keys = tmp_path / "keys.txt"
    keys.write_text(f"# ours\n{hashlib.sha256(b'secret').hexdigest()}  -\n")

    async def work(client: Client) -> None:
        assert (await client.post("/translate", json=ask())).status_code == 403
        assert (await client.post("/translate", json=ask(api_key="guess"))).status_code == 403
        for _ in range(2):
            assert (await client.post("/translate", json=ask(api_key="secret"))).status_code == 200
        bearer = {"authorization": "Bearer secret"}
        slow = await client.post("/detect", json={"q": "x"}, headers=bearer)
        assert slow.status_code == 429
        assert 1 <= int(slow.headers["retry-after"]) <= 30
        assert (await client.get("/frontend/settings")).json()["keyRequired"] is True

    visit(work, api_keys=str(keys), requests_per_minute=2)
    keys.write_text("secret\n")
    with pytest.raises(ConfigurationError, match=r"keys.txt:1.*SHA-256"):
        read_keys(keys)


def test_rates_are_remembered_for_a_bounded_number_of_addresses(monkeypatch):
    monkeypatch.setattr("interlingua.serving.http.limits._MAX_CLIENTS", 10)
    access = AccessControl(ServeSettings(requests_per_minute=1))
    for i in range(1000):
        access.check(None, str(i))
    assert len(access._buckets) <= 11
    with pytest.raises(RefusalError):
        access.check(None, "999")


def test_the_log_holds_no_texts_unless_asked(visit, monkeypatch):
    async def work(client: Client) -> None:
        for way in ({"json": ask("s3cret words")}, {"params": ask("s3cret words")}):
            assert (await client.post("/translate", **way)).status_code == 200
        await client.get("/s3cret")
        await client.post("/translate", json=ask("boom s3cret"))

    for wanted in (False, True):
        stream = io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr("sys.stderr", stream)
            with logs.json_lines():
                visit(work, log_texts=wanted)
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        requests = [line for line in lines if line["event"] == "request"]
        assert [line["status"] for line in requests] == [200, 200, 404, 500]
        assert requests[0]["characters"] == 12
        assert ("s3cret" in stream.getvalue()) == wanted


def test_pages_may_load_nothing_from_elsewhere(visit):
    async def work(client: Client) -> None:
        answer = await client.get("/languages", headers={"origin": "https://a.org"})
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["access-control-allow-origin"] == "https://a.org"
        other = await client.get("/languages", headers={"origin": "https://b.org"})
        assert "access-control-allow-origin" not in other.headers

    visit(work, cors=("https://a.org",))


def job(text: str, group: str = "g") -> Job:
    return Job(text, len(text), group)


def test_batches_hold_one_group_and_similar_lengths_and_requests_take_turns():
    async def main() -> None:
        queue = Queue(batch=3, wait_s=0)
        turn = RequestTurn()
        for length in [5, 20, 6, 21, 7, 22]:
            queue.add(job("x" * length), turn)
        for letter in "yz":
            queue.add(job(letter * 5, "other"), turn)
        sizes = []
        while batch := queue.take_batch():
            assert len({each.group for each in batch}) == 1
            sizes.append([each.cost for each in batch])
        assert sizes == [[5, 6, 7], [20, 21, 22], [5, 5]]

        long, short = RequestTurn(), RequestTurn()
        for _ in range(9):
            queue.add(job("x" * 60), long)
        assert len(queue.take_batch()) == 1  # one is as much work as three of 20 tokens
        queue.add(job("y" * 25, "other"), short)
        assert queue.take_batch()[0].model == "other"  # it need not wait for all that came before
        while queue.take_batch():
            pass

        queue.add(job("x" * 4), RequestTurn())
        queue.add(job("x" * 18), RequestTurn())
        # The first is not answered before the longer one has ended: it goes alone.
        assert [[each.cost for each in queue.take_batch()] for _ in range(2)] == [[4], [18]]

        for i in range(4):
            queue.add(job(str(i)), RequestTurn())
        assert [len(queue.take_batch(2)), len(queue.take_batch(1))] == [2, 2]

        lost = [job("a"), job("b")]
        queue.put_back(lost)
        assert [queue.take_batch(), queue.take_batch()] == [[lost[0]], [lost[1]]]  # each alone

    asyncio.run(main())


def test_going_in_circles_is_noticed():
    assert repeats(["a", "b", "c", "c", "c", "c", "d"])
    assert repeats(["x", "a", "b", "a", "b", "a", "b", "a", "b"])
    assert not repeats(["a", "b", "a", "b", "a", "b", "c"])
    assert not repeats([])
