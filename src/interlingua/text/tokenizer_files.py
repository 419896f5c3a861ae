"""Tokenizers as files, and a digest that identifies them."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from interlingua.errors import BundleError
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.normalise import normalise
from interlingua.text.piece_tokenizer import PieceTokenizer
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import Tokenizer
from interlingua.text.vocabulary import Vocabulary

__all__ = ["digest", "load_tokenizer", "save_tokenizer"]


def save_tokenizer(tokenizer: Tokenizer, directory: Path, name: str) -> None:
    """Writes `<name>.json` and, for subwords and pieces, SentencePiece's `<name>.model` beside it.

    Those of columns hold the model themselves, in base64.
    """
    description = _description(tokenizer)
    if isinstance(tokenizer, SubwordTokenizer | PieceTokenizer):
        (directory / f"{name}.model").write_bytes(tokenizer.model)
    elif isinstance(tokenizer, ColumnTokenizer):
        for column, of_column in zip(tokenizer.columns, description["columns"], strict=True):
            if isinstance(column, SubwordTokenizer):
                of_column["content"] = b64encode(column.model).decode()
    text = json.dumps(description, ensure_ascii=False, indent=1)
    (directory / f"{name}.json").write_text(text + "\n", encoding="utf-8", errors="surrogatepass")


def load_tokenizer(directory: Path, name: str) -> Tokenizer:
    """Reads what `save_tokenizer` wrote.

    Raises:
        BundleError: a file is missing, damaged, or not the one that was saved.
    """
    path = directory / f"{name}.json"
    try:
        description = json.loads(path.read_bytes().decode(errors="surrogatepass"))
        model = (directory / f"{name}.model").read_bytes() if "model" in description else b""
        tokenizer = _from_description(description, model)
    except OSError as error:
        raise BundleError(
            "the tokenizer cannot be read", where=error.filename, found=error.strerror
        ) from None
    except (ValueError, KeyError, TypeError, BundleError) as error:
        raise BundleError("the tokenizer is damaged", where=path, found=str(error)) from None
    return tokenizer


def digest(tokenizer: Tokenizer) -> str:
    """Returns a hexadecimal hash of all that decides which ids a text gets."""
    content = json.dumps(_description(tokenizer), sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _description(tokenizer: Tokenizer) -> dict[str, Any]:
    if isinstance(tokenizer, ColumnTokenizer):
        return {"kind": tokenizer.kind, "columns": [*map(_description, tokenizer.columns)]}
    description: dict[str, Any] = {"kind": tokenizer.kind, "normalisation": tokenizer.normalisation}
    if isinstance(tokenizer, SubwordTokenizer):
        description["model"] = _hash(tokenizer.model)
    elif isinstance(tokenizer, PieceTokenizer):
        description |= {"model": _hash(tokenizer.model), "shared": tokenizer.shared}
        description["symbols"] = list(tokenizer.vocabulary.symbols)
    elif isinstance(tokenizer, SymbolTokenizer):
        description["symbols"] = list(tokenizer.vocabulary.symbols)
        if tokenizer.between not in (" ", ""):
            description["between"] = tokenizer.between
    return description


def _from_description(description: dict[str, Any], model: bytes) -> Tokenizer:
    if description["kind"] == "columns":
        models = [b64decode(column.get("content", "")) for column in description["columns"]]
        return ColumnTokenizer([*map(_from_description, description["columns"], models)])
    kind, normalisation = description["kind"], description["normalisation"]
    normalise("é", normalisation)  # a ValueError for an unknown form
    if kind in ("unigram", "bpe", "pieces") and _hash(model) != description["model"]:
        raise ValueError("the SentencePiece model is not the one that was saved")
    if kind == "pieces":
        pieces = Vocabulary(description["symbols"])
        return PieceTokenizer(model, pieces, normalisation, shared=description["shared"])
    if kind in ("unigram", "bpe"):
        return SubwordTokenizer(model, kind, normalisation)
    if kind == "bytes":
        return ByteTokenizer(normalisation)
    if kind in ("words", "characters"):
        between = description.get("between", " ")
        return SymbolTokenizer(kind, Vocabulary(description["symbols"]), normalisation, between)
    raise ValueError(f"unknown kind {kind!r}")


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
