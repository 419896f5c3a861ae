"""The files of a Marian package: model, options, vocabularies, SentencePiece models, decoder.yml."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sentencepiece
import torch

from interlingua.errors import BundleError
from interlingua.interchange.flat_yaml import Value, read_flat_yaml
from interlingua.interchange.imported import ForeignVocabulary, ForeignWeights, refuse_pointer

__all__ = ["MarianPackage", "MarianVocabulary", "open_package", "read_vocabulary"]

OPTIONS = "special:model.yml"
NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8")
"""Kinds that PyTorch knows, too; what is of another can be no weight, whatever it is read as."""
VOCABULARIES = (
    ("*.src.vocab.yml", "*.trg.vocab.yml"), ("*vocab.src.yml", "*vocab.trg.yml"), ("*vocab.yml",) * 2,
    ("*.src.vocab", "*.trg.vocab"), ("*vocab.src.spm", "*vocab.trg.spm"), ("*vocab.spm",) * 2,
    ("*vocab.json",) * 2, ("*vocab.txt",) * 2,
)  # fmt: skip
"""How the files of both sides are called where decoder.yml does not say it, the first that is there."""
MAPPINGS = (".yml", ".yaml", ".json")
"""Ends of vocabularies that say each token's id; Marian reads all others as one token a line."""


class MarianPackage(NamedTuple):
    """What lies in a package, found and read as far as it is the same for all options."""

    directory: Path
    options: Mapping[str, Value]
    """Of the model."""
    decoder: Mapping[str, Value]
    """decoder.yml; empty where there is none."""
    weights: ForeignWeights
    vocabularies: tuple[Path, Path]
    pieces: tuple[Path, Path]
    """SentencePiece's models."""


class MarianVocabulary(NamedTuple):
    """The tokens of one side, and the two that every vocabulary has."""

    tokens: ForeignVocabulary
    end: int
    unknown: int


def open_package(place: Path) -> MarianPackage:
    """Finds and reads the files of a package.

    Args:
        place: its directory, or the .npz in it.

    Raises:
        BundleError: something is missing, damaged or ambiguous.
    """
    directory = place if place.is_dir() else place.parent
    decoder_file = next(iter(sorted(directory.glob("*decoder*.yml"))), None)
    decoder = {} if decoder_file is None else dict(_read_entries(decoder_file))
    model = place if place.is_file() else _find_model(directory, decoder)
    options, weights = _read_model(model)
    vocabularies = _find_vocabularies(directory, decoder)
    return MarianPackage(directory, options, decoder, weights, vocabularies,
                         _find_pieces(directory, vocabularies))  # fmt: skip


def read_vocabulary(path: Path, size: int) -> MarianVocabulary:
    """Reads a vocabulary of YAML, JSON, one token a line, or SentencePiece's own.

    Args:
        path: of the file.
        size: rows of the embedding.

    Raises:
        BundleError: it is no vocabulary.
    """
    if path.suffix == ".spm":
        processor: Any = sentencepiece.SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(path.read_bytes())
        except (RuntimeError, OSError) as error:
            raise BundleError("not a SentencePiece model", where=path, found=str(error)) from error
        count = processor.GetPieceSize()
        ids = {processor.IdToPiece(i): i for i in range(count)}
        special = processor.eos_id(), processor.unk_id()
    else:
        ids = _read_ids(path)
        special = _special_ids(ids)
    if min(special) < 0:
        raise BundleError("the vocabulary lacks </s> or <unk>", where=path)
    return MarianVocabulary(ForeignVocabulary(ids, size, path), *special)


def _read_ids(path: Path) -> dict[str, int]:
    """The id of each token; of a token that is there twice, the first, as Marian takes it."""
    ids: dict[str, int] = {}
    if path.suffix not in MAPPINGS:
        for number, line in enumerate(_read_text(path, "surrogateescape").rstrip("\n").split("\n")):
            ids.setdefault(_printable(line.rstrip("\r")), number)
        return ids
    for token, value in _read_entries(path, "surrogateescape"):
        if not isinstance(value, str) or not value.isdecimal():
            raise BundleError("the vocabulary gives a token something else than an id", where=path,
                              found={token: value})  # fmt: skip
        ids.setdefault(_printable(token), int(value))
    if not ids:
        raise BundleError("the vocabulary is empty", where=path)
    return ids


def _printable(token: str) -> str:
    """A token with names for bytes that are no UTF-8, as damaged lines of the training data left them.

    SentencePiece makes no such token: it only has an id of its own.
    """
    return token.encode(errors="surrogatepass").decode(errors="backslashreplace")


