"""What was imported, beside what it was: the same log-probabilities of the same ids."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interlingua.data.codecs import build_model_for
from interlingua.errors import BundleError
from interlingua.interchange.hugging_face_model import quiet
from interlingua.interchange.hugging_face_tokens import start_id
from interlingua.interchange.imported import ImportedModel
from interlingua.interchange.json_files import read_json, read_optional_json
from interlingua.interchange.recognition import Kind
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, Source
from interlingua.model.architectures import parse_model_settings
from interlingua.model.protocol import Model

__all__ = ["build_imported", "prove"]

PAIRS, LENGTH = 4, 20
"""Of random ids that are compared."""
MOST_DIFFERENT = 1e-3
"""Of log-probabilities, in single precision."""


def build_imported(model: ImportedModel) -> Model:
    """The model with its weights.

    Raises:
        BundleError: weights and settings do not fit each other.
    """
    settings = parse_model_settings(model.settings, model.what)
    built = build_model_for(model.tokenizers, settings)
    for name, parameter in built.named_parameters():
        weight = model.weights.get(name)
        if weight is None or weight.shape != parameter.shape:
            raise BundleError("a weight does not fit the configuration", where=model.what, found=name)
        parameter.data = weight
    built.eval()
    return built


@torch.no_grad()
def prove(kind: Kind, directory: Path, model: ImportedModel) -> str:
    """Compares log-probabilities where the other toolkit runs; says what was found, in a line.

    Raises:
        BundleError: they differ.
    """
    ours = build_imported(model)
    if kind == "marian":
        return (f"all {len(model.weights)} weights have their shapes and are used; nothing here runs Marian "
                "itself to compare with")  # fmt: skip
    transformers = _load_transformers()
    if transformers is None:
        return "not compared with transformers, which is not installed; all weights have their shapes"
    source, target_in = _random_ids(model, _most_positions(directory))
    found = ours.project(ours.decode(ours.encode(Source(source, source != PAD)), target_in)).log_softmax(-1)
    try:
        with quiet():
            # Weights of half precision would have their positions rounded there, too.
            theirs = transformers.MarianMTModel.from_pretrained(
                str(directory), local_files_only=True, dtype=torch.float32
            )
    except Exception as error:  # whatever that library raises, in whichever version
        said = f"{type(error).__name__}: {error}".split("\n", 1)[0]
        return f"not compared with transformers {transformers.__version__}, which cannot load it ({said})"
    expected = _their_log_probs(theirs.float().eval(), directory, model, source, target_in)
    known = torch.tensor([i is not None for i in model.orders[1]])
    # Where both say that something is impossible, how impossible does not matter.
    difference = (found[..., known].clamp_min(-50) - expected.clamp_min(-50)).abs().max().item()
    if not difference <= MOST_DIFFERENT:
        raise BundleError(
            "the imported model does not compute what transformers does", where=directory,
            found=f"log-probabilities that differ by up to {difference:.2g}",
            accepted="Its options are perhaps others than MarianMT's; please report which model it is.",
        )  # fmt: skip
    return (f"compared with transformers {transformers.__version__}: log-probabilities of {PAIRS} random "
            f"pairs differ by {difference:.1g} at most")  # fmt: skip


def _load_transformers() -> Any:
    """The library, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("transformers")
    except ImportError:
        return None


def _most_positions(directory: Path) -> int:
    """Of a table that may be short."""
    return int(read_json(directory / "config.json").get("max_position_embeddings", LENGTH))


def _random_ids(model: ImportedModel, most: int) -> tuple[Tensor, Tensor]:
    """Sources that end with EOS, padded, and targets that begin with BOS; with so many positions at most."""
    length = min(LENGTH, most)
    draw = torch.Generator().manual_seed(0)
    sizes = [*map(len, model.tokenizers)]
    source, target = (
        torch.randint(min(len(SPECIALS), size - 1), size, (PAIRS, length), generator=draw) for size in sizes
    )  # fmt: skip
    for row in range(PAIRS):  # of several lengths
        end = max(0, length - 1 - 3 * row)
        source[row, end], source[row, end + 1 :] = EOS, PAD
    target[:, 0] = BOS
    return source, target


def _their_log_probs(
    theirs: Any, directory: Path, model: ImportedModel, source: Tensor, target_in: Tensor
) -> Tensor:
    """Of our ids that they have, in our order."""
    config = read_json(directory / "config.json")
    start = start_id(config, read_optional_json(directory / "generation_config.json"), directory)
    source_ids, target_ids = (
        torch.tensor([0 if i is None else i for i in order]) for order in model.orders
    )  # fmt: skip
    decoder_ids = target_ids[target_in]
    decoder_ids[:, 0] = start
    logits = theirs(
        input_ids=source_ids[source], attention_mask=(source != PAD).long(), decoder_input_ids=decoder_ids
    ).logits
    wanted = torch.tensor([i for i in model.orders[1] if i is not None])
    log_probs: Tensor = logits.log_softmax(-1)[..., wanted]
    return log_probs
