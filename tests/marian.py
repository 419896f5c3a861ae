"""Models of other toolkits, built here: MarianMT directories of Hugging Face, and Marian's own packages.

No pretrained model is needed: the weights are random, and the pieces are learnt from the sentences below.
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece

Array = npt.NDArray[np.float64]

ENGLISH = [
    "A dog runs through the snow.",
    "Two children play with a ball, and a man looks on.", "The cat is not here!",
    "Why does nobody answer? Yes or no?", "On the 3rd of May, 1999, it rained.", "null", "true and false",
    "My name's O'Neill: \"hello\" he said.", "He paid 5,000 (five thousand) crowns.", "The water was cold.",
]  # fmt: skip
GERMAN = [
    "Ein Hund läuft durch den Schnee.", "Zwei Kinder spielen mit einem Ball, und ein Mann sieht zu.",
    "Die Katze ist nicht hier!", "Warum antwortet niemand? Ja oder nein?", "Am 3. Mai 1999 regnete es.",
    "Größe", "wahr und falsch", "Er heißt O'Neill: „hallo“ sagte er.", "Er zahlte 5.000 Kronen.",
    "Das Wasser war kalt.",
]  # fmt: skip


def train_pieces(texts: Sequence[str], size: int = 90, **options: Any) -> bytes:
    """A SentencePiece model as OPUS-MT trains them: with its own normalisation, without byte fallback."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(texts) * 3), model_writer=model, vocab_size=size, hard_vocab_limit=False,
        minloglevel=2, num_threads=1, **options,
    )  # fmt: skip
    return model.getvalue()


def pieces_of(model: bytes) -> list[str]:
    """The pieces that texts are cut into."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [
        processor.IdToPiece(i) for i in range(processor.GetPieceSize())
        if not processor.IsControl(i) and not processor.IsUnknown(i)
    ]  # fmt: skip


def joint_tokens(models: Sequence[bytes], extra: Sequence[str] = ()) -> list[str]:
    """A vocabulary of several models' pieces, in an order that is none of theirs."""
    pieces = dict.fromkeys(piece for model in models for piece in pieces_of(model))
    return ["</s>", "<unk>", *extra, *sorted(pieces)]


