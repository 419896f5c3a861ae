"""The package's functions for Python programs: load, train, evaluate."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch

from interlingua.engine.ctranslate2 import CTRANSLATE2, CTranslate2Engine
from interlingua.engine.device import choose_device, choose_dtype, compute
from interlingua.engine.eager import EagerEngine
from interlingua.engine.foreign import choose_compute_type, import_ctranslate2
from interlingua.engine.packed import Precision, pack
from interlingua.engine.protocol import Engine
from interlingua.errors import ConfigurationError, DataError
from interlingua.evaluation.metrics import task_metrics
from interlingua.evaluation.scores import Score
from interlingua.evaluation.scores import evaluate as evaluate_outputs
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.inference.inputs import read_pairs
from interlingua.inference.painter import Painter
from interlingua.inference.translator import Translator
from interlingua.inference.using import AnyUse, build_user
from interlingua.interchange.comparison import Comparison
from interlingua.interchange.conversions import find_or_convert
from interlingua.interchange.export import export_model
from interlingua.interchange.options import ExportOptions
from interlingua.runs.events import Ended
from interlingua.runs.experiment import cache_directory
from interlingua.runs.run import start

__all__ = ["evaluate", "export", "load", "train"]

PRECISIONS = ("auto", "fp32", "bf16", "int8")
ENGINES = ("interlingua", CTRANSLATE2)


def load(
    path: str | Path, *, device: str = "auto", threads: int | None = None, precision: str = "fp32",
    engine: str = "interlingua",
) -> AnyUse:  # fmt: skip
    """Loads a model directory for use.

    Args:
        path: of the directory.
        device: cpu, cuda, cuda:1, mps, or auto for the best there is.
        threads: CPU threads of its calls; when not given, as many as torch.set_num_threads says, but no more
            than there are CPUs for this process.
        precision: fp32, bf16, int8 (on CPUs), or auto for bf16 where the device gains.
        engine: what computes: interlingua itself, or ctranslate2, which a Transformer from text to text is
            converted for once.

    Raises:
        BundleError: it is missing, incomplete or damaged.
        ConfigurationError: there is no such device, precision or engine, or the engine cannot run the model.
    """
    if precision not in PRECISIONS:
        raise ConfigurationError(
            "there is no such precision", where="precision", found=precision,
            accepted=f"One of: {', '.join(PRECISIONS)}.",
        )  # fmt: skip
    if engine not in ENGINES:
        raise ConfigurationError(
            "there is no such engine", where="engine", found=engine,
            accepted=f"One of: {', '.join(ENGINES)}.",
        )  # fmt: skip
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ConfigurationError(
            "that many threads cannot compute", where="threads", found=threads, accepted="1 or more, or None."
        )
    directory = _path(path, "path", "The name of a model directory.")
    return compute(lambda: _load(directory, str(device), threads, precision, engine), threads)


def _load(path: Path, device: str, threads: int | None, precision: str, engine: str) -> AnyUse:
    if engine == CTRANSLATE2:
        bundle, chosen = _load_for_ctranslate2(path, device, threads, precision)
    else:
        bundle, chosen = _load_for_own_engine(path, device, threads, precision)
    return build_user(
        chosen, bundle.tokenizers, settings=bundle.search, **bundle.lengths._asdict(), facts=bundle.facts
    )


def _load_for_own_engine(
    path: Path, device: str, threads: int | None, precision: str
) -> tuple[Bundle, Engine]:
    chosen = choose_device(device)
    bundle = load_bundle(path, chosen)
    if precision == "auto":
        precision = "bf16" if choose_dtype("auto", chosen) == torch.bfloat16 else "fp32"
    model = pack(bundle.model, cast(Precision, precision))
    return bundle, EagerEngine(model, chosen, threads)


def _load_for_ctranslate2(
    path: Path, device: str, threads: int | None, precision: str
) -> tuple[Bundle, Engine]:
    """The model twice: converted, and ours, in single precision, for what CTranslate2 cannot do."""
    ctranslate2 = import_ctranslate2(precision)
    if device == "auto" and not ctranslate2.get_cuda_device_count():
        device = "cpu"
    chosen = choose_device(device)
    compute_type = choose_compute_type(precision, chosen)
    bundle = load_bundle(path)
    converted = find_or_convert(bundle, path, cache_directory())
    own = EagerEngine(pack(bundle.model.to(chosen), "fp32"), chosen, threads)
    try:
        return bundle, CTranslate2Engine(converted, own, compute_type)
    except ConfigurationError:  # it is damaged, or was made by another version
        converted = find_or_convert(bundle, path, cache_directory(), anew=True)
        return bundle, CTranslate2Engine(converted, own, compute_type)


def train(
    train: str | Path | None, out: str | Path, *, valid: str | Path | None = None, force: bool = False,
    **sections: Mapping[str, Any],
) -> AnyUse:  # fmt: skip
    """Trains a model and loads it.

    Args:
        train: a file of pairs; None when `data` says what to train on.
        out: the directory to make.
        valid: a file of validation pairs; without it a share of the training pairs is held out.
        force: whether an earlier run in `out` is replaced.
        **sections: of the configuration, such as training={"minutes": 10}, model={"dim": 128}; the minutes
            count from this call.

    Raises:
        InterlinguaError: whatever the user can put right; see interlingua.errors.
        KeyboardInterrupt: Ctrl-C stopped it; `interlingua train --resume` goes on.
    """
    if not isinstance(sections.get("data", {}), Mapping):
        raise ConfigurationError("this is not a section", where="data", found=sections["data"])
    accepted = (
        "The name of a file of pairs; pairs in memory are written to one, a tab between source and target."
    )
    section = sections.pop("data", {})
    data = {}
    if train is not None or not (section.get("train") or section.get("corpora")):
        data["train"] = str(_path(train, "train", accepted))
    if valid is not None:
        data["valid"] = str(_path(valid, "valid", accepted))
    if twice := data.keys() & section.keys():
        raise ConfigurationError(
            f"data.{min(twice)} is given twice", where="train", found=section[min(twice)],
            accepted="Give it as an argument, not in data={...}.",
        )  # fmt: skip
    data = {**section, **data}
    directory = _path(out, "out", "The name of the directory to make.")

    def carry_out() -> None:
        for event in start({**sections, "data": data}, directory, force=force):
            if isinstance(event, Ended) and not event.finished:
                raise KeyboardInterrupt

    compute(carry_out, None)
    return load(directory)


def evaluate(
    model: AnyUse,
    pairs: Iterable[tuple[str, str]],
    *,
    repeated: str = "auto",
    **options: Any,
) -> list[Score]:
    """Translates the sources of some pairs and scores the outputs with the metrics that fit the task.

    Args:
        model: a loaded model.
        pairs: (source, target).
        repeated: what pairs with the same source are to every metric: "references" of one line, or "cases"
            of their own; auto: references where their targets differ, cases where they are mostly equal.
        **options: as `Translator.translate` takes them, such as beam=5.
    """
    if not isinstance(model, AnyUse):
        raise ConfigurationError(
            "this is not a loaded model", where="model", found=model,
            accepted='interlingua.load("runs/en-de") gives one.',
        )  # fmt: skip
    if isinstance(model, Painter):
        raise ConfigurationError("pictures are not scored by this", where="model",
                                 accepted="interlingua evaluate, or Painter.score_pairs.")  # fmt: skip
    known = list(read_pairs(pairs, "pairs"))
    if not known:
        raise DataError("there are no pairs", where="pairs")
    if isinstance(model, Translator):
        options = {"log_probs": False, **options}  # which are not looked at
    outputs = [
        translation.text for translation in model.translate([source for source, _ in known], **options)
    ]
    metrics = task_metrics([target for _, target in known], model.tokenizers, model.facts)
    return evaluate_outputs(outputs, known, metrics=metrics, repeated=repeated)


def export(
    path: str | Path, *, to: str, out: str | Path, valid: str | Path | None = None,
    columns: str | None = None, keys: str | None = None, tag: str | None = None,
    quantization: str | None = None, languages: tuple[str, str] | None = None, license: str | None = None,
    force: bool = False,
) -> Comparison:  # fmt: skip
    """Writes a model in another program's form, and keeps it only if it gives the same answers there.

    Args:
        path: of the model's directory.
        to: ctranslate2, argos, huggingface or onnx.
        out: the directory to make; for argos a file, .argosmodel.
        valid: a file of pairs to compare both models on; by default the run's validation pairs, if they are
            still there, else random tokens.
        columns: of that file, such as "1+2,3", where they are not as in training.
        keys: of that file, if it is JSON lines, such as "src,tgt".
        tag: of all its sources, where the model has tags; else the first column is the tag.
        quantization: what weights are rounded to, where the format does that, such as int8.
        languages: codes of source and target; by default the model's.
        license: of the model, for its card.
        force: whether an earlier export in `out` is replaced.

    Returns:
        The figures of the comparison, which are also written: comparison.json.

    Raises:
        InterlinguaError: whatever the user can put right; see interlingua.errors.
    """
    directory = _path(path, "path", "The name of a model directory.")
    place = _path(out, "out", "The name of what to make.")
    pairs = None if valid is None else _path(valid, "valid", "The name of a file of pairs.")
    options = ExportOptions(to, quantization, languages, license, name=place.resolve().stem)
    given = {"columns": columns, "keys": keys}
    reading = {key: value for key, value in given.items() if value is not None}
    return compute(
        lambda: export_model(directory, place, options, valid=pairs, reading=reading, tag=tag, force=force),
        None,
    )


def _path(value: object, name: str, accepted: str) -> Path:
    if isinstance(value, str | os.PathLike) and str(value):
        return Path(value)
    raise ConfigurationError("this is not a file name", where=name, found=value, accepted=accepted)
