"""A directory of Hugging Face as its users run it: AutoTokenizer, AutoModelForSeq2SeqLM and `generate`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from interlingua.engine.workload import chunks
from interlingua.interchange.vocabularies import Vocabularies
from interlingua.kinds import BOS, EOS, PAD

__all__ = ["HuggingFaceModel", "quiet"]

ROWS = 16
T = TypeVar("T")


class HuggingFaceModel:
    """What transformers makes of a directory, without a look at anything else.

    Args:
        directory: of the exported model.
        vocabularies: which ids our tokens have there.
    """

    def __init__(self, directory: Path, vocabularies: Vocabularies) -> None:
        import transformers

        self.vocabularies = vocabularies
        self.runs_with = f"transformers {transformers.__version__}, torch {torch.__version__}"
        with quiet():
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
            loaded = transformers.AutoModelForSeq2SeqLM.from_pretrained(directory, local_files_only=True)
        self.model: Any = loaded.eval()
        generation = self.model.generation_config
        self.beam = int(generation.num_beams)
        self.search: Mapping[str, Any] = {"beam": self.beam}
        self.searches = (
            f"generate with beam {self.beam} and length_penalty {generation.length_penalty:g}; "
            "beams there go on when one ends, ours do not"
        )

    def count_cut_otherwise(self, texts: Sequence[str], ids: Sequence[list[int]]) -> int:
        """How many sources get other ids there than ours, which are given."""
        with quiet():
            cut = [self.tokenizer(text)["input_ids"] for text in texts]
        return sum(found != [*own, EOS] for found, own in zip(cut, ids, strict=True))

    @torch.inference_mode()
    def log_probs(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[list[float]]:
        """The natural log-probability of each id of the targets and of the end after them; ids as ours."""
        found: list[list[float]] = []
        of_target = self.vocabularies.target_id
        for pairs in chunks(zip(sources, targets, strict=True), ROWS):
            inputs = _padded([[*source, EOS] for source, _ in pairs])
            starts = _padded([[of_target(i) for i in (BOS, *target)] for _, target in pairs])
            logits = self.model(
                input_ids=inputs,
                attention_mask=(inputs != PAD).long(),
                decoder_input_ids=starts,
                use_cache=False,
            ).logits
            log_probs = torch.log_softmax(logits.float(), dim=2)
            for row, (_, target) in zip(log_probs, pairs, strict=True):
                wanted = torch.tensor([of_target(i) for i in (*target, EOS)])
                found.append(row[: len(wanted)].gather(1, wanted.unsqueeze(1)).squeeze(1).tolist())
        return found

    @torch.inference_mode()
    def translate(self, texts: Sequence[str], most_tokens: int, *, greedy: bool = False) -> list[str]:
        """Texts in, texts out, by the search that its users get, or by the most probable token every time."""
        longest = min(most_tokens + 1, self.model.generation_config.max_length)
        found: list[str] = []
        with quiet():
            for some in chunks(iter(texts), ROWS):
                inputs = self.tokenizer(some, return_tensors="pt", padding=True)
                inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
                made = self.model.generate(**inputs, num_beams=1 if greedy else self.beam, max_length=longest)
                found += self.tokenizer.batch_decode(made, skip_special_tokens=True)
        return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps what transformers says to its own users from ours."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
        if bar:
            logging.enable_progress_bar()


def _padded(rows: Sequence[list[int]]) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
