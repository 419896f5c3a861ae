"""What uses a model: a translator of texts, or a transcriber of sounds."""

from __future__ import annotations

from typing import Any

from interlingua.engine.protocol import Engine
from interlingua.inference.transcriber import Transcriber
from interlingua.inference.translator import Translator
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["build_translator"]


def build_translator(engine: Engine, tokenizers: TokenizerPair, **options: Any) -> Translator | Transcriber:
    """What the sources of the model ask for.

    Args:
        engine: what computes.
        tokenizers: of the source and the target.
        **options: as `Translator` takes them.
    """
    use = Transcriber if tokenizers.source.kind == "sound" else Translator
    return use(engine, tokenizers, **options)
