"""Models whose sources have a tag or other columns, behind the service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from interlingua.serving.models.catalogue import Catalogue, ServedModel
from interlingua.serving.pool.process import AboutModel
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.facts import TextFacts
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from tests.unit.test_serving_api import Client, Pretended, ask
from tests.unit.test_serving_api import visit as visit  # a fixture

LETTERS = ByteTokenizer("text")
NATURAL = TextFacts(natural=True, passages=False, column=1)


def model(source: str, target: str, *tags: str) -> ServedModel:
    tokenizer = ColumnTokenizer([SymbolTokenizer.of_tags(tags, "text"), LETTERS]) if tags else LETTERS
    return ServedModel(f"{source}-{target}", Path(f"{source}-{target}"), source, target, tokenizer)


DOMAINS = [model("en", "de", "law", "small talk"), model("en", "fr")]
LANGUAGES = [model("en", "de", "de", "fr", "nl")]


@pytest.fixture(autouse=True)
def _capitals_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers pretend to be: the tag is read, and does not come out."""
    answer = Pretended.answer

    def without_tag(self: Pretended, text: str, task: dict[str, Any]) -> dict[str, Any]:
        record = answer(self, text, task)
        if "\t" in text:
            record |= {"text": record["text"].partition("\t")[2], "tokens": record["tokens"][1:]}
            if "alignment" in record:
                record["alignment"] = [(i + 1, i) for i in range(len(record["tokens"]))]
        return record

    def about(self: Pretended) -> dict[str, AboutModel]:
        names = ["en-de", "en-fr", "en-nl", "fr-en", "de-en", "nl-en"]
        return {name: AboutModel(100, beam=1, attention_heads=32, facts=NATURAL) for name in names}

    monkeypatch.setattr(Pretended, "answer", without_tag)
    monkeypatch.setattr(Pretended, "about", property(about, lambda *_: None), raising=False)


def sent() -> list[str]:
    """All texts that workers were given."""
    return [text for batch in Pretended.batches for text in batch]


def test_a_tag_goes_with_every_sentence(visit):
    async def work(client: Client) -> None:
        asked = ask("a dog. A cat!\n\nIt is one.", tag=" law ")
        answer = (await client.post("/v1/translate", json=asked)).json()
        assert answer["translations"][0]["text"] == "A DOG. A CAT!\n\nIT IS ONE."
        sources = ["a dog.", "A cat!", "It is one."]
        assert [part["source"] for part in answer["translations"][0]["parts"]] == sources
        assert sorted(sent()) == sorted(f"law\t{source}" for source in sources)
        await client.post("/v1/translate", json={**asked, "tag": "small talk"})
        assert "small talk\ta dog." in sent()  # kept answers are those of a tag
        for way in ({"json": asked}, {"data": asked}, {"params": asked}):
            assert (await client.post("/translate", **way)).json()["translatedText"].startswith("A DOG.")
        events = await client.post("/v1/translate", json={**asked, "stream": True})
        assert "A DOG. A CAT!" in events.text.split("event: done")[1]

    visit(work, models=DOMAINS)


@pytest.mark.parametrize("path", ["/v1/translate", "/translate"])
def test_what_is_no_tag_of_the_model_is_refused_with_those_that_are(visit, path):
    async def work(client: Client) -> None:
        for asked, said in (
            (ask(), "missing tag parameter: en-de needs one of: law, small talk"),
            (ask(tag=""), "missing tag parameter: en-de needs one of: law, small talk"),
            (ask(tag="LAW"), "tag: LAW is none. Known: law, small talk"),
            (ask(tag="law\tx"), "tag: law\tx is none. Known: law, small talk"),
            (ask(tag="x", source="auto"), "tag: x is none. Known: law, small talk"),
            (ask(tag="law", target="fr"), "tag: there are no tags for these languages"),
            (ask(tag="law", target="en"), "tag: there are no tags for these languages"),
            (ask(tag="law", source="auto", target="fr"), "tag: there are no tags for these languages"),
        ):
            answer = await client.post(path, json=asked)
            assert (answer.status_code, answer.json()["error"]) == (400, f"Invalid request: {said}")
        assert (await client.post(path, json=ask(target="fr"))).status_code == 200
        assert (await client.post(path, json=ask(target="en"))).status_code == 200  # nothing to translate

    visit(work, models=DOMAINS)


def test_tags_that_are_languages_are_served_as_such(visit):
    async def work(client: Client) -> None:
        (english, *_) = (await client.get("/languages")).json()
        assert (english["targets"], english["tags"]) == (["de", "fr", "nl"], {})
        for target in ("fr", "nl"):
            answer = (await client.post("/translate", json=ask(target=target))).json()
            assert answer == {"translatedText": "A DOG"}
            assert Pretended.batches[-1] == [f"{target}\ta dog"]
        answer = (await client.post("/v1/translate", json=ask(target="de", tag="fr"))).json()
        assert (answer["target"], answer["model"], Pretended.batches[-1]) == ("fr", "en-fr", ["fr\ta dog"])

    visit(work, models=LANGUAGES, cache_bytes=0)


