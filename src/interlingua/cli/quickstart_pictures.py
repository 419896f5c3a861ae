"""What `quickstart pictures` makes, and shows of the model that paints it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from interlingua.cli.models import load_model
from interlingua.cli.paint import SHEET_PIXELS, write_sheet

if TYPE_CHECKING:
    from interlingua.cli.scenes import Scene
    from interlingua.inference.painter import Painter

__all__ = ["make_pictures", "show_pictures"]

SHOWN = 9
"""Captions in the table, and pictures on the sheet."""
TOLERANCE = 1 / 16
"""The share of a cell's pixels that may be of a wrong colour: four."""
RESAMPLES, RESAMPLING_SEED = 1000, 12345


def make_pictures(data: Path, console: Console) -> None:
    """Makes the pictures and the files that name them; those that are there stay."""
    from interlingua.cli.scene_files import PARTS, make_scenes
    from interlingua.pictures.reading import require_pictures

    if not data.exists():
        require_pictures()
        count = sum(PARTS.values())
        console.print(f"Drawing {count:,} scenes of coloured shapes, which takes some seconds.")
    make_scenes(data)


def show_pictures(
    model_directory: Path, data: Path, device: str, threads: int | None, console: Console
) -> None:
    """Shows what a model paints of captions that it has never seen, and how often they come true.

    Args:
        model_directory: of the model; a sheet of pictures is written beside it.
        data: the directory of the pictures and the files of pairs.
        device: where it computes.
        threads: CPU threads.
        console: where it is shown.
    """
    from interlingua.cli.scenes import is_true, read_scene
    from interlingua.data.corpus import Corpus, CorpusSettings

    model = load_model(model_directory, device, threads, of="paint")
    settings = CorpusSettings(columns=((2,), 1), target_kind="picture")
    captions, names = zip(*Corpus([str(data / "test.tsv")], settings), strict=True)
    paintings = [samples[0] for samples in model.paint(captions)]
    scenes = [read_scene(painting.pixels, TOLERANCE) for painting in paintings]
    true = [is_true(caption, scene) for caption, scene in zip(captions, scenes, strict=True)]
    shown = range(0, len(captions), max(1, len(captions) // SHOWN))[:SHOWN]
    console.print(_examples([(captions[i], scenes[i]) for i in shown]))
    sheet = model_directory.with_name(f"{model_directory.name}-painted.png")
    notes = model.notes([captions[i] for i in shown], [paintings[i].seed for i in shown])
    write_sheet(sheet, [[paintings[i] for i in shown]], SHEET_PIXELS // model.codec.size, notes)
    console.print(f"These pictures are in {sheet}, row by row.\n", soft_wrap=True, markup=False)
    console.print(f"{len(captions):,} captions of combinations that no training picture shows")
    kept = list(map(is_true, captions, _through_codec(model, names)))
    by_chance = list(map(is_true, captions, [*scenes[1:], scenes[0]]))
    console.print(f"  {_share(true)} of them made true")
    console.print(f"  {_share(kept)} by true pictures after the codec: the most that can be")
    console.print(f"  {_share(by_chance)} by what it painted of other captions: chance\n")
    console.print(
        "This model knows a closed world: six shapes, eight colours, at most three things, thirty words. "
        "All that it has seen was drawn by this program, and of other words it paints nothing sensible. "
        "Pictures of your own, with a caption each, make a model of those.", soft_wrap=True,
    )  # fmt: skip


def _examples(shown: Sequence[tuple[str, Scene | None]]) -> Table:
    from interlingua.cli.scenes import is_true, name_things

    table = Table(title="Captions it has never seen", title_justify="left")
    for heading in ("", "caption", "what it painted"):
        table.add_column(heading)
    for caption, scene in shown:
        mark = "[green]✓[/]" if is_true(caption, scene) else "[red]✗[/]"
        table.add_row(mark, caption, "nothing clear" if scene is None else name_things(scene))
    return table


def _through_codec(model: Painter, names: Sequence[str]) -> list[Scene | None]:
    """The scenes that are left of pictures once they were tokens: no model of these can do better."""
    import numpy as np

    from interlingua.cli.scenes import read_scene
    from interlingua.pictures.reading import read_picture

    codec = model.codec
    pixels = np.stack([read_picture(name, codec.size).reshape(-1) for name in names])
    return [
        read_scene(picture, TOLERANCE) for picture in codec.decode_batch(codec.encode_pixels(pixels).tolist())
    ]


def _share(true: Sequence[bool]) -> str:
    """How many, in percent, with half the width of the 95% interval."""
    import numpy as np

    from interlingua.evaluation.resampling import Interval, resample

    rows = 100 * np.array(true, float)[:, np.newaxis]
    (sums,) = resample([rows], RESAMPLES, RESAMPLING_SEED)
    spread = Interval.of(sums[:, 0] / len(true)).half_width
    return f"{rows.mean():5.1f} ± {spread:.1f}%"
