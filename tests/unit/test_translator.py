"""Properties of translating texts, with a Transformer of random weights over bytes."""

from __future__ import annotations

import gzip
import io
import math
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import interlingua
from interlingua.api import evaluate
from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError, DataError
from interlingua.flags import FLAGS, Flag
from interlingua.inference.translator import Translator
from interlingua.kinds import EOS
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.search.settings import SearchSettings
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.facts import TextFacts
from interlingua.text.sentences import split_long
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair
from tests.models import build


class Wild(Transformer):
    """Random weights would repeat one byte; an output matrix of its own makes texts of many bytes."""

    def project(self, hidden):
        weight = torch.randn(260, hidden.shape[-1], generator=torch.Generator().manual_seed(1))
        logits = hidden @ weight.T
        logits[..., EOS] += 3
        logits[..., 4 + 128 :] -= 5
        return logits


@pytest.fixture(scope="module")
def translator() -> Translator:
    torch.manual_seed(0)
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=2)
    model = build(Wild, sizes, 260).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "embedding" not in name:
                parameter.mul_(2)
    tokenizer = ByteTokenizer("NFC")
    settings = SearchSettings(beam=2)
    pair = TokenizerPair(tokenizer, tokenizer)
    return Translator(EagerEngine(model), pair, settings=settings, max_ratio=0.5, max_source_length=20)


def texts(count: int = 16) -> list[str]:
    draw = random.Random(0)
    return ["".join(draw.choices("abcde ", k=draw.randint(0, 20))) for _ in range(count)]


def test_order_is_kept_and_the_company_does_not_matter(translator):
    some = [*texts(), "", "a", "a", " "]
    together = translator.translate(some)
    assert len({translation.text for translation in together}) > 5
    for text, translation in zip(some, together, strict=True):
        (alone,) = translator.translate([text])
        assert (alone.text, alone.flags) == (translation.text, translation.flags)
        assert alone.score == pytest.approx(translation.score, abs=1e-4)
    assert translator.translate([]) == []


@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 3}, {"sample": True}])
def test_a_watcher_sees_translations_grow(translator, options):
    some = ["abcde abcde", "a", "b c d", ""]
    seen: dict[tuple[int, int], list[str]] = {}

    def watch(drafts):
        for place, draft in drafts().items():
            seen.setdefault(place, []).append(draft)

    done = translator.translate(some, observe=watch, **options)
    assert [each.text for each in done] == [each.text for each in translator.translate(some, **options)]
    assert seen.keys() == {(0, 0), (1, 0), (2, 0)}
    for number, translation in enumerate(done[:3]):
        seen_here = seen[number, 0]
        assert len(set(seen_here)) > 1
        if options != {"beam": 3}:  # a beam changes its mind
            assert all(translation.text.startswith(draft) for draft in seen_here)
            assert translation.text.rstrip("\ufffd") == seen_here[-1]


def test_a_watcher_can_stop_the_search(translator):
    def watch(drafts):
        raise TimeoutError

    for options in ({"beam": 1}, {"beam": 3}, {"sample": True}):
        with pytest.raises(TimeoutError):
            translator.translate(["abc"], observe=watch, **options)


def test_attention_is_that_of_the_own_batch_whatever_runs_beside(translator, monkeypatch):
    (alone,) = translator.translate(["abcde"], attention=True)
    layer = translator.engine.model.encoder[0]
    forward = layer.forward

    def beside(*inputs):
        monkeypatch.setattr(layer, "forward", forward)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(translator.translate, ["a", "bcd"]).result()
        return forward(*inputs)

    attend = translator.engine.attend

    def attend_beside_others(*inputs):
        monkeypatch.setattr(layer, "forward", beside)
        return attend(*inputs)

    monkeypatch.setattr(translator.engine, "attend", attend_beside_others)
    (together,) = translator.translate(["abcde"], attention=True)
    assert layer.forward == forward, "another translation ran in the middle of the pass"
    for one, other in zip(alone.attention, together.attention, strict=True):
        assert torch.equal(one, other)


def test_every_line_gives_one_line(translator):
    lines = [*texts(100), "", "\u2028", "\x85", "a\tb", "x. " * 30]
    out = list(translator.translate_lines(iter(lines), chunk=16, beam=1))
    assert len(out) == len(lines)
    assert any("control" in translation.flags for translation in out)
    for translation in out:
        assert len(translation.text.splitlines()) <= 1
        assert not set("\n\r\t\x85\u2028\u2029") & set(translation.text)