@pytest.mark.parametrize(
    ("served", "pairs"),
    [
        (model("en", "fr", "de", "fr"), {"en-fr": "fr", "en-de": "de"}),
        (model("en", "mul", "de", "en"), {"en-de": "de"}),
        (model("fr", "en", "de", "fr"), {"fr-en": "fr", "de-en": "de"}),
        (model("mul", "en", "de", "fr"), {"de-en": "de", "fr-en": "fr"}),
        (model("de", "fr", "de", "fr", "nl"), {"de-fr": "fr", "de-nl": "nl"}),
        (model("en", "de", "law", "chat"), {"en-de": None}),
        (model("en", "de", "de", "de formal"), {"en-de": "de"}),
        (model("en", "mul", "de", "de formal"), {"en-mul": None}),
        (model("en", "de"), {"en-de": None}),
    ],
)
def test_which_languages_a_model_with_tags_stands_for(served, pairs):
    catalogue = Catalogue([served])
    assert {each.name: each.tag for each in catalogue.models.values()} == pairs
    assert next(iter(catalogue.models)) == tuple(next(iter(pairs)).split("-"))
    for each in catalogue.models.values():
        found, _ = catalogue.choose(each.source, each.target, ["a"], served.tags[-1] if served.tags else None)
        assert found.tag == (served.tags[-1] if served.tags else None)


def test_no_pivot_needs_a_tag_that_nobody_chose():
    assert not Catalogue([model("en", "de", "law", "chat"), model("de", "fr")]).pivots
    through = Catalogue([model("en", "de", "de", "nl"), model("de", "fr")])
    assert through.pivots["en", "fr"].steps[0].tag == "de"


def test_a_detected_language_without_tags_needs_none(visit):
    async def work(client: Client) -> None:
        texts = ["The dog is running across the street again.", "Le chien court encore dans la rue."]
        answer = await client.post("/v1/translate", json=ask(texts, source="auto", target="de", tag="law"))
        assert answer.status_code == 200, answer.text
        assert sorted(sent()) == [texts[1], f"law\t{texts[0]}"]

    fr = model("fr", "de")._replace(name="fr-en")  # a name that workers know
    visit(work, models=[DOMAINS[0], fr])


def test_tags_of_html_go_to_the_words_of_the_text(visit):
    async def work(client: Client) -> None:
        source = "<p>a <b>black</b> law dog.</p>"
        answer = (await client.post("/translate", json=ask(source, format="html", tag="law"))).json()
        assert answer["translatedText"] == "<p>A <b>BLACK</b> LAW DOG.</p>"

    visit(work, models=DOMAINS)


def test_files_documents_and_corrections_have_a_tag(visit, tmp_path):
    async def work(client: Client) -> None:
        file = {"file": ("a.txt", b"a dog", "text/plain")}
        languages = {"source": "en", "target": "de"}
        refused = await client.post("/translate_file", files=file, data=languages)
        assert (refused.status_code, "needs one of: law" in refused.text) == (400, True)
        done = await client.post("/translate_file", files=file, data={**languages, "tag": "law"})
        name = done.json()["translatedFileUrl"].split("/")[-1]
        assert (await client.get(f"/download_file/{name}")).text == "A DOG"

        asked = {"source_lang": "en", "target_lang": "de", "tag": "small talk"}
        document = (await client.post("/v2/document", files=file, data=asked)).json()
        path, key = f"/v2/document/{document['document_id']}", {"document_key": document["document_key"]}
        while (told := (await client.post(path, data=key)).json())["status"] != "done":
            assert told["status"] != "error", told
        assert (await client.post(f"{path}/result", data=key)).text == "A DOG"
        assert Pretended.batches[-1] == ["small talk\ta dog"]

        for route, name in (("/v1/corrections", "translation"), ("/suggest", "s")):
            correction = {**ask("a\tdog", tag="law"), name: "ein Hund"}
            assert (await client.post(route, json=correction)).status_code == 200
            assert (await client.post(route, json={**correction, "tag": ""})).status_code == 400

    visit(work, models=DOMAINS, corrections=str(tmp_path / "c"), documents=str(tmp_path / "d"))
    assert (tmp_path / "c" / "en-de.tsv").read_text() == "law\ta dog\tein Hund\n" * 2


def test_a_glossary_is_of_the_text(visit, tmp_path):
    (tmp_path / "terms").write_text("law\tGesetz\n")

    async def work(client: Client) -> None:
        found = []
        for text in ("the dog", "the law"):
            found += (await client.post("/v1/translate", json=ask(text, tag="law"))).json()["translations"]
        assert [each["text"] for each in found] == ["THE DOG", "THE LAW"]

    visit(work, models=DOMAINS[:1], glossary=(str(tmp_path / "terms"),))


def test_texts_of_several_columns_are_given_with_tabs(visit):
    tags = SymbolTokenizer.train(["V;PST", "N;SG"] * 9, "words", "text", between=";")
    columns = ColumnTokenizer([LETTERS, tags])
    inflection = DOMAINS[1]._replace(tokenizer=columns)
    assert not inflection.tags

    async def work(client: Client) -> None:
        text = "gehen\tV;PST\n\nHaus\tN;SG"
        done = await client.post("/translate", json=ask(text, target="fr"))
        assert done.status_code == 200, done.text
        assert sorted(sent()) == ["Haus\tN;SG", "gehen\tV;PST"]
        for path in ("/translate", "/v1/translate"):
            refused = await client.post(path, json=ask("gehen", target="fr"))
            said = refused.json()["error"]
            assert refused.status_code == 400
            assert re.match("Invalid request: q: the text has 1 column, and the model reads 2", said)

    visit(work, models=[inflection])


def test_what_the_service_says_that_it_takes_has_the_tags(visit):
    async def work(client: Client) -> None:
        paths = (await client.get("/openapi.json")).json()["paths"]
        schema = paths["/v1/translate"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        ways = {way["properties"]["target"]["const"]: way for way in schema["anyOf"]}
        assert ways["de"]["properties"]["tag"] == {"enum": ["law", "small talk"]}
        assert ways["de"]["required"] == ["tag"]
        assert ways["fr"]["properties"]["tag"] == {"enum": [""]}

    visit(work, models=DOMAINS)
