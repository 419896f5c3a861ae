"""A directory of CTranslate2 as its users run it: SentencePiece as it is, and CTranslate2's own search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from interlingua.data.codecs import load_tokenizers
from interlingua.engine.foreign import USE_MKL, overflows_in_int8
from interlingua.interchange.token_names import name_tokens
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, UNK
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["CTranslate2Model", "PlainTokenizer"]

ROWS = 32


class PlainTokenizer:
    """Tokens by their names: of subwords as SentencePiece itself cuts and joins them, else as ours does.

    Args:
        tokenizer: of one side.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.names = name_tokens(tokenizer)
        self.ids = {name: i for i, name in enumerate(self.names)}
        self.processor: Any = None
        if isinstance(tokenizer, SubwordTokenizer):
            self.processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)

    def encode(self, text: str) -> list[str]:
        """The tokens of a text, without its end."""
        if self.processor is None:
            return [self.names[i] for i in self.tokenizer.encode(text)]
        pieces: list[str] = self.processor.encode(text, out_type=str)
        return pieces

    def decode(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        if self.processor is None:
            return self.tokenizer.decode([self.ids.get(token, UNK) for token in tokens])
        text: str = self.processor.decode_pieces(list(tokens))
        return text


class CTranslate2Model:
    """What CTranslate2 and SentencePiece make of a directory.

    Args:
        directory: of the exported model.
        beam: hypotheses of its search.
        length_penalty: of its search: the exponent of the length.
        search: settings with which ours searches about alike.
    """

    def __init__(
        self, directory: Path, beam: int, length_penalty: float, search: Mapping[str, Any] | None = None
    ) -> None:
        import ctranslate2

        self.runs_with = f"ctranslate2 {ctranslate2.__version__}, sentencepiece {sentencepiece.__version__}"
        self.translator = ctranslate2.Translator(str(directory), device="cpu", compute_type="default")
        if self.translator.compute_type.startswith("int8") and overflows_in_int8():
            self.runs_with += f"; without {USE_MKL}=1, sums of its 8-bit products overflow on this processor"
        source, target = load_tokenizers(directory)
        self.source, self.target = PlainTokenizer(source), PlainTokenizer(target)
        self.beam, self.length_penalty = beam, length_penalty
        self.search = {"beam": beam} if search is None else search
        self.searches = f"translate_batch with beam_size {beam} and length_penalty {length_penalty:g}"

    def count_cut_otherwise(self, texts: Sequence[str], ids: Sequence[list[int]]) -> int:
        """How many sources get other ids there than ours, which are given."""
        names = self.source.names
        cut = map(self.source.encode, texts)
        return sum(found != [names[i] for i in own] for found, own in zip(cut, ids, strict=True))

    def log_probs(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[list[float]]:
        """The natural log-probability of each id of the targets and of the end after them; ids as ours."""
        names = self.source.names, self.target.names
        tokens = [
            [[of_side[i] for i in row] for row in side]
            for of_side, side in zip(names, (sources, targets), strict=True)
        ]
        scored = self.translator.score_batch(*tokens, max_batch_size=ROWS)
        return [list(found.log_probs) for found in scored]

    def translate(self, texts: Sequence[str], most_tokens: int, *, greedy: bool = False) -> list[str]:
        """Texts in, texts out, by the search that its users get, or by the most probable token every time."""
        found = self.translator.translate_batch(
            [self.source.encode(text) for text in texts],
            max_batch_size=ROWS, beam_size=1 if greedy else self.beam, length_penalty=self.length_penalty,
            min_decoding_length=0, max_decoding_length=most_tokens, disable_unk=True,
            suppress_sequences=[[SPECIALS[PAD]], [SPECIALS[BOS]]],
            end_token=SPECIALS[EOS],
        )  # fmt: skip
        return [self.target.decode(one.hypotheses[0]) for one in found]
