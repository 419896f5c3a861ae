"""The package's functions for Python programs: load, train, evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch

from interlingua.engine.device import choose_device, choose_dtype, set_threads
from interlingua.engine.eager import EagerEngine
from interlingua.engine.packed import Precision, pack
from interlingua.errors import ConfigurationError
from interlingua.evaluation.metrics import task_metrics
from interlingua.evaluation.scores import Score
from interlingua.evaluation.scores import evaluate as evaluate_outputs
from interlingua.inference.bundle import load_bundle
from interlingua.inference.translator import Translator
from interlingua.runs.run import start

__all__ = ["evaluate", "load", "train"]

PRECISIONS = ("auto", "fp32", "bf16", "int8")


def load(
    path: str | Path, *, device: str = "auto", threads: int | None = None, precision: str = "fp32"
) -> Translator:
    """Loads a model directory for use.

    Args:
        path: of the directory.
        device: cpu, cuda, cuda:1, mps, or auto for the best there is.
        threads: CPU threads; all cores when not given.
        precision: fp32, bf16, int8 (on CPUs), or auto for bf16 where the device gains.

    Raises:
        BundleError: it is missing, incomplete or damaged.
        ConfigurationError: there is no such device or precision.
    """
    if precision not in PRECISIONS:
        raise ConfigurationError(
            "there is no such precision", where="precision", found=precision,
            accepted=f"One of: {', '.join(PRECISIONS)}.",
        )  # fmt: skip
    set_threads(threads)
    chosen = choose_device(device)
    bundle = load_bundle(path, chosen)
    if precision == "auto":
        precision = "bf16" if choose_dtype("auto", chosen) == torch.bfloat16 else "fp32"
    model = pack(bundle.model, cast(Precision, precision))
    return Translator(
        EagerEngine(model, chosen), bundle.tokenizers, settings=bundle.search,
        max_ratio=bundle.lengths.max_ratio, max_source_length=bundle.lengths.max_source_length,
        facts=bundle.facts,
    )  # fmt: skip


def train(
    train: str | Path, out: str | Path, *, valid: str | Path | None = None, force: bool = False,
    **sections: Mapping[str, Any],
) -> Translator:  # fmt: skip
    """Trains a model and loads it.

    Args:
        train: a file of pairs.
        out: the directory to make.
        valid: a file of validation pairs; without it a share of the training pairs is held out.
        force: whether an earlier run in `out` is replaced.
        **sections: of the configuration, such as training={"minutes": 10}, model={"dim": 128}; the minutes
            count from this call.

    Raises:
        InterlinguaError: whatever the user can put right; see interlingua.errors.
    """
    data = {**sections.pop("data", {}), "train": str(train)} | ({"valid": str(valid)} if valid else {})
    for _ in start({**sections, "data": data}, Path(out), force=force):
        pass
    return load(out)


def evaluate(model: Translator, pairs: Iterable[tuple[str, str]], **options: Any) -> list[Score]:
    """Translates the sources of some pairs and scores the outputs with the metrics that fit the task.

    Args:
        model: a loaded model.
        pairs: (source, target); repeated sources are several references of one.
        **options: as `Translator.translate` takes them, such as beam=5.
    """
    known = list(pairs)
    outputs = [
        translation.text for translation in model.translate([source for source, _ in known], **options)
    ]
    return evaluate_outputs(
        outputs, known, metrics=task_metrics([t for _, t in known], model.tokenizers.target)
    )
