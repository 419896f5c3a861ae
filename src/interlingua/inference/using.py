"""What uses a model: a translator of texts, a transcriber of sounds, a captioner or a painter of pictures."""

from __future__ import annotations

from typing import Any

from interlingua.engine.protocol import Engine
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from interlingua.inference.transcriber import Transcriber
from interlingua.inference.translator import Translator
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["AnyUse", "TextUse", "build_user"]

TextUse = Translator | Transcriber | Captioner
"""Its targets are texts."""
AnyUse = TextUse | Painter


def build_user(engine: Engine, tokenizers: TokenizerPair, **options: Any) -> AnyUse:
    """What the sources and the targets of the model ask for.

    Args:
        engine: what computes.
        tokenizers: of the source and the target.
        **options: as `Translator` takes them.
    """
    if tokenizers.target.kind == "picture":
        return Painter(engine, tokenizers, **options)
    uses: dict[str, Any] = {"sound": Transcriber, "picture": Captioner}
    use: AnyUse = uses.get(tokenizers.source.kind, Translator)(engine, tokenizers, **options)
    return use
