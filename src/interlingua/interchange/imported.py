"""What is read of a model of another toolkit, and how its ids and weights become ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from interlingua.errors import BundleError
from interlingua.files import is_lfs_pointer
from interlingua.inference.bundle import LengthStatistics
from interlingua.kinds import SPECIALS
from interlingua.text.piece_tokenizer import PieceTokenizer
from interlingua.text.tokenizer import TokenizerPair
from interlingua.text.vocabulary import Vocabulary

__all__ = [
    "NEVER", "ForeignVocabulary", "ForeignWeights", "ImportedModel", "about_tags", "arrange_bias",
    "arrange_rows", "limits_of", "order_ids", "pair_languages", "pair_tokenizers", "read_bytes",
    "refuse_pointer",
]  # fmt: skip

NEVER = -100.0
"""The bias of ids that the other toolkit does not have: no probability, but a number that can be trained."""
_CODE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]+)*")
MOST_MISSING = 0.5
"""Of SentencePiece's pieces, in a vocabulary that is of the same model."""
LIMIT_FACTOR = 1.5
"""What `length_limit` allows beyond the usual ratio."""


class ImportedModel(NamedTuple):
    """A model of another toolkit, ready to be written as one of ours."""

    what: str
    """What it was, in words."""
    settings: dict[str, Any]
    """Of the Transformer."""
    tokenizers: TokenizerPair
    weights: dict[str, Tensor]
    search: dict[str, Any]
    lengths: LengthStatistics
    languages: tuple[str, str] | None
    orders: tuple[list[int | None], list[int | None]]
    """Of source and target, their id of each of ours; None where they have none."""
    notes: list[str]
    """What was taken over in another way, and what was not."""


class ForeignVocabulary(NamedTuple):
    """The tokens of one side, in another toolkit's order."""

    ids: Mapping[str, int]
    size: int
    """Rows of the embedding; more than there are tokens, sometimes."""
    where: Path


def order_ids(
    vocabulary: ForeignVocabulary, *, unknown: int, end: int, start: int | None = None,
    padding: int | None = None,
) -> tuple[list[int | None], Vocabulary]:  # fmt: skip
    """Which of their ids each of ours stands for, and our vocabulary.

    Args:
        vocabulary: theirs.
        unknown: their id of the unknown token.
        end: of the end of a sequence.
        start: of what decoding starts with, if it is a token.
        padding: of padding, if it is another one.

    Raises:
        BundleError: two of these are one, or an id has no row.
    """
    special = [padding, unknown, start, end]
    known = [i for i in special if i is not None]
    if len(set(known)) < len(known):
        raise BundleError(
            "special tokens share an id", where=vocabulary.where,
            found=dict(zip(("padding", "unknown", "start", "end"), special, strict=True)),
            accepted="Unknown, end and start of a sequence need ids of their own.",
        )  # fmt: skip
    for name, i in zip(("padding", "unknown", "start", "end"), special, strict=True):
        if i is not None and not (type(i) is int and 0 <= i < vocabulary.size):
            raise BundleError(
                f"the embedding has no row for the token of {name}", where=vocabulary.where, found=i,
                accepted=f"Ids below {vocabulary.size:,}, the rows of the embedding.",
            )  # fmt: skip
    names: dict[int, str] = {}
    for token, i in vocabulary.ids.items():
        if not 0 <= i < vocabulary.size:
            raise BundleError(
                f"the embedding has no row for the token {token!r}", where=vocabulary.where, found=i,
                accepted=f"Ids below {vocabulary.size:,}, the rows of the embedding.",
            )  # fmt: skip
        names.setdefault(i, token)
    others = [i for i in range(vocabulary.size) if i not in known]
    symbols = [names.get(i, f"<unused {i}>") for i in others]
    return [*special, *others], Vocabulary(symbols)


def arrange_rows(table: Tensor, order: Sequence[int | None]) -> Tensor:
    """The rows of a table in our order; zeros where they have none."""
    rows = table[torch.tensor([0 if i is None else i for i in order])]
    rows[torch.tensor([i is None for i in order])] = 0
    return rows


def arrange_bias(bias: Tensor, order: Sequence[int | None]) -> Tensor:
    """A bias for each of our ids; what they do not have never comes out."""
    arranged = arrange_rows(bias.unsqueeze(1), order).squeeze(1)
    arranged[torch.tensor([i is None for i in order])] = NEVER
    return arranged


def pair_tokenizers(
    paths: tuple[Path, Path], vocabularies: tuple[Vocabulary, Vocabulary], *, shared: bool
) -> TokenizerPair:
    """Both sides' tokenizers, of SentencePiece's models and our vocabularies of their pieces.

    Raises:
        BundleError: a file is no such model, or the vocabulary is that of another one.
    """
    of_target = vocabularies[0] if shared else vocabularies[1]
    source, target = (
        _tokenizer(path, vocabulary, shared)
        for path, vocabulary in zip(paths, (vocabularies[0], of_target), strict=True)
    )
    return TokenizerPair(source, target)


