"""A Transformer of ours as ONNX graphs, cut and named as Hugging Face Optimum has them.

encoder_model.onnx              a source to what the encoder makes of it
decoder_model.onnx              that and the first target tokens to logits, keys and values
decoder_with_past_model.onnx    these keys and values and the next tokens to logits
source.* and target.*           the tokenizers: SentencePiece's .spm, or a tokenizer.json of `tokenizers`
model.json                      ids of special tokens, names of inputs and outputs, the length limit
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from interlingua.inference.bundle import Bundle
from interlingua.interchange.onnx_graphs import Decoder, DecoderWithPast, Encoder, past_names
from interlingua.interchange.requirements import refuse_other_kinds
from interlingua.interchange.search import longest_target
from interlingua.interchange.symbol_tokenizer import build_tokenizer
from interlingua.interchange.token_names import name_tokens
from interlingua.kinds import BOS, EOS, PAD, UNK
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.piece_tokenizer import PieceTokenizer
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["ABOUT", "convert"]

ABOUT = "model.json"
BATCH, SOURCE, TARGET, PAST = 2, 5, 3, 4
"""Of the example that a graph is recorded with; other sizes do as well."""
LARGE_BYTES = 1_500_000_000
"""Of weights: more does not fit into one file of protobuf."""


def convert(bundle: Bundle, out: Path) -> None:
    """Writes the graphs, the tokenizers, and what a program must know to use them.

    Args:
        bundle: in fp32, of a Transformer from text to text.
        out: an empty directory.
    """
    model = refuse_other_kinds(bundle, "onnx")
    settings = model.settings
    source, target = torch.full((BATCH, SOURCE), EOS), torch.full((BATCH, TARGET), BOS)
    mask = torch.ones_like(source)
    states = torch.zeros(BATCH, SOURCE, settings.dim)
    # A tensor of its own for each: the recording takes the same one for the same input.
    of_past = [
        torch.zeros(BATCH, settings.heads, length, settings.dim // settings.heads)
        for _ in range(settings.decoder_layers) for length in (PAST, PAST, SOURCE, SOURCE)
    ]  # fmt: skip
    layers = settings.decoder_layers
    batch, length = torch.export.Dim("batch"), torch.export.Dim("source_length")
    new, past = torch.export.Dim("target_length"), torch.export.Dim("past_length")
    of_source, of_target = {0: batch, 1: length}, {0: batch, 1: new}
    names = past_names(layers)
    known = ({0: batch, 2: past}, {0: batch, 2: past}, {0: batch, 2: length}, {0: batch, 2: length})
    _write(Encoder(model), out / "encoder_model.onnx", (source, mask), ["input_ids", "attention_mask"],
           ["last_hidden_state"], (of_source, of_source))  # fmt: skip
    _write(Decoder(model), out / "decoder_model.onnx", (target, states, mask),
           ["input_ids", "encoder_hidden_states", "encoder_attention_mask"],
           ["logits", *(f"present.{name}" for name in names)], (of_target, of_source, of_source))  # fmt: skip
    _write(DecoderWithPast(model), out / "decoder_with_past_model.onnx",
           (target, mask, of_past),
           ["input_ids", "encoder_attention_mask", *(f"past_key_values.{name}" for name in names)],
           ["logits", *(f"present.{name}" for name in names if "decoder" in name)],
           (of_target, of_source, list(known) * layers))  # fmt: skip
    for side, tokenizer in zip(("source", "target"), bundle.tokenizers, strict=True):
        _save_tokenizer(tokenizer, out, side)
    _write_about(bundle, names, out)


def _write(
    graph: nn.Module, path: Path, example: tuple[Any, ...], inputs: Sequence[str], outputs: Sequence[str],
    shapes: tuple[Any, ...],
) -> None:  # fmt: skip
    bytes_ = sum(parameter.numel() * parameter.element_size() for parameter in graph.parameters())
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it tells of packages that it does without
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own code, to its own developers
            torch.onnx.export(
                graph.eval(), example, path, input_names=list(inputs), output_names=list(outputs),
                dynamic_shapes=shapes, dynamo=True, external_data=bytes_ > LARGE_BYTES, verbose=False,
            )  # fmt: skip
    finally:
        logger.setLevel(level)


def _save_tokenizer(tokenizer: Tokenizer, out: Path, side: str) -> None:
    """A file that other programs read; sources of several columns have none."""
    if isinstance(tokenizer, SubwordTokenizer | PieceTokenizer):
        (out / f"{side}.spm").write_bytes(tokenizer.model)
    elif not isinstance(tokenizer, ColumnTokenizer):
        build_tokenizer(tokenizer).save(str(out / f"{side}_tokenizer.json"))


def _write_about(bundle: Bundle, names: Sequence[str], out: Path) -> None:
    lengths = bundle.lengths
    about = {
        "pad_token_id": PAD, "unk_token_id": UNK, "decoder_start_token_id": BOS, "eos_token_id": EOS,
        "forbidden_token_ids": [PAD, BOS] if bundle.search.unknown else [PAD, UNK, BOS],
        "source_ends_with": EOS,
        "max_source_length": lengths.max_source_length,
        "max_length": longest_target(bundle),
        "past": list(names),
        "languages": bundle.config.get("languages"),
        "source_tokens": name_tokens(bundle.tokenizers.source),
        "target_tokens": name_tokens(bundle.tokenizers.target),
        # whose ids are places in these lists, not SentencePiece's own
        "by_name": [side for side, tokenizer in zip(("source", "target"), bundle.tokenizers, strict=True)
                    if isinstance(tokenizer, PieceTokenizer)],
    }  # fmt: skip
    (out / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
