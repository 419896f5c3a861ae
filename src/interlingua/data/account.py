"""The account of prepared data for people: what was read, left out, held out, and what looks wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interlingua.data.corpus import CorpusReport
from interlingua.data.unknown import describe_unknown

__all__ = ["show_pairs", "summarise"]

SHOWN_PAIRS = 2
SHOWN_CHARACTERS = 60
JOINERS = "\u200c\u200d"
"""Shape letters and emoji, and are shown as they are."""


def summarise(report: dict[str, Any], shown: Sequence[str] = ()) -> str:
    """Returns the account of a report, see `Prepared.report`, in lines.

    Args:
        report: the report.
        shown: lines to put after those on the training files.
    """
    lines = [str(CorpusReport.of(report["train"])), *map(_describe_corpus, report.get("corpora", ())), *shown]
    if "valid" in report:
        lines.append(str(CorpusReport.of(report["valid"])))
    if report.get("swapped"):
        lines.append(
            "warning: the validation pairs look swapped: their sources are like the training targets"
        )
    if without := report.get("unvalidated"):
        lines.append(
            f"warning: no validation pairs of {', '.join(without)}: what scores choose, and the scores, "
            "are of the others (valid = [FILE] in its [[data.corpora]])"
        )
    if held_out := report.get("held_out"):
        count = report["valid_stored"] - sum(report.get("valid_files_stored", ()))
        pairs = max(1, count + report["train_stored"])
        lines.append(
            f"held out for validation: {count:,} of {pairs:,} pairs, {count / pairs:.1%} "
            f"(by source, seed {held_out['seed']})"
        )
    lines.append(f"vocabulary: {report['tokenizers']}")
    for part, name in (("train", "training"), ("valid", "validation")):
        for side, counts in report["unknown"][part].items():
            learnt_from = part == "train" and report["tokenizers"] != "given"
            line = describe_unknown(counts, f"{name} {side}s", report[f"{part}_stored"], learnt_from)
            lines += [line] if line else []
    return "\n".join(lines)


def _describe_corpus(corpus: dict[str, Any]) -> str:
    files = "" if corpus["files"] == [corpus["name"]] else f" ({', '.join(corpus['files'])})"
    repeated = f"; exact duplicates: {corpus['duplicates']:,}" if corpus["duplicates"] else ""
    often = f"weight {corpus['weight']:.4g}, {corpus['seen']:,} seen an epoch"
    return f"  {corpus['name']}{files}: {corpus['pairs']:,} training pairs, {often}{repeated}"


def show_pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Returns a line for each of the first pairs, as they were understood."""
    return [f"  read as: {_shorten(source)} → {_shorten(target)}" for source, target in pairs[:SHOWN_PAIRS]]


def _shorten(text: str) -> str:
    text = "".join(
        character if character.isprintable() or character in JOINERS else "·" for character in text
    )
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