def write_hugging_face(
    directory: Path, *, extra: Sequence[str] = (), separate: bool = False, shared: bool = True,
    tied: bool = True, seed: int = 0, about: Mapping[str, Any] | None = None, **config: Any,
) -> Any:  # fmt: skip
    """A MarianMT directory with random weights, saved by transformers itself; returns the model."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    directory.mkdir(parents=True, exist_ok=True)
    models = train_pieces(ENGLISH), train_pieces(GERMAN)
    for name, model in zip(("source.spm", "target.spm"), models, strict=True):
        (directory / name).write_bytes(model)
    sides = [[model] for model in models] if separate else [models]
    vocabularies = [[*joint_tokens(side, extra), "<pad>"] for side in sides]
    for name, tokens in zip(("vocab.json", "target_vocab.json"), vocabularies, strict=False):
        ids = {token: i for i, token in enumerate(tokens)}
        (directory / name).write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    tokenizer = {"source_lang": "en", "target_lang": "de", "separate_vocabs": separate, **(about or {})}
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    padding = len(vocabularies[-1]) - 1
    sizes = {
        "vocab_size": len(vocabularies[0]), "decoder_vocab_size": len(vocabularies[-1]), "d_model": 16,
        "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
        "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "activation_function": "swish", "pad_token_id": padding,
        "eos_token_id": 0, "forced_eos_token_id": 0,
        "decoder_start_token_id": padding, "scale_embedding": True,
        "max_position_embeddings": 64,
        "share_encoder_decoder_embeddings": shared, "tie_word_embeddings": tied,
        "init_std": 0.3,
    }  # fmt: skip
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MarianMTModel(MarianConfig(**{**sizes, **config})).eval()
        for name, parameter in model.named_parameters():  # which would start as zeros and ones
            if name.endswith("bias") or "norm" in name:
                torch.nn.init.normal_(parameter, mean=float("norm.weight" in name), std=0.3)
        torch.nn.init.normal_(model.final_logits_bias)
        model.generation_config.update(
            num_beams=3, max_length=40, length_penalty=1.0, bad_words_ids=[[padding]], eos_token_id=0,
            pad_token_id=padding, decoder_start_token_id=padding, forced_eos_token_id=None,
        )  # fmt: skip
        model.save_pretrained(directory)
    (directory / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# A model\nBy its makers.\n")
    return model


MARIAN: dict[str, Any] = {
    "type": "transformer", "dim-emb": 16, "transformer-heads": 4, "transformer-dim-ffn": 32, "enc-depth": 2,
    "dec-depth": 2, "transformer-ffn-activation": "swish", "transformer-ffn-depth": 2,
    "transformer-preprocess": "", "transformer-postprocess": "dan", "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "", "transformer-decoder-autoreg": "self-attention",
    "tied-embeddings-all": True,
    "tied-embeddings": False, "tied-embeddings-src": False, "transformer-no-projection": False,
    "transformer-train-position-embeddings": False, "transformer-decoder-dim-ffn": 0, "input-types": [],
    "bert-train-type-embeddings": True, "dec-cell": "gru", "dim-rnn": 1024, "enc-type": "bidirectional",
    "factors-combine": "sum", "factors-dim-emb": 0, "layer-normalization": False, "lemma-dim-emb": 0,
    "lemma-dependency": "", "output-omit-bias": False, "right-left": False, "skip": False,
    "transformer-aan-activation": "swish", "transformer-aan-depth": 2,
    "transformer-attention-mask": "default",
    "transformer-decoder-ffn-depth": 0, "transformer-depth-scaling": False, "transformer-pool": False,
    "transformer-guided-alignment-layer": "last", "transformer-tied-layers": [], "ulr": False,
    "ulr-dim-emb": 0,
    "version": "v1.10.0 6f6d4846 2021-02-06 15:35:16 -0800",
}  # fmt: skip
"""What OPUS-MT's models say of themselves, as far as it matters; smaller."""


def marian_weights(options: Mapping[str, Any], sizes: tuple[int, int], seed: int = 0) -> dict[str, Array]:
    """Random weights under Marian's names."""
    draw = np.random.default_rng(seed)
    dim, weights = options["dim-emb"], dict[str, Array]()
    norm = "pre" if "n" in options["transformer-preprocess"] else "post"

    def add(name: str, *shape: int, around: float = 0.0) -> None:
        weights[name] = draw.normal(around, 0.3, shape)

    def add_norm(name: str, suffix: str = "") -> None:
        add(f"{name}_ln_scale{suffix}", 1, dim, around=1.0)
        add(f"{name}_ln_bias{suffix}", 1, dim)

    tied_source = options["tied-embeddings-all"] or options["tied-embeddings-src"]
    if tied_source:
        add("Wemb", sizes[0], dim)
    else:
        add("encoder_Wemb", sizes[0], dim)
        add("decoder_Wemb", sizes[1], dim)
    if not (options["tied-embeddings-all"] or options["tied-embeddings"]):
        add("decoder_ff_logit_out_Wt", sizes[1], dim)
    add("decoder_ff_logit_out_b", 1, sizes[1])
    tied_layers = options.get("transformer-tied-layers") or range(1, options["dec-depth"] + 1)
    for stack, layers in (
        ("encoder", range(1, options["enc-depth"] + 1)),
        ("decoder", sorted({*tied_layers})),
    ):
        width = options["transformer-dim-ffn"]
        if stack == "decoder":
            width = options["transformer-decoder-dim-ffn"] or width
        for layer in layers:
            prefix = f"{stack}_l{layer}"
            for attention in ("self", "context") if stack == "decoder" else ("self",):
                for part in "qkv" if options["transformer-no-projection"] else "qkvo":
                    add(f"{prefix}_{attention}_W{part}", dim, dim)
                    add(f"{prefix}_{attention}_b{part}", 1, dim)
                add_norm(f"{prefix}_{attention}_Wo", "_pre" if norm == "pre" else "")
            add(f"{prefix}_ffn_W1", dim, width)
            add(f"{prefix}_ffn_b1", 1, width)
            add(f"{prefix}_ffn_W2", width, dim)
            add(f"{prefix}_ffn_b2", 1, dim)
            add_norm(f"{prefix}_ffn_ffn", "_pre" if norm == "pre" else "")
        if "n" in options["transformer-postprocess-top"]:
            add_norm(f"{stack}_top")
    if options["transformer-train-position-embeddings"]:
        add("Wpos", 20, dim)
    return weights


