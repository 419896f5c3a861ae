"""Sounds to texts: cut into what the model can take, searched in batches, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from interlingua.data.batch import make_source
from interlingua.engine.protocol import Engine
from interlingua.engine.workload import batches, chunks, side_by_side
from interlingua.errors import DataError
from interlingua.inference.alignment import attention_of
from interlingua.inference.drafts import translation_of, watch_drafts
from interlingua.inference.inputs import check_chunk, read_pairs
from interlingua.inference.scoring import score
from interlingua.inference.translation import EMPTY, PairScore, Translation, Word
from interlingua.inference.translator import DraftObserver
from interlingua.inference.words import find_words, widen
from interlingua.kinds import Source
from interlingua.search.hypothesis import Hypothesis, SearchInput
from interlingua.search.settings import SearchSettings
from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.conversion import ABSURD
from interlingua.sound.reading import SAMPLE_RATE, read_sound
from interlingua.sound.utterances import find_parts, find_utterances
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Piece", "Sound", "Transcriber"]

Samples = npt.NDArray[np.int16]
Sound = str | Path | npt.NDArray[Any]
"""The name of a file, or samples: one channel of 16 kHz, int16 or floats between -1 and 1."""

SOUNDS_AT_ONCE, PIECES_AT_ONCE = 256, 64
"""Sounds in memory, and of one that comes in blocks pieces."""
LIVE_SECONDS_AHEAD = 2.0
"""Of live sound, what is listened to before the first word is written."""


class Piece(NamedTuple):
    """What goes through the model as a whole."""

    sound: int
    """The number of the sound that it is of."""
    start: int
    """Its first sample there."""
    samples: Samples

    @property
    def positions(self) -> int:
        """That an encoder reads."""
        return -(-len(self.samples) // POSITION_SAMPLES)

    @property
    def span_s(self) -> tuple[float, float]:
        """From when to when it is, in seconds."""
        return self.start / SAMPLE_RATE, (self.start + len(self.samples)) / SAMPLE_RATE

    def place(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """Words with times in the piece as words with times in the sound, for as long as they are heard."""
        return tuple(word.later(self.span_s[0]) for word in widen(words, self.samples))


class Transcriber:
    """An engine with all it needs to be used on sounds.

    Args:
        engine: what computes.
        tokenizers: of the sounds and the target.
        settings: how to search, unless a call says otherwise.
        max_ratio: the largest usual target length / source length of the training, in tokens a position.
        max_source_length: a sound of more positions (of 40 ms) is cut, at silences where there are some.
        facts: of the targets of the training.
        extra_tokens: by how much targets of short sounds exceed the ratio.
    """

    def __init__(
        self, engine: Engine, tokenizers: TokenizerPair, *, settings: SearchSettings | None = None,
        max_ratio: float = 1.0, max_source_length: int = 250, facts: TextFacts | None = None,
        extra_tokens: float = 0.0,
    ) -> None:  # fmt: skip
        self.engine, self.tokenizers = engine, tokenizers
        self.settings, self.facts = settings or SearchSettings(), facts or TextFacts()
        self.max_ratio, self.extra_tokens = max_ratio, extra_tokens
        self.max_source_length = max_source_length

    def translate(
        self, sounds: Iterable[Sound], *, words: bool = False, attention: bool = False,
        observe: DraftObserver | None = None, **changes: Any,
    ) -> list[Translation]:  # fmt: skip
        """Transcribes sounds; the order and the company of a sound do not matter to its transcript.

        Args:
            sounds: any number of them.
            words: whether to say when each word is, and how sure the model is of it.
            attention: whether to give all attention weights.
            observe: called after every step of decoding, perhaps from several threads; it may raise to stop,
                or return the numbers of sounds that are not wanted any more.
            **changes: fields of SearchSettings, such as beam=5.

        Raises:
            ConfigurationError: a search setting is not acceptable.
            DataError: a file cannot be read or is silent, or an array holds no samples.
        """
        settings = SearchSettings.parse({**self.settings.model_dump(), **changes}, where="search")
        if isinstance(sounds, str | Path | np.ndarray | Mapping | Set):
            accepted = "A list of sounds; of one sound: [sound]."
            if isinstance(sounds, Mapping):
                accepted = f"A list of names of files, or of samples at {SAMPLE_RATE:,} Hz: [sound['array']]."
            raise DataError("this takes a list or the like", where="sounds", found=type(sounds).__name__,
                            accepted=accepted)  # fmt: skip
        translations: list[Translation] = []
        for some in chunks(enumerate(sounds), SOUNDS_AT_ONCE):
            pieces = [piece for number, sound in some for piece in self.split(sound, number)]
            found = self._translate_pieces(pieces, settings, words, attention, observe)
            by_sound: dict[int, list[Translation]] = {number: [] for number, _ in some}
            for piece, translation in zip(pieces, found, strict=True):
                by_sound[piece.sound].append(translation)
            translations += map(join_pieces, by_sound.values())
        return translations

    def transcribe(self, sounds: Iterable[Sound], **options: Any) -> list[Translation]:
        """Another name of `translate`, whose targets may be of another language than what is said."""
        return self.translate(sounds, **options)

    def transcribe_blocks(
        self,
        blocks: Iterable[npt.NDArray[Any]],
        *,
        at_once: int | None = None,
        words: bool = False,
        **changes: Any,
    ) -> Iterator[Translation]:
        """Transcribes a sound that comes in blocks, in memory that does not grow with its length.

        Args:
            blocks: consecutive samples of one channel, 16 kHz: int16, or floats between -1 and 1.
            at_once: parts that are searched together; 1 answers as soon as there is a pause.
            words: as `translate` takes it.
            **changes: fields of SearchSettings.

        Raises:
            DataError: as the blocks do, or one holds no samples, once what comes before is transcribed.
        """
        settings = SearchSettings.parse({**self.settings.model_dump(), **changes}, where="search")
        if isinstance(blocks, str | Path | np.ndarray):
            raise DataError("this takes a list or the like", where="blocks", found=type(blocks).__name__,
                            accepted="Samples: [samples]; a file: sound.reading.read_blocks.")  # fmt: skip
        live = {"seconds_ahead": LIVE_SECONDS_AHEAD} if at_once == 1 else {}
        damage: list[DataError] = []
        found = find_utterances(_up_to_damage(blocks, damage), self._most_seconds, **live)
        parts = (Piece(0, each.start, each.samples) for each in found)
        for pieces in chunks(parts, at_once or PIECES_AT_ONCE):
            yield from self._translate_pieces(pieces, settings, words, attention=False, observe=None)
        if damage:
            raise damage[0]

    def split(self, sound: Sound, number: int = 0) -> list[Piece]:
        """What of a sound goes through the model as a whole: all of it, or parts cut at pauses.

        Args:
            sound: a file or samples.
            number: what the parts say that they are of.

        Raises:
            DataError: the file cannot be read, or the array holds no samples.
        """
        samples = take_samples(sound, f"sounds[{number}]")
        found = find_parts([samples], self._most_seconds)
        return [Piece(number, each.start, each.samples) for each in found]

    def score_pairs(
        self, pairs: Iterable[tuple[str, str]], *, chunk: int = SOUNDS_AT_ONCE
    ) -> Iterator[PairScore]:
        """Says how probable given targets of sound files are, in order, with flat memory; nothing is cut."""
        check_chunk(chunk)
        parts = chunks(read_pairs(pairs, "pairs"), chunk)
        return (found for part in parts for found in score(self.engine, self.tokenizers, part))

    def length_limit(self, positions: int) -> int:
        """The most target tokens looked for, of a sound of so many positions."""
        return self.tokenizers.target.length_limit(positions, self.max_ratio, self.extra_tokens)

    @property
    def _most_seconds(self) -> float:
        """Of what goes through the model as a whole."""
        return self.max_source_length * POSITION_SAMPLES / SAMPLE_RATE

    def _translate_pieces(
        self, pieces: Sequence[Piece], settings: SearchSettings, words: bool, attention: bool,
        observe: DraftObserver | None,
    ) -> list[Translation]:  # fmt: skip
        lengths = [piece.positions for piece in pieces]
        rows = settings.n_best if settings.sample else settings.beam
        memory_tokens = [rows * (self.length_limit(length) + length) for length in lengths]
        together = list(batches(lengths, memory_tokens, self.engine.capacity, rows))

        def translate_batch(batch: list[int]) -> list[Translation]:
            return self._translate_batch([pieces[i] for i in batch], settings, words, attention, observe)

        translations = [EMPTY] * len(pieces)
        found = side_by_side(translate_batch, together, self.engine)
        for batch, of_batch in zip(together, found, strict=True):
            for i, translation in zip(batch, of_batch, strict=True):
                translations[i] = translation
        return translations

    def _translate_batch(
        self, pieces: Sequence[Piece], settings: SearchSettings, words: bool, attention: bool,
        observe: DraftObserver | None,
    ) -> list[Translation]:  # fmt: skip
        device = self.engine.device
        values, mask = make_source([piece.samples for piece in pieces], "sound")
        source = Source(values.to(device), mask.to(device))
        limits = torch.tensor([self.length_limit(piece.positions) for piece in pieces], device=device)
        numbers = [piece.sound for piece in pieces]
        observe_step = (
            None if observe is None else watch_drafts(self.tokenizers.target.decode, numbers, limits, observe)
        )
        found = self.engine.search(SearchInput(source, limits), settings, observe_step)
        translations = [
            self._translation(piece, hypotheses) for piece, hypotheses in zip(pieces, found, strict=True)
        ]
        best = [hypotheses[0] for hypotheses in found]
        if words:
            times = find_words(self.engine, self.tokenizers.target, source, best)
            translations = [
                replace(translation, words=piece.place(of_piece))
                for piece, translation, of_piece in zip(pieces, translations, times, strict=True)
            ]
        if attention:
            weights = attention_of(self.engine, source, [hypothesis.ids for hypothesis in best])
            translations = [
                replace(translation, attention=each)
                for translation, each in zip(translations, weights, strict=True)
            ]
        return translations

    def _translation(self, piece: Piece, hypotheses: Sequence[Hypothesis]) -> Translation:
        first, *others = (self._hypothesis_to_translation(piece, each) for each in hypotheses)
        return replace(first, alternatives=tuple(others)) if others else first

    def _hypothesis_to_translation(self, piece: Piece, hypothesis: Hypothesis) -> Translation:
        target = self.tokenizers.target
        return translation_of(target, hypothesis, repetitive=self.facts.repetitive, span_s=piece.span_s)


def _up_to_damage(blocks: Iterable[npt.NDArray[Any]], damage: list[DataError]) -> Iterator[Samples]:
    """The blocks before one that cannot be read, as int16; why it cannot goes into the list."""
    try:
        for number, block in enumerate(blocks):
            if np.size(block):
                yield take_samples(block, f"blocks[{number}]")
    except DataError as error:
        damage.append(error)


def take_samples(sound: Sound, where: str) -> Samples:
    """The samples of a file, or those given, as int16.

    Raises:
        DataError: the file cannot be used, or the array holds no samples of one channel.
    """
    if isinstance(sound, str | Path):
        return read_sound(sound)
    if not isinstance(sound, np.ndarray) or sound.ndim not in (1, 2) or not sound.size:
        found = f"an array of shape {sound.shape}" if isinstance(sound, np.ndarray) else type(sound).__name__
        accepted = "The name of a file, or an array of samples: one channel, 16 kHz."
        raise DataError("this is no sound", where=where, found=found, accepted=accepted)
    if sound.ndim == 2 and min(sound.shape) > 1:
        scaled = "samples" if np.issubdtype(sound.dtype, np.floating) else "(samples / 32768)"
        accepted = f"One channel, such as {scaled}.mean(axis={int(sound.shape[1] < sound.shape[0])})"
        raise DataError("the samples have several channels", where=where, found=f"shape {sound.shape}",
                        accepted=accepted)  # fmt: skip
    samples = sound.reshape(-1)
    if samples.dtype.kind == "i" and samples.dtype.itemsize == 2:
        return samples.astype(np.int16, copy=False)
    if not np.issubdtype(samples.dtype, np.floating):
        raise DataError("these are no samples", where=where, found=f"type {samples.dtype}",
                        accepted="int16, or floats between -1 and 1.")  # fmt: skip
    return _from_floats(samples.astype(np.float32, copy=False), where)


def _from_floats(samples: npt.NDArray[np.float32], where: str) -> Samples:
    loudest = float(np.abs(samples).max())
    if not np.isfinite(loudest):
        raise DataError("there are samples that are no numbers (NaN or infinite)", where=where)
    if loudest > ABSURD:
        raise DataError("the samples are on another scale", where=where, found=loudest,
                        accepted="Floats lie between -1 and 1; of 16 bits: samples / 32768.")  # fmt: skip
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)


def join_pieces(pieces: Sequence[Translation]) -> Translation:
    """Puts the transcripts of a sound's pieces together; of none, nothing was said."""
    if not pieces:
        return EMPTY
    if len(pieces) == 1:
        return pieces[0]
    spans = [piece.span_s for piece in pieces if piece.span_s is not None]
    flags = dict.fromkeys(flag for piece in pieces for flag in piece.flags if flag != "empty")
    return Translation(
        " ".join(piece.text for piece in pieces if piece.text), sum(piece.score for piece in pieces),
        tuple(token for piece in pieces for token in piece.tokens),
        tuple(log_prob for piece in pieces for log_prob in piece.log_probs), tuple(flags),
        parts=tuple(pieces), span_s=(spans[0][0], spans[-1][1]),
        words=tuple(word for piece in pieces for word in piece.words),
    )  # fmt: skip
