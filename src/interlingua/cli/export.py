"""`interlingua export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlingua.cli.lines import check_input
from interlingua.cli.models import find_model, paints, source_kind
from interlingua.cli.options import Columns, Keys, Tag, refuse_unread
from interlingua.errors import ConfigurationError

__all__ = ["export"]

NEXT = {
    "ctranslate2": 'in Python: ctranslate2.Translator("{out}")',
    "argos": 'in Python: argostranslate.package.install_from_path("{out}")',
    "huggingface": 'in Python: transformers.AutoModelForSeq2SeqLM.from_pretrained("{out}")',
    "onnx": 'in Python: onnxruntime.InferenceSession("{out}/encoder_model.onnx")',
}
"""How to use what was made, there."""


def export(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    out: Annotated[Path, typer.Argument(help="The directory to make; for argos a file, .argosmodel.")],
    to: Annotated[str, typer.Option("--to", help="ctranslate2, argos, huggingface or onnx.")],
    quantization: Annotated[
        str | None,
        typer.Option(help="What ctranslate2's and argos' weights are rounded to, such as int8 or float16."),
    ] = None,
    valid: Annotated[
        Path | None,
        typer.Option(help="Pairs to compare both models on; by default the run's validation pairs."),
    ] = None,
    columns: Columns = None,
    keys: Keys = None,
    tag: Tag = None,
    languages: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Codes of source and target, such as: en de; by default the model's."),
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="Of the model, for its card, such as cc-by-4.0.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
) -> None:
    """Take a model to another program, and show that it gives the same answers there.

    Example: `interlingua export runs/en-de --to ctranslate2 en-de-ct2 --quantization int8`

    The exported model translates some validation pairs beside this one: log-probabilities, outputs and scores
    are printed, and written beside it as JSON. Where they are not the same nothing is kept.
    """
    find_model(model)
    refuse_files(model)
    if valid is not None:
        check_input(valid)
        refuse_unread([str(valid)], columns, keys)
    elif columns or keys or tag:
        raise ConfigurationError("these are of the file that --valid names", where="command line",
                                 accepted="Name that file: --valid FILE")  # fmt: skip
    from interlingua.api import export as export_model

    comparison = export_model(
        model, out=out, to=to, valid=valid, columns=columns, keys=keys, tag=tag, quantization=quantization,
        languages=languages, license=license, force=force,
    )  # fmt: skip
    print(comparison.describe())
    print(f"\n{out}: {_size(out)}\n  {NEXT[to].format(out=out)}")


def refuse_files(model: Path) -> None:
    """Refuses models of sounds and pictures, before PyTorch is loaded."""
    kind = "picture" if paints(model) else source_kind(model)
    if kind != "text":
        raise ConfigurationError(
            "only models from text to text can be exported", where=model, found=f"one of {kind}s"
        )


def _size(out: Path) -> str:
    files = [out] if out.is_file() else [path for path in out.rglob("*") if path.is_file()]
    return f"{sum(path.stat().st_size for path in files) / 1e6:,.1f} MB"
