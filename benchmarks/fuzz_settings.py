"""Gives every setting values at its edges and beyond, and trains a tiny model with each.

    python benchmarks/fuzz_settings.py --cases 300 --seed 1

The values are made from the settings' own fields: their types, their bounds, their choices. Either it
works, or an InterlinguaError names the setting before anything is written; everything else is printed, and
the exit code is 1. The same seed tries the same cases; --first N goes on with case N.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from interlingua.errors import InterlinguaError, TrainingError
from interlingua.model.architectures import ARCHITECTURES
from interlingua.model.presets import PRESETS
from interlingua.runs.events import Progress
from interlingua.runs.experiment import Experiment
from interlingua.runs.run import start
from interlingua.serving.settings import ServeSettings
from interlingua.settings import merge

ENOUGH_STEPS = 3
"""A training that came so far works; a budget of years is not waited for."""

TOO_SLOW_S = 10
"""A case that takes longer is given up: large models are slow, and no mistake."""

EDGES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 5000, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 10**30, -(10**30),
    0.0, -0.0, 0.5, 0.9985, 1 - 1e-9, 1 - 1e-16, 1.0, 1.5, 5e-324, 1e-320, 1e308, float("inf"),
    float("-inf"), float("nan"), "", " ", "5", "x", "auto", "a" * 300, "a\0b", "é", "\udcff", "../x", "a\nb",
    [], [1], [True, 2], ["a", "b"], [["a", "b"]], [[]], {}, {"a": 1}, datetime.date(2026, 1, 1),
)  # fmt: skip


class TooSlow(BaseException):
    """A case takes longer than TOO_SLOW_S."""


class Case(NamedTuple):
    """Some settings, by their place."""

    changes: dict[tuple[str, ...], Any]

    def values(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """A whole configuration."""
        values = dict(base)
        for place, value in self.changes.items():
            nested: Any = value
            for key in reversed(place):
                nested = {key: nested}
            values = merge(values, nested)
        return values

    def __str__(self) -> str:
        return ", ".join(f"{'.'.join(place)} = {value!r:.60}" for place, value in self.changes.items())


def places(
    settings: type[BaseModel], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Every section and setting, and the values worth trying."""
    for name, field in settings.model_fields.items():
        sections = [ARCHITECTURES[a].settings for a in ARCHITECTURES] if name == "model" else []
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections = [field.annotation]
        yield (*above, name), [*EDGES, *_near_bounds(field.metadata), *_choices(field.annotation)]
        for section in sections:
            yield from places(section, (*above, name))


def _near_bounds(metadata: Any) -> list[Any]:
    bounds = [
        getattr(each, bound)
        for each in metadata
        for bound in ("ge", "gt", "le", "lt")
        if hasattr(each, bound)
    ]
    return [bound + step for bound in bounds for step in (-1, 0, 1)]


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    found = [choice for part in get_args(annotation) for choice in _choices(part)]
    found += [value for each in getattr(annotation, "__metadata__", ()) for value in _near_bounds([each])]
    return found + [
        v
        for each in getattr(annotation, "__metadata__", ())
        for v in _near_bounds(getattr(each, "metadata", ()))
    ]


def tiny(directory: Path) -> dict[str, Any]:
    """A configuration that trains in a moment."""
    numbers = random.Random(1)
    words = ["".join(numbers.choices("abcdefgh", k=numbers.randint(1, 8))) for _ in range(60)]
    pairs = directory / "pairs.tsv"
    pairs.write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))
    return {
        "data": {"train": str(pairs), "valid_share": 0.1},
        "model": {"dim": 8, "encoder_layers": 1, "decoder_layers": 1},
        "training": {"max_steps": 2, "max_tokens": 64, "validations": 1, "decode_pairs": 2, "threads": 1},
        "search": {"beam": 2},
    }  # fmt: skip


def draw(seed: int, number: int, base: Mapping[str, Any]) -> Case:
    """The case of that number: most are of values that are acceptable by themselves."""
    drawn = random.Random(seed * 1_000_003 + number)
    every = list(places(Experiment))
    chosen = [every[number % len(every)], *drawn.sample(every, drawn.choice((0, 0, 0, 1, 2)))]
    case = {}
    if drawn.random() < 0.3:
        case[("preset",)] = drawn.choice(sorted(PRESETS))
    for place, values in chosen:
        passing = [value for value in values if _passes(Case({place: value}), base)]
        case[place] = drawn.choice(passing if passing and drawn.random() < 0.8 else values)
    return Case(case)


def _passes(case: Case, base: Mapping[str, Any]) -> bool:
    try:
        Experiment.parse(case.values(base))
    except InterlinguaError:
        return False
    return True


def outcome(case: Case, base: Mapping[str, Any], out: Path) -> str | None:
    """Carries a case out; returns what is wrong, or None."""
    started = time.monotonic()
    signal.alarm(TOO_SLOW_S)
    try:
        events = start(case.values(base), out)
        for event in events:
            if isinstance(event, Progress) and event.step >= ENOUGH_STEPS:
                break
        events.close()  # type: ignore[attr-defined]
    except TrainingError:
        return None
    except InterlinguaError as error:
        if time.monotonic() - started >= TOO_SLOW_S:
            return None  # the alarm rang inside something that took it for its own failure
        left = sorted(str(path.relative_to(out)) for path in out.rglob("*")) if out.exists() else []
        if left:
            return f"{error}\nleft behind: {left}"
        print(f"    {str(error)[:300]}")
    except TooSlow:
        print("    too slow")
    except BaseException:
        return traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
    return None


def check_serving(seed: int, cases: int) -> int:
    """Gives the service's settings, which are only parsed, the same values; returns how many were wrong."""
    drawn, every, wrong = random.Random(seed), list(places(ServeSettings)), 0
    for _ in range(cases):
        place, values = drawn.choice(every)
        value = drawn.choice(values)
        try:
            ServeSettings.parse({place[0]: value}, "serve").worker_count()
        except InterlinguaError:
            pass
        except Exception:
            wrong += 1
            print(f"serve: {place[0]} = {value!r}\n{traceback.format_exc(limit=-3)}")
    return wrong


def main() -> None:
    """Tries cases one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_slow)
    wrong = check_serving(arguments.seed, 20 * arguments.cases)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.environ["INTERLINGUA_CACHE"] = str(directory / "cache")
        os.chdir(directory)
        base, out = tiny(directory), directory / "run"
        for number in range(arguments.first, arguments.first + arguments.cases):
            case = draw(arguments.seed, number, base)
            print(f"{number}: {case!s}".encode("utf-8", "backslashreplace").decode(), flush=True)
            if found := outcome(case, base, out):
                wrong += 1
                print(f"WRONG {found}", flush=True)
            shutil.rmtree(out, ignore_errors=True)
    print(f"{wrong} of {arguments.cases} cases went wrong")
    sys.exit(1 if wrong else 0)


def _too_slow(*_: Any) -> None:
    raise TooSlow


if __name__ == "__main__":
    main()
