"""Both sides' codecs as files: tokenizers of texts, and what reads sound files and picture files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from interlingua.data.settings import CorpusSettings
from interlingua.data.tensors import DamagedFileError, read_tensors, write_tensors
from interlingua.errors import BundleError, ConfigurationError
from interlingua.kinds import FileCodec, SourceKind
from interlingua.model.architectures import build_model
from interlingua.model.protocol import Model
from interlingua.model.settings import ModelSettings
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.settings import PictureSettings
from interlingua.pictures.source import PictureSource
from interlingua.sound.codec import SoundCodec
from interlingua.text.choice import choose_kind, choose_spoken_kind
from interlingua.text.piece_tokenizer import PieceTokenizer
from interlingua.text.tokenizer import (
    Tokenizer,
    TokenizerPair,
    TokenizerSettings,
    train_source_tokenizer,
    train_target_tokenizer,
    train_tokenizers,
)
from interlingua.text.tokenizer_files import digest as digest_of_tokenizer
from interlingua.text.tokenizer_files import load_tokenizer, save_tokenizer

__all__ = ["CODEC_WEIGHTS", "build_model_for", "digest", "load_tokenizers", "save_tokenizers", "train_codecs"]

CODEC_WEIGHTS = "target.safetensors"
"""Of a codec of pictures, once it has learnt."""


def save_tokenizers(tokenizers: TokenizerPair, directory: Path) -> None:
    """Writes both sides: `joint.*` when they are one, else `source.*` and `target.*`."""
    one = tokenizers.joint and not isinstance(tokenizers.source, PieceTokenizer)  # which may differ in pieces
    names = ("joint",) if one else ("source", "target")
    for name, tokenizer in zip(names, tokenizers, strict=False):
        if isinstance(tokenizer, FileCodec):
            about = json.dumps(_describe(tokenizer), indent=1)
            (directory / f"{name}.json").write_text(about + "\n", encoding="utf-8")
            if isinstance(tokenizer, PictureCodec) and tokenizer.trained:
                write_tensors(directory / CODEC_WEIGHTS, tokenizer.state(), {})
        else:
            save_tokenizer(tokenizer, directory, name)


def load_tokenizers(directory: Path) -> TokenizerPair:
    """Reads what `save_tokenizers` wrote.

    Raises:
        BundleError: they are missing or damaged.
    """
    if (directory / "joint.json").exists():
        return TokenizerPair.of_joint(load_tokenizer(directory, "joint"))
    source, target = _load_side(directory, "source"), _load_side(directory, "target")
    if isinstance(source, PieceTokenizer) and isinstance(target, PieceTokenizer) and target.shared:
        if source.vocabulary.symbols != target.vocabulary.symbols:
            raise BundleError("the two sides do not have the same pieces", where=directory / "target.json")
        target = target.with_vocabulary(source.vocabulary)
    return TokenizerPair(source, target)


def digest(tokenizer: Tokenizer) -> str:
    """Returns a hexadecimal hash of all that decides which ids, samples or pixels a text or a file gets."""
    if isinstance(tokenizer, FileCodec):
        return str(tokenizer.vocabulary)
    return digest_of_tokenizer(tokenizer)


def build_model_for(tokenizers: TokenizerPair, settings: ModelSettings) -> Model:
    """A freshly initialised model of what the codecs make of sources and targets."""
    source = tokenizers.source
    kind: SourceKind = source.kind if isinstance(source, FileCodec) else "text"
    factors = tokenizers.target.factors if isinstance(tokenizers.target, PictureCodec) else None
    return build_model(
        settings, *map(len, tokenizers), shared=tokenizers.joint, source_kind=kind, target_factors=factors
    )


def train_codecs(
    pairs: Iterable[tuple[str, str]], settings: TokenizerSettings, data: CorpusSettings,
    pictures: PictureSettings, tags: Collection[str] = (),
) -> tuple[TokenizerPair, str]:  # fmt: skip
    """Learns the tokenizers of the sides that are texts; what reads files has nothing to learn here.

    Args:
        pairs: (source, target), read once.
        settings: of the tokenizers.
        data: says what sources and targets are.
        pictures: of the codec of targets that are pictures, which a run learns first of all.
        tags: of sources that are texts.

    Raises:
        ConfigurationError: the settings contradict each other or the data.
        DataError: there are no pairs.
    """
    if data.source_kind == "text" and data.target_kind == "text":
        return train_tokenizers(pairs, settings, tags)
    source, target = data.source_kind, data.target_kind
    if source != "text" and target != "text":
        raise ConfigurationError(
            "pictures are painted of texts", where="data.source_kind", found=f"{source}s as sources",
            accepted="A column of captions as source, with --columns, or of texts as target.",
        )  # fmt: skip
    if data.source_kind != "text":
        _refuse_text_settings(settings, tags, "source", f"{data.source_kind}s")
    if data.target_kind != "text":
        _refuse_text_settings(settings, (), "target", "pictures")
    if target == "text":
        choose = choose_spoken_kind if source == "sound" else choose_kind
        learnt, described = train_target_tokenizer(pairs, settings, choose=choose)
        reader = SoundCodec() if source == "sound" else PictureSource(data.picture_size or 64)
        return TokenizerPair(cast(Tokenizer, reader), learnt), f"source: {source}; target: {described}"
    codec = cast(Tokenizer, PictureCodec(data.picture_size or 64, pictures))
    about = f"pictures of {codec.vocabulary}"
    learnt, described = train_source_tokenizer(pairs, settings, tags)
    return TokenizerPair(learnt, codec), f"source: {described}; target: {about}"


def _refuse_text_settings(settings: TokenizerSettings, tags: Collection[str], side: str, what: str) -> None:
    if tags:
        raise ConfigurationError(f"sources that are {what} have no tags", where="data.corpora",
                                 found=min(tags))  # fmt: skip
    asked = {"joint": settings.joint is True, side: getattr(settings, side) != "auto",
             f"{side}_model": getattr(settings, f"{side}_model") is not None}  # fmt: skip
    if key := next((key for key, is_asked in asked.items() if is_asked), None):
        raise ConfigurationError(f"{side}s are {what}, which need no tokenizer", where=f"tokenizer.{key}",
                                 found=getattr(settings, key), accepted="Leave it out.")  # fmt: skip


def _describe(codec: FileCodec) -> dict[str, Any]:
    """What `_load_side` builds it from."""
    about: dict[str, Any] = {"kind": codec.kind}
    if isinstance(codec, SoundCodec):
        about["features"] = codec.vocabulary
    if isinstance(codec, PictureSource | PictureCodec):
        about["size"] = codec.size
    if isinstance(codec, PictureCodec):
        about["settings"] = codec.settings.model_dump(mode="json")
    return about


def _load_side(directory: Path, name: str) -> Tokenizer:
    path = directory / f"{name}.json"
    try:
        about = json.loads(path.read_bytes())
        kind = about["kind"]
        if kind == "sound":
            codec = SoundCodec()
            if about["features"] != codec.vocabulary:
                raise BundleError(
                    "the model was trained on features that this version does not make", where=path,
                    found=about["features"], accepted=f"{codec.vocabulary}. Train it again.",
                )  # fmt: skip
            return cast(Tokenizer, codec)
        if kind == "picture" and name == "source":
            return cast(Tokenizer, PictureSource(int(about["size"])))
        if kind == "picture":
            return cast(Tokenizer, _load_codec(directory, about))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # said below
    return load_tokenizer(directory, name)


def _load_codec(directory: Path, about: Mapping[str, Any]) -> PictureCodec:
    path = directory / CODEC_WEIGHTS
    codec = PictureCodec(int(about["size"]), PictureSettings.parse(about["settings"], str(path)))
    if not path.exists():
        return codec  # its run has not come so far
    try:
        codec.restore(read_tensors(path)[0])
    except (OSError, DamagedFileError, RuntimeError) as error:
        raise BundleError("the codec of pictures is damaged", where=path, found=str(error)) from error
    return codec
