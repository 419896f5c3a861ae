"""Properties of constrained search, with made-up terms and models of random weights."""

from __future__ import annotations

import random

import pytest
import torch

from interlingua.model.architectures import build_model
from interlingua.model.recurrent import RecurrentSettings
from interlingua.search.hypothesis import SearchSettings, Sources, length_penalty
from interlingua.search.scoring import forced_log_probs
from interlingua.search.search import search
from interlingua.terms.automaton import Progress, Wanted
from interlingua.terms.constraints import Constraints
from interlingua.terms.phrases import Phrase, Phrasing
from interlingua.text.symbols import SymbolTokenizer
from interlingua.text.vocabulary import BOS, EOS, PAD, Vocabulary
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


def characters() -> Phrasing:
    return Phrasing(SymbolTokenizer("characters", Vocabulary(LETTERS_OF), "NFC"))


def words(count: int = VOCABULARY - 4) -> Phrasing:
    return Phrasing(SymbolTokenizer("words", Vocabulary([f"w{i}" for i in range(count)]), "NFC"))


def random_terms(phrasing: Phrasing, draw: random.Random, count: int) -> list[str]:
    if phrasing.tokenizer.kind == "characters":
        return ["".join(draw.choices("abcd", k=draw.randint(1, 4))) for _ in range(count)]
    return [" ".join(f"w{draw.randint(0, 5)}" for _ in range(draw.randint(1, 3))) for _ in range(count)]


def wanted(phrasing: Phrasing, terms: list[str]) -> Wanted:
    return Wanted([phrasing.phrases(term) for term in terms], phrasing)


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


def constrained(model, batch: Sources, all_wanted: list[Wanted], **settings):
    chosen = SearchSettings(**settings)
    return search(model, batch, chosen, constraint=Constraints(all_wanted, chosen.beam))


def room(batch: Sources, all_wanted: list[Wanted]) -> Sources:
    more = torch.tensor([each.tokens + 2 * len(each.terms) for each in all_wanted])
    return batch._replace(limits=batch.limits + more)


@pytest.mark.parametrize("make", [transformer, recurrent])
@pytest.mark.parametrize("phrasing", [characters(), words()], ids=["characters", "words"])
@pytest.mark.parametrize("beam", [1, 3])
def test_every_term_comes_out_as_whole_words(make, phrasing: Phrasing, beam):
    draw = random.Random(beam)
    rows = random_sources(8, VOCABULARY)
    terms = [random_terms(phrasing, draw, draw.randint(1, 4)) for _ in rows]
    terms[0] = [terms[0][0]] * 3  # as often as it is asked for
    all_wanted = [wanted(phrasing, each) for each in terms]
    batch = room(padded(rows), all_wanted)
    free = search(make(), batch, SearchSettings(beam=beam))
    found = constrained(make(), batch, all_wanted, beam=beam)
    came = 0
    for own, limit, (best, *_), (unbound, *_) in zip(terms, batch.limits.tolist(), found, free, strict=True):
        text = phrasing.tokenizer.decode(best.ids)
        for term in own:
            assert occurrences(term, text) >= 1, (own, text)
        assert occurrences(own[0], text) >= (3 if own is terms[0] else 1)
        assert len(best.ids) <= limit
        plain = phrasing.tokenizer.decode(unbound.ids)
        came += all(occurrences(term, plain) for term in own)
    assert came < 4  # it was not the model's own wish


def test_a_limit_of_just_the_terms_is_enough():
    phrasing = words()
    all_wanted = [wanted(phrasing, ["w1 w2", "w2 w3 w4"]), wanted(phrasing, ["w0"])]
    batch = padded(random_sources(2, VOCABULARY))._replace(limits=torch.tensor([5, 1]))
    for (best, *_), each in zip(constrained(transformer(), batch, all_wanted), all_wanted, strict=True):
        assert len(best.ids) == each.tokens
        assert best.limited
    batch = batch._replace(limits=batch.limits + 1)
    for (best, *_), each in zip(constrained(transformer(), batch, all_wanted), all_wanted, strict=True):
        assert len(best.ids) <= each.tokens + 1


@pytest.mark.parametrize("stop", ["exact", "all"])
def test_a_wide_enough_beam_finds_the_best_that_holds_the_terms(stop):
    limit = 5
    phrasing = words(LETTERS)
    for seed in range(3):
        table = Table(seed)
        asked = [["w0 w0"], ["w1", "w0"], ["w1", "w1"], ["w0 w1"], ["w1 w0 w1"]]
        all_wanted = [wanted(phrasing, each) for each in asked]
        found = constrained(table, sources(limit=limit), all_wanted, beam=64, n_best=3, stop=stop)
        for number, (own, best) in enumerate(zip(asked, found, strict=True), start=4):
            scores = {}
            for ids in every_sequence(limit):
                text = phrasing.tokenizer.decode(ids)
                if all(occurrences(term, text) >= own.count(term) for term in own):
                    scores[tuple(ids[:-1])] = table.log_prob(number, ids) / float(
                        length_penalty(len(ids), 1.0)
                    )
            expected = sorted(scores, key=scores.__getitem__, reverse=True)[:3]
            assert [tuple(each.ids) for each in best] == expected


