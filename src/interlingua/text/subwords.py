"""Subword tokenizers: SentencePiece's unigram model and BPE, made to give every text back exactly."""

from __future__ import annotations

import copy
import io
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import sentencepiece

from interlingua.errors import BundleError, ConfigurationError, DataError
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, UNK, Symbols
from interlingua.text.lengths import length_limit
from interlingua.text.normalise import Normalisation, normalise
from interlingua.text.sentencepiece_model import SentencePieceModel
from interlingua.text.subword_sampling import SubwordSampler

__all__ = ["MAX_LINE", "SubwordTokenizer", "check_vocabulary_size", "smallest_vocabulary"]

# SentencePiece writes a space as U+2581 and so reads U+2581 as a space. A real U+2581 is therefore escaped
# with a code point that Unicode guarantees never to assign. It falls back to its bytes.
_SPACE, _ESCAPE = "\u2581", "\U0010ffff"
_ESCAPED_SPACE, _ESCAPED_ESCAPE = _ESCAPE + "s", _ESCAPE + "e"

# SentencePiece leaves out a training line with NUL or its own mark U+2585, and ends it at newlines.
_TRAINING_REPLACEMENTS = {0: " ", ord("\n"): " ", 0x2585: " "}

BYTE_PIECES = 256
_LEAST_COVERAGE = 0.98  # SentencePiece accepts no less
MAX_LINE = 4_000
"""Characters; a longer line teaches with its beginning only: SentencePiece would leave it out silently."""

MAX_TRAINING_TEXT = 20_000_000
"""Characters to learn from, evenly taken from a longer text; SentencePiece needs some 30 bytes for each."""

_THREADS = 4
"""Fixed, whatever the machine: the unigram model's sums, and so its pieces, depend on how they are split."""


