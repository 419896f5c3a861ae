"""`interlingua info`: read from the model directory's text files, so no torch is needed."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from interlingua.cli.lines import check_output, open_output
from interlingua.cli.models import find_model
from interlingua.cli.options import Json
from interlingua.errors import BundleError

__all__ = ["info"]

ORIGINS = ("ORIGIN-README.md", "ORIGIN-LICENSE")
"""What the makers of an imported model say of it."""
MODEL_KEYS = ("architecture", "cell", "encoder_layers", "decoder_layers", "dim", "heads", "attention")


def info(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    json_output: Json = False,
) -> None:
    """Show what a model is, how it was made and how good it is.

    Example: `interlingua info runs/en-de`
    """
    find_model(model, weights=False)
    check_output(None)
    config, made = _read(model)
    if json_output:
        with open_output(None) as write:
            write(json.dumps({"config": config, "info": made}, ensure_ascii=False, indent=1) + "\n")
        return
    console = Console(highlight=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    try:
        rows = _rows(model, config, made)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError("the account of the training is damaged", where=model, found=repr(error)) from None
    for name, value in rows:
        table.add_row(f"[bold]{name}[/]", escape(value))
    console.print(table)
    if scores := made.get("scores"):
        console.print(f"\nScores on {made.get('validation_pairs', 0):,} validation pairs:")
        for score in scores:
            spread = score.get("confidence", "")
            console.print(
                f"  {score['name']} {score['score']:.2f}  {spread}  {score['signature']}", soft_wrap=True
            )
    for name, of_corpus in made.get("scores_by_corpus", {}).items():
        shown = ", ".join(f"{score['name']} {score['score']:.2f}" for score in of_corpus)
        console.print(f"  {name}: {shown}", soft_wrap=True, markup=False)


def _read(model: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    config_file, info_file = model / "config.toml", model / "info.json"
    try:
        config = tomllib.loads(config_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError("the configuration cannot be read", where=config_file, found=str(error)) from None
    try:
        made = json.loads(info_file.read_text(encoding="utf-8")) if info_file.exists() else {}
    except (OSError, ValueError) as error:
        raise BundleError(
            "the account of the training cannot be read", where=info_file, found=str(error)
        ) from None
    return config, made


def _rows(model: Path, config: dict[str, Any], made: dict[str, Any]) -> list[tuple[str, str]]:
    sizes, training = config.get("model", {}), config.get("training", {})
    rows = [
        ("model", str(model)),
        ("languages", " to ".join(config.get("languages", [])) or "not said"),
        ("sizes", ", ".join(f"{key.replace('_', ' ')} {sizes[key]}" for key in MODEL_KEYS if key in sizes)),
    ]
    rows.append(("engines", _engines(config)))
    if not made:
        return [*rows, ("state", f"not finished; to go on: interlingua train --resume {model}")]
    vocabulary = " and ".join(f"{size:,}" for size in made["vocabulary"])
    origin = [name for name in ORIGINS if (model / name).is_file()]
    if imported := made.get("imported"):
        return [
            *rows,
            ("parameters", f"{made['parameters']:,}; vocabulary {vocabulary}"),
            ("tokenizers", made["data"]["tokenizers"]),
            ("imported from", f"{imported['from']}, a {imported['what']}"),
            ("licence", imported["licence"] or "not said by the package"),
            *([("its makers say", ", ".join(origin))] if origin else []),
            ("checked", imported["proof"]),
            ("notes", "\n".join(imported["notes"])),
            ("made with", f"interlingua {made['interlingua']}, torch {made['torch']}"),
        ]
    given = {**training, **{key: made[key] for key in ("minutes", "max_steps") if key in made}}  # of --resume
    budget = f"{given['minutes']:g} minutes" if given.get("minutes") else f"{given['max_steps']:,} steps"
    rows += [
        ("parameters", f"{made['parameters']:,}; vocabulary {vocabulary}"),
        ("tokenizers", made["data"]["tokenizers"]),
        ("data", made["data"]["summary"]),
        *_described(made["data"].get("description")),
        *_raced(made.get("race")),
        *_not_raced(made["data"].get("no_race")),
        ("settings", _settings(config)),
        (
            "training",
            f"{made['steps']:,} steps in {made['elapsed_s'] / 60:.1f} minutes "
            f"(budget {budget}: {made['ended']}), weights of step {made['best_step']:,}"
            + _predicted(made.get("bits_per_character")),
        ),
        ("made with", f"interlingua {made['interlingua']}, torch {made['torch']}, {made['device']}, "
                      f"{made['precision']}, {made['threads']} threads, seed {training.get('seed')}"),
        *([("its makers say", ", ".join(origin))] if origin else []),  # of the one that it started from
    ]  # fmt: skip
    if base_model := config.get("base_model", config.get("start")):  # as it is called today, and was before
        compared = made.get("base_comparison", {}).get("summary")
        rows.append(("started from", f"{base_model}\n{compared}" if compared else base_model))
    return rows


def _settings(config: dict[str, Any]) -> str:
    """Those that are chosen by the data and the time, where nobody asks for others."""
    sizes, training = config.get("model", {}), config.get("training", {})
    found = [f"dropout {sizes['dropout']:g}"] if "dropout" in sizes else []
    if config.get("data", {}).get("source_kind") == "sound":
        if "batch_seconds" in training:
            found.append(f"batches of {training['batch_seconds']:g} s")
    elif "max_tokens" in training:
        found.append(f"batches of {training['max_tokens']:,} tokens")
    if training.keys() >= {"optimizer", "learning_rate"}:
        found.append(f"{training['optimizer']} at {training['learning_rate']:g}")
    if training.get("subword_sampling"):
        found.append("subwords cut at random")
    return ", ".join(found)


def _engines(config: dict[str, Any]) -> str:
    """What can run the model."""
    from interlingua.interchange.fitting import why_not

    data = config.get("data", {})
    kinds = [data.get(f"{side}_kind", "text") for side in ("source", "target")]
    if reason := why_not(config.get("model", {}), *kinds):
        return f"interlingua; not ctranslate2, for {reason}"
    if importlib.util.find_spec("ctranslate2") is None:
        return "interlingua; or ctranslate2, after pip install 'interlingua[ctranslate2]'"
    return "interlingua, or --engine ctranslate2"


def _predicted(bits: float | None) -> str:
    return f"; they predict the validation targets with {bits:.2f} bits a character" if bits else ""


def _described(description: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What the training pairs are like; models of earlier versions do not know."""
    from interlingua.data.description import read_description

    return [("what it is like", str(read_description(description)))] if description else []


def _not_raced(why: str | None) -> list[tuple[str, str]]:
    return [("no race", why.removeprefix("no race "))] if why else []


def _raced(race: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The models that raced, the winner first."""
    if not race:
        return []
    lines = ["bits a character of the validation targets (fewer: predicted better):"]
    for name, racer in race["racers"].items():
        score = f", {race['metric']} {racer['score']:.2f}" if "score" in racer else ""
        spent = f"{racer['steps']:,} updates in {racer['used_s']:.0f} s"
        lines.append(f"{name}: {racer['bits'][-1]:.2f}{score} after {spent}")
    why = (
        f"; the bits are near, so {race['metric']} counts where it differs clearly"
        if "metric" in race
        else ""
    )
    lines.append(f"{race['winner']} went on after {race['seconds']:.0f} s{why}")
    return [("race", "\n".join(lines))]
