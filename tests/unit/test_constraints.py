"""Properties of constrained search, with made-up terms and models of random weights."""

from __future__ import annotations

import random

import pytest
import torch

from interlingua.kinds import BOS, EOS, PAD
from interlingua.model.architectures import build_model
from interlingua.model.recurrent import RecurrentSettings
from interlingua.search.forced import forced_log_probs
from interlingua.search.hypothesis import SearchInput, length_penalty
from interlingua.search.search import search
from interlingua.search.settings import SearchSettings
from interlingua.terms.automaton import Progress, SentenceTerms
from interlingua.terms.constraints import TermConstraint
from interlingua.terms.glossary import check_terms
from interlingua.terms.tokenization import TermTokenizer, Tokenization
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.vocabulary import Vocabulary
from tests.unit.test_search import (
    LETTERS,
    Table,
    every_sequence,
    padded,
    random_sources,
    sources,
    transformer,
)

VOCABULARY = 30
LETTERS_OF = "abcdefghijklmnopqrstuvwx. "  # of 30 ids


def characters() -> TermTokenizer:
    return TermTokenizer(SymbolTokenizer("characters", Vocabulary(LETTERS_OF), "NFC"))


def words(count: int = VOCABULARY - 4) -> TermTokenizer:
    return TermTokenizer(SymbolTokenizer("words", Vocabulary([f"w{i}" for i in range(count)]), "NFC"))


def random_terms(term_tokenizer: TermTokenizer, draw: random.Random, count: int) -> list[str]:
    if term_tokenizer.tokenizer.kind == "characters":
        return ["".join(draw.choices("abcd", k=draw.randint(1, 4))) for _ in range(count)]
    return [" ".join(f"w{draw.randint(0, 5)}" for _ in range(draw.randint(1, 3))) for _ in range(count)]


def encode(term_tokenizer: TermTokenizer, terms: list[str]) -> SentenceTerms:
    return SentenceTerms([term_tokenizer.tokenize(term) for term in terms], term_tokenizer)


def recurrent(seed: int = 0):
    torch.manual_seed(seed)
    settings = RecurrentSettings(dim=16, encoder_layers=1, decoder_layers=1)
    return build_model(settings, VOCABULARY, VOCABULARY, shared=False).eval()


def occurrences(term: str, text: str) -> int:
    """Whole words, not overlapping."""
    padded_text, count, at = f" {text.replace('.', ' ')} ", 0, 0
    while (found := padded_text.find(f" {term} ", at)) >= 0:
        count, at = count + 1, found + len(term) + 1
    return count


def constrained(model, batch: SearchInput, all_terms: list[SentenceTerms], **settings):
    chosen = SearchSettings(**settings)
    return search(model, batch, chosen, constraint=TermConstraint(all_terms, chosen.beam))


def room(batch: SearchInput, all_terms: list[SentenceTerms]) -> SearchInput:
    more = torch.tensor([each.num_tokens + 2 * len(each.tokenizations) for each in all_terms])
    return batch._replace(limits=batch.limits + more)


@pytest.mark.parametrize("make", [transformer, recurrent])
@pytest.mark.parametrize("term_tokenizer", [characters(), words()], ids=["characters", "words"])
@pytest.mark.parametrize("beam", [1, 3])
def test_every_term_comes_out_as_whole_words(make, term_tokenizer: TermTokenizer, beam):
    draw = random.Random(beam)
    rows = random_sources(8, VOCABULARY)
    terms = [random_terms(term_tokenizer, draw, draw.randint(1, 4)) for _ in rows]
    terms[0] = [terms[0][0]] * 3  # as often as it is asked for
    all_terms = [encode(term_tokenizer, each) for each in terms]
    batch = room(padded(rows), all_terms)
    free = search(make(), batch, SearchSettings(beam=beam))
    found = constrained(make(), batch, all_terms, beam=beam)
    came = 0
    for own, limit, (best, *_), (unbound, *_) in zip(terms, batch.limits.tolist(), found, free, strict=True):
        text = term_tokenizer.tokenizer.decode(best.ids)
        for term in own:
            assert occurrences(term, text) >= 1, (own, text)
        assert occurrences(own[0], text) >= (3 if own is terms[0] else 1)
        assert len(best.ids) <= limit
        plain = term_tokenizer.tokenizer.decode(unbound.ids)
        came += all(occurrences(term, plain) for term in own)
    assert came < 4  # it was not the model's own wish


def test_a_limit_of_just_the_terms_is_enough():
    term_tokenizer = words()
    all_terms = [encode(term_tokenizer, ["w1 w2", "w2 w3 w4"]), encode(term_tokenizer, ["w0"])]
    batch = padded(random_sources(2, VOCABULARY))._replace(limits=torch.tensor([5, 1]))
    for (best, *_), each in zip(constrained(transformer(), batch, all_terms), all_terms, strict=True):
        assert len(best.ids) == each.num_tokens
        assert best.limited
    batch = batch._replace(limits=batch.limits + 1)
    for (best, *_), each in zip(constrained(transformer(), batch, all_terms), all_terms, strict=True):
        assert len(best.ids) <= each.num_tokens + 1