def _tokenizer(path: Path, vocabulary: Vocabulary, shared: bool) -> PieceTokenizer:
    model = read_bytes(path)
    try:
        tokenizer = PieceTokenizer(model, vocabulary, shared=shared)
    except BundleError as error:
        raise BundleError(error.what, where=path, accepted="Copy it again from where it came.") from error
    if tokenizer.missing_share > MOST_MISSING:
        raise BundleError(
            "the vocabulary does not fit the SentencePiece model", where=path,
            found=f"{tokenizer.missing_share:.0%} of its pieces are not in the vocabulary",
            accepted="Both files must be of one model.",
        )  # fmt: skip
    return tokenizer


def about_tags(tokenizers: TokenizerPair) -> list[str]:
    """How a source says its target language, where there are several, for people."""
    tags: list[str] = getattr(tokenizers.source, "tags", [])
    if not tags:
        return []
    shown = ", ".join(tags[:8]) + (", …" if len(tags) > 8 else "")
    return [f"{len(tags)} target languages ({shown}): a source begins with >>{tags[0]}<<, or --tag {tags[0]} "
            "says it"]  # fmt: skip


def pair_languages(codes: Sequence[object], tokenizers: TokenizerPair) -> tuple[str, str] | None:
    """What a package says its languages are, where these are codes; "mul" for several target languages."""
    source, target = (code if isinstance(code, str) and _CODE.fullmatch(code) else None for code in codes)
    tags: list[str] = getattr(tokenizers.source, "tags", [])
    if tags and target not in tags:
        target = "mul"  # what ISO 639 calls several
    return None if source is None or target is None else (source, target)


def limits_of(ratio: float, max_source_length: int) -> LengthStatistics:
    """Length limits for outputs of up to `ratio` times as many tokens as the source."""
    return LengthStatistics(ratio / LIMIT_FACTOR, max(len(SPECIALS), max_source_length))


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        BundleError: it cannot be read.
    """
    refuse_pointer(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError("the file cannot be read", where=path, found=error.strerror) from error


def refuse_pointer(path: Path) -> None:
    """Raises a BundleError for what git leaves of a large file that was not fetched."""
    if is_lfs_pointer(path):
        raise BundleError(
            "this is a pointer of Git LFS, not the file itself", where=path,
            accepted="Fetch the file: git lfs pull; or download the model: hf download NAME --local-dir DIR",
        )  # fmt: skip


class ForeignWeights:
    """The tensors of a file, which remember whether they were used.

    Args:
        tensors: by their names there.
        where: the file, for messages.
    """

    def __init__(self, tensors: Mapping[str, Tensor], where: Path) -> None:
        self._tensors, self.where = tensors, where
        self._unused = dict.fromkeys(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    @property
    def names(self) -> list[str]:
        """Of all tensors."""
        return list(self._tensors)

    @property
    def unused(self) -> list[str]:
        """What was not taken so far."""
        return list(self._unused)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, which does not count as used by that."""
        return tuple(self._tensors[name].shape)

    def take(self, name: str, *shape: int) -> Tensor:
        """A tensor in fp32, of this shape but for dimensions of 1.

        Raises:
            BundleError: it is missing, of another shape, or holds what is no number.
        """
        if name not in self._tensors:
            raise BundleError("a weight is missing", where=self.where, found=name,
                              accepted="The file must hold the whole model.")  # fmt: skip
        tensor = self._tensors[name]
        if not tensor.is_floating_point():
            raise BundleError(
                f"the weight {name} is not of floating-point numbers", where=self.where,
                found=str(tensor.dtype).removeprefix("torch."),
                accepted="The model of fp32 or fp16 that it was before it was quantised.",
            )  # fmt: skip
        if _without_ones(tensor.shape) != _without_ones(shape):
            raise BundleError(f"the weight {name} has another shape than the configuration says",
                              where=self.where, found=tuple(tensor.shape), accepted=f"{shape}")  # fmt: skip
        self._unused.pop(name, None)
        taken = tensor.float().reshape(shape).clone()
        if not taken.isfinite().all():
            raise BundleError("the model is broken: some of its weights are not finite numbers",
                              where=self.where, found=name)  # fmt: skip
        return taken

    def refuse_unused(self, ignored: Mapping[str, str]) -> list[str]:
        """Says which weights were left on purpose.

        Args:
            ignored: why a weight is not needed, by name.

        Raises:
            BundleError: there are others.
        """
        if unknown := [name for name in self.unused if name not in ignored]:
            raise BundleError(
                "the file holds weights that a Transformer of these options does not have", where=self.where,
                found=unknown[:5], accepted="The model has parts that this version cannot import.",
            )  # fmt: skip
        return [f"{name}: {ignored[name]}" for name in self.unused]


def _without_ones(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]
