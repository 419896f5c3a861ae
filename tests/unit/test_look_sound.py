"""Properties of what is seen of a sound: `interlingua look` of models of sounds, before and as a page."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import wave
from dataclasses import replace

import numpy as np
import pytest
import torch

from interlingua.data.codecs import train_codecs
from interlingua.data.settings import CorpusSettings
from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.transcriber import Transcriber
from interlingua.inference.words import tokens_of_words
from interlingua.kinds import EOS
from interlingua.model.architectures import build_model, parse_model_settings
from interlingua.pictures.settings import PictureSettings
from interlingua.search.settings import SearchSettings
from interlingua.text.tokenizer import TokenizerSettings
from interlingua.views.look_sound import look_at_sound, look_at_sound_page
from interlingua.views.page import as_json
from tests.tones import NOTES, RATE, melody

NASTY = "</script><img src=x onerror=alert(1)>&'\"<!--\u2028.wav"
POSITION_S = 0.04
CODECS, _ = train_codecs(
    [("a.wav", "la do mi so")], TokenizerSettings(),
    CorpusSettings(source_kind="sound", target_kind="text"), PictureSettings(),
)  # fmt: skip
SOUND = melody(["la", "do", "mi"], seed=1)


def transcriber(limit: int = 250, seed: int = 3, **options) -> Transcriber:
    """A random model that writes something."""
    torch.manual_seed(seed)
    values = {
        "architecture": "transformer", "dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1,
        "decoder_layers": 3, "ctc": True, **options,
    }  # fmt: skip
    model = build_model(
        parse_model_settings(values, "test"), 80, len(CODECS.target), shared=False, source_kind="sound"
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    settings = SearchSettings(beam=3, length_penalty=3)
    return Transcriber(
        EagerEngine(model.eval()), CODECS, settings=settings, max_ratio=1.0, max_source_length=limit
    )


def recurrent(attention: str) -> Transcriber:
    values = {"architecture": "recurrent", "cell": "gru", "dim": 8, "attention": attention}
    torch.manual_seed(0)
    model = build_model(
        parse_model_settings(values, "test"), 80, len(CODECS.target), shared=False, source_kind="sound"
    )
    settings = SearchSettings(beam=2, length_penalty=3)
    return Transcriber(EagerEngine(model.eval()), CODECS, settings=settings)


def says(transcriber: Transcriber, text: str) -> list[int]:
    """Has a model write a text whatever it hears; returns its ids."""
    ids = CODECS.target.encode(text)
    model = transcriber.engine.model
    size = len(CODECS.target)

    def decode(memory, target_in):
        following = {tuple(ids[:i]): each for i, each in enumerate([*ids, EOS])}
        rows = [
            [following.get(tuple(row[1 : i + 1]), EOS) for i in range(len(row))] for row in target_in.tolist()
        ]
        return torch.nn.functional.one_hot(torch.tensor(rows), size).float() * 12

    class State:
        def __init__(self, prefixes):
            self.prefixes = prefixes

        def reorder(self, rows):
            return State([self.prefixes[row] for row in rows.flatten().tolist()])

    def step(tokens, state):
        prefixes = [[*prefix, token] for prefix, token in zip(state.prefixes, tokens.tolist(), strict=True)]
        hidden = torch.cat([decode(None, torch.tensor([prefix]))[:, -1] for prefix in prefixes])
        return model.project(hidden), State(prefixes)

    model.decode, model.step, model.project = decode, step, lambda hidden: hidden
    model.start = lambda memory: State([[] for _ in memory.states])
    return ids


def unpack(levels) -> np.ndarray:
    return np.frombuffer(base64.b64decode(levels.bytes), np.uint8).reshape(levels.shape) / 255


@pytest.fixture(scope="module")
def seen():
    return look_at_sound(transcriber(), SOUND, name="wild", file="a.wav")


def embedded(page: str):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_everything_has_the_shape_of_the_sound_and_the_transcript(seen):
    positions = math.ceil(((len(SOUND) - 400) // 160 + 1) / 4)
    assert seen.num_positions == positions
    assert seen.seconds == len(SOUND) / RATE
    assert len(seen.target_out) == len(seen.predictions) > 3
    assert seen.attention.roots.shape == (3, 2, len(seen.target_out), positions)
    assert seen.spectrogram.levels.shape == ((len(SOUND) - 400) // 160 + 1, 80)
    assert len(seen.spectrogram.centres_hz) == 80
    assert len(seen.ctc.symbols) == len(seen.ctc.probabilities) == len(seen.ctc.blanks) == positions
    assert all(0 <= first <= last < positions for first, last in seen.token_spans)
    written = [token for token in seen.target_out if token != "</s>"]
    assert len(seen.token_spans) == len(written)
    assert "".join(written).split() == [word.text for word in seen.words] == seen.outputs[0].text.split()


def test_weights_are_shares(seen):
    weights = unpack(seen.attention.roots) ** 2
    assert weights.sum(-1) == pytest.approx(1, abs=0.05)
    bits = np.array(seen.attention.entropy)
    assert bits.shape == (3, 2)
    assert (bits >= 0).all()
    assert (bits <= math.log2(seen.num_positions) + 0.01).all()


def test_weights_are_those_of_the_model(seen):
    (translation,) = transcriber().translate([SOUND], attention=True)
    expected = translation.attention.cross[:, :, : len(seen.target_out)].numpy()
    assert unpack(seen.attention.roots) ** 2 == pytest.approx(expected, abs=0.005)


def test_the_transcript_is_that_of_transcribe(seen):
    (translation,) = transcriber().translate([SOUND], words=True, beam=3)
    assert seen.outputs[0].text == translation.text
    for prediction, log_prob in zip(seen.predictions, translation.log_probs, strict=True):
        assert prediction.probability == pytest.approx(math.exp(log_prob), abs=1e-3)
    for word, expected in zip(seen.words, translation.words, strict=True):
        assert word.text == expected.text
        assert [word.start_s, word.end_s, word.confidence] == pytest.approx(list(expected[1:]), abs=1e-3)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_search_by_ctc_and_the_decoder_is_shown_as_it_is(beam):
    model = transcriber(seed=13)
    model.settings = SearchSettings(beam=beam, length_penalty=3, ctc_weight=0.5)
    seen = look_at_sound(model, SOUND, name="wild", file="a.wav")
    (translation,) = model.translate([SOUND], n_best=beam)
    (alone,) = model.translate([SOUND], ctc_weight=0.0)
    assert alone.text != translation.text  # CTC has its say
    assert [output.text for output in seen.outputs] == [
        each.text for each in (translation, *translation.alternatives)
    ]
    assert seen.outputs[0].log_prob == pytest.approx(sum(translation.log_probs), abs=1e-3)
    assert seen.ctc_weight == 0.5
    assert "the decoder and CTC together" in look_at_sound_page(seen)
    ranks = sorted(node.rank for node in seen.tree if node.rank is not None)
    assert ranks == list(range(len(seen.outputs)))


@pytest.mark.parametrize(("note", "start_s"), [("do", 0.31), ("so", 0.777)])
def test_a_beep_is_where_and_as_high_as_it_was(note, start_s):
    sound = np.zeros(int(1.3 * RATE))
    length_s = 0.2
    time = np.arange(int(length_s * RATE)) / RATE
    first = int(start_s * RATE)
    sound[first : first + len(time)] = 0.4 * np.sin(2 * np.pi * NOTES[note] * time)
    sound += 0.001 * np.random.default_rng(0).standard_normal(len(sound))
    seen = look_at_sound(transcriber(), sound, name="wild", file="beep.wav")
    loud = unpack(seen.spectrogram.levels)
    band = loud.sum(0).argmax()
    assert seen.spectrogram.centres_hz[band] == pytest.approx(NOTES[note], rel=0.06)
    frames = np.flatnonzero(loud[:, band] > 0.6)
    assert frames[0] * seen.spectrogram.frame_s == pytest.approx(start_s, abs=POSITION_S)
    assert (frames[-1] + 1) * seen.spectrogram.frame_s == pytest.approx(start_s + length_s, abs=POSITION_S)


def test_words_spikes_and_tokens_stand_at_the_same_time():
    model = transcriber()
    ids = says(model, "la so")
    at = [2, 5, 6, 9, 12]
    log_probs = torch.full((1, 14, len(CODECS.target)), -9.0)
    log_probs[:, :, 0] = -0.1
    for position, id in zip(at, ids, strict=True):
        log_probs[0, position, 0], log_probs[0, position, id] = -9.0, -0.1
    model.engine.ctc = lambda source: (log_probs, torch.ones(1, 14, dtype=torch.bool))
    seen = look_at_sound(model, SOUND, name="planted", file="a.wav")
    assert seen.outputs[0].text == seen.ctc.text == "la so"
    assert seen.times_by == "CTC"
    assert seen.token_spans == [(position, position) for position in at]
    spikes = [i for i, probability in enumerate(seen.ctc.probabilities) if probability > 0.5]
    assert spikes == at
    assert [seen.ctc.symbols[i] for i in spikes] == seen.target_out[:-1]
    assert [word.tokens for word in seen.words] == [[0, 1], [3, 4]]
    first, second = seen.words  # they go on as long as they are heard, up to half-way to the next
    assert first.start_s <= 2 * POSITION_S < 6 * POSITION_S <= first.end_s
    assert first.end_s <= 7.5 * POSITION_S <= second.start_s
    assert second.start_s <= 9 * POSITION_S < 13 * POSITION_S <= second.end_s


def test_tokens_of_words_leave_spaces_out():
    ids = CODECS.target.encode("do la  mi")
    words = tokens_of_words(CODECS.target, ids)
    assert [CODECS.target.decode([ids[i] for i in word]).strip() for word in words] == ["do", "la", "mi"]
    assert tokens_of_words(CODECS.target, []) == []


def test_the_sound_that_is_played_is_what_the_model_heard(seen):
    kind, content = seen.audio.split(",")
    assert kind == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(content))) as file:
        assert file.getparams()[:3] == (1, 2, RATE)
        assert (np.frombuffer(file.readframes(file.getnframes()), "<i2") == SOUND).all()


def test_the_page_holds_the_same_data_as_the_json(seen):
    page = look_at_sound_page(seen)
    assert embedded(page) == json.loads(as_json(seen.as_data()))
    assert embedded(page)["attention"]["roots"]["shape"] == list(seen.attention.roots.shape)


def test_the_page_names_nothing_to_fetch_and_lets_no_text_be_markup(seen):
    words = [replace(seen.words[0], text=NASTY)]
    outputs = [replace(seen.outputs[0], text=NASTY)]
    page = look_at_sound_page(replace(seen, model=NASTY, file=NASTY, words=words, outputs=outputs))
    assert not re.search("https?:", page)
    assert not re.search(r"\b(src|href)=(?!x)|url\(|@import|\bfetch\(", page)
    assert "<img" not in page
    assert page.count("</script>") == 2
    assert embedded(page)["file"] == NASTY


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_models_show_what_they_have(attention):
    seen = look_at_sound(recurrent(attention), SOUND, name="gru", file="a.wav")
    page = look_at_sound_page(seen)
    assert seen.ctc is None
    assert 'id="no-ctc"' in page
    assert 'id="spikes"' not in page
    assert len(seen.predictions) == len(seen.target_out)
    if attention == "none":
        assert (seen.attention, seen.times_by, seen.token_spans) == (None, None, None)
        assert all(word.start_s is None for word in seen.words)
        assert 'id="no-attention"' in page
        assert 'id="large"' not in page
        assert 'id="said"' not in page
    else:
        assert seen.times_by == "attention"
        assert seen.attention.roots.shape[:2] == (1, 1)
        assert 'id="large"' in page


def test_without_a_ctc_head_attention_tells_the_times():
    seen = look_at_sound(transcriber(ctc=False), SOUND, name="wild", file="a.wav")
    assert (seen.ctc, seen.times_by) == (None, "attention")
    assert seen.token_spans == sorted(seen.token_spans)
    assert "times of words come from attention" in look_at_sound_page(seen)


def test_a_recording_that_is_too_long_is_shown_part_by_part():
    pause = np.zeros(RATE // 2, np.int16)
    sound = np.concatenate([part for seed in range(3) for part in (melody(["la", "so"], seed=seed), pause)])
    model = transcriber(limit=25)
    end_s, parts = 0.0, look_at_sound(model, sound, name="wild", file="a.wav").parts
    assert parts >= 3
    for number in range(1, parts + 1):
        seen = look_at_sound(model, sound, name="wild", file="a.wav", part=number)
        assert (seen.part, seen.parts) == (number, parts)
        assert seen.start_s >= end_s  # pauses are left out
        end_s = seen.start_s + seen.seconds
        assert all(seen.start_s <= word.start_s < word.end_s <= end_s + POSITION_S for word in seen.words)
        heard = sound[round(seen.start_s * RATE) : round(end_s * RATE)]
        assert base64.b64decode(seen.audio.split(",")[1])[44:] == heard.tobytes()
        assert f"this page shows part {number}" in look_at_sound_page(seen)
    assert end_s <= len(sound) / RATE
    with pytest.raises(ConfigurationError, match="no such part"):
        look_at_sound(model, sound, name="wild", file="a.wav", part=parts + 1)


def test_a_transcript_that_was_cut_off_has_no_end_sign_and_an_empty_one_no_words():
    model = transcriber()
    says(model, "la so la do mi la so la so do la so mi la")
    model.engine.model.project = lambda hidden: hidden.index_fill(-1, torch.tensor([EOS]), -100.0)
    seen = look_at_sound(model, SOUND, name="cut", file="a.wav")
    assert seen.outputs[0].limited
    assert "</s>" not in seen.target_out
    assert len(seen.target_out) == len(seen.predictions) == seen.attention.roots.shape[2]
    assert "cut the transcript off" in look_at_sound_page(seen)
    model = transcriber()
    says(model, "")
    seen = look_at_sound(model, SOUND, name="empty", file="a.wav")
    assert (seen.target_out, seen.words, seen.token_spans) == (["</s>"], [], [])
    assert "no words in the transcript" in look_at_sound_page(seen)


def test_a_single_frame_can_be_looked_at_and_less_or_silence_cannot():
    seen = look_at_sound(transcriber(), SOUND[2000:2400], name="wild", file="a.wav")
    assert seen.num_positions == 1
    assert np.isfinite(unpack(seen.spectrogram.levels)).all()
    assert embedded(look_at_sound_page(seen))["file"] == "a.wav"
    silences = [np.zeros(length_s * RATE, np.int16) for length_s in (1, 60)]
    for nothing in (SOUND[2000:2399], *silences):
        with pytest.raises(DataError, match="nothing to hear"):
            look_at_sound(transcriber(), nothing, name="wild", file="a.wav")


def test_one_utterance_in_a_long_recording_is_shown_with_its_times():
    sound = np.concatenate([np.zeros(8 * RATE, np.int16), SOUND, np.zeros(8 * RATE, np.int16)])
    seen = look_at_sound(transcriber(), sound, name="wild", file="a.wav")
    assert seen.parts == 1
    assert 7 < seen.start_s < 8.1
    assert all(word.start_s >= seen.start_s for word in seen.words)
    assert "something is said from" in look_at_sound_page(seen)