def _special_ids(ids: Mapping[str, int]) -> tuple[int, int]:
    """Of </s> and <unk>, which Nematus wrote as eos and UNK; -1 where one is missing."""
    tokens = {i: token for token, i in ids.items()}
    end = 0 if tokens.get(0) in ("eos", "") else ids.get("</s>", -1)
    unknown = 1 if tokens.get(1) in ("UNK", "") else ids.get("<unk>", -1)
    return end, unknown


def _read_entries(path: Path, errors: str = "strict") -> list[tuple[str, Value]]:
    try:
        return read_flat_yaml(_read_text(path, errors))
    except ValueError as error:
        raise BundleError("the file cannot be read", where=path, found=str(error)) from error


def _read_text(path: Path, errors: str = "strict") -> str:
    refuse_pointer(path)
    try:
        return path.read_bytes().decode("utf-8-sig", errors)
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise BundleError("the file cannot be read", where=path, found=said) from error


def _find_model(directory: Path, decoder: Mapping[str, Value]) -> Path:
    """The .npz, of which decoder.yml may name one."""
    named = [directory / Path(name).name for name in _listed(decoder.get("models"))]
    if len(named) > 1:
        raise BundleError(
            "this is an ensemble, and one model can be imported at a time", where=directory / "decoder.yml",
            found=[path.name for path in named], accepted="Name the .npz of one of them instead.",
        )  # fmt: skip
    if named and named[0].exists():
        return named[0]
    found = [path for path in sorted(directory.glob("*.npz")) if not path.name.endswith("optimizer.npz")]
    if len(found) != 1:
        what = "several" if found else "no"
        raise BundleError(
            f"the directory holds {what} models", where=directory,
            found=[path.name for path in found] or None,
            accepted="One .npz, or name the one that is meant.",
        )  # fmt: skip
    return found[0]


def _listed(value: Value | None) -> Sequence[str]:
    return value if isinstance(value, list) else [value] if value else []


def _read_model(path: Path) -> tuple[dict[str, Value], ForeignWeights]:
    """The options that lie in a model, and its weights."""
    refuse_pointer(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            tensors = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error,
            zipfile.LargeZipFile) as error:  # fmt: skip
        said = getattr(error, "strerror", None) or str(error)
        raise BundleError("the model is damaged or cut off", where=path, found=said,
                          accepted="Copy it again from where it came.") from error  # fmt: skip
    if OPTIONS not in tensors:
        raise BundleError("this .npz is no Marian model: it does not hold its options", where=path,
                          found=[*tensors][:5], accepted=f"What Marian saved has {OPTIONS}.")  # fmt: skip
    written = tensors[OPTIONS].tobytes().split(b"\0", 1)[0]
    try:
        options = dict(read_flat_yaml(written.decode()))
    except ValueError as error:
        raise BundleError("the options of the model cannot be read", where=path, found=str(error)) from error
    weights = {}
    for name, array in tensors.items():
        if not name.startswith("special:"):
            number = array.dtype.str[1:]
            weights[name] = torch.from_numpy(array.astype(number if number in NUMBERS else "u1"))
    return options, ForeignWeights(weights, path)


def _find_vocabularies(directory: Path, decoder: Mapping[str, Value]) -> tuple[Path, Path]:
    named = [directory / Path(name).name for name in _listed(decoder.get("vocabs"))]
    if len(named) == 2 and all(path.exists() for path in named):
        found = named
    else:
        matching = ([sorted(directory.glob(pattern)) for pattern in pair] for pair in VOCABULARIES)
        both = next(([side[0] for side in pair] for pair in matching if all(pair)), None)
        if both is None:
            raise BundleError("the package has no vocabulary", where=directory,
                              found=[entry.name for entry in sorted(directory.iterdir())][:8],
                              accepted="Such as opus.spm32k-spm32k.vocab.yml.")  # fmt: skip
        found = both
    if factored := [path for path in found if path.suffix == ".fsv"]:
        raise BundleError("factored vocabularies (.fsv) are not supported", where=factored[0])
    return found[0], found[1]


def _find_pieces(directory: Path, vocabularies: tuple[Path, Path]) -> tuple[Path, Path]:
    """SentencePiece's models; the vocabularies, where these are models."""
    pieces = directory / "source.spm", directory / "target.spm"
    if all(path.exists() for path in pieces):
        return pieces
    if all(path.suffix == ".spm" for path in vocabularies):
        return vocabularies
    if (bpe := directory / "source.bpe").exists():
        raise BundleError(
            "packages of Moses' tokenizer and BPE (source.bpe, preprocess.sh) are not supported", where=bpe,
            accepted="A package with source.spm and target.spm; OPUS-MT's newer ones have them.",
        )  # fmt: skip
    missing = next(path for path in pieces if not path.exists())
    raise BundleError("a SentencePiece model is missing", where=missing,
                      accepted="source.spm and target.spm say how texts are cut into pieces.")  # fmt: skip
