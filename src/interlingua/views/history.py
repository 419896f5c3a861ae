"""The history of a run, read from its directory: what went in, how the training went, what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from interlingua.data.description import read_description
from interlingua.errors import BundleError
from interlingua.inference.bundle import read_config, read_info

__all__ = ["CurvePoint", "RaceCurve", "RunHistory", "Sample", "SampleOutput", "Validation", "read_history"]

MAX_CURVE_POINTS = 240
"""Progress events a curve is thinned out to; neighbours are averaged."""
MODEL_KEYS = ("cell", "encoder_layers", "decoder_layers", "dim", "heads", "attention")


@dataclass(frozen=True)
class CurvePoint:
    """The mean of some updates in a row."""

    step: int
    minutes: float
    loss: float
    """Smoothed cross entropy, nats a target token."""
    learning_rate: float
    tokens_per_s: float
    """Target tokens."""
    gradient_norm: float


@dataclass(frozen=True)
class Validation:
    """How good the weights of a step were on the validation pairs."""

    step: int
    minutes: float
    loss: float | None
    """Plain cross entropy, nats a target token; None when it was no number."""
    metrics: dict[str, float]
    best: bool


@dataclass(frozen=True)
class SampleOutput:
    """What the model made of a sample at one validation, or at several in a row."""

    first_step: int
    last_step: int
    output: str
    right: bool


@dataclass(frozen=True)
class Sample:
    """A validation pair through the training."""

    source: str
    target: str
    attempts: list[SampleOutput]


@dataclass(frozen=True)
class RaceCurve:
    """How one of several models fared that were tried first."""

    name: str
    points: list[tuple[float, float]]
    """(seconds of its own training, bits a character of the validation targets)"""
    score: float | None = None
    """Of its translations of validation pairs, where it was one of the last two, and these were near."""


@dataclass(frozen=True)
class RunHistory:
    """All that a run's directory says."""

    name: str
    facts: dict[str, str]
    scores: list[dict[str, Any]]
    """Of the saved weights on the validation pairs, in sacreBLEU's form."""
    validation_pairs: int
    data: list[dict[str, Any]]
    """A row for each part of the data: its name, pairs read, used and left out."""
    data_notes: list[str]
    curve: list[CurvePoint]
    validations: list[Validation]
    samples: list[Sample]
    race: list[RaceCurve]
    """Of the models that raced for the place, the winner first."""
    race_winner: str
    """Empty when the race is not over, or when there was none."""
    race_metric: str
    """That decided between the last two, if bits did not."""
    missing: list[str]
    """What the directory does not say, and why."""


def read_history(directory: Path, name: str) -> RunHistory:
    """Reads a run's files; what is not there is said in `missing`.

    Raises:
        BundleError: it is no model directory, or its files are not what a training writes.
    """
    config, info = read_config(directory), read_info(directory)
    events = _events(directory / "training" / "log.jsonl")
    try:
        return _history(name, config, info, events)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            "the account of the training is damaged", where=directory, found=repr(error)
        ) from None


def _history(
    name: str, config: dict[str, Any], info: dict[str, Any], events: list[dict[str, Any]]
) -> RunHistory:
    missing = []
    if not events:
        missing.append("There is no training/log.jsonl, so there are no curves and no samples over time.")
    if not info:
        missing.append(
            "There is no info.json: the training has not finished, so data and scores are unknown."
        )
    progress = [event for event in events if event["event"] == "progress" and None not in event.values()]
    validated = [event for event in events if event["event"] == "validated"]
    return RunHistory(
        name=name,
        facts=_facts(config, info, progress),
        scores=info.get("scores", []),
        validation_pairs=info.get("validation_pairs", 0),
        data=_data(info.get("data", {})),
        data_notes=_notes(info.get("data", {})),
        curve=_curve(progress),
        validations=[
            Validation(
                event["step"], round(event["elapsed_s"] / 60, 3),
                None if event["loss"] is None else round(event["loss"], 4),
                {metric: round(value, 3) for metric, value in event["metrics"].items()}, event["best"],
            )
            for event in validated
        ],
        samples=_samples(validated) or _last_samples(info),
        race=_race([event for event in events if event["event"] == "raced"], info.get("race", {})),
        race_winner=info.get("race", {}).get("winner", ""),
        race_metric=info.get("race", {}).get("metric", ""),
        missing=missing,
    )  # fmt: skip


def _events(log: Path) -> list[dict[str, Any]]:
    """The lines of a log; none when it was deleted. Half a line may be its last, of a run that was killed.

    A loss that was no number any more, of a training that diverged, becomes None.
    """
    try:
        lines = log.read_bytes().split(b"\n")
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            events.append(json.loads(line.decode(), parse_constant=lambda _: None))
        except ValueError:
            continue
    return events


