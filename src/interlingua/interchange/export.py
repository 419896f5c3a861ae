"""A model in another program's form, which is kept only if it gives the same answers."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlingua.errors import ConfigurationError, OutputError
from interlingua.files import write_directory, write_error, write_text
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.interchange.comparison import Comparison, Sample, compare_with_ours, refuse_difference
from interlingua.interchange.formats import FORMATS, Format, find_format
from interlingua.interchange.options import ExportOptions
from interlingua.interchange.pairs import choose_sample
from interlingua.interchange.requirements import refuse_other_kinds, require_packages

__all__ = ["FIGURES", "check_options", "export_model"]

FIGURES = "comparison.json"
"""What the comparison found: in the exported directory; after its name and a dot where that is a file."""


def check_options(options: ExportOptions) -> Format:
    """The format that is asked for, if it can be made here.

    Raises:
        ConfigurationError: there is no such format or quantization, the format has nothing that tells of
            languages and licence, or a package is missing.
    """
    format = find_format(options.to)
    known = format.quantizations
    if options.quantization is not None and options.quantization not in known:
        others = [name for name, each in FORMATS.items() if each.quantizations]
        accepted = f"One of: {', '.join(known)}." if known else f"It is for: {' and '.join(others)}."
        raise ConfigurationError(f"{options.to} has no such quantization", where="--quantization",
                                 found=options.quantization, accepted=accepted)  # fmt: skip
    for name, value in (("languages", options.languages), ("license", options.license)):
        if value is not None and format.finish is None:
            with_cards = [name for name, each in FORMATS.items() if each.finish is not None]
            raise ConfigurationError(
                f"{options.to} has nowhere to write this", where=f"--{name}", found=value,
                accepted=f"Leave it out; it is for: {' and '.join(with_cards)}.",
            )  # fmt: skip
    require_packages(format.packages, format.extra, f"--to {options.to}")
    return format


def export_model(
    directory: Path, out: Path, options: ExportOptions, *, valid: Path | None = None,
    reading: Mapping[str, Any] | None = None, tag: str | None = None, force: bool = False,
) -> Comparison:  # fmt: skip
    """Writes a model in another program's form, and keeps it if it gives the same answers there as here.

    Args:
        directory: of the model.
        out: the directory or the file to make.
        options: the format, and so on.
        valid: a file of pairs to compare on; None: the run's validation pairs, or else random tokens.
        reading: how that file is written, as keys of the [data] section, where that is not as in training.
        tag: of all its sources, where the model has tags.
        force: whether an earlier export is replaced.

    Raises:
        ConfigurationError: there is no such format, it does not take this model, or a package is missing.
        BundleError: the model is missing, incomplete or damaged.
        DataError: the pairs cannot be read.
        OutputError: `out` is something else, or cannot be written.
        ExportError: the answers are not the same.
    """
    format = check_options(options)
    if format.suffix is not None:
        check_file(out, format.suffix, force)
    bundle = load_bundle(directory)
    refuse_other_kinds(bundle, options.to)
    sample = choose_sample(bundle, directory, valid, reading, tag)
    made: list[Comparison] = []

    def write(aside: Path) -> None:
        made.append(_write(bundle, aside, format, options, sample))

    if format.pack is None:
        write_directory(out, write, mark=FIGURES, force=force)
        return made[0]
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.part-", dir=out.parent) as aside:
            content, packed = Path(aside, "content"), Path(aside, "packed")
            content.mkdir()
            write(content)
            format.pack(content, packed, options)
            packed.replace(out)
    except OSError as error:
        raise write_error(error, out) from error
    write_text(out.with_name(f"{out.name}.{FIGURES}"), made[0].as_json())
    return made[0]


def _write(bundle: Bundle, aside: Path, format: Format, options: ExportOptions, sample: Sample) -> Comparison:
    exported = format.write(bundle, aside, options)
    comparison = compare_with_ours(bundle, exported, sample, to=options.to, quantization=options.quantization)
    refuse_difference(comparison)
    if format.finish is not None:
        format.finish(bundle, aside, options, comparison)
    (aside / FIGURES).write_text(comparison.as_json(), encoding="utf-8")
    return comparison


def check_file(out: Path, suffix: str, force: bool) -> None:
    """Refuses a file that cannot be made, or that may not be replaced.

    Raises:
        OutputError: it is something else, is there already, or cannot be written.
    """
    if out.suffix != suffix:
        raise OutputError(f"the name of such a file ends with {suffix}", where=out,
                          accepted=f"For example: {out.name or 'model'}{suffix}")  # fmt: skip
    try:
        if out.is_dir():
            raise OutputError("this is a directory", where=out, accepted="Choose another file.")
        if os.path.lexists(out) and not zipfile.is_zipfile(out):
            raise OutputError("there is something else already", where=out, accepted="Choose another file.")
        if os.path.lexists(out) and not force:
            raise OutputError("the file exists", where=out, accepted="To replace it: --force.")
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise write_error(error, out) from error