def test_an_empty_line_gives_an_empty_line(translator):
    for text in ("", "   "):
        (translation,) = translator.translate([text], n_best=2, alignment=True)
        assert translation.text == ""
        assert translation.flags == ("empty",)


def test_lines_are_read_a_chunk_at_a_time(translator):
    read = []
    lines = (read.append(text) or text for text in texts())
    stream = translator.translate_lines(lines, chunk=5)
    next(stream)
    assert len(read) == 5


def test_what_was_read_before_a_failure_is_translated(translator):
    def lines():
        yield from ["ab", "cd", "ef"]
        raise DataError("the line is not UTF-8")

    done: list[str] = []
    with pytest.raises(DataError, match="not UTF-8"):
        done.extend(translation.text for translation in translator.translate_lines(lines(), chunk=2))
    assert done == [translation.text for translation in translator.translate(["ab", "cd", "ef"])]


def test_a_source_over_the_limit_is_split_at_sentence_ends_and_rejoined(translator):
    first, second = "abc de abc de.", "edc ba!"
    (whole,) = translator.translate([f"{first} {second}"], alignment=True)
    parts = translator.translate([first, second])
    assert whole.text == f"{parts[0].text} {parts[1].text}"
    assert whole.flags[0] == "split"
    assert whole.score == pytest.approx(sum(part.score for part in parts), abs=1e-4)
    assert [part.text for part in whole.parts] == [part.text for part in parts]
    assert whole.tokens == parts[0].tokens + parts[1].tokens
    assert [target for _, target in whole.alignment] == list(range(len(whole.tokens)))
    assert "split" not in translator.translate([first])[0].flags


def test_reaching_the_length_limit_is_flagged(translator):
    found = translator.translate(texts(), beam=1)
    flagged = [translation for translation in found if "limit" in translation.flags]
    assert 0 < len(flagged) < len(found)
    for translation in flagged:
        assert len(translation.tokens) == math.ceil(1.5 * 0.5 * len(translation.source_tokens)) + 10
        assert len(translation.log_probs) == len(translation.tokens)


def test_n_best_are_in_order_and_distinct(translator):
    for translation in translator.translate(["abc", "de de"], beam=6, n_best=4):
        found = [translation, *translation.alternatives]
        assert len(found) == 4
        assert len({each.tokens for each in found}) == 4
        ended = [each.score for each in found if "limit" not in each.flags]
        assert ended == sorted(ended, reverse=True)


def test_attention_and_alignment_on_request(translator):
    plain, asked = (translator.translate(["abc", "abcde"], **want)
                    for want in ({}, {"attention": True, "alignment": True}))  # fmt: skip
    for one, two in zip(plain, asked, strict=True):
        assert one.attention is None
        assert one.alignment is None
        source, target = len(two.source_tokens), len(two.tokens)
        assert two.attention.cross.shape == (2, 2, target + 1, source + 1)
        assert two.attention.encoder.shape == (1, 2, source + 1, source + 1)
        assert torch.allclose(two.attention.cross.sum(-1), torch.ones(()), atol=1e-5)
        assert [position for _, position in two.alignment] == list(range(target))
        mean = two.attention.cross.mean((0, 1))[:-1, :-1]
        assert [place for place, _ in two.alignment] == mean.argmax(1).tolist()


def test_the_score_of_a_translation_is_that_of_the_pair(translator):
    some = [text for text in texts(20) if text.strip()]
    found = translator.translate(some, length_penalty=0)
    exact = [  # bytes that are no UTF-8 do not come back from the text
        (text, translation) for text, translation in zip(some, found, strict=True)
        if "control" not in translation.flags and "\ufffd" not in translation.text
        and "limit" not in translation.flags
    ]  # fmt: skip
    assert exact
    scores = translator.score_pairs([(text, translation.text) for text, translation in exact])
    for (_, translation), score in zip(exact, scores, strict=True):
        assert score.log_probs == pytest.approx(translation.log_probs, abs=1e-4)
        assert score.log_prob == pytest.approx(translation.score, abs=1e-4)
        assert score.tokens == translation.tokens