def write_yaml(values: Mapping[str, Any]) -> str:
    """As yaml-cpp writes options: lists with a line for each item."""
    lines = []
    for key, value in values.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {each}" for each in value)] if value else [f"{key}:", "  []"]
        else:
            written = str(value).lower() if isinstance(value, bool) else str(value)
            lines.append(f"{key}: {written}" if written else f'{key}: ""')
    return "\n".join(lines) + "\n"


def write_vocabulary(path: Path, tokens: Sequence[str]) -> None:
    """As OPUS-MT's files are: quoted, and some plain."""
    lines = []
    for i, token in enumerate(tokens):
        quoted = '"' + token.replace("\\", "\\\\").replace('"', '\\"') + '"'
        lines.append(f"{token if token.isalpha() and token.isascii() else quoted}: {i}\n")
    path.write_text("".join(lines), encoding="utf-8")


def write_marian(directory: Path, *, tokens: Sequence[str] | None = None, extra: Sequence[str] = (),
                 weights: Mapping[str, Array] | None = None, **changes: Any) -> dict[str, Array]:  # fmt: skip
    """A package as OPUS-MT publishes them; returns its weights."""
    directory.mkdir(parents=True, exist_ok=True)
    options = {**MARIAN, **{key.replace("_", "-"): value for key, value in changes.items()}}
    models = train_pieces(ENGLISH), train_pieces(GERMAN)
    for name, model in zip(("source.spm", "target.spm"), models, strict=True):
        (directory / name).write_bytes(model)
    tokens = [*joint_tokens(models, extra)] if tokens is None else tokens
    write_vocabulary(directory / "opus.spm32k-spm32k.vocab.yml", tokens)
    weights = marian_weights(options, (len(tokens), len(tokens))) if weights is None else weights
    written = write_yaml({**options, "dim-vocabs": [len(tokens)] * 2}).encode() + b"\0"
    arrays: dict[str, Any] = {name: array.astype(np.float32) for name, array in weights.items()}
    arrays["special:model.yml"] = np.frombuffer(written, np.int8)
    name = "opus.spm32k-spm32k.transformer-align.model1.npz.best-perplexity.npz"
    np.savez(directory / name, **arrays)
    (directory / "decoder.yml").write_text(
        f"relative-paths: true\nmodels:\n  - {name}\nvocabs:\n"
        + "  - opus.spm32k-spm32k.vocab.yml\n" * 2
        + "beam-size: 6\nnormalize: 1\nword-penalty: 0\nmini-batch: 1\n"
    )
    (directory / "preprocess.sh").write_text("#!/bin/bash\n")
    (directory / "README.md").write_text(
        "# opus-2020-02-26.zip\n\n* dataset: opus\n* source language(s): en\n* target language(s): de\n"
    )
    (directory / "LICENSE").write_text("Attribution 4.0 International\n\nCreative Commons\n")
    return {name: array.astype(np.float32).astype(np.float64) for name, array in weights.items()}


