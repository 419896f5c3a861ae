"""A package's content as Argos Translate runs it: by itself where it is installed, else by the same calls."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from interlingua.interchange.ctranslate2_model import CTranslate2Model

__all__ = ["ArgosModel"]

PACKAGES = ("argostranslate", "stanza", "minisbd")
BEAM, LENGTH_PENALTY, BATCH = 4, 0.2, 32
"""How Argos Translate 1.11 searches; BATCH is in tokens."""


class ArgosModel(CTranslate2Model):
    """What Argos Translate makes of single sentences; it would split longer texts first.

    Args:
        directory: of the package's content.
        usual_length: of a target, in tokens.
    """

    def __init__(self, directory: Path, usual_length: float) -> None:
        alike = {"beam": BEAM, "length_penalty": round(LENGTH_PENALTY * (5 + usual_length) / usual_length, 3)}
        super().__init__(directory / "model", BEAM, LENGTH_PENALTY, alike)
        self.processor = sentencepiece.SentencePieceProcessor(
            model_file=str(directory / "sentencepiece.model")
        )
        self._translate_one: Callable[[str], str] = self._as_argos_does
        how = "the same calls as Argos Translate 1.11"
        if all(importlib.util.find_spec(name) for name in PACKAGES):
            self._translate_one, version = _argos_itself(directory, self.translator)
            how = f"Argos Translate {version}"
        self.searches = f"{how}: beam {BEAM}, length penalty {LENGTH_PENALTY:g}, underscores become spaces"
        self.runs_with = f"{how}, {self.runs_with}"

    def count_cut_otherwise(self, texts: Sequence[str], ids: Sequence[list[int]]) -> int:
        """How many sources get other ids there than ours, which are given."""
        names = self.source.names
        cut = [self.processor.encode(text, out_type=str) for text in texts]
        return sum(found != [names[i] for i in own] for found, own in zip(cut, ids, strict=True))

    def translate(self, texts: Sequence[str], most_tokens: int, *, greedy: bool = False) -> list[str]:
        """Texts in, texts out, by the search that its users get, or by the most probable token every time."""
        if greedy:
            return super().translate(texts, most_tokens, greedy=True)
        return [self._translate_one(text) for text in texts]

    def _as_argos_does(self, text: str) -> str:
        (found,) = self.translator.translate_batch(
            [self.processor.encode(text, out_type=str)], replace_unknowns=True, max_batch_size=BATCH,
            batch_type="tokens", beam_size=BEAM, num_hypotheses=1, length_penalty=LENGTH_PENALTY,
            return_scores=True,
        )  # fmt: skip
        decoded: str = self.processor.decode_pieces(found.hypotheses[0])
        return decoded.replace("▁", " ").replace("_", " ").removeprefix(" ")


class WholeText:
    """In the place of a splitter of sentences, for which a model would be downloaded."""

    def split_sentences(self, text: str) -> list[str]:
        """The text itself."""
        return [text]


def _argos_itself(directory: Path, translator: Any) -> tuple[Callable[[str], str], str]:
    """Argos Translate's own function, and its version."""
    from importlib.metadata import version

    from argostranslate.package import Package
    from argostranslate.translate import apply_packaged_translation

    package, splitter = Package(directory), WholeText()

    def translate(text: str) -> str:
        found = apply_packaged_translation(package, text, translator, splitter, 1)
        value: str = found[0].value
        return value

    return translate, version("argostranslate")