def test_empty_sides_have_a_score(translator):
    scores = list(translator.score_pairs([("", ""), ("a", ""), ("", "a")], chunk=2))
    assert [len(score.log_probs) for score in scores] == [1, 1, 2]
    assert all(score.log_prob < 0 for score in scores)


def test_mistakes_are_explained(translator):
    with pytest.raises(DataError, match="takes a list"):
        translator.translate("a sentence")
    with pytest.raises(ConfigurationError, match="Did you mean 'beam'"):
        translator.translate(["a"], baem=3)
    with pytest.raises(ConfigurationError, match="needs a beam at least as wide"):
        translator.translate(["a"], beam=2, n_best=3)


@given(st.text(alphabet="ab .!?。”\n\u2028é", max_size=60), st.integers(1, 20))
def test_split_parts_fit_and_join_to_the_text(text, limit):
    parts = split_long(text, len, limit)
    assert "".join(part + gap for part, gap in parts) == text
    assert all(len(part) <= limit for part, _ in parts)


def test_splitting_prefers_sentence_ends_then_spaces():
    text = 'He said: "Go!" She went. 3.5 km。 あ。い。 Dr'
    assert [part for part, _ in split_long(text, len, 30)] == [
        'He said: "Go!"', "She went.", "3.5 km。", "あ。", "い。", "Dr"
    ]  # fmt: skip
    assert split_long("aaa bbb ccc", len, 7) == [("aaa", " "), ("bbb ccc", "")]
    assert split_long("aaaaaaaa", len, 4) == [("aaaa", ""), ("aaaa", "")]
    assert split_long("One. Two.", len, 20) == [("One. Two.", "")]


def test_batches_side_by_side_give_the_same(translator, monkeypatch):
    monkeypatch.setattr(EagerEngine, "capacity", EagerEngine.capacity._replace(rows=4))
    alone = translator.translate(texts())
    torch.set_num_threads(2)
    together = translator.translate(texts())
    assert [each.text for each in together] == [each.text for each in alone]
    assert torch.get_num_threads() == 2


@pytest.fixture
def of_sentences(translator) -> Translator:
    facts = TextFacts(natural=True, passages=False, copies_symbols=True, copies_numbers=True)
    pair = translator.tokenizers
    return Translator(
        translator.engine, pair, settings=translator.settings, max_source_length=200, facts=facts
    )


def test_sentences_on_a_line_are_translated_one_by_one_and_the_gaps_stay(of_sentences):
    first, second, third = of_sentences.translate(["abc de.", "edc ba!", "Dr. bc."], n_best=2)
    (together,) = of_sentences.translate(["abc de.  edc ba! \n\n Dr. bc. "], n_best=2)
    assert together.text == f"{first.text}  {second.text} \n\n {third.text}"
    assert "split" not in together.flags
    assert together.alternatives[0].text == "{}  {} \n\n {}".format(
        *(each.alternatives[0].text for each in (first, second, third))
    )
    (whole,) = of_sentences.translate(["abc de. edc ba!"], whole=True)
    assert not whole.parts


@pytest.mark.parametrize("space", ["\xa0", "\u2009", "\u3000", "\t", "\x85", "\u2028", "\v"], ids=ascii)
def test_white_space_inside_a_sentence_is_no_border(of_sentences, space):
    assert of_sentences.split([f"abc{space}de."])[0].parts == [f"abc{space}de."]


def test_passages_are_split_at_line_breaks_only(of_sentences, translator):
    facts = of_sentences.facts._replace(passages=True)
    model = Translator(translator.engine, translator.tokenizers, max_source_length=200, facts=facts)
    (passage,) = model.split(["abc de. edc ba!\nb."])
    assert passage.parts == ["abc de. edc ba!", "b."]


@pytest.mark.parametrize("text", ["...", "\U0001f642 \u2764\ufe0f", "12:30", "- 5 -"])
def test_a_text_without_words_is_copied(of_sentences, translator, text):
    (copied,) = of_sentences.translate([f" {text} "])
    assert (copied.text, copied.flags, copied.tokens) == (text, (), ())
    (inside,) = of_sentences.translate([f"abc.\n{text}\nde."])
    assert inside.text.split("\n")[1] == text
    assert translator.translate([text])[0].tokens  # symbols are for the model


