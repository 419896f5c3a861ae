"""`interlingua quickstart`: from nothing to a trained model that is looked into."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console

import interlingua
from interlingua.cli import dictionary
from interlingua.cli.models import use_all_cpus
from interlingua.cli.options import Device, Threads
from interlingua.cli.quickstart_pictures import make_pictures, show_pictures
from interlingua.cli.quickstart_sound import make_sounds, record_command, show_sounds
from interlingua.cli.quickstart_words import show_words
from interlingua.cli.stopping import stoppable
from interlingua.cli.train import next_commands, show_end
from interlingua.cli.watch import watch
from interlingua.errors import ConfigurationError, nearest

__all__ = ["quickstart"]


class Lesson(NamedTuple):
    """What a model learns."""

    about: str
    out: Path
    languages: list[str]
    settings: dict[str, Any]
    """Of the experiment, beside the languages, the data and the budget."""
    write_data: Callable[[Path, Console], None]
    """Makes train.tsv, valid.tsv and test.tsv in a directory."""
    show: Callable[[Path, Path, str, int | None, Console], None]
    """Shows what the model in a directory makes of the data in another, on a device with so many threads."""
    commands: Callable[[str, str], list[str]]
    """What to try next with the model and the data, both quoted for a shell."""


def _write_words(data: Path, console: Console) -> None:
    dictionary.write_parts(data, dictionary.pronunciations())


OF_COMMANDS = {
    "preset": "speech-small",
    # A small grammar needs no large model, and more of the short time goes into updates.
    "model": {"dim": 128, "feed_forward": 512, "encoder_layers": 4, "decoder_layers": 1, "dropout": 0.05},
    "training": {"batch_seconds": 20.0},
    # Nothing is learnt by heart in so short a time, and noise is in the sounds already.
    "augmentation": {
        "gain_probability": 0.0, "noise_probability": 0.0, "frequency_masks": 0, "time_masks": 0,
    },
}  # fmt: skip
"""Settings for minutes of training on 45 minutes of commands."""

OF_SCENES = {
    "data": {"columns": "2,1"},  # the caption, which stands second, is the source
    "model": {"dim": 128, "feed_forward": 512, "encoder_layers": 2, "decoder_layers": 3, "dropout": 0.0},
}
"""Settings for minutes of training on 20,000 scenes."""

LESSONS = {
    "words": Lesson(
        "to pronounce English words",
        Path("runs/quickstart"),
        ["en", "en-arpabet"],
        {"preset": "letters"},  # the most passes over the words in so short a time
        _write_words,
        show_words,
        lambda model, data: [
            f"interlingua translate {model} interlingua --n-best 3",
            f"interlingua evaluate {model} {data}/test.tsv --train {data}/train.tsv",
            f"interlingua info {model}",
        ],
    ),
    "sound": Lesson(
        "to understand spoken numbers and commands",
        Path("runs/quickstart-sound"),
        ["en-speech", "en"],
        OF_COMMANDS,
        make_sounds,
        show_sounds,
        lambda model, data: [
            f"interlingua transcribe {model} {data}/sounds/test-0000.wav",
            f"interlingua evaluate {model} {data}/test.tsv",
            record_command(model),
        ],
    ),
    "pictures": Lesson(
        "to paint captions",
        Path("runs/quickstart-pictures"),
        ["en", "en-pictures"],
        OF_SCENES,
        make_pictures,
        show_pictures,
        lambda model, data: [
            f'interlingua paint {model} "three big green moons" --samples 9 --output moons.png',
            f'interlingua look {model} "a green ring above a red ring"',
            f"interlingua serve {model}",
            "interlingua train --train pairs.tsv --columns 2,1 --out runs/mine   "
            f"# your own, written like {data}/train.tsv",
        ],
    ),
}


def _known_lesson(name: str) -> str:
    if name not in LESSONS:
        raise ConfigurationError(
            "there is no such quickstart", where="quickstart", found=name, accepted=nearest(name, LESSONS)
        )
    return name


def quickstart(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[words|sound|pictures]", callback=_known_lesson, show_default=False,
            help="words (the default): spelling to pronunciation; sound: speech to text; "
            "pictures: text to pictures.",
        ),
    ] = "words",
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 5.0,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the model goes; the data goes beside it.", show_default="runs/quickstart…"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train anew, even when the model is there.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:  # fmt: skip
    """Train a small model on data that is at hand, and look at it.

    Example: `interlingua quickstart --minutes 5`

    It learns to read English aloud, from spelling to pronunciation; the words come from the CMU Pronouncing
    Dictionary. `interlingua quickstart sound` learns to write down numbers and commands that a speech
    synthesizer says, `interlingua quickstart pictures` to paint what captions say of coloured shapes. A model
    that is there already is only shown.
    """
    console, lesson = Console(highlight=False), LESSONS[kind]
    out, data = _places(out or lesson.out, lesson)
    trained = force or not (out / "info.json").exists()
    with stoppable(out):
        lesson.write_data(data, console)
        if trained:
            _train(lesson, out, data, minutes, force, device, threads, console)
    if not trained:
        console.print(
            f"Nothing is trained: this is the model that {out} held before. To train anew: --force\n",
            soft_wrap=True, markup=False,
        )  # fmt: skip
    lesson.show(out, data, device, threads, console)
    console.print(f"\nThe model is in {out}, the data in {data}.", soft_wrap=True)
    next_commands(lesson.commands(shlex.quote(str(out)), shlex.quote(str(data))), console)


def _places(out: Path, lesson: Lesson) -> tuple[Path, Path]:
    """Where the model and its data go; nothing is written.

    Raises:
        OutputError: there is another model already, or none can be made.
    """
    from interlingua.errors import OutputError
    from interlingua.inference.bundle import CONFIG, read_config
    from interlingua.runs.directory import check_place

    out = check_place(out)
    if not out.name:
        raise OutputError("this is no place for a model", where=out, accepted="Choose another --out.")
    if (out / CONFIG).exists() and read_config(out).get("languages") != lesson.languages:
        raise OutputError(
            "this directory holds another model",
            where=out,
            accepted="Choose another --out for the quickstart.",
        )
    return out, out.with_name(out.name + "-data")


def _train(
    lesson: Lesson, out: Path, data: Path, minutes: float, force: bool, device: str, threads: int | None,
    console: Console,
) -> None:  # fmt: skip
    from interlingua.runs.run import resume, start

    training = {"minutes": minutes, "validations": 5, "device": device, "threads": threads}
    values = {
        **lesson.settings,
        "languages": lesson.languages,
        "data": {
            **lesson.settings.get("data", {}),
            "train": [str(data / "train.tsv")],
            "valid": [str(data / "valid.tsv")],
        },
        "training": {**lesson.settings.get("training", {}), **training},
    }
    use_all_cpus()
    console.print(f"Learning {lesson.about}, {minutes:g} minutes.\n")
    if (out / "config.toml").exists() and not force:
        changes = {"minutes": minutes, **({"device": device} if device != "auto" else {})}
        changes |= {"threads": threads} if threads else {}
        events = resume(out, {"training": changes}, interlingua.STARTED)
    else:
        events = start(values, out, force=force, where="quickstart", started=interlingua.STARTED)
    with closing(events):
        ended = watch(events, console)
    show_end(out, ended, console)
