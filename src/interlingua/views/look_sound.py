"""Gathers what a model does with a sound: its spectrogram, attention over time, CTC's spikes, the search."""

from __future__ import annotations

import base64
import io
import wave
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interlingua.data.batch import make_source
from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.transcriber import Piece, Sound, Transcriber
from interlingua.inference.words import POSITION_S, find_spans, find_words, tokens_of_words
from interlingua.kinds import PAD, Codec, Source
from interlingua.search.ctc import ctc_greedy
from interlingua.search.hypothesis import Hypothesis
from interlingua.sound.features import HOP, band_centres, log_mel
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.views.exploration import explore, widen_search
from interlingua.views.levels import Levels
from interlingua.views.look_sound_data import SoundLook, SoundWord, Spectrogram, Spikes
from interlingua.views.page import render
from interlingua.views.predictions import rounded, show_ids

__all__ = ["look_at_sound", "look_at_sound_page"]

DB_OF_LOG = 10 / np.log(10)
SHOWN_DB = 80.0
"""What is so much quieter than the loudest looks like silence."""
QUIETEST, LOUDEST = 0.05, 0.999
"""Quantiles: a few clicks, and stretches of digital silence, do not decide how the rest is shown."""


@torch.inference_mode()
def look_at_sound(
    transcriber: Transcriber, sound: Sound, *, name: str, file: str, beam: int | None = None, part: int = 1
) -> SoundLook:
    """Transcribes a sound and keeps all that can be seen of it.

    Args:
        transcriber: a loaded model.
        sound: the file or samples.
        name: what to call the model.
        file: what to call the sound.
        beam: hypotheses kept; by default the model's own setting.
        part: which part to show of a recording that is too long for the model, from 1.

    Raises:
        DataError: the sound cannot be read, or is silent.
        ConfigurationError: there is no such part, or the beam is not acceptable.
    """
    piece, parts = _choose_part(transcriber, sound, file, part)
    settings = widen_search(transcriber.settings, beam)
    engine, codec = transcriber.engine, transcriber.tokenizers.target
    assert isinstance(engine, EagerEngine), "only a model of this package can be looked into"
    values, mask = make_source([piece.samples], "sound")
    source = Source(values.to(engine.device), mask.to(engine.device))
    seen = explore(engine, codec, source, transcriber.length_limit(piece.positions), settings)
    ctc = engine.ctc(source)
    times_by: Literal["CTC", "attention"] | None = "CTC" if ctc else "attention" if seen.attention else None
    (spans,) = find_spans(engine, source, [seen.best])
    return SoundLook(
        model=name,
        file=file,
        part=part,
        parts=parts,
        start_s=piece.span_s[0],
        seconds=len(piece.samples) / SAMPLE_RATE,
        position_s=POSITION_S,
        num_positions=engine.model.encode(source).mask.shape[1],
        audio=_wav(piece),
        spectrogram=_spectrogram(piece),
        target_out=seen.target_out,
        token_spans=spans if times_by else None,
        times_by=times_by,
        words=_words(engine, codec, source, seen.best, piece if times_by else None),
        beam=settings.beam,
        ctc_weight=settings.ctc_weight if ctc else 0.0,
        outputs=seen.outputs,
        predictions=seen.predictions,
        tree=seen.tree,
        attention=seen.attention,
        ctc=None if ctc is None else _spikes(codec, *ctc),
    )


def look_at_sound_page(data: SoundLook) -> str:
    """The page that shows it."""
    return render("look_sound.html.jinja", data.as_data())


def _choose_part(transcriber: Transcriber, sound: Sound, file: str, part: int) -> tuple[Piece, int]:
    """The chosen part of the recording, and how many there are."""
    pieces = transcriber.split(sound)
    if not pieces:
        raise DataError(
            "there is nothing to hear", where=file, accepted="A sound of 25 ms at least that is not silent."
        )
    if not 1 <= part <= len(pieces):
        accepted = f"1 to {len(pieces)}." if len(pieces) > 1 else "1: the model takes it as a whole."
        raise ConfigurationError(
            "the recording has no such part", where="part", found=part, accepted=accepted
        )
    return pieces[part - 1], len(pieces)


def _wav(piece: Piece) -> str:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(piece.samples.astype("<i2").tobytes())
    return f"data:audio/wav;base64,{base64.b64encode(content.getvalue()).decode()}"


def _spectrogram(piece: Piece) -> Spectrogram:
    """As the features are, but before they are normalised."""
    decibels = log_mel(torch.tensor(piece.samples)) * DB_OF_LOG  # (frames, bands)
    quiet, loud = np.quantile(decibels.numpy(), [QUIETEST, LOUDEST]).tolist()
    low = max(quiet, loud - SHOWN_DB)
    return Spectrogram(
        Levels.of((decibels - low) / max(loud - low, 1.0)), HOP / SAMPLE_RATE, round(low, 1), round(loud, 1),
        [round(centre) for centre in band_centres()],
    )  # fmt: skip


def _words(
    engine: EagerEngine, codec: Codec, source: Source, best: Hypothesis, piece: Piece | None
) -> list[SoundWord]:
    """The words of the transcript; with times where it is known which piece of the sound tells them."""
    (words,) = find_words(engine, codec, source, [best])
    placed = words if piece is None else piece.place(words)
    return [
        SoundWord(
            word.text, None if piece is None else round(word.start_s, 3),
            None if piece is None else round(word.end_s, 3), round(word.confidence, 4), tokens,
        )
        for word, tokens in zip(placed, tokens_of_words(codec, best.ids), strict=True)
    ]  # fmt: skip


def _spikes(
    codec: Codec,
    log_probs: Float[Tensor, "one positions vocabulary"],
    mask: Bool[Tensor, "one positions"],
) -> Spikes:
    """What CTC says of one sound."""
    probabilities = log_probs[0].float().exp()
    most, ids = probabilities[:, PAD + 1 :].max(dim=1)
    return Spikes(
        codec.decode(ctc_greedy(log_probs, mask)[0].ids).strip(),
        show_ids(codec, (ids + PAD + 1).tolist()),
        rounded(most, 3),
        rounded(probabilities[:, PAD], 3),
    )