def test_awkward_texts_are_translated(of_sentences):
    for text in ("x" * 10_000, "a" + "\u0301\u0323" * 5_000, "\0\x1b", "a\u2028b\x85c"):
        (translation,) = of_sentences.translate([text], beam=1)
        assert len(translation.text.splitlines()) <= 1
    with pytest.raises(DataError, match="lone surrogate"):
        of_sentences.translate(["a\ud800"])


class TestColumns:
    """Only the text is split; what else there is goes with every part."""

    @pytest.fixture(params=["tag first", "tag last", "between two"])
    def columns(self, request: pytest.FixtureRequest) -> tuple[str, str]:
        return {"tag first": ("de\t", ""), "tag last": ("", "\tde"), "between two": ("nl\t", "\tde")}[
            request.param
        ]

    @pytest.fixture
    def model(self, columns: tuple[str, str]) -> Translator:
        torch.manual_seed(0)
        tags, letters = SymbolTokenizer.of_tags(["de", "nl"], "text"), ByteTokenizer("text")
        before, after = (each.count("\t") for each in columns)
        source = ColumnTokenizer([*[tags] * before, letters, *[tags] * after])
        sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=2)
        facts = TextFacts(natural=True, passages=False, copies_symbols=True, column=before)
        return Translator(EagerEngine(build(Wild, sizes, 300).eval()), TokenizerPair(source, letters),
                          settings=SearchSettings(beam=2), max_source_length=200, facts=facts)  # fmt: skip

    def test_sentences_go_with_their_columns_one_by_one(self, model, columns):
        before, after = columns
        one, two = (f"{before}{text}{after}" for text in ("abc de.", "edc ba!"))
        first, second = model.translate([one, two], n_best=2)
        (together,) = model.translate([f"{before}abc de.  edc ba!\n...{after}"], n_best=2)
        assert together.text == f"{first.text}  {second.text}\n..."
        assert together.alternatives[0].text.startswith(first.alternatives[0].text)
        assert [part.source_tokens for part in together.parts] == [first.source_tokens, second.source_tokens]
        (whole,) = model.translate([f"{before}abc de.  edc ba!{after}"], whole=True)
        assert not whole.parts

    def test_what_is_too_long_is_split_even_if_texts_are_to_stay_whole(self, model, columns):
        before, after = columns
        text = before + "ab " * 150 + after
        for whole in (False, True):
            (passage,) = model.split([text], whole=whole)
            assert len(passage.parts) > 2
            assert max(passage.num_tokens) <= 200
            sources = [passage.others.complete(part) for part in passage.parts]
            assert passage.num_tokens == [*map(len, model.tokenizers.source.encode_batch(sources))]
        assert "split" in model.translate([text], beam=1)[0].flags

    def test_a_model_of_no_natural_language_gets_all_as_it_is(self, model, columns):
        before, after = columns
        plain = Translator(model.engine, model.tokenizers, max_source_length=20)
        text = f"{before}abc de. edc ba! abc de.{after}"
        assert plain.translate([text])[0].text == model.translate([text], whole=True, beam=5)[0].text
        assert not plain.translate([text])[0].parts

    def test_terms_are_found_in_the_text_and_not_in_its_columns(self, model, columns):
        before, after = columns
        one, two = (f"{before}{text}{after}" for text in ("abc de.", "edc ba de!"))
        found = model.translate([one, two], glossary={"de": "Y", "nl": "Z"})
        assert [[term.source for term in each.terms] for each in found] == [["de"], ["de"]]
        assert all(term.satisfied for each in found for term in each.terms)

    def test_signs_come_through_beside_the_words_of_the_text(self, model, columns):
        letters = SymbolTokenizer.train(["abcdefgh ."], "characters", "text")
        model.tokenizers.source.columns = tuple(
            letters if isinstance(each, ByteTokenizer) else each for each in model.tokenizers.source.columns
        )
        before, after = columns
        plain = Translator(model.engine, model.tokenizers, facts=model.facts)
        (inside,) = plain.translate([f"{before}ab \U0001f355 cd{after}"], n_best=2)
        assert inside.text.count("\U0001f355") == 1
        assert "unknown" not in inside.flags

    def test_a_text_that_is_blank_is_empty(self, model, columns):
        found = model.translate(["", " ", "{}{}".format(*columns), "{} {}".format(*columns)])
        assert [(each.text, each.flags) for each in found] == [("", ("empty",))] * 4

    def test_another_number_of_columns_is_told(self, model, columns):
        with pytest.raises(DataError, match=r"columns?, and the model reads"):
            model.translate(["abc de. edc ba!"])