@pytest.mark.parametrize("stop", ["exact", "all"])
def test_a_wide_enough_beam_finds_the_best_that_holds_the_terms(stop):
    limit = 5
    term_tokenizer = words(LETTERS)
    for seed in range(3):
        table = Table(seed)
        asked = [["w0 w0"], ["w1", "w0"], ["w1", "w1"], ["w0 w1"], ["w1 w0 w1"]]
        all_terms = [encode(term_tokenizer, each) for each in asked]
        found = constrained(table, sources(limit=limit), all_terms, beam=64, n_best=3, stop=stop)
        for number, (own, best) in enumerate(zip(asked, found, strict=True), start=4):
            scores = {}
            for ids in every_sequence(limit):
                text = term_tokenizer.tokenizer.decode(ids)
                if all(occurrences(term, text) >= own.count(term) for term in own):
                    scores[tuple(ids[:-1])] = table.log_prob(number, ids) / float(
                        length_penalty(len(ids), 1.0)
                    )
            expected = sorted(scores, key=scores.__getitem__, reverse=True)[:3]
            assert [tuple(each.ids) for each in best] == expected


@pytest.mark.parametrize("beam", [1, 3])
def test_the_company_does_not_matter(beam):
    term_tokenizer, draw = words(), random.Random(0)
    rows = random_sources(6, VOCABULARY)
    all_terms = [encode(term_tokenizer, random_terms(term_tokenizer, draw, 1 + i % 4)) for i in range(6)]
    batch = room(padded(rows), all_terms)
    together = constrained(transformer(), batch, all_terms, beam=beam, n_best=beam)
    for i, own in enumerate(all_terms):
        one = padded([rows[i]])._replace(limits=batch.limits[i : i + 1])
        (alone,) = constrained(transformer(), one, [own], beam=beam, n_best=beam)
        assert [each.ids for each in alone] == [each.ids for each in together[i]]
        assert [each.score for each in alone] == pytest.approx([each.score for each in together[i]], abs=1e-4)


def test_log_probabilities_are_the_models_own():
    term_tokenizer, model = words(), transformer()
    batch = padded(random_sources(6, VOCABULARY))
    found = constrained(model, batch, [encode(term_tokenizer, ["w3 w4", "w9"])] * 6)
    ids = [best.ids for best, *_ in found]
    width = max(map(len, ids)) + 1
    target_in = torch.tensor([([BOS, *each] + [PAD] * width)[:width] for each in ids])
    target_out = torch.tensor([([*each, EOS] + [PAD] * width)[:width] for each in ids])
    forced = forced_log_probs(model, batch.source, target_in, target_out)
    for (best, *_), row in zip(found, forced.tolist(), strict=True):
        assert best.log_probs == pytest.approx(row[: len(best.log_probs)], abs=1e-4)


def progress_of(terms: SentenceTerms, ids: list[int]) -> Progress:
    progress = Progress()
    for token in ids:
        progress = terms.advance(progress, token)
    return progress


@pytest.mark.parametrize(
    ("terms", "text", "completed"),
    [
        (["ab"], "ab", ["ab"]),
        (["ab"], "ab c", ["ab"]),
        (["ab"], "abc", []),
        (["ab"], "cab", []),
        (["ab"], "x.ab.", []),
        (["ab"], "x ab.", ["ab"]),
        (["ab"], "abc ab", ["ab"]),
        (["ab cd"], "ab ab cd", ["ab cd"]),
        (["ab", "ab"], "ab", ["ab"]),
        (["ab", "ab"], "ab ab", ["ab", "ab"]),
        (["ab", "ab cd"], "ab cd", ["ab cd"]),
        (["ab", "ab cd"], "ab cd ab", ["ab cd", "ab"]),
        (["ab", "ab cd"], "ab ab cd", ["ab", "ab cd"]),
        (["ab", "ab cd"], "ab cdx", []),
        (["ab cd", "cd ef"], "ab cd ef", ["ab cd"]),
        (["ab cd", "cd ef"], "ab cd cd ef", ["ab cd", "cd ef"]),
        (["ab", "cd", "ab cd ef"], "ab cd ef cd ab", ["ab cd ef", "cd", "ab"]),
    ],
)
def test_what_counts_as_written(terms, text, completed):
    term_tokenizer = characters()
    own = encode(term_tokenizer, terms)
    progress = progress_of(own, term_tokenizer.tokenizer.encode(text))
    assert [terms[term] for term, _, _ in progress.completed] == completed
    assert own.finished(progress) == (len(completed) == len(terms))
    assert own.finished(progress) == (own.bank(progress) == own.num_tokens)


MIXED = "ab東です。,é ไ("