@pytest.mark.parametrize("beam", [1, 3])
def test_the_company_does_not_matter(beam):
    phrasing, draw = words(), random.Random(0)
    rows = random_sources(6, VOCABULARY)
    all_wanted = [wanted(phrasing, random_terms(phrasing, draw, 1 + i % 4)) for i in range(6)]
    batch = room(padded(rows), all_wanted)
    together = constrained(transformer(), batch, all_wanted, beam=beam, n_best=beam)
    for i, own in enumerate(all_wanted):
        one = padded([rows[i]])._replace(limits=batch.limits[i : i + 1])
        (alone,) = constrained(transformer(), one, [own], beam=beam, n_best=beam)
        assert [each.ids for each in alone] == [each.ids for each in together[i]]
        assert [each.score for each in alone] == pytest.approx([each.score for each in together[i]], abs=1e-4)


def test_log_probabilities_are_the_models_own():
    phrasing, model = words(), transformer()
    batch = padded(random_sources(6, VOCABULARY))
    found = constrained(model, batch, [wanted(phrasing, ["w3 w4", "w9"])] * 6)
    ids = [best.ids for best, *_ in found]
    width = max(map(len, ids)) + 1
    target_in = torch.tensor([([BOS, *each] + [PAD] * width)[:width] for each in ids])
    target_out = torch.tensor([([*each, EOS] + [PAD] * width)[:width] for each in ids])
    forced = forced_log_probs(model, batch.source, target_in, target_out)
    for (best, *_), row in zip(found, forced.tolist(), strict=True):
        assert best.log_probs == pytest.approx(row[: len(best.log_probs)], abs=1e-4)


def follow(terms: Wanted, ids: list[int]) -> Progress:
    progress = Progress()
    for token in ids:
        progress = terms.after(progress, token)
    return progress


@pytest.mark.parametrize(
    ("terms", "text", "met"),
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
def test_what_counts_as_written(terms, text, met):
    phrasing = characters()
    own = wanted(phrasing, terms)
    progress = follow(own, phrasing.tokenizer.encode(text))
    assert [terms[term] for term, _, _ in progress.met] == met
    assert own.complete(progress) == (len(met) == len(terms))
    assert own.complete(progress) == (own.level(progress) == own.tokens)


def test_some_token_always_leads_to_a_higher_level():
    """Whatever was written: so the search reaches the end of all terms, if its limit allows."""
    draw = random.Random(0)
    for phrasing in (characters(), words(6)):
        symbols = [4, 5, 6, 7, len(phrasing.tokenizer) - 1]  # the last is the space, if there is one
        for _ in range(60):
            own = wanted(phrasing, random_terms(phrasing, draw, draw.randint(1, 4)))
            progress = follow(own, draw.choices(symbols, k=draw.randint(0, 10)))
            for _ in range(2 * own.tokens + 20):
                if own.complete(progress):
                    break
                ways = [own.after(progress, token) for token in [*own.onward(progress), *symbols]]
                progress = max(ways, key=own.level)
            assert own.complete(progress)


def test_a_term_takes_the_place_of_the_models_own_word():
    """And its log-probabilities are the model's nevertheless."""
    phrasing, model = words(), transformer()
    rows = random_sources(60, VOCABULARY)
    drafts = search(model, padded(rows), SearchSettings(beam=3))
    long = [i for i, (best, *_) in enumerate(drafts) if len(best.ids) > 3][:8]
    assert len(long) > 3
    batch, free = padded([rows[i] for i in long]), [drafts[i] for i in long]
    all_wanted = [wanted(phrasing, ["w25 w24"]) for _ in free]
    for each, (best, *_) in zip(all_wanted, free, strict=True):
        each.own[0] = best.ids[len(best.ids) // 2]
    found = constrained(model, batch, all_wanted, beam=3, n_best=2)
    exact = 0
    for each, (best, *_), hypotheses in zip(all_wanted, free, found, strict=True):
        at = best.ids.index(each.own[0])
        exact += hypotheses[0].ids[: at + 2] == [*best.ids[:at], 29, 28]
        for hypothesis in hypotheses:
            assert occurrences("w25 w24", phrasing.tokenizer.decode(hypothesis.ids))
            score = sum(hypothesis.log_probs) / float(length_penalty(len(hypothesis.log_probs), 1.0))
            assert hypothesis.score == pytest.approx(score, abs=1e-4)
            assert len(hypothesis.log_probs) == len(hypothesis.ids) + (not hypothesis.limited)
    assert exact >= len(long) / 2


def test_a_capital_is_for_the_beginning_only():
    phrasing = Phrasing(SymbolTokenizer("words", Vocabulary(["hund", "Hund", "HUND"]), "NFC"))
    small, capital, large = 4, 5, 6
    assert set(phrasing.phrases("hund")) == {
        Phrase((small,), first=True, later=True), Phrase((capital,), first=True, later=False)
    }  # fmt: skip
    assert phrasing.phrases("HUND") == (Phrase((large,), first=True, later=True),)
    assert phrasing.phrases("Katze") == ()