class TestWhatTheVocabularyLacks:
    @pytest.fixture
    def model(self) -> Translator:
        torch.manual_seed(0)
        tokenizer = SymbolTokenizer.train(["abcdefgh ."], "characters", "text")
        sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
        engine = EagerEngine(build(Transformer, sizes, len(tokenizer)).eval())
        facts = TextFacts(natural=True, passages=False, copies_symbols=True, copies_numbers=True)
        return Translator(engine, TokenizerPair(tokenizer, tokenizer), facts=facts)

    def test_it_is_named(self, model):
        (translation,) = model.translate(["ab\u4f60c \u597d\ufe0fd"])
        assert "unknown" in translation.flags
        assert translation.unknown == ("\u4f60", "\u597d")
        assert "unknown" not in model.translate(["abc"])[0].flags

    def test_emoji_around_a_sentence_come_through(self, model):
        (alone,) = model.translate(["abc."])
        (around,) = model.translate(["\u2764\ufe0f abc. \U0001f44d\U0001f3fd\U0001f642"])
        assert around.text == f"\u2764\ufe0f {alone.text} \U0001f44d\U0001f3fd\U0001f642"
        assert "unknown" not in around.flags

    @pytest.mark.parametrize("spaces", ["ab {} cd", "ab{} cd", "ab {}cd"])
    def test_emoji_inside_a_sentence_come_through(self, model, spaces):
        sign = "\U0001f355\U0001f44d\U0001f3fd"
        (inside, alone) = model.translate(
            [spaces.format(sign), spaces.format("").replace("  ", " ")], n_best=2
        )
        assert inside.text.count(sign) == 1
        assert inside.text.replace(sign, "").split() == alone.text.split()
        assert all(other.text.count(sign) == 1 for other in inside.alternatives)
        assert "unknown" not in inside.flags
        assert inside.alignment is None
        assert model.translate([spaces.format(sign)], alignment=True)[0].alignment is not None

    def test_emoji_are_left_to_a_model_that_knows_them(self, model):
        tokenizer = SymbolTokenizer.train(["abc \u2764"], "characters", "text")
        model.tokenizers = TokenizerPair(tokenizer, tokenizer)
        assert model.split(["\u2764 abc"])[0].parts == ["\u2764 abc"]


def test_going_in_circles_is_flagged_unless_targets_do(translator, monkeypatch):
    for repetitive in (False, True):
        facts = TextFacts(repetitive=repetitive)
        model = Translator(translator.engine, translator.tokenizers, facts=facts)
        monkeypatch.setattr("interlingua.inference.parts.repeats", lambda tokens: tokens != ("a", "b"))
        assert ("repeated" in model.translate(["ab"], beam=1)[0].flags) is not repetitive


def test_every_flag_is_in_the_one_table():
    page = Path(interlingua.__file__).parent / "serving" / "page" / "output.js"
    shown = set(re.findall(r"^  (\w+): \"", page.read_text().split("const FLAGS")[1].split("};")[0], re.M))
    assert set(FLAGS) == set(get_args(Flag)) == shown | {"empty"}


class Column:
    """As tables have them: it is iterated over, but is no Sequence."""

    ndim = 1

    def __init__(self, values: list[object]) -> None:
        self.values = values

    def __iter__(self) -> Iterator[object]:
        return iter(self.values)


class Table(Column):
    ndim, columns = 2, ("source", "target")


