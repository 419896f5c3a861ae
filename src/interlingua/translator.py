"""Texts to translations: splitting, batches by length, search, and the order restored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from interlingua.errors import DataError
from interlingua.model.seq2seq import Attention, Seq2Seq
from interlingua.search import Hypothesis, SearchSettings, Sources, length_limit, search
from interlingua.search.forced import forced_log_probs
from interlingua.text.sentences import split_long
from interlingua.text.tokenizer import TokenizerPair
from interlingua.text.vocabulary import BOS, EOS, PAD
from interlingua.translation import EMPTY, Flag, PairScore, Translation, join
from interlingua.workload import batches, chunks, side_by_side

__all__ = ["Drafts", "PairScore", "Translation", "Translator"]

CHUNK = 4096
"""Lines read ahead when streaming: enough for batches of nearly equal lengths."""

_ROWS = 192  # hypotheses a batch: wider ones leave the processor's cache and are slower
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Drafts = Callable[[], dict[str, str]]
"""Gives the translation so far of each part that is being decoded, by the part."""
Watch = Callable[[Drafts], object]


class _Wanted(NamedTuple):
    """What a call asks for beside the text."""

    alignment: bool
    attention: bool


class Translator:
    """A model with all it needs to be used on texts.

    Args:
        model: any Seq2Seq, in evaluation mode.
        tokenizers: of the source and the target.
        settings: how to search, unless a call says otherwise.
        max_ratio: the largest target length / source length seen in training, in tokens.
        max_source_length: a source of more tokens is split.
        device: where the model is.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizers: TokenizerPair,
        *,
        settings: SearchSettings | None = None,
        max_ratio: float = 2.0,
        max_source_length: int = 256,
        device: torch.device | str = "cpu",
    ) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.settings = settings or SearchSettings()
        self.max_ratio = max_ratio
        self.max_source_length = max_source_length
        self.device = torch.device(device)

    def translate(
        self, texts: Sequence[str], *, alignment: bool = False, attention: bool = False,
        watch: Watch | None = None, **changes: Any,
    ) -> list[Translation]:  # fmt: skip
        """Translates texts; the order and the company of a text do not matter to its translation.

        Args:
            texts: any number of them.
            alignment: whether to say which source token each token comes from.
            attention: whether to give all attention weights.
            watch: called after every step of decoding, perhaps from several threads; it may raise to stop.
            **changes: fields of SearchSettings, such as beam=5, n_best=3 or sample=True.

        Raises:
            ConfigurationError: a search setting is not acceptable.
            DataError: a single string instead of a list, or a text with a lone surrogate.
        """
        if isinstance(texts, str):
            raise DataError("translate takes a list of texts", found=texts, accepted="Use translate([text]).")
        settings = SearchSettings.parse({**self.settings.model_dump(), **changes}, where="search")
        cut = self._cut(texts)
        unique = list(dict.fromkeys(part for parts in cut for part, _ in parts))
        each = self._each(unique, settings, _Wanted(alignment, attention), watch)
        done = dict(zip(unique, each, strict=True))
        return [
            done[parts[0][0]] if len(parts) == 1
            else join([done[part] for part, _ in parts], [gap for _, gap in parts])
            for parts in cut
        ]  # fmt: skip

    def translate_lines(
        self, lines: Iterable[str], *, chunk: int = CHUNK, **options: Any
    ) -> Iterator[Translation]:
        """Translates a stream of lines with flat memory; one translation for each, in order.

        Args:
            lines: without their newlines.
            chunk: lines read before the first is translated; 1 answers line by line.
            **options: as `translate` takes them.
        """
        for some in chunks(lines, chunk):
            yield from self.translate(some, **options)

    def score_pairs(self, pairs: Iterable[tuple[str, str]], *, chunk: int = CHUNK) -> Iterator[PairScore]:
        """Says how probable given targets are, in order, with flat memory; nothing is split."""
        for some in chunks(pairs, chunk):
            yield from self._score(some)

    def _cut(self, texts: Sequence[str]) -> list[list[tuple[str, str]]]:
        """Each text as parts that the model can take, and what follows each part."""
        encode = self.tokenizers.source.encode
        lengths = map(len, self.tokenizers.source.encode_batch(texts))
        return [
            [(text, "")] if length <= self.max_source_length
            else split_long(text, lambda part: len(encode(part)), self.max_source_length)
            for text, length in zip(texts, lengths, strict=True)
        ]  # fmt: skip

    def _each(
        self, texts: list[str], settings: SearchSettings, wanted: _Wanted, watch: Watch | None
    ) -> list[Translation]:
        """Translates distinct texts within the length limit, in batches of similar length."""
        encoded = [
            ids if text.strip() else []
            for text, ids in zip(texts, self.tokenizers.source.encode_batch(texts), strict=True)
        ]
        done = [EMPTY] * len(texts)
        width = settings.n_best if settings.sample else settings.beam
        lengths = [len(ids) for ids in encoded]
        # A hypothesis holds what it wrote so far, which may come to the limit.
        held = [width * length_limit(length, self.max_ratio) for length in lengths]
        together = list(batches(lengths, held, max(1, _ROWS // width)))

        def one(batch: list[int]) -> list[Translation]:
            chosen = [encoded[i] for i in batch]
            sources = self._sources(chosen)
            parts = [texts[i] for i in batch]
            observe = None if watch is None else lambda *step: watch(lambda: self._drafts(parts, *step))
            found = search(self.model, sources, settings, observe)
            translations = [self._translation(*each) for each in zip(chosen, found, strict=True)]
            if any(wanted):
                best = [hypotheses[0].ids for hypotheses in found]
                translations = self._look(translations, sources, best, wanted)
            return translations

        for batch, translations in zip(together, side_by_side(one, together, self.device), strict=True):
            for i, translation in zip(batch, translations, strict=True):
                done[i] = translation
        return done

    def _drafts(
        self, parts: list[str], numbers: Int[Tensor, " sentences"], ids: Int[Tensor, "sentences length"]
    ) -> dict[str, str]:
        drafts = {}
        for number, own in zip(numbers.tolist(), ids.tolist(), strict=True):
            text, _ = self._text(own[: own.index(EOS)] if EOS in own else own)
            drafts[parts[number]] = text.rstrip("\ufffd")  # a character of which some bytes are to come
        return drafts

    def _sources(self, encoded: list[list[int]]) -> Sources:
        limits = torch.tensor([length_limit(len(ids), self.max_ratio) for ids in encoded], device=self.device)
        ids = self._padded([[*ids, EOS] for ids in encoded])
        return Sources(ids, ids != PAD, limits)

    def _padded(self, rows: list[list[int]]) -> Int[Tensor, "rows longest"]:
        width = max(map(len, rows))
        return torch.tensor([row + [PAD] * (width - len(row)) for row in rows], device=self.device)

    def _translation(self, source: list[int], hypotheses: list[Hypothesis]) -> Translation:
        source_tokens = tuple(self.tokenizers.source.pieces(source))
        first, *others = (self._one(hypothesis, source_tokens) for hypothesis in hypotheses)
        return replace(first, alternatives=tuple(others)) if others else first

    def _text(self, ids: list[int]) -> tuple[str, int]:
        """What the ids say, and how many control characters became spaces."""
        return _CONTROL.subn(" ", self.tokenizers.target.decode(ids))

    def _one(self, hypothesis: Hypothesis, source_tokens: tuple[str, ...]) -> Translation:
        text, replaced = self._text(hypothesis.ids)
        flags: list[Flag] = ["limit"] if hypothesis.limited else []
        return Translation(
            text,
            hypothesis.score,
            tuple(self.tokenizers.target.pieces(hypothesis.ids)),
            tuple(hypothesis.log_probs),
            tuple([*flags, "control"] if replaced else flags),
            source_tokens,
        )

    @torch.inference_mode()
    def _look(
        self, translations: list[Translation], sources: Sources, targets: list[list[int]], wanted: _Wanted
    ) -> list[Translation]:
        """Adds what one teacher-forced pass over the translations shows."""
        target_in = self._padded([[BOS, *ids] for ids in targets])
        weights = self.model.attend(sources.ids, sources.mask, target_in)
        seen = []
        for i, translation in enumerate(translations):
            source, target = len(translation.source_tokens) + 1, len(targets[i]) + 1
            own = Attention(
                weights.encoder[i, :, :, :source, :source].clone(),
                weights.decoder[i, :, :, :target, :target].clone(),
                weights.cross[i, :, :, :target, :source].clone(),
            )
            seen.append(
                replace(
                    translation,
                    alignment=_align(own.cross) if wanted.alignment else None,
                    attention=own if wanted.attention else None,
                )
            )
        return seen

    def _score(self, pairs: list[tuple[str, str]]) -> list[PairScore]:
        sources = self.tokenizers.source.encode_batch([source for source, _ in pairs])
        targets = self.tokenizers.target.encode_batch([target for _, target in pairs])
        scores: dict[int, PairScore] = {}
        lengths = [max(map(len, both)) or 1 for both in zip(sources, targets, strict=True)]
        for batch in batches(lengths, lengths, _ROWS):
            source = self._padded([[*sources[i], EOS] for i in batch])
            target_in = self._padded([[BOS, *targets[i]] for i in batch])
            target_out = self._padded([[*targets[i], EOS] for i in batch])
            found = forced_log_probs(self.model, source, source != PAD, target_in, target_out).tolist()
            for i, row in zip(batch, found, strict=True):
                log_probs = tuple(row[: len(targets[i]) + 1])
                pieces = tuple(self.tokenizers.target.pieces(targets[i]))
                scores[i] = PairScore(sum(log_probs), pieces, log_probs)
        return [scores[i] for i in range(len(pairs))]


def _align(cross: Tensor) -> tuple[tuple[int, int], ...]:
    """The most attended source token of each token, by the mean over the heads of the last layer but one.

    That layer aligns best (Garg et al. 2019, 4.1). The end sign of the source is not looked at.
    """
    layer = cross[max(0, len(cross) - 2)].mean(dim=0)[:, :-1]  # (target, source)
    return tuple((source, target) for target, source in enumerate(layer[:-1].argmax(dim=1).tolist()))
