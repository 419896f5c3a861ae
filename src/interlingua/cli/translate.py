"""`interlingua translate`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from interlingua.cli.lines import count_lines, input_lines, open_output
from interlingua.cli.options import Beam, Device, Json, Precision, Seed, Threads
from interlingua.errors import ConfigurationError
from interlingua.flags import FLAGS

if TYPE_CHECKING:
    from interlingua.inference.translation import Translation

__all__ = ["translate"]

SHOWN_SYMBOLS = 20
"""At most so many of what the vocabulary lacks are named at the end."""


def translate(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    input: Annotated[Path | None, typer.Option(help="Instead of standard input; may be .gz or .xz.")] = None,
    output: Annotated[Path | None, typer.Option(help="Instead of standard output.")] = None,
    beam: Beam = None,
    n_best: Annotated[
        int | None, typer.Option(help="The n best translations, as one line of JSON a source.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw at random instead of searching.")] = False,
    temperature: Annotated[
        float | None, typer.Option(help="Of --sample: below 1 safer, above 1 wilder.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Of --sample: only from the k most probable tokens.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Of --sample: only from the most probable that sum up to p.")
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="The score and a tab before each line.")] = False,
    json_lines: Json = False,
    alignment: Annotated[
        bool,
        typer.Option("--alignment", help="A tab and source-target token numbers (0-0 2-1) after each line."),
    ] = False,
    glossary: Annotated[
        Path | None,
        typer.Option(help="Terms to be translated in a given way: source term, tab, target term a line."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    precision: Precision = None,
    seed: Seed = None,
) -> None:
    """Translate lines: one out for each line in.

    Example: `interlingua translate runs/en-de < in.txt > out.txt`

    As JSON, with alternatives: `echo "A dog runs." | interlingua translate runs/en-de --n-best 3`
    """
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    if sample and glossary is not None:
        raise ConfigurationError("a glossary does not go with sampling", where="--glossary, --sample")
    if not sample and any(value is not None for value in sampling.values()):
        raise ConfigurationError("this only goes with --sample", where="--temperature, --top-k, --top-p")
    given = {"beam": beam, "n_best": n_best, "sample": sample or None, "seed": seed, **sampling}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if n_best is not None and beam is None and not sample:
        options["beam"] = max(5, n_best)
    if output is not None and input is not None and output.absolute() == input.absolute():
        raise ConfigurationError("input and output are the same file", where="--output", found=str(output))

    from interlingua.api import load
    from interlingua.inference.translator import CHUNK
    from interlingua.terms.reading import read_glossary

    if glossary is not None:
        options["glossary"] = read_glossary(glossary)

    translator = load(model, device=device, threads=threads, precision=precision or "fp32")
    interactive = input is None and sys.stdin.isatty()
    # The second iterator holds only the lines whose translations are being computed.
    lines, sources = tee(_with_progress_bar(input_lines(input), input, output))
    translations = translator.translate_lines(
        lines, chunk=1 if interactive else CHUNK, alignment=alignment, **options
    )
    as_json = json_lines or n_best is not None
    flags: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    with open_output(output) as out:
        for translation, source in zip(translations, sources, strict=True):
            flags.update(translation.flags)
            unknown.update(translation.unknown)
            line = _as_json(source, translation) if as_json else _as_text(translation, scores, alignment)
            out.write(line + "\n")
            if interactive:
                out.flush()
    _report(flags, unknown)


def _report(flags: Counter[str], unknown: Counter[str]) -> None:
    """Says on standard error how many lines were flagged with what."""
    for flag, what in FLAGS.items():
        if flags[flag] and flag != "empty":
            lines = "1 line" if flags[flag] == 1 else f"{flags[flag]:,} lines"
            named = [symbol for symbol, _ in unknown.most_common(SHOWN_SYMBOLS)] if flag == "unknown" else []
            more = " \u2026" if len(unknown) > len(named) > 0 else ""
            listed = f": {' '.join(named)}{more}" if named else ""
            print(f"interlingua: {lines}: {what}{listed}", file=sys.stderr)


def _with_progress_bar(lines: Iterator[str], input: Path | None, output: Path | None) -> Iterator[str]:
    """The lines, with a bar on standard error when that is a terminal and the output goes elsewhere."""
    if not sys.stderr.isatty() or (output is None and sys.stdout.isatty()):
        yield from lines
        return
    columns = (BarColumn(), MofNCompleteColumn(), "lines", TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count_lines(input))
        for line in lines:
            yield line
            bar.advance(task)


def _as_text(translation: Translation, scores: bool, alignment: bool) -> str:
    text = f"{translation.score:.4f}\t{translation.text}" if scores else translation.text
    if alignment:
        text += "\t" + " ".join(f"{source}-{target}" for source, target in translation.alignment or ())
    return text


def _as_json(source: str, translation: Translation) -> str:
    record = {"source": source, **_record(translation)}
    record["alternatives"] = [_record(other) for other in translation.alternatives]
    return json.dumps(record, ensure_ascii=False)


def _record(translation: Translation) -> dict[str, Any]:
    record: dict[str, Any] = {
        "text": translation.text,
        "score": round(translation.score, 4),
        "tokens": translation.tokens,
        "log_probs": [round(value, 4) for value in translation.log_probs],
    }
    if translation.flags:
        record["flags"] = translation.flags
    if translation.unknown:
        record["unknown"] = translation.unknown
    if translation.terms:
        record["terms"] = [term._asdict() for term in translation.terms]
    if translation.alignment is not None:
        record |= {"source_tokens": translation.source_tokens, "alignment": translation.alignment}
    return record