def test_whatever_holds_texts_in_an_order_is_translated(translator: Translator, tmp_path: Path) -> None:
    some = ["abc", "a", "", "ba"]
    expected = [each.text for each in translator.translate(some)]
    (tmp_path / "lines").write_bytes("\r\n".join(some).encode())
    for each in (tuple(some), iter(some), np.array(some), np.array(some, dtype=object), Column(some),
                 dict.fromkeys(some).keys(), (text for text in some)):  # fmt: skip
        assert [found.text for found in translator.translate(each)] == expected
    for opened in (open, gzip.open):
        with gzip.open(tmp_path / "lines.gz", "wb") as file:
            file.write((tmp_path / "lines").read_bytes())
        name = tmp_path / ("lines.gz" if opened is gzip.open else "lines")
        for translate in (translator.translate, translator.translate_lines):
            with opened(name, "rt", encoding="utf-8", newline="") as file:
                assert [found.text for found in translate(file)] == expected
    pairs = [("abc", "ab"), ("a", "c")]
    scores = list(translator.score_pairs(pairs))
    for each in (
        iter(pairs),
        np.array(pairs),
        zip(*map(list, zip(*pairs, strict=True)), strict=True),
        map(list, pairs),
    ):
        assert list(translator.score_pairs(each)) == scores


@pytest.mark.parametrize(
    ("texts", "where"),
    [
        (None, "texts: this takes a list or the like, not NoneType"),
        (5, "texts: this takes a list or the like, not int"),
        ("a text", "texts: this takes a list or the like, not str"),
        (b"a text", "texts: this takes a list or the like, not bytes"),
        ({"a": "b"}, "texts: this takes a list or the like, not dict"),
        ({"a"}, "texts: this takes a list or the like, not set"),
        (Path("a"), "texts: this takes a list or the like, not"),
        (np.array("a"), "texts: this takes a list or the like, not ndarray"),
        (np.array([["a"]]), "texts: this is a whole ndarray"),
        (Table(["source"]), "texts: this is a whole Table"),
        (["a", None], r"texts\[1\]: this is of type NoneType"),
        (["a", "b", math.nan], r"texts\[2\]: this is of type float"),
        ([b"a"], r"texts\[0\]: this is of type bytes"),
        (np.array([b"a"]), r"texts\[0\]: this is of type bytes"),
        ([["a"]], r"texts\[0\]: this is of type list"),
        (["a", "\ud800"], r"texts\[1\]: the text holds a lone surrogate"),
        (io.BytesIO(b"a\n"), r"texts\[0\]: this is of type bytes"),
    ],
)
def test_what_is_no_text_is_named(translator: Translator, texts: Any, where: str) -> None:
    with pytest.raises(DataError, match=where):
        translator.translate(texts)
    if not isinstance(texts, io.IOBase):
        with pytest.raises(DataError, match=where.replace("texts", "lines", 1)):
            list(translator.translate_lines(texts))


@pytest.mark.parametrize(
    ("pairs", "where"),
    [
        (None, "pairs: this takes a list or the like, not NoneType"),
        ("ab", "pairs: this takes a list or the like, not str"),
        ({"a": "b"}, "pairs: this takes a list or the like, not dict"),
        (Table(["source"]), "pairs: this is a whole Table"),
        (["ab"], r"pairs\[0\]: this is of type str, not a pair"),
        ([("a", "b"), ("a",)], r"pairs\[1\]: these are 1, not two texts"),
        ([("a", "b", "c")], r"pairs\[0\]: these are 3"),
        ([{"source": "a", "target": "b"}], r"pairs\[0\]: this is of type dict"),
        ([None], r"pairs\[0\]: this is of type NoneType"),
        ([("a", "b"), ("a", None)], r"pairs\[1\]\[1\]: this is of type NoneType"),
        ([("a", "\udfff")], r"pairs\[0\]\[1\]: the text holds a lone surrogate"),
    ],
)
def test_what_is_no_pair_is_named(translator: Translator, pairs: Any, where: str) -> None:
    with pytest.raises(DataError, match=where):
        list(translator.score_pairs(pairs))
    with pytest.raises(DataError, match=where):
        evaluate(translator, pairs)


def test_texts_of_a_stream_are_counted_from_its_beginning(translator: Translator) -> None:
    stream = translator.translate_lines(iter(["a", "b", "c", None]), chunk=2)
    assert len([next(stream), next(stream), next(stream)]) == 3
    with pytest.raises(DataError, match=r"lines\[3\]"):
        next(stream)


@pytest.mark.parametrize("chunk", [0, -1, None, "5", 2.5, True])
def test_an_impossible_chunk_is_refused_at_once(translator: Translator, chunk: Any) -> None:
    for stream in (translator.translate_lines, translator.score_pairs):
        with pytest.raises(ConfigurationError, match="chunk"):
            stream([], chunk=chunk)
