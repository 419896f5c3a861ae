"""How often what a model paints shows what the caption says, in the world of `quickstart pictures`.

    python benchmarks/scenes.py --work DIR --minutes 5 [--split plain|pairs|relations|counts] [--seed 1]

Scenes are drawn by the program itself, 20,000 to learn from and 500 to validate; a model is trained by the
defaults, by the command line, and paints 1,000 captions whose string is in neither file, one picture each at
its own settings. Whether a caption came true is read from the pixels. Which captions are new:

- plain: any whose string was not seen.
- pairs: a colour and a shape were never seen together, 8 pairs of 48; each colour and shape was.
- relations: a relation was never seen with the two shapes in this order, one in eight of these.
- counts: three of a colour were never seen, of two colours; twos of them were.

--describe trains the other direction and asks whether captions of unseen pictures are true. Data and models
stay in --work, and what is there is not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import interlingua
from interlingua.cli.scenes import (
    COLOURS,
    PLURALS,
    RELATIONS,
    Scene,
    combination,
    draw_scene,
    is_true,
    read_scene,
    render_scene,
    write_caption,
)  # fmt: skip
from interlingua.evaluation.resampling import Interval, resample

PARTS = {"train": 20_000, "valid": 500, "test": 1_000}
TOLERANCE = 1 / 16
SAMPLES, SAMPLED = 20, 8
"""Pictures of a caption, and captions, that tell how different paintings are."""
RELATION = re.compile(f" ({'|'.join(RELATIONS)}) ")
FEW = ("red", "blue")
"""Colours of which there are no three."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--split", choices=SPLITS, default="plain")
    parser.add_argument("--describe", action="store_true")
    parser.add_argument("--seed", type=int, default=1, help="of the scenes and of the training")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    data = options.work / f"{options.split}-{options.seed}"
    if not data.exists():
        write(data, options.split, options.seed)
    direction = "describe" if options.describe else "paint"
    model = options.work / f"{data.name}-{direction}-{options.minutes:g}"
    if not (model / "info.json").exists():
        columns = "1,2" if options.describe else "2,1"
        threads = ["--threads", options.threads] if options.threads else []
        command = [
            "train", "--train", data / "train.tsv", "--valid", data / "valid.tsv", "--columns", columns,
            "--out", model, "--minutes", options.minutes, "--seed", options.seed, "--force", *threads,
        ]  # fmt: skip
        subprocess.run([sys.executable, "-m", "interlingua", *map(str, command)], check=True)
    pairs = [line.split("\t") for line in (data / "test.tsv").read_text().split("\n") if line]
    print(f"{direction}, split {options.split}, {options.minutes:g} minutes, {len(pairs):,} test captions")
    if options.describe:
        describe(model, data, pairs)
    else:
        paint(model, data, pairs)


def held_out_pairs(scene: Scene, caption: str) -> bool:
    """Whether one of eight pairs of a colour and a shape is there: all different, each colour once."""
    held_out = {f"{colour} {shape}" for colour, shape in zip(COLOURS, [*PLURALS, *PLURALS], strict=False)}
    return not held_out.isdisjoint(combination(scene))


def held_out_relations(scene: Scene, caption: str) -> bool:
    """Whether the hash of the shapes and the relation between them says so."""
    words = [word for word in caption.split() if word in {*PLURALS, "left", "right", "above", "below"}]
    chance = hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()
    return len(words) == 3 and int.from_bytes(chance) % 8 == 0


def held_out_counts(scene: Scene, caption: str) -> bool:
    """Whether there are three of one of two colours."""
    return len(scene) == 3 and scene[0].colour in FEW


SPLITS: dict[str, Callable[[Scene, str], bool] | None] = {
    "plain": None, "pairs": held_out_pairs, "relations": held_out_relations, "counts": held_out_counts,
}  # fmt: skip


