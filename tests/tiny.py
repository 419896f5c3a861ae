"""A task small enough to train on within a test: words, written backwards."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from interlingua.runs.events import Event
from interlingua.runs.run import resume, start
from interlingua.settings import merge


def write_reversals(
    path: Path, count: int, *, seed: int = 0, letters: str = "abcdefgh", longest: int = 8
) -> Path:
    """Writes distinct random words and their reversals, one pair a line."""
    source_of_words = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(source_of_words.choices(letters, k=source_of_words.randint(1, longest)))] = None
    path.write_text("".join(f"{word}\t{word[::-1]}\n" for word in words), encoding="utf-8")
    return path


def tiny_values(train: Path, **training: Any) -> dict[str, Any]:
    """A configuration that trains in a second."""
    return {
        "data": {"train": str(train), "valid_share": 0.05},
        "tokenizer": {"source": "characters", "target": "characters"},
        "model": {"dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 1},
        "training": {"max_tokens": 256, "validations": 2, "decode_pairs": 5, "threads": 1, **training},
    }


def train_tiny(
    out: Path, train: Path, *, more: Mapping[str, Any] | None = None, **training: Any
) -> list[Event]:
    """Carries a tiny experiment out, and returns all that it told."""
    return list(start(merge(tiny_values(train, **training), more or {}), out))


def resume_tiny(out: Path, **changes: Any) -> list[Event]:
    return list(resume(out, {"training": changes} if changes else {}))


def weights(out: Path) -> dict[str, Tensor]:
    """The saved weights of a run."""
    return load_file(out / "model.safetensors")


def last_checkpoint(out: Path) -> dict[str, Tensor]:
    """All tensors of a run's newest checkpoint."""
    return load_file(sorted((out / "training" / "checkpoints").glob("*.safetensors"))[-1])
