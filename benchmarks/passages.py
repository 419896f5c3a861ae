"""What a model of single sentences makes of lines that hold several, split at sentence ends and whole.

Example: python benchmarks/passages.py runs/multi30k multi30k-en-de/test2016.tsv
"""

from __future__ import annotations

import argparse
from pathlib import Path

import sacrebleu

import interlingua
from interlingua.data.reading import read_tsv
from interlingua.inference.translator import Translator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "passages.md")
    parser.add_argument("--beam", type=int, default=1)
    arguments = parser.parse_args()
    model = interlingua.load(arguments.model, threads=1)
    # Captions now and then lack the full stop, without which nobody sees where a sentence ends.
    pairs = [pair for pair in read_tsv(arguments.pairs, None) if pair[0].endswith(".")]
    pairs = pairs[: len(pairs) // 6 * 6]
    alone = [each.text for each in model.translate([source for source, _ in pairs], beam=arguments.beam)]
    rows = []
    for per_line in (1, 2, 3):
        sources, targets = (
            [" ".join(side[i : i + per_line]) for i in range(0, len(side), per_line)]
            for side in zip(*pairs, strict=True)
        )
        found = [score(model, sources, targets, arguments.beam, whole=whole) for whole in (False, True)]
        apart = [" ".join(alone[i : i + per_line]) for i in range(0, len(alone), per_line)]
        chrf = sacrebleu.corpus_chrf(apart, [targets]).score
        rows.append(f"| {per_line} | {len(sources):,} | {chrf:.1f} | " + " | ".join(found) + " |")
    head = (
        f"Of `benchmarks/passages.py {arguments.model.name} {arguments.pairs.name}`: {len(pairs):,} pairs,\n"
        f"beam {arguments.beam}, neighbours put on a line. `apart`: each sentence alone, then joined;\n"
        "`split`: what `translate` does; `whole`: lines as they are. chrF2, and lines flagged as short.\n\n"
    )
    columns = "| sentences a line | lines | apart | split | short | whole | short |\n"
    table = columns + "|---:|---:|---:|---:|---:|---:|---:|\n"
    text = head + table + "\n".join(rows) + "\n"
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


def score(model: Translator, sources: list[str], targets: list[str], beam: int, *, whole: bool) -> str:
    """chrF2 and the share of lines flagged as short, as two cells."""
    translations = model.translate(sources, beam=beam, whole=whole)
    chrf = sacrebleu.corpus_chrf([each.text for each in translations], [targets]).score
    short = sum("short" in each.flags for each in translations) / len(translations)
    return f"{chrf:.1f} | {short:.1%}"


if __name__ == "__main__":
    main()
