"""Which attention tells best what was translated by what: every layer's, and their mean.

    pip install eflomal
    python benchmarks/alignment.py --data DIR MODEL...

DIR holds train.tsv and test2016.tsv of Multi30k. A statistical aligner (eflomal; Östling & Tiedemann 2016)
links the words of all pairs in both directions; links of both directions are sure, those of one are possible.
Each MODEL reads the reference translations, and links each target token to the source token that it attends
to most. Prints the alignment error rate (Och & Ney 2003) against those links, in per cent; its last line
is the best way.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor

import interlingua
from interlingua.data.reading import read_lines
from interlingua.inference.translator import Translator
from interlingua.kinds import BOS, EOS, Source

Link = tuple[int, int]
MARK = "▁"  # of a word's start, in pieces


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pairs = read(options.data / "test2016.tsv")
    links = statistical_links(pairs + read(options.data / "train.tsv"))
    rates = {model.name: error_rates(interlingua.load(model), pairs, links) for model in options.models}
    ways = list(dict.fromkeys(way for found in rates.values() for way in found))
    print(f"| attention | {' | '.join(rates)} |\n|---|{'---:|' * len(rates)}")
    for way in ways:
        cells = [f"{found[way]:.1f}" if way in found else "" for found in rates.values()]
        print(f"| {way} | {' | '.join(cells)} |")
    common = [way for way in ways if all(way in found for found in rates.values())]
    print(
        f"\nbest of those that all have: {min(common, key=lambda way: sum(f[way] for f in rates.values()))}"
    )


def read(file: Path) -> list[tuple[str, str]]:
    rows = [line.split("\t") for line in read_lines(file)]
    return [(source, target) for source, target in rows]


def words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def statistical_links(pairs: list[tuple[str, str]]) -> list[tuple[set[Link], set[Link]]]:
    """For each pair the links of words that are sure, and all that are possible."""
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch, "pairs")
        text.write_text(
            "".join(f"{' '.join(words(s))} ||| {' '.join(words(t))}\n" for s, t in pairs), "utf-8"
        )
        sides = [Path(scratch, name) for name in ("forward", "reverse")]
        subprocess.run(
            ["eflomal-align", "-i", text, "-f", sides[0], "-r", sides[1], "--overwrite"], check=True
        )
        forward, reverse = ([links_of(line) for line in read_lines(side)] for side in sides)
    return [(one & other, one | other) for one, other in zip(forward, reverse, strict=True)]


def links_of(line: str) -> set[Link]:
    return {
        (int(source), int(target)) for source, _, target in (pair.partition("-") for pair in line.split())
    }


def error_rates(
    translator: Translator, pairs: list[tuple[str, str]], links: list[tuple[set[Link], set[Link]]]
) -> dict[str, float]:
    right: dict[str, int] = defaultdict(int)
    given: dict[str, int] = defaultdict(int)
    for (source, target), (sure, possible) in zip(pairs, links, strict=False):
        source_ids, source_words = owners(translator.tokenizers.source, source)
        target_ids, target_words = owners(translator.tokenizers.target, target)
        ids = torch.tensor([[*source_ids, EOS]])
        source_batch = Source(ids, torch.ones_like(ids, dtype=torch.bool))
        seen = translator.engine.attend(source_batch, torch.tensor([[BOS, *target_ids]]))
        for way, weights in ways_of(seen.cross[0].float()).items():
            best = weights[:-1, :-1].argmax(1).tolist()
            found = {(source_words[at], target_words[i]) for i, at in enumerate(best)}
            right[way] += len(found & sure) + len(found & possible)
            given[way] += len(found) + len(sure)
    return {way: 100 * (1 - right[way] / given[way]) for way in given}


def ways_of(cross: Tensor) -> dict[str, Tensor]:
    """(layers, heads, target, source) to named maps (target, source)."""
    layers = {f"layer {number}": layer.mean(0) for number, layer in enumerate(cross, start=1)}
    return {
        **layers,
        "last layer": cross[-1].mean(0),
        "last but one": cross[max(0, len(cross) - 2)].mean(0),
        "last two": cross[-2:].mean((0, 1)),
        "all layers": cross.mean((0, 1)),
    }


def owners(tokenizer: object, text: str) -> tuple[list[int], list[int]]:
    """The ids of a text, and which word each belongs to."""
    ids = tokenizer.encode(text)  # type: ignore[attr-defined]
    of_character = [number for number, word in enumerate(words(text)) for _ in word]
    place, found = 0, []
    for piece in tokenizer.pieces(ids):  # type: ignore[attr-defined]
        found.append(of_character[min(place, len(of_character) - 1)])
        place += len(piece.replace(MARK, "").strip())
    return ids, found


if __name__ == "__main__":
    main()
