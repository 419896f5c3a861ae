"""Both sides' codecs as files: tokenizers of texts, and what makes samples of sound files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import cast

from interlingua.errors import ConfigurationError
from interlingua.model.architectures import build_model
from interlingua.model.protocol import Model
from interlingua.model.settings import ModelSettings
from interlingua.sound.codec import SoundCodec
from interlingua.text.tokenizer import Tokenizer, TokenizerPair, TokenizerSettings, train_target_tokenizer
from interlingua.text.tokenizer_files import digest as digest_of_tokenizer
from interlingua.text.tokenizer_files import load_tokenizer, save_tokenizer

__all__ = ["build_model_for", "digest", "load_tokenizers", "save_tokenizers", "train_sound_codecs"]


def save_tokenizers(tokenizers: TokenizerPair, directory: Path) -> None:
    """Writes both sides: `joint.*` when they are one, else `source.*` and `target.*`."""
    names = ("joint",) if tokenizers.joint else ("source", "target")
    for name, tokenizer in zip(names, tokenizers, strict=False):
        if isinstance(tokenizer, SoundCodec):
            text = json.dumps({"kind": tokenizer.kind, "features": tokenizer.vocabulary}, indent=1)
            (directory / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        else:
            save_tokenizer(tokenizer, directory, name)


def load_tokenizers(directory: Path) -> TokenizerPair:
    """Reads what `save_tokenizers` wrote.

    Raises:
        BundleError: they are missing or damaged.
    """
    if (directory / "joint.json").exists():
        return TokenizerPair.of_joint(load_tokenizer(directory, "joint"))
    return TokenizerPair(_load_source(directory), load_tokenizer(directory, "target"))


def digest(tokenizer: Tokenizer) -> str:
    """Returns a hexadecimal hash of all that decides which ids, or samples, a source gets."""
    if isinstance(tokenizer, SoundCodec):
        return tokenizer.vocabulary
    return digest_of_tokenizer(tokenizer)


def build_model_for(tokenizers: TokenizerPair, settings: ModelSettings) -> Model:
    """A freshly initialised model of what the codecs make of sources and targets."""
    frames = isinstance(tokenizers.source, SoundCodec)
    return build_model(settings, *map(len, tokenizers), shared=tokenizers.joint, frames=frames)


def train_sound_codecs(
    pairs: Iterable[tuple[str, str]], settings: TokenizerSettings, tags: Collection[str] = ()
) -> tuple[TokenizerPair, str]:
    """Learns the tokenizer of the targets of sounds; the sources need none.

    Args:
        pairs: (name of a file, target), read once.
        settings: of the target's kind. auto: characters, which sounds spell out.
        tags: none; sounds have no columns.

    Raises:
        ConfigurationError: the settings contradict each other or the data.
        DataError: there are no pairs.
    """
    if tags:
        raise ConfigurationError(
            "sources that are sounds have no tags", where="data.corpora", found=min(tags)
        )
    if settings.joint is True or settings.source != "auto":
        key = "joint" if settings.joint is True else "source"
        raise ConfigurationError("sources are sounds, which need no tokenizer", where=f"tokenizer.{key}",
                                 found=getattr(settings, key), accepted="Leave it out.")  # fmt: skip
    kind = "characters" if settings.target == "auto" else settings.target
    target, described = train_target_tokenizer(pairs, settings.model_copy(update={"target": kind}))
    return TokenizerPair(cast(Tokenizer, SoundCodec()), target), f"source: sound; target: {described}"


def _load_source(directory: Path) -> Tokenizer:
    try:
        kind = json.loads((directory / "source.json").read_bytes())["kind"]
    except (OSError, ValueError, KeyError, TypeError):
        kind = ""  # said below
    return cast(Tokenizer, SoundCodec()) if kind == "sound" else load_tokenizer(directory, "source")
