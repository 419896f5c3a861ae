"""Where terms apply, how tokenizers write them, and that they come out of a translator."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.translator import Translator
from interlingua.kinds import EOS, UNK
from interlingua.model.architectures import build_model
from interlingua.model.recurrent import RecurrentSettings
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.search.settings import SearchSettings
from interlingua.terms.encoding import TermEncoder
from interlingua.terms.glossary import Glossary, check_terms
from interlingua.terms.reading import read_glossary
from interlingua.terms.tokenization import TermTokenizer
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import Tokenizer, TokenizerPair
from tests.models import build

TEXTS = [
    "der große Hund läuft über die Wiese, und „Waldi“ bellt.", "die Hundehütte (neu) steht im Garten.",
    "ein Mann in einem blauen Hemd springt.", "東京は大きい都市です。",
    "zwei Kinder spielen im Schnee; es ist kalt!",
]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "text", "found"),
    [
        ({"dog": "Hund"}, "a dog.", ["dog"]),
        ({"dog": "Hund"}, "hotdog dogs", []),
        ({"dog": "Hund"}, "Dog and dog, Dog", ["dog", "dog"]),
        ({"dog": "Hund"}, "It ran. Dog gone! “Dog!”", ["dog", "dog"]),
        ({"Dog": "Hund"}, "Dog dog", ["Dog"]),
        ({"US": "USA"}, "Us us US", ["US"]),
        ({"dog": "Hund", "hot dog": "Würstchen"}, "a hot dog, dog", ["hot dog", "dog"]),
        ({"a b": "1", "b c": "2"}, "a b c", ["a b"]),
        ({"a b": "1", "b c": "2"}, "a bx b c", ["b c"]),
        ({"élan": "Schwung"}, "sans e\u0301lan", ["élan"]),
        ({"東京": "Tokyo", "京都": "Kyoto"}, "東京都と京都", ["東京", "京都"]),
        ({"C++": "C++"}, "C++, C++11", ["C++", "C++"]),
        ({"l'eau": "Wasser"}, "de l'eau", ["l'eau"]),
        ({" hot  dog ": "x"}, "hot dog", ["hot dog"]),
        ({}, "a dog", []),
        ({"Hot": "a", "hot dog": "b"}, "Hot dog. Hot", ["hot dog", "Hot"]),
        ({"Hot dog": "a", "hot dog": "b"}, "Hot dog", ["Hot dog"]),
        ({"10\u00a0km": "x"}, "10\u00a0km, 10 km", ["10\u00a0km", "10\u00a0km"]),
        ({"10 km": "x"}, "10\u202fkm", ["10 km"]),
        ({"hot\u00a0Dog": "x"}, "Hot\u00a0Dog", ["hot\u00a0Dog"]),
    ],
)
def test_where_terms_apply(terms, text, found):
    glossary = Glossary(terms, ByteTokenizer("NFC").normalise)
    assert [each.term.source for each in glossary.find(text)] == found


@given(st.text("ab A.", max_size=20), st.dictionaries(st.text("ab A", min_size=1), st.just("x"), max_size=5))
def test_terms_are_found_in_order_without_overlap(text, terms):
    terms = {source: target for source, target in terms.items() if source.strip()}
    found = Glossary(terms).find(text)
    at = 0
    for start, term in found:
        assert start >= at
        assert text[start:].lower().startswith(term.source.lower())
        at = start + len(term.source)
    assert Glossary({}).find(text) == []


@pytest.mark.parametrize(
    ("targets", "text", "expected"),
    [
        (["Hund"], "ein Hund.", [True]),
        (["Hund"], "Hundehütte", [False]),
        (["Hund", "Hund"], "Hund", [True, False]),
        (["Hund", "Hund"], "Hund, Hund", [True, True]),
        (["Hund", "der Hund"], "der Hund", [False, True]),
        (["der Hund"], "Der Hund", [True]),
        (["der Hund"], "Da ist Der Hund", [False]),
        (["東京"], "大東京都", [True]),
        ([], "", []),
    ],
)
def test_what_came_out(targets, text, expected):
    assert check_terms(targets, text) == expected


def tokenizers() -> list[Tokenizer]:
    return [
        *(SubwordTokenizer.train(TEXTS, kind, "NFC", 420) for kind in ("unigram", "bpe")),
        *(SymbolTokenizer.train(TEXTS, kind, "NFC") for kind in ("characters", "words")),
        ByteTokenizer("NFC"),
    ]  # fmt: skip


@pytest.mark.parametrize("tokenizer", tokenizers(), ids=lambda tokenizer: tokenizer.kind)
def test_each_tokenization_of_a_term_reads_as_the_term(tokenizer: Tokenizer):
    terms = TermTokenizer(tokenizer)
    for term in ("Hund", "ein", "im Garten", "große Hund", "東京"):
        tokenizations = terms.tokenize(term)
        if UNK in tokenizer.encode(term):
            assert tokenizer.kind == "words"
            assert tokenizations == ()
            continue
        assert any(tokenization.may_begin_target for tokenization in tokenizations)
        assert any(tokenization.may_stand_later for tokenization in tokenizations)
        for tokenization in tokenizations:
            if tokenization.may_begin_target:
                assert check_terms([term], tokenizer.decode(tokenization.ids)) == [True]
            if tokenization.may_stand_later:
                before = [
                    i for i in tokenizer.encode("die Wiese, und (") if i != tokenizer.encode("x y")[1:2]
                ]
                whole = tokenizer.decode([*before, *tokenization.ids, *tokenizer.encode(".")])
                assert tokenizer.kind == "words" or check_terms([term], whole) == [True]
    assert bool(terms.tokenize("Hund ☃")) == (tokenizer.kind not in ("words", "characters"))


@pytest.mark.parametrize("tokenizer", tokenizers(), ids=lambda tokenizer: tokenizer.kind)
def test_what_would_be_glued_to_a_word(tokenizer: Tokenizer):
    terms = TermTokenizer(tokenizer)
    for text in TEXTS[:3]:
        ids = tokenizer.encode(text)
        for at in range(1, len(ids)):
            left, right = tokenizer.decode(ids[:at]), tokenizer.decode(ids[at:])
            joined = terms.ends_in_word[ids[at - 1]] and terms.starts_in_word[ids[at]]
            whole = tokenizer.decode(ids)
            inside = left[-1:].isalnum() and right[:1].isalnum() and whole.startswith(left + right[:1])
            if "\ufffd" not in left + right and (tokenizer.kind != "bytes" or left[-1].isascii()):
                assert joined == inside, (left, right)


class Wild(Transformer):
    """Random weights would repeat one token; an output matrix of its own makes texts of many."""

    def project(self, hidden):
        size = self.target_embedding.weight.shape[0]
        weight = torch.randn(size, hidden.shape[-1], generator=torch.Generator().manual_seed(1))
        logits = hidden @ weight.T
        logits[..., EOS] += 3
        return logits


def translator(tokenizer: Tokenizer) -> Translator:
    torch.manual_seed(0)
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
    size = len(tokenizer)
    model = build(Wild, sizes, size).eval()
    settings = SearchSettings(beam=2)
    pair = TokenizerPair(tokenizer, tokenizer)
    return Translator(EagerEngine(model), pair, settings=settings, max_ratio=1.5, max_source_length=60)


GLOSSARY = {
    "Hund": "Kinder",
    "die": "der Hund",
    "in einem": "ein Mann",
    "Garten": "Wiese",
    "Schnee": "☃",
}


@pytest.mark.parametrize("tokenizer", tokenizers(), ids=lambda tokenizer: tokenizer.kind)
def test_terms_come_out_with_every_tokenizer(tokenizer: Tokenizer):
    model = translator(tokenizer)
    texts = ["der Hund, in einem Garten", "Die die im Schnee", "nichts"]
    free = model.translate(texts, beam=1)
    done = model.translate(texts, beam=1, glossary=GLOSSARY)
    for text, before, after in zip(texts, free, done, strict=True):
        terms = [each.term for each in Glossary(GLOSSARY).find(text)]
        assert [(term.source, term.target) for term in after.terms] == terms
        if not terms:
            assert (before.text, before.flags) == (after.text, after.flags)
        for term in after.terms:
            assert term.satisfied or UNK in tokenizer.encode(term.target), (term, after.text)
        assert ("unmet" in after.flags) == any(not term.satisfied for term in after.terms)
    assert any(before.text != after.text for before, after in zip(free, done, strict=True))
    assert len(done[1].terms) == 3


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_recurrent_models_keep_a_glossary(attention):
    settings = RecurrentSettings(dim=16, encoder_layers=1, decoder_layers=1, attention=attention)
    model = translator(SymbolTokenizer.train(TEXTS, "words", "NFC"))
    size = len(model.tokenizers.target)
    model.engine.model = build_model(settings, size, size, shared=False).eval()
    for translation in model.translate(
        ["ein Hund", "die Kinder"], glossary={"Hund": "Mann", "die": "Kinder im"}
    ):
        assert [term.satisfied for term in translation.terms] == [True]


@pytest.mark.parametrize("beam", [1, 3])
def test_terms_that_do_not_occur_change_nothing_at_all(beam):
    model = translator(ByteTokenizer("NFC"))
    assert model.translate(TEXTS, beam=beam, glossary={"elsewhere": "x"}) == model.translate(TEXTS, beam=beam)


@pytest.mark.parametrize("tokenizer", tokenizers(), ids=lambda tokenizer: tokenizer.kind)
def test_a_no_break_space_comes_out_as_given(tokenizer: Tokenizer):
    if isinstance(tokenizer, SymbolTokenizer):
        tokenizer = SymbolTokenizer.train([*TEXTS, "5\u00a0km 5\u202fkm"], tokenizer.kind, "NFC")
    for target in ("5\u00a0km", "5\u202fkm"):
        (done,) = translator(tokenizer).translate(["der Hund bellt"], glossary={"Hund": target})
        assert target in done.text
        assert done.terms == (("Hund", target, True),)


def test_files_keep_no_break_spaces(tmp_path):
    path = tmp_path / "terms.tsv"
    path.write_text("10\u00a0km \t  10\u202fkm\n", encoding="utf-8")
    assert read_glossary(path) == {"10\u00a0km": "10\u202fkm"}
    path.write_text("\u00a0\tx\n", encoding="utf-8")
    with pytest.raises(DataError, match="empty"):
        read_glossary(path)


def test_a_request_s_term_overrides_one_with_another_space():
    merged = Glossary({"10\u00a0km": "a", "b": "c"}).overridden_by({"10 km": "d"})
    assert merged.terms == {"b": "c", "10 km": "d"}
    assert [each.term.target for each in merged.find("10\u00a0km b")] == ["d", "c"]


def test_a_term_that_is_too_long_leaves_room_for_later_ones():
    encoder = TermEncoder(TokenizerPair(ByteTokenizer("NFC"), ByteTokenizer("NFC")))
    occurrences = Glossary({"a": "x" * 50, "b": "yy", "c": "zzz"}).find("a b c")
    encoded = encoder.encode("a b c", occurrences, 12)
    assert encoded is not None
    assert encoded.spans == [(1, 3), (3, 5)]


def test_terms_that_cannot_be_written_leave_room_for_later_ones():
    tokenizer = SymbolTokenizer.train(["x y z"], "words", "NFC")
    text = "☃ " * 60 + "x"
    occurrences = Glossary({"☃": "☃", "x": "y"}).find(text)
    encoded = TermEncoder(TokenizerPair(tokenizer, tokenizer)).encode(text, occurrences, 100)
    assert encoded is not None
    assert len(encoded.tokenizations) == 1


def test_a_model_without_attention_searches_once(monkeypatch):
    model = translator(SymbolTokenizer.train(TEXTS, "words", "NFC"))
    size = len(model.tokenizers.target)
    settings = RecurrentSettings(dim=16, encoder_layers=1, decoder_layers=1, attention="none")
    model.engine.model = build_model(settings, size, size, shared=False).eval()
    searches = []
    search = model.engine.search
    monkeypatch.setattr(
        model.engine, "search", lambda *asked, **more: searches.append(asked) or search(*asked, **more)
    )
    model.translate(["ein Hund"], glossary={"Hund": "Mann"})
    assert len(searches) == 1


def test_an_error_while_terms_are_placed_is_told(monkeypatch):
    def attend(*asked):
        raise ConfigurationError("another error")

    model = translator(ByteTokenizer("NFC"))
    monkeypatch.setattr(model.engine, "attend", attend)
    with pytest.raises(ConfigurationError, match="another error"):
        model.translate(["ein Hund"], glossary={"Hund": "Mann"})


@pytest.mark.parametrize("beam", [1, 3])
def test_drafts_of_one_text_with_several_glossaries_do_not_mix(beam):
    model = translator(ByteTokenizer("NFC"))
    texts = ["ein Hund", "ein Hund", "kein Hund", "ein Hund", "ein Hund"]
    glossaries = [{}, {"Hund": "secret"}, {}, {"Hund": "other"}, {"Hund": "other"}]
    drafts: dict[tuple[int, int], str] = {}
    done = model.translate(texts, glossary=glossaries, beam=beam, observe=lambda told: drafts.update(told()))
    assert drafts.keys() == {(i, 0) for i in range(len(texts))}
    assert "secret" in drafts[1, 0].lower()
    assert not any("secret" in drafts[i, 0].lower() for i in (0, 2, 3, 4))
    assert drafts[3, 0] == drafts[4, 0]
    assert "oth" in drafts[3, 0].lower()
    if beam == 1:
        assert drafts[0, 0] == done[0].text.rstrip("\ufffd")


def test_drafts_of_a_split_text_tell_its_parts():
    model = translator(ByteTokenizer("NFC"))
    told = set()
    model.translate(["x", "Der Hund bellt. " * 8], beam=1, observe=lambda drafts: told.update(drafts()))
    assert {number for number, _ in told} == {0, 1}
    assert {part for number, part in told if number == 1} >= {0, 1}


def test_each_text_may_have_a_glossary_of_its_own():
    model = translator(ByteTokenizer("NFC"))
    texts = ["ein Hund", "ein Hund", "ein Hund", "kein Hund", "x"]
    glossaries = [{}, {"Hund": "dog"}, {"Hund": "cat"}, {"Hund": "dog", "x": "y"}, {"Hund": "dog"}]
    together = model.translate(texts, glossary=glossaries)
    for text, glossary, translation in zip(texts, glossaries, together, strict=True):
        (alone,) = model.translate([text], glossary=glossary)
        assert (alone.text, alone.terms) == (translation.text, translation.terms)
        assert alone.score == pytest.approx(translation.score, abs=1e-4)
    assert together[0] == model.translate(["ein Hund"])[0]
    assert "dog" in together[1].text
    assert "cat" in together[2].text


def test_a_split_text_tells_the_terms_of_all_its_parts():
    model = translator(ByteTokenizer("NFC"))
    text = "Der Hund bellt. " * 8
    (translation,) = model.translate([text], glossary={"Hund": "dog"}, beam=1)
    assert "split" in translation.flags
    assert len(translation.terms) == 8
    assert all(term.satisfied for term in translation.terms)
    assert translation.text.count("dog") == 8


def test_mistakes_are_explained(tmp_path):
    model = translator(ByteTokenizer("NFC"))
    with pytest.raises(ConfigurationError, match="sampling"):
        model.translate(["a"], glossary={"a": "b"}, sample=True)
    with pytest.raises(DataError, match="empty"):
        model.translate(["a"], glossary={"a": " "})
    for unfit, message in (
        ([{}], "there are 2 texts, but 1 glossaries"),
        ([], "there are 2 texts, but 0 glossaries"),
        ([("a", "b"), ("c", "d")], "no glossary"),
        ("ab", "no glossary"),
        (iter([{}, {}]), "no glossary"),
    ):
        with pytest.raises(DataError, match=message):
            model.translate(["a", "b"], glossary=unfit)
    with pytest.raises(DataError, match="one glossary for all lines"):
        list(model.translate_lines(["a", "b"], glossary=[{}, {}]))
    path = tmp_path / "terms.tsv"
    path.write_text("hot  dog\tWürstchen\n\ndog\tHund\ndog\tHund\n", encoding="utf-8")
    assert read_glossary(path) == {"hot dog": "Würstchen", "dog": "Hund"}
    for content, message in {
        "a\tb\nc": "terms.tsv:2: the line has no tab",
        "a\tb\tc": "terms.tsv:1: the line has 3 columns",
        "a\t": "terms.tsv:1: a term is empty",
        "a\tb\na\tc": "terms.tsv:2: 'a' has another translation",
    }.items():
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read_glossary(path)


def test_lines_share_a_glossary_that_is_made_once(monkeypatch):
    model = translator(ByteTokenizer("NFC"))
    lines, terms = ["ein Hund", "x", "Hund"] * 2, {"Hund": "dog"}
    expected = model.translate(lines, glossary=terms)
    made = []
    make = Glossary.__init__
    monkeypatch.setattr(Glossary, "__init__", lambda *given: made.append(given) or make(*given))
    assert [each.text for each in model.translate_lines(lines, chunk=2, glossary=terms)] == [
        each.text for each in expected
    ]
    assert len(made) == 1
    assert len(list(model.translate_lines(["a"], glossary={}, sample=True))) == 1


def test_many_terms_in_many_places_come_out():
    draw = random.Random(0)
    model = translator(SubwordTokenizer.train(TEXTS, "unigram", "NFC", 420))
    words = sorted({word.strip(".,;!()„“") for text in TEXTS[:3] for word in text.split()})
    glossary = {source: " ".join(draw.choices(words, k=draw.randint(1, 2))) for source in words[::3]}
    for translation in model.translate(TEXTS[:3], glossary=glossary, beam=1):
        assert translation.terms
        assert all(term.satisfied for term in translation.terms), (translation.text, translation.terms)


def test_only_so_many_terms_are_looked_after():
    model = translator(ByteTokenizer("NFC"))
    (translation,) = model.translate(["a " * 12], glossary={"a": "twelve bytes"}, beam=1)
    assert len(translation.terms) == 12
    assert 0 < sum(term.satisfied for term in translation.terms) < 12
    assert "unmet" in translation.flags


@pytest.mark.parametrize("invisible", ["\u00ad", "\u2060", "\ufeff", "\u00a0", " "])
def test_a_term_of_nothing_visible_is_empty(invisible: str) -> None:
    for term in ((invisible, "a"), ("a", invisible)):
        with pytest.raises(DataError, match="empty"):
            Glossary(dict([term]))
