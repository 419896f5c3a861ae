"""Our tokenizers as Hugging Face's: SentencePiece's for its Marian tokenizer, others as a tokenizer.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import Bundle
from interlingua.interchange.symbol_tokenizer import build_tokenizer, name_specials
from interlingua.interchange.vocabularies import Vocabularies, sentencepiece_model
from interlingua.kinds import SPECIALS
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["save_tokenizer"]

UNDERSTOOD = "characters, words or bytes on both sides, or subwords (unigram, bpe) on both"


def save_tokenizer(bundle: Bundle, vocabularies: Vocabularies, out: Path, *, longest: int) -> None:
    """Writes the files that AutoTokenizer reads.

    Args:
        bundle: with texts on both sides.
        vocabularies: the ids of tokens there.
        out: the model's directory.
        longest: the most source tokens.

    Raises:
        ConfigurationError: one tokenizer there cannot do for both sides.
    """
    tokenizers = bundle.tokenizers
    of_subwords = [sentencepiece_model(tokenizer) is not None for tokenizer in tokenizers]
    settings: dict[str, Any] = {
        "model_max_length": longest,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,  # a text that holds "</s>" holds four characters
    }
    if all(of_subwords):
        _save_marian(bundle, vocabularies, out, settings)
    elif any(of_subwords):
        kinds = [tokenizer.kind for tokenizer in tokenizers]
        raise ConfigurationError(
            "no tokenizer of Hugging Face cuts one side into subwords and the other into something else",
            where="--to huggingface", found=f"source {kinds[0]}, target {kinds[1]}",
            accepted=f"It takes {UNDERSTOOD}. For example: interlingua train … "
            "--set tokenizer.source=unigram --set tokenizer.target=unigram",
        )  # fmt: skip
    else:
        _save_fast(tokenizers, vocabularies, out, settings)


def _save_marian(bundle: Bundle, vocabularies: Vocabularies, out: Path, settings: dict[str, Any]) -> None:
    """SentencePiece's models and their vocabularies, which the Marian tokenizer looks pieces up in."""
    source, target = bundle.tokenizers
    for side, tokenizer in (("source", source), ("target", target)):
        (out / f"{side}.spm").write_bytes(sentencepiece_model(tokenizer) or b"")
    _write_json(out / "vocab.json", {piece: i for i, piece in enumerate(source.pieces(range(len(source))))})
    apart = vocabularies.layout != "shared"
    if apart:
        pieces = target.pieces(range(len(target)))
        ids = {piece: vocabularies.target_id(i) for i, piece in enumerate(pieces)}
        _write_json(out / "target_vocab.json", ids)
    languages = bundle.config.get("languages") or (None, None)
    pad, unknown, _, end = SPECIALS
    settings |= {
        "tokenizer_class": "MarianTokenizer", "separate_vocabs": apart, "sp_model_kwargs": {},
        "source_lang": languages[0], "target_lang": languages[1],
        "pad_token": pad, "unk_token": unknown, "eos_token": end,
    }  # fmt: skip
    if vocabularies.layout == "stacked":
        # What a target begins and ends with are tokens of their own, which decoding must leave out.
        names = {f"{name}target": vocabularies.target_id(i) for i, name in enumerate(SPECIALS)}
        settings["additional_special_tokens"] = list(names)
        settings["added_tokens_decoder"] = {str(i): _special(name) for name, i in names.items()}
    _write_json(out / "tokenizer_config.json", settings)


def _save_fast(
    tokenizers: TokenizerPair, vocabularies: Vocabularies, out: Path, settings: dict[str, Any]
) -> None:
    from transformers import PreTrainedTokenizerFast

    source, target = tokenizers
    apart = vocabularies.layout != "shared"
    built = build_tokenizer(source, target if apart else None)
    others = [built.id_to_token(vocabularies.target_id(i)) for i in range(len(SPECIALS))] if apart else []
    pad, unknown, begin, end = name_specials(source)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=built, pad_token=pad, unk_token=unknown, bos_token=begin, eos_token=end,
        additional_special_tokens=others, padding_side="right", **settings,
    )  # fmt: skip
    tokenizer.save_pretrained(out)


def _special(name: str) -> dict[str, Any]:
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    return {"content": name, **flags}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