class NaiveMarian:
    """Marian's Transformer in numpy, read off its source: one sentence at a time, no cache, no batches.

    Args:
        weights: under Marian's names.
        options: of the model.
    """

    def __init__(self, weights: Mapping[str, Array], options: Mapping[str, Any]) -> None:
        self.weights, self.options = weights, options
        self.pre = options["transformer-preprocess"] == "n"

    def log_probs(self, source: Sequence[int], target: Sequence[int]) -> Array:
        """Of every token at each position of the target, whose first is predicted from nothing.

        Args:
            source: with the end sign.
            target: without it.
        """
        table = "Wemb" if "Wemb" in self.weights else "encoder_Wemb"
        memory = self.stack("encoder", self.weights[table][list(source)])
        table = "Wemb" if "Wemb" in self.weights else "decoder_Wemb"
        embedded = self.weights[table][list(target)]
        shifted = np.concatenate([np.zeros((1, embedded.shape[1])), embedded])
        hidden = self.stack("decoder", shifted, memory)
        matrix = self.weights.get("decoder_ff_logit_out_Wt", self.weights[table])
        logits = hidden @ matrix.T + self.weights["decoder_ff_logit_out_b"]
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def greedy(self, source: Sequence[int], forbidden: Sequence[int], limit: int) -> list[int]:
        """The likeliest token each time, up to the end sign 0."""
        target: list[int] = []
        while len(target) < limit:
            scores = self.log_probs(source, target)[-1]
            scores[list(forbidden)] = -math.inf
            if (best := int(scores.argmax())) == 0:
                break
            target.append(best)
        return target

    def stack(self, name: str, x: Array, memory: Array | None = None) -> Array:
        x = self.add_positions(x)
        depth = self.options["enc-depth" if memory is None else "dec-depth"]
        layers = (memory is not None and self.options.get("transformer-tied-layers")) or range(1, depth + 1)
        for layer in layers:
            prefix = f"{name}_l{layer}"
            causal = memory is not None
            x = self.sublayer(
                f"{prefix}_self_Wo", x, lambda y, p=prefix, c=causal: self.attend(f"{p}_self", y, y, c)
            )
            if memory is not None:
                x = self.sublayer(
                    f"{prefix}_context_Wo",
                    x,
                    lambda y, p=prefix: self.attend(f"{p}_context", y, memory, False),
                )
            x = self.sublayer(f"{prefix}_ffn_ffn", x, lambda y, p=prefix: self.widen(f"{p}_ffn", y))
        return self.norm(f"{name}_top", x) if f"{name}_top_ln_scale" in self.weights else x

    def add_positions(self, x: Array) -> Array:
        length, dim = x.shape
        if "Wpos" in self.weights:
            return x + self.weights["Wpos"][np.minimum(np.arange(length), len(self.weights["Wpos"]) - 1)]
        half = dim // 2
        signal = np.zeros((length, dim))
        for position in range(length):
            for i in range(dim):
                angle = position * math.exp((i % half) * -math.log(10000) / (half - 1))
                signal[position, i] = math.sin(angle) if i < half else math.cos(angle)
        return math.sqrt(dim) * x + signal

    def sublayer(self, norm: str, x: Array, function: Any) -> Array:
        if self.pre:
            return x + function(self.norm(norm, x, "_pre"))
        return self.norm(norm, x + function(x))

    def norm(self, name: str, x: Array, suffix: str = "") -> Array:
        centred = x - x.mean(-1, keepdims=True)
        sigma = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return (
            centred / sigma * self.weights[f"{name}_ln_scale{suffix}"]
            + self.weights[f"{name}_ln_bias{suffix}"]
        )

    def dense(self, name: str, kind: str, x: Array) -> Array:
        return x @ self.weights[f"{name}_W{kind}"] + self.weights[f"{name}_b{kind}"]

    def attend(self, name: str, queries: Array, memory: Array, causal: bool = False) -> Array:
        heads = self.options["transformer-heads"]
        parts = [self.dense(name, kind, x) for kind, x in zip("qkv", (queries, memory, memory), strict=True)]
        q, k, v = (part.reshape(len(part), heads, -1).transpose(1, 0, 2) for part in parts)
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[2])
        if causal:
            scores = np.where(np.tri(len(queries), dtype=bool), scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        joined = (shares / shares.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(queries), -1)
        return joined if self.options["transformer-no-projection"] else self.dense(name, "o", joined)

    def widen(self, name: str, x: Array) -> Array:
        inner = self.dense(name, "1", x)
        activation = self.options["transformer-ffn-activation"]
        if activation == "relu":
            inner = np.maximum(inner, 0)
        elif activation == "swish":
            inner = inner / (1 + np.exp(-inner))
        else:
            inner = 0.5 * inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        return self.dense(name, "2", inner)