def _facts(
    config: Mapping[str, Any], info: Mapping[str, Any], progress: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    model, training = config.get("model", {}), config.get("training", {})
    sizes = [f"{key.replace('_', ' ')} {model[key]}" for key in MODEL_KEYS if key in model]
    facts = {
        "languages": " to ".join(config.get("languages", [])),
        "model": ", ".join([str(model.get("architecture", "")), *sizes]),
    }
    if info:
        facts["parameters"] = f"{info.get('parameters', 0):,}"
    if imported := info.get("imported"):
        facts["imported from"] = f"{imported['from']}, a {imported['what']}"
    elif info:
        facts["training"] = f"{info.get('steps', 0):,} steps in {info.get('elapsed_s', 0) / 60:.1f} minutes"
        facts["weights of step"] = f"{info.get('best_step', 0):,}"
        if base := info.get("base_comparison", {}).get("summary"):
            facts["started from"] = f"{config.get('base_model', '')}; {base}"
        facts["ended"] = str(info.get("ended", ""))
        facts["device"] = f"{info.get('device')}, {info.get('precision')}, {info.get('threads')} threads"
    elif progress:
        last = progress[-1]
        facts["training"] = f"{last['step']:,} steps in {last['elapsed_s'] / 60:.1f} minutes so far"
    facts["seed"] = str(training.get("seed", ""))
    return {name: value for name, value in facts.items() if value}


def _data(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for part in ("train", "valid"):
        if isinstance(report := data.get(part), Mapping):
            left_out = {reason: count for reason, count in report.get("left_out", {}).items() if count}
            rows.append({
                "part": {"train": "training", "valid": "validation"}[part],
                "files": [file if isinstance(file, str) else " + ".join(file) for file in report["files"]],
                "read": report.get("read", 0), "used": data.get(f"{part}_stored", report.get("kept", 0)),
                "left_out": left_out, "duplicates": report.get("duplicates", 0),
            })  # fmt: skip
    return rows


def _notes(data: Mapping[str, Any]) -> list[str]:
    if not data:
        return []
    summary, description = str(data.get("summary", "")), data.get("description") or {}
    notes = summary.split("\n") if summary else [str(data.get("tokenizers", ""))]
    if description.keys() & {"hours", "size"}:  # of texts the summary says enough
        notes.append(str(read_description(description)))
    return [*notes, data["no_race"]] if "no_race" in data else notes


def _curve(progress: Sequence[Mapping[str, Any]]) -> list[CurvePoint]:
    size = -(-len(progress) // MAX_CURVE_POINTS) or 1
    return [_point(progress[i : i + size]) for i in range(0, len(progress), size)]


def _point(events: Sequence[Mapping[str, Any]]) -> CurvePoint:
    """Neighbouring events as one, each counting by its target tokens."""
    tokens = [event["target_tokens"] for event in events]
    total, last = sum(tokens) or 1, events[-1]
    loss = sum(event["loss"] * count for event, count in zip(events, tokens, strict=True))
    seconds = sum(event["target_tokens"] / max(event["target_tokens_per_s"], 1e-9) for event in events)
    return CurvePoint(
        step=last["step"],
        minutes=round(last["elapsed_s"] / 60, 3),
        loss=round(loss / total, 4),
        learning_rate=float(f"{last['learning_rate']:.4g}"),
        tokens_per_s=round(total / max(seconds, 1e-9)),
        gradient_norm=round(sum(event["gradient_norm"] for event in events) / len(events), 4),
    )


def _race(raced: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[RaceCurve]:
    """The racers: the winner, if it is known, then those that came farther, then the better ones.

    Args:
        raced: events of a log.
        result: of the race, from info.json.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for event in raced:
        if event["bits_per_character"] is not None:
            place = round(event["used_s"], 1), round(event["bits_per_character"], 4)
            points.setdefault(event["name"], []).append(place)
    winner, racers = result.get("winner"), result.get("racers", {})
    ranked = sorted(points.items(), key=lambda item: (item[0] != winner, -len(item[1]), item[1][-1][1]))
    return [RaceCurve(name, of_racer, racers.get(name, {}).get("score")) for name, of_racer in ranked]


def _samples(validated: Sequence[Mapping[str, Any]]) -> list[Sample]:
    """The same pairs at every validation; outputs that stay the same are listed once."""
    by_pair: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for event in validated:
        for sample in event.get("samples", []):
            outputs = by_pair.setdefault((sample["source"], sample["target"]), [])
            outputs.append((event["step"], sample["output"]))
    return [
        Sample(source, target, [
            SampleOutput(same[0][0], same[-1][0], output, output == target)
            for output, group in groupby(outputs, key=itemgetter(1))
            for same in (list(group),)
        ])
        for (source, target), outputs in by_pair.items()
    ]  # fmt: skip


def _last_samples(info: Mapping[str, Any]) -> list[Sample]:
    step = info.get("best_step", 0)
    return [
        Sample(sample["source"], sample["target"], [
            SampleOutput(step, step, sample["output"], sample["output"] == sample["target"])
        ])
        for sample in info.get("samples", [])
    ]  # fmt: skip
