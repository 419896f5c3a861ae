"""The README.md of a model directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlingua.runs.experiment import Experiment
from interlingua.runs.validation import Validation

__all__ = ["model_card"]


def model_card(name: str, experiment: Experiment, info: Mapping[str, Any], validation: Validation) -> str:
    """What a reader of the directory should know first, in Markdown.

    Args:
        name: of the directory.
        experiment: with nothing left open.
        info: what info.json holds.
        validation: the thorough one of the saved weights.
    """
    model, of_sound = experiment.model, experiment.data.source_kind == "sound"
    use = f'echo "..." | interlingua translate {name}'
    if experiment.data.target_kind == "picture":
        use = f'interlingua paint {name} "..." --samples 9 --output sheet.png'
    elif of_sound:
        use = f"interlingua transcribe {name} recording.wav"
    elif experiment.data.source_kind == "picture":
        use = f"interlingua translate {name} picture.png"
    source, target = experiment.languages or ("source", "target")
    scores = "\n".join(
        f"| {score.name} | {score.score:.2f} | {_interval(score.confidence)} | `{score.signature}` |"
        for score in validation.scores
    )
    samples = "\n".join(
        f"| {_cell(sample.source)} | {_cell(sample.output)} | {_cell(sample.target)} |"
        for sample in validation.samples
    )
    return f"""# {name}

A sequence-to-sequence model, {source} to {target}, made with interlingua {info["interlingua"]}.

    {use}

- {model.architecture}: {info["parameters"]:,} parameters, {model.describe()};
  vocabulary {" and ".join(f"{n:,}" for n in info["vocabulary"])}
- trained for {info["steps"]:,} steps in {info["elapsed_s"] / 60:.1f} minutes on {info["device"]}
  ({info["precision"]}); the weights are those of step {info["best_step"]:,}
- tokenizers: {info["data"]["tokenizers"]}

## Scores on {info["validation_pairs"]:,} validation pairs, beam search

Validation pairs choose the weights, so scores on a test set of its own may be lower.

| metric | score | 95% interval | signature |
|---|---|---|---|
{scores}
{_by_corpus(validation)}
## Samples

| source | output | reference |
|---|---|---|
{samples}
"""


def _by_corpus(validation: Validation) -> str:
    """A table of the scores of each corpus, where there are several."""
    if not validation.by_corpus:
        return ""
    metrics = [score.name for score in validation.scores]
    rows = [["corpus", *metrics], ["---"] * (1 + len(metrics))]
    rows += [[_cell(name), *(f"{score.score:.2f}" for score in scores)]
             for name, scores in validation.by_corpus.items()]  # fmt: skip
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _interval(confidence: Any) -> str:
    return "" if confidence is None else f"{confidence.low:.2f} to {confidence.high:.2f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
