"""A directory of ONNX graphs as a program runs it: onnxruntime, greedy search, the tokenizers beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interlingua.engine.workload import chunks
from interlingua.interchange.onnx import ABOUT
from interlingua.kinds import SPECIALS

__all__ = ["OnnxModel"]

ROWS = 16
_CODE = re.compile(r">>.+?<<")
"""Of a target language, before the text."""
Ids = npt.NDArray[np.int64]


class TokenizerFile:
    """A tokenizer from what lies in the directory.

    Args:
        directory: of the exported model.
        side: source or target.
        about: what the model says of itself.
    """

    def __init__(self, directory: Path, side: str, about: Mapping[str, Any]) -> None:
        self.names: list[str] = about[f"{side}_tokens"] if side in about["by_name"] else []
        self.ids = {name: i for i, name in enumerate(self.names)}
        self.has_codes = any(map(_CODE.fullmatch, self.names))
        self.unknown: int = about["unk_token_id"]
        self.of_subwords = (directory / f"{side}.spm").exists()
        self.processor: Any
        if self.of_subwords:
            import sentencepiece

            self.processor = sentencepiece.SentencePieceProcessor(model_file=str(directory / f"{side}.spm"))
        else:
            import tokenizers

            self.processor = tokenizers.Tokenizer.from_file(str(directory / f"{side}_tokenizer.json"))

    def encode(self, text: str) -> list[int]:
        """Ids without the end."""
        if self.names:
            code = _CODE.match(text.lstrip()) if self.has_codes else None
            rest = text.lstrip()[code.end() :].lstrip() if code else text
            pieces = [*([code[0]] if code else []), *self.processor.encode(rest, out_type=str)]
            return [self.ids.get(piece, self.unknown) for piece in pieces]
        ids: list[int]
        ids = self.processor.encode(text) if self.of_subwords else self.processor.encode(text).ids[:-1]
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of ids without the end."""
        if self.names:
            pieces = [self.names[i] for i in ids if i >= len(SPECIALS)]
            whole: str = self.processor.decode(pieces)
            return whole.replace("\u2581", " ").strip(" ")
        text: str = self.processor.decode(ids)
        return text


class OnnxModel:
    """What onnxruntime makes of a directory.

    Args:
        directory: of the exported model.
    """

    search: Mapping[str, Any] = {"beam": 1}
    searches = "a greedy loop over decoder_with_past_model.onnx"

    def __init__(self, directory: Path) -> None:
        import onnxruntime

        self.runs_with = f"onnxruntime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.encoder, self.decoder, self.decoder_with_past = (
            onnxruntime.InferenceSession(
                directory / f"{name}_model.onnx", options, providers=["CPUExecutionProvider"]
            )
            for name in ("encoder", "decoder", "decoder_with_past")
        )
        self.about: dict[str, Any] = json.loads((directory / ABOUT).read_text(encoding="utf-8"))
        self.source, self.target = (
            TokenizerFile(directory, side, self.about) for side in ("source", "target")
        )

    def count_cut_otherwise(self, texts: Sequence[str], ids: Sequence[list[int]]) -> int:
        """How many sources get other ids there than ours, which are given."""
        return sum(self.source.encode(text) != own for text, own in zip(texts, ids, strict=True))

    def log_probs(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[list[float]]:
        """The natural log-probability of each id of the targets and of the end after them; ids as ours."""
        start, end = self.about["decoder_start_token_id"], self.about["eos_token_id"]
        found: list[list[float]] = []
        for pairs in chunks(zip(sources, targets, strict=True), ROWS):
            mask, states = self._encode([source for source, _ in pairs])
            ids = self._padded([[start, *target] for _, target in pairs])
            logits = self.decoder.run(["logits"], {
                "input_ids": ids, "encoder_hidden_states": states, "encoder_attention_mask": mask,
            })[0].astype(np.float64)  # fmt: skip
            logits -= logits.max(axis=2, keepdims=True)
            log_probs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
            for row, (_, target) in zip(log_probs, pairs, strict=True):
                found.append([float(row[place, i]) for place, i in enumerate([*target, end])])
        return found

    def translate(self, texts: Sequence[str], most_tokens: int, *, greedy: bool = False) -> list[str]:
        """Texts in, texts out, by the most probable token every time."""
        ids = [self.source.encode(text) for text in texts]
        longest = min(most_tokens, self.about["max_length"])
        written = [row for some in chunks(iter(ids), ROWS) for row in self._search(some, longest)]
        return [self.target.decode(row) for row in written]

    def _search(self, sources: list[list[int]], longest: int) -> list[list[int]]:
        mask, states = self._encode(sources)
        end, names = self.about["eos_token_id"], self.about["past"]
        tokens = np.full((len(sources), 1), self.about["decoder_start_token_id"], dtype=np.int64)
        logits, *present = self.decoder.run(None, {
            "input_ids": tokens, "encoder_hidden_states": states, "encoder_attention_mask": mask,
        })  # fmt: skip
        past = {f"past_key_values.{name}": value for name, value in zip(names, present, strict=True)}
        written: list[Ids] = []
        ended = np.zeros(len(sources), dtype=bool)
        while True:
            logits[:, :, self.about["forbidden_token_ids"]] = -np.inf
            tokens = logits[:, -1:].argmax(axis=2)
            ended |= tokens[:, 0] == end
            written.append(np.where(ended, end, tokens[:, 0]))
            if ended.all() or len(written) == longest:
                break
            logits, *present = self.decoder_with_past.run(
                None, {"input_ids": tokens, "encoder_attention_mask": mask, **past}
            )
            grown = (name for name in names if "decoder" in name)
            past |= {f"past_key_values.{name}": value for name, value in zip(grown, present, strict=True)}
        rows = np.stack(written, axis=1).tolist()
        return [row[: row.index(end)] if end in row else row for row in rows]

    def _encode(self, sources: Sequence[list[int]]) -> tuple[Ids, Any]:
        """The mask of the sources, and what the encoder makes of them."""
        ids = self._padded([[*source, self.about["source_ends_with"]] for source in sources])
        mask = (ids != self.about["pad_token_id"]).astype(np.int64)
        return mask, self.encoder.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    def _padded(self, rows: Sequence[list[int]]) -> Ids:
        longest = max(map(len, rows))
        pad = self.about["pad_token_id"]
        return np.array([row + [pad] * (longest - len(row)) for row in rows], dtype=np.int64)
