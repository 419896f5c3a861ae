"""The sizes that have a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlingua.model.recurrent import RecurrentSettings
from interlingua.model.settings import ModelSettings
from interlingua.model.transformer import TransformerSettings

__all__ = ["PRESETS"]

PAPER: Mapping[str, Any] = {"norm": "post", "encoder_layers": 6, "decoder_layers": 6}

# Rotary positions learn faster than sinusoids (benchmarks/results/recipes.md).
OURS: Mapping[str, Any] = {"positions": "rotary", "dropout": 0.1}
SPEECH: Mapping[str, Any] = {**OURS, "convolution": 15, "ctc": True}

PRESETS: Mapping[str, ModelSettings] = {
    # Norms after the sublayers learn exact, algorithmic tasks in fewer steps.
    "tiny": TransformerSettings(dim=128, heads=4, feed_forward=512, dropout=0.1, norm="post"),
    # The width of Wu et al. 2021 for little data: more layers, seen more often in the same time. Letters have
    # few embeddings, which leaves room for wider feed-forward layers.
    "letters": TransformerSettings(dim=128, feed_forward=512, encoder_layers=4, decoder_layers=4, **OURS),
    "letters-wide": TransformerSettings(
        dim=192, feed_forward=768, encoder_layers=4, decoder_layers=4, **OURS
    ),
    "mini": TransformerSettings(dim=128, feed_forward=256, encoder_layers=4, decoder_layers=4, **OURS),
    "small": TransformerSettings(dim=256, feed_forward=1024, **OURS),
    "base": TransformerSettings(
        dim=512, heads=8, feed_forward=2048, encoder_layers=6, decoder_layers=6, **OURS
    ),
    # A deep encoder and a shallow decoder translate faster (Kasai et al. 2021).
    "fast": TransformerSettings(dim=256, feed_forward=1024, encoder_layers=6, decoder_layers=1, **OURS),
    # For sound: deep encoders over long sequences that also convolve, shallow decoders over short ones.
    "speech-tiny": TransformerSettings(
        dim=144, heads=4, feed_forward=576, encoder_layers=4, decoder_layers=1, **SPEECH
    ),
    "speech-small": TransformerSettings(
        dim=144, heads=4, feed_forward=576, encoder_layers=8, decoder_layers=2, **SPEECH
    ),
    "speech": TransformerSettings(
        dim=256, heads=4, feed_forward=1024, encoder_layers=10, decoder_layers=3, **SPEECH
    ),
    "speech-large": TransformerSettings(
        dim=384, heads=6, feed_forward=1536, encoder_layers=12, decoder_layers=4, **SPEECH
    ),
    "rnn": RecurrentSettings(cell="rnn"),
    "gru": RecurrentSettings(cell="gru"),
    "lstm": RecurrentSettings(cell="lstm"),
    # Vaswani et al. 2017, table 3; the paper's sizes, places of dropout and norms.
    "paper-base": TransformerSettings(dim=512, heads=8, feed_forward=2048, dropout=0.1, **PAPER),
    "paper-big": TransformerSettings(dim=1024, heads=16, feed_forward=4096, dropout=0.3, **PAPER),
}