@pytest.mark.parametrize(
    "tokenizer",
    [SymbolTokenizer("characters", Vocabulary(MIXED), "NFC"), ByteTokenizer("NFC")],
    ids=["characters", "bytes"],
)
def test_search_and_check_follow_one_rule(tokenizer):
    term_tokenizer, draw = TermTokenizer(tokenizer), random.Random(0)
    outcomes = set()
    for _ in range(2000):
        # A word after a comma needs a space in the search alone, and of a byte the script is but guessed.
        exact = draw.random() < 0.5
        alphabet = "ab東で " if exact else MIXED
        term = "".join(draw.choices(alphabet.replace(" ", ""), k=draw.randint(1, 3)))
        text = "".join(draw.choices(alphabet, k=draw.randint(0, 3)))
        text += term + "".join(draw.choices(alphabet, k=draw.randint(0, 2)))
        own = encode(term_tokenizer, [term])
        counts = own.finished(progress_of(own, tokenizer.encode(text)))
        (came_out,) = check_terms([term], text)
        if exact:
            assert counts == came_out, (term, text)
            outcomes.add(counts)
        assert came_out or not counts, (term, text)
    assert outcomes == {True, False}


@pytest.mark.parametrize("kind", ["unigram", "bpe", "characters", "bytes"])
@pytest.mark.parametrize(
    ("before", "term", "after"),
    [("新しい", "iPhone", "です"), ("。", "iPhone", "。"), ("「", "iPhone", "」"), ("x ", "東京", "y")],
)
def test_no_space_is_forced_between_scripts(kind, before, term, after):
    texts = ["新しいiPhoneです。", "東京は大きい「都市」です。", "x 東京 y iPhone"]
    tokenizer = {
        "characters": lambda: SymbolTokenizer.train(texts, "characters", "NFC"),
        "bytes": lambda: ByteTokenizer("NFC"),
    }.get(kind, lambda: SubwordTokenizer.train(texts, kind, "NFC", 330))()
    term_tokenizer = TermTokenizer(tokenizer)
    own = encode(term_tokenizer, [term])
    progress = progress_of(own, tokenizer.encode(before))
    while not own.finished(progress):
        space = [token for token in own.next_tokens(progress) if term_tokenizer.starts_with_space[token]]
        progress = max(
            (own.advance(progress, token) for token in own.next_tokens(progress).difference(space)),
            key=own.bank,
        )
        assert progress.length < 60
    for token in tokenizer.encode(after)[-len(after.encode()) :]:
        if not term_tokenizer.starts_with_space[token]:
            progress = own.advance(progress, token)
    assert own.finished(progress)


def test_some_token_always_leads_to_a_higher_bank():
    """Whatever was written: so the search reaches the end of all terms, if its limit allows."""
    draw = random.Random(0)
    for term_tokenizer in (characters(), words(6)):
        symbols = [4, 5, 6, 7, len(term_tokenizer.tokenizer) - 1]  # the last is the space, if there is one
        for _ in range(60):
            own = encode(term_tokenizer, random_terms(term_tokenizer, draw, draw.randint(1, 4)))
            progress = progress_of(own, draw.choices(symbols, k=draw.randint(0, 10)))
            for _ in range(2 * own.num_tokens + 20):
                if own.finished(progress):
                    break
                ways = [own.advance(progress, token) for token in [*own.next_tokens(progress), *symbols]]
                progress = max(ways, key=own.bank)
            assert own.finished(progress)


def test_a_term_takes_the_place_of_the_models_own_word():
    """And its log-probabilities are the model's nevertheless."""
    term_tokenizer, model = words(), transformer()
    rows = random_sources(60, VOCABULARY)
    drafts = search(model, padded(rows), SearchSettings(beam=3))
    long = [i for i, (best, *_) in enumerate(drafts) if len(best.ids) > 3][:8]
    assert len(long) > 3
    batch, free = padded([rows[i] for i in long]), [drafts[i] for i in long]
    all_terms = [encode(term_tokenizer, ["w25 w24"]) for _ in free]
    for each, (best, *_) in zip(all_terms, free, strict=True):
        each.replaced_tokens[0] = best.ids[len(best.ids) // 2]
    found = constrained(model, batch, all_terms, beam=3, n_best=2)
    exact = 0
    for each, (best, *_), hypotheses in zip(all_terms, free, found, strict=True):
        at = best.ids.index(each.replaced_tokens[0])
        exact += hypotheses[0].ids[: at + 2] == [*best.ids[:at], 29, 28]
        for hypothesis in hypotheses:
            assert occurrences("w25 w24", term_tokenizer.tokenizer.decode(hypothesis.ids))
            score = sum(hypothesis.log_probs) / float(length_penalty(len(hypothesis.log_probs), 1.0))
            assert hypothesis.score == pytest.approx(score, abs=1e-4)
            assert len(hypothesis.log_probs) == len(hypothesis.ids) + (not hypothesis.limited)
    assert exact >= len(long) / 2


def test_a_capital_is_for_the_beginning_only():
    term_tokenizer = TermTokenizer(SymbolTokenizer("words", Vocabulary(["hund", "Hund", "HUND"]), "NFC"))
    small, capital, large = 4, 5, 6
    assert set(term_tokenizer.tokenize("hund")) == {
        Tokenization((small,), may_begin_target=True, may_stand_later=True),
        Tokenization((capital,), may_begin_target=True, may_stand_later=False),
    }
    assert term_tokenizer.tokenize("HUND") == (
        Tokenization((large,), may_begin_target=True, may_stand_later=True),
    )
    assert term_tokenizer.tokenize("Katze") == ()