def draw(split: str, seed: int) -> Iterator[tuple[str, Scene, str]]:
    """The part, scene and caption of everything, the test's captions unlike all others and each other."""
    held_out, seen = SPLITS[split], set[str]()
    for part, count in PARTS.items():
        random = np.random.default_rng([seed, [*PARTS].index(part)])
        while count:
            scene = draw_scene(random)
            caption = write_caption(scene, random)
            if held_out is not None and held_out(scene, caption) != (part == "test"):
                continue
            if part == "test" and caption in seen and split != "counts":  # which has but few captions
                continue
            seen.add(caption)
            count -= 1
            yield part, scene, caption


def write(data: Path, split: str, seed: int) -> None:
    """The files of pairs, and their pictures."""
    (data / "pictures").mkdir(parents=True)
    lines: dict[str, list[str]] = {part: [] for part in PARTS}
    for part, scene, caption in draw(split, seed):
        name = f"pictures/{part}-{len(lines[part]):05}.png"
        Image.fromarray(render_scene(scene)).save(data / name)
        lines[part].append(f"{name}\t{caption}\n")
    for part, written in lines.items():
        (data / f"{part}.tsv").write_text("".join(written))


def paint(model: Path, data: Path, pairs: list[list[str]]) -> None:
    """Paints the captions, and says what became of them."""
    painter = interlingua.load(model)
    captions = [caption for _, caption in pairs]
    paintings = painter.paint(captions, seed=range(len(captions)))
    scenes = [read_scene(each.pixels, TOLERANCE) for (each,) in paintings]
    say("true", list(map(is_true, captions, scenes)))
    say("not to be read", [scene is None for scene in scenes])
    say("false by the relation alone", list(map(is_false_by_relation, captions, scenes)))
    say("by what was painted of another caption", list(map(is_true, captions, [*scenes[1:], scenes[0]])))
    pixels = np.stack([np.asarray(Image.open(data / name)).reshape(-1) for name, _ in pairs])
    kept = painter.codec.decode_batch(painter.codec.encode_pixels(pixels).tolist())
    restored = [read_scene(each, TOLERANCE) for each in kept]
    say("by true pictures after the codec", list(map(is_true, captions, restored)))
    with_two = [caption for caption in captions if RELATION.search(caption)]
    several = painter.paint((with_two or captions)[:SAMPLED], samples=SAMPLES)
    distinct = [len({read_scene(each.pixels, TOLERANCE) for each in paintings}) for paintings in several]
    print(f"distinct scenes of {SAMPLES} samples, {SAMPLED} captions: {sorted(distinct)}")


def describe(model: Path, data: Path, pairs: list[list[str]]) -> None:
    """Describes the pictures, and says how many captions are true of them."""
    captioner = interlingua.load(model)
    names = [str(data / name) for name, _ in pairs]
    scenes = [read_scene(np.asarray(Image.open(name)), TOLERANCE) for name in names]
    captions = [each.text for each in captioner.translate(names)]
    said = zip(captions, scenes, strict=True)
    say("true", [is_a_caption(caption) and is_true(caption, scene) for caption, scene in said])


def is_false_by_relation(caption: str, scene: Scene | None) -> bool:
    """Whether another relation would make it true."""
    others = (RELATION.sub(f" {other} ", caption) for other in RELATIONS)
    return not is_true(caption, scene) and any(is_true(other, scene) for other in others)


def is_a_caption(text: str) -> bool:
    """Whether it begins as captions do, so that it can be true."""
    return text.split(" ")[0] in ("a", "an", "two", "three")


def say(what: str, found: list[bool]) -> None:
    rows = 100 * np.array(found, float)[:, np.newaxis]
    (sums,) = resample([rows], n_bootstrap=1000, seed=12345)
    print(f"{what}: {rows.mean():.1f} ± {Interval.of(sums[:, 0] / len(found)).half_width:.1f}%", flush=True)


if __name__ == "__main__":
    main()
