"""`interlingua paint`."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlingua.cli.lines import check_input, check_output, count_lines, line_chunks
from interlingua.cli.models import find_model, load_model
from interlingua.cli.options import Device, Guidance, MinP, Precision, Temperature, Threads, TopK, TopP
from interlingua.cli.texts import check_texts, name_symbols
from interlingua.errors import ConfigurationError, OutputError
from interlingua.files import write_whole
from interlingua.search.settings import SearchSettings
from interlingua.text.normalise import is_blank

if TYPE_CHECKING:
    from interlingua.inference.painter import Painter, Painting

__all__ = ["paint", "write_sheet"]

PICTURES_AT_ONCE = 64
"""That are painted before the next ones are begun; of a caption all samples."""
MAX_SHEET_PIXELS = 100_000_000
"""Of which each takes three bytes of memory."""
SHEET_PIXELS = 128
"""About so large is a picture on a sheet, unless --scale says otherwise."""
MARGIN = 0.06
"""Between the pictures of a sheet, of their edge."""
SHOWN_SYMBOLS = 5
MAX_SAMPLES, MAX_SCALE = 10_000, 64


def paint(
    model: Annotated[Path, typer.Argument(help="The directory of a model whose targets are pictures.")],
    captions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CAPTION]...", help="What to paint; without any, lines of standard input."),
    ] = None,
    input: Annotated[
        Path | None, typer.Option(help="A file of captions, a line each; may be .gz or .xz.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="A PNG file: a row for each caption, a column for each sample.")
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(help="A directory for a PNG of each caption: 000001.png, ...; of several samples "
                          "000001-1.png, ..., or 000001-01.png."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=MAX_SAMPLES, help="Pictures of each caption.")] = 1,
    rank: Annotated[
        Path | None,
        typer.Option(help="The directory of a model that describes pictures: samples of which it finds the "
                          "caption the most probable description come first."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="With --rank: only so many of the samples, the best ones.")
    ] = None,
    guidance: Guidance = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    min_p: MinP = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the first sample; the next ones have the next numbers.")
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_SCALE, help="So many times as large as it is painted; 1 in --out-dir."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    precision: Precision = None,
) -> None:  # fmt: skip
    """Paint pictures of captions.

    Example: `interlingua paint runs/emoji "a sad cat" --samples 9 --output cats.png`

    A picture of each line: `interlingua paint runs/emoji --input captions.txt --out-dir pngs`

    Best of 16: `interlingua paint runs/emoji "a cat" --samples 16 --rank runs/say --keep 1 --output a.png`
    """
    given = {"guidance": guidance, "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p,
             "seed": seed}  # fmt: skip
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    SearchSettings.parse({**options, "sample": True}, where="command line")
    input = None if input == Path("-") else input
    if (output is None) == (out_dir is None):
        raise ConfigurationError(
            "where the pictures go is not said" if output is None else "the pictures go to one place only",
            where="command line", accepted="--output FILE.png for one sheet, or --out-dir DIRECTORY.",
        )  # fmt: skip
    if captions and input is not None:
        raise ConfigurationError("there are captions and a file of captions", where="--input",
                                 found=str(input), accepted="Give one of them.")  # fmt: skip
    kept = _check_ranking(samples, rank, keep)
    find_model(model)
    check_texts(captions, "paint", "caption")
    if not captions:
        check_input(input)
    _check_places(output, out_dir, model)
    options["seed"] = options.get("seed", 0)
    SearchSettings.parse({"seed": options["seed"] + samples - 1}, where="--seed and --samples")
    painter = load_model(model, device, threads, precision, of="paint")
    describer = None if rank is None else load_model(rank, device, threads, precision, of="picture")
    size = painter.codec.size
    scale = scale or (max(1, SHEET_PIXELS // size) if output is not None else 1)
    if output is not None:
        _check_sheet(len(captions) if captions else count_lines(input) or 1, kept, size * scale)
    painted_captions: list[str] = []
    rows: list[list[Painting]] = []
    unheeded = _Unheeded(painter)
    written: set[str] = set()
    number = 0
    at_once = max(1, PICTURES_AT_ONCE // samples)
    for some in _chunks(captions, at_once) if captions else line_chunks(input, at_once):
        unheeded.add(some)
        if output is not None:
            _check_sheet(number + len(some), kept, size * scale)
        painted = painter.paint(some, samples=samples, **options)
        if describer is not None:
            painted = [
                of_caption[:kept]
                for of_caption in describer.rank(list(map(painter.caption_of, some)), painted)
            ]
        for caption, of_caption in zip(some, painted, strict=True):
            number += 1
            if out_dir is None:
                painted_captions.append(caption)
                rows.append(of_caption)
                continue
            for name, painting in _named(number, of_caption):
                notes = painter.notes([caption], [painting.seed], **options)
                _write(out_dir / name, painting.pixels, scale, notes)
                written.add(name)
    if not number:
        raise ConfigurationError("there are no captions", where=str(input or "standard input"))
    if output is not None:
        seeds = [painting.seed for row in rows for painting in row]
        write_sheet(output, rows, scale, painter.notes(painted_captions, seeds, **options))
    unheeded.report()
    if out_dir is not None:
        _report_others(out_dir, written)


def _check_ranking(samples: int, rank: Path | None, keep: int | None) -> int:
    """How many of the samples are kept.

    Raises:
        BundleError: what shall rank them is no model.
        ConfigurationError: there is nothing to choose from, or nothing to choose by.
    """
    if rank is None and keep is not None:
        raise ConfigurationError("nothing tells which samples to keep", where="--keep", found=str(keep),
                                 accepted="--rank MODEL, of one that describes pictures.")  # fmt: skip
    if rank is not None:
        if samples == 1:
            raise ConfigurationError("there is one sample, and nothing to rank", where="--rank",
                                     accepted="More of them: --samples 9")  # fmt: skip
        find_model(rank)
    if keep is not None and keep > samples:
        raise ConfigurationError("there are not so many samples", where="--keep", found=str(keep),
                                 accepted=f"1 to {samples}, or more --samples.")  # fmt: skip
    return keep or samples


def _chunks(captions: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (captions[start : start + size] for start in range(0, len(captions), size))


def _named(number: int, paintings: Sequence[Painting]) -> Iterator[tuple[str, Painting]]:
    """With names whose order is that of the samples."""
    digits = len(str(len(paintings)))
    for sample, painting in enumerate(paintings, start=1):
        of_several = "" if len(paintings) == 1 else f"-{sample:0{digits}d}"
        yield f"{number:06d}{of_several}.png", painting


def _check_sheet(captions: int, samples: int, edge: int) -> None:
    """Refuses a sheet that no memory holds, before hours of painting.

    Args:
        captions: at least so many.
        samples: of each.
        edge: of a picture on the sheet, in pixels.
    """
    square = math.ceil(math.sqrt(samples))
    width, height = (samples, captions) if captions > 1 else (square, square)
    across, down = (round(count * edge * (1 + MARGIN)) for count in (width, height))
    if across * down > MAX_SHEET_PIXELS:
        raise ConfigurationError(
            "the sheet would be too large", where="--output", found=f"{across:,} x {down:,} pixels",
            accepted=f"Up to {MAX_SHEET_PIXELS / 1e6:g} million pixels: fewer captions or --samples, a "
            "smaller --scale; or a file for each picture: --out-dir DIRECTORY",
        )  # fmt: skip


def _check_places(output: Path | None, out_dir: Path | None, model: Path) -> None:
    """Refuses places that cannot be written, before PyTorch, which takes seconds, is loaded."""
    if output is not None:
        if output == Path("-"):
            raise ConfigurationError("pictures are written to files", where="--output", found="-",
                                     accepted="For example: --output painted.png")  # fmt: skip
        check_output(output)
        if output.suffix.lower() != ".png":
            example = output.with_suffix(".png")
            raise ConfigurationError("pictures are written as PNG", where="--output", found=str(output),
                                     accepted=f"For example: --output {example}")  # fmt: skip
    if out_dir is not None:
        if out_dir.resolve() == model.resolve():
            raise OutputError(
                "this is the model's directory", where=out_dir, accepted="Choose another --out-dir."
            )
        try:
            out_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError("the directory cannot be made", where=out_dir, found=error.strerror) from error


def write_sheet(path: Path, rows: Sequence[Sequence[Painting]], scale: int, notes: Mapping[str, str]) -> None:
    """Writes a PNG file: a row for each caption, or, of one caption, all its pictures in a square."""
    import numpy as np

    first = rows[0][0].pixels
    if len(rows) == 1 and len(rows[0]) == 1:
        _write(path, first, scale, notes)
        return
    edge = len(first)
    step = edge + max(1, round(MARGIN * edge))
    margin = step - edge
    columns = _columns(rows)
    lines = [list(line) for line in columns]
    sheet = np.full((len(lines) * step + margin, len(lines[0]) * step + margin, 3), 225, np.uint8)
    for row, line in enumerate(lines):
        for column, painting in enumerate(line):
            top, left = row * step + margin, column * step + margin
            sheet[top : top + edge, left : left + edge] = painting.pixels
    _write(path, sheet, scale, notes)


def _columns(rows: Sequence[Sequence[Painting]]) -> Sequence[Sequence[Painting]]:
    """As they lie on a sheet: of one caption in a square, else a row for each caption."""
    if len(rows) > 1:
        return rows
    paintings = rows[0]
    width = next(edge for edge in range(1, len(paintings) + 1) if edge * edge >= len(paintings))
    return [paintings[start : start + width] for start in range(0, len(paintings), width)]


def _write(path: Path, pixels: Any, scale: int, notes: Mapping[str, str]) -> None:
    from interlingua.pictures.reading import encode_png

    content = encode_png(pixels.repeat(scale, axis=0).repeat(scale, axis=1), notes)

    def write(aside: Path) -> None:
        aside.write_bytes(content)

    write_whole(path, write)


class _Unheeded:
    """What of the captions the model cannot heed."""

    def __init__(self, painter: Painter) -> None:
        self.painter = painter
        self.empty = self.too_long = 0
        self.unknown: dict[str, None] = {}

    def add(self, captions: Sequence[str]) -> None:
        self.empty += sum(map(is_blank, captions))
        self.too_long += sum(map(self.painter.is_too_long, captions))
        tokenizer = self.painter.captions
        for caption in captions:
            self.unknown.update(dict.fromkeys(tokenizer.unknown(tokenizer.normalise(caption))))

    def report(self) -> None:
        """Says it on standard error."""
        if self.empty:
            captions = "1 caption is" if self.empty == 1 else f"{self.empty:,} captions are"
            print(f"interlingua: {captions} empty: painted whatever came", file=sys.stderr)
        if self.too_long:
            captions = "1 caption is" if self.too_long == 1 else f"{self.too_long:,} captions are"
            learnt = (
                f"longer than those that the model learnt from ({self.painter.max_source_length:,} tokens)"
            )
            print(f"interlingua: {captions} {learnt}: some of it may be missing", file=sys.stderr)
        if self.unknown:
            what = "words" if self.painter.captions.kind == "words" else "symbols"
            named = name_symbols([*self.unknown], SHOWN_SYMBOLS)
            print(f"interlingua: {what} that the model does not know: {named}", file=sys.stderr)


def _report_others(directory: Path, written: set[str]) -> None:
    """Says that pictures of an earlier painting lie among those of this one."""
    found = {path.name for path in directory.iterdir() if re.fullmatch(r"\d{6,}(-\d+)?\.png", path.name)}
    if others := sorted(found - written):
        lie = "1 other picture lies" if len(others) == 1 else f"{len(others):,} other pictures lie"
        print(f"interlingua: {lie} in {directory} from before, such as {others[0]}", file=sys.stderr)