class SubwordTokenizer:
    """A SentencePiece model whose first pieces are the special ids.

    Of a model that `train` made, all texts come back as they were, runs of spaces, tabs, newlines and U+2581
    included. It has byte fallback, and puts a space before the text, so that a word has the same piece at the
    beginning as inside. A model that somebody else trained normalises and cuts as SentencePiece does with it;
    what has no piece there, nor bytes, is unknown.

    Args:
        model: SentencePiece's serialised model, of `train` or `SentencePieceModel.with_special_ids`.
        kind: "unigram" or "bpe".
        normalisation: applied before encoding; SentencePiece's own normalisation is off.
    """

    compared_by: Symbols | None = None
    length_limit = staticmethod(length_limit)

    def __init__(self, model: bytes, kind: str, normalisation: Normalisation) -> None:
        self.kind = kind
        self.model = model
        self.normalisation = normalisation
        self._sampler: SubwordSampler | None = None  # a large table, made when first asked for
        try:
            about = SentencePieceModel(model)
        except ValueError as error:
            raise BundleError(f"not a SentencePiece model: {error}") from None
        self._processor: Any = about.processor
        self._gives_back = about.has_bytes and not about.normalises
        self._words_alone = about.words_alone

    @classmethod
    def train(
        cls, texts: Sequence[str], kind: Literal["unigram", "bpe"], normalisation: Normalisation, size: int
    ) -> SubwordTokenizer:
        """Learns pieces from texts (Kudo 2018 for unigram, Sennrich et al. 2016 for BPE).

        Args:
            texts: what to learn from, read twice.
            kind: "unigram" or "bpe".
            normalisation: applied to the texts, now and later.
            size: the number of ids; fewer when the texts do not hold as many pieces.

        Raises:
            ConfigurationError: the size leaves no room for pieces beside the bytes.
        """
        counts = _character_counts(texts, normalisation)
        check_vocabulary_size(size, _smallest_vocabulary(counts))
        if len(counts) < 2:
            raise DataError("there is no text to learn subwords from")
        # Half of the pieces may be single characters.
        max_characters = (size - len(SPECIALS) - BYTE_PIECES) // 2
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_training_lines(texts, normalisation),
            model_writer=model,
            model_type=kind,
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=_character_coverage(counts, max_characters),
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=True,
            max_sentence_length=8 * MAX_LINE,  # bytes
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            num_threads=_THREADS,
            minloglevel=2,
        )
        return cls(model.getvalue(), kind, normalisation)

    def __len__(self) -> int:
        return int(self._processor.GetPieceSize())

    @property
    def vocabulary(self) -> object:
        """What the ids stand for; two tokenizers that have the same object have the same ids."""
        return self._processor

    def with_normalisation(self, rule: Normalisation) -> SubwordTokenizer:
        """Returns the same with another rule of normalisation."""
        other = copy.copy(self)
        other.normalisation = rule
        return other

    def unknown(self, text: str) -> list[str]:
        """Returns the distinct characters of a text that have no piece, only bytes, in order."""
        characters = dict.fromkeys(self.normalise(text).replace(" ", ""))
        return [character for character in characters if self._processor.PieceToId(character) == UNK]

    def normalise(self, text: str) -> str:
        """Returns the text as it is seen by `encode`."""
        return normalise(text, self.normalisation)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of the text's pieces; the empty text has none.

        Raises:
            DataError: the text holds a lone surrogate, which UTF-8 cannot express.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encodes several texts, on every core when there are many."""
        escaped = [normalise(text, self.normalisation) for text in texts]
        if self._gives_back:
            escaped = [*map(_escape, escaped)]
        try:
            ids: list[list[int]] = self._processor.EncodeAsIds(
                escaped, num_threads=1 if len(escaped) < 64 else -1
            )
        except TypeError:  # how SentencePiece says that a text has no UTF-8 form
            raise DataError("the text holds a lone surrogate, which is no character") from None
        return ids

    def encode_sampled(self, texts: Sequence[str], alpha: float, seed: int) -> list[list[int]]:
        """Encodes several texts, each segmented at random in one of its ways; the same for the same seed.

        Args:
            texts: normalised already.
            alpha: BPE: the probability that a merge is left out (Provilkov et al. 2020); unigram: the
                smoothing of the segmentations' probabilities, smaller is more random (Kudo 2018).
            seed: of the generator; other processes draw the same.
        """
        if not self._words_alone:
            return self.encode_batch(texts)
        if self._sampler is None:
            self._sampler = SubwordSampler(self._processor, self.kind)
        if self._gives_back:
            prefixed = [_SPACE + _escape(text).replace(" ", _SPACE) if text else "" for text in texts]
        else:
            prefixed = self._processor.Normalize(texts)
        return self._sampler.sample(prefixed, alpha, seed)

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of the ids; special ids are skipped, bytes that are no UTF-8 become U+FFFD."""
        text: str = self._processor.DecodeIds([int(i) for i in ids if i >= len(SPECIALS)])
        return _unescape(text) if self._gives_back else text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns one string to show for each id; U+2581 stands for a space."""
        return [SPECIALS[i] if i < len(SPECIALS) else self._processor.IdToPiece(int(i)) for i in ids]


def _escape(text: str) -> str:
    if text.isascii() or (_SPACE not in text and _ESCAPE not in text):
        return text
    return text.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_SPACE, _ESCAPED_SPACE)


def _unescape(text: str) -> str:
    if _ESCAPE not in text:
        return text
    return text.replace(_ESCAPED_SPACE, _SPACE).replace(_ESCAPED_ESCAPE, _ESCAPE)


def _training_lines(texts: Sequence[str], normalisation: Normalisation) -> Iterator[str]:
    characters = sum(min(len(text), MAX_LINE) for text in texts)
    for text in texts[:: -(-characters // MAX_TRAINING_TEXT) or 1]:
        line = normalise(text[:MAX_LINE], normalisation).translate(_TRAINING_REPLACEMENTS)
        if line.strip():
            yield _escape(line)


def check_vocabulary_size(size: int, smallest: int) -> None:
    """Raises ConfigurationError if the size is below the smallest that is possible."""
    if size < smallest:
        raise ConfigurationError(
            "the vocabulary is too small for subwords with byte fallback",
            where="tokenizer.vocabulary_size",
            found=size,
            accepted=f"At least {smallest}, or the kind 'characters' or 'bytes'.",
        )


def smallest_vocabulary(texts: Sequence[str], normalisation: Normalisation) -> int:
    """Returns the fewest ids with which these texts can be segmented into subwords."""
    return _smallest_vocabulary(_character_counts(texts, normalisation))


def _smallest_vocabulary(counts: Counter[str]) -> int:
    return len(SPECIALS) + BYTE_PIECES + _characters_covering(counts, _LEAST_COVERAGE) + 40


def _character_counts(texts: Sequence[str], normalisation: Normalisation) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in _training_lines(texts, normalisation):
        counts.update(line)
        counts[" "] += 1  # the one put before every text
    return counts


def _characters_covering(counts: Counter[str], share: float) -> int:
    """Returns how many of the most frequent characters make up the share of the text."""
    sums = itertools.accumulate(count for _, count in counts.most_common())
    goal = share * counts.total()
    return next((n for n, covered in enumerate(sums, start=1) if covered >= goal), 0)


def _character_coverage(counts: Counter[str], max_characters: int) -> float:
    """Returns the share of running characters that get a piece of their own; the rest are bytes.

    All of a small alphabet, 99.95% of a large one, as SentencePiece recommends for those, but no more than
    `max_characters` of them unless the least share that SentencePiece accepts needs more.
    """
    if len(counts) <= min(max_characters, 500):
        return 1.0
    fitting = sum(count for _, count in counts.most_common(max_characters)) / counts.total()
    # A little less than counted: SentencePiece computes in single precision.
    return max(_LEAST_COVERAGE, min(0.9995, fitting) - 1e-6)
