"""Several models are trained side by side for a while; the one that learns the data best goes on.

Successive halving (Jamieson and Talwalkar 2016): in every round each model that is left has a turn, twice
as long as in the round before; then the worse half drops out. They are compared in bits a character of the
validation targets, which does not depend on how texts are cut; the last two, if they are near, by the task's
own metric, which is what the winner will be judged by. Where sources and targets share letters (see
Description), a model of letters begins later to look at its source than one of subwords, and then soon
predicts better: one that has not begun after its first turn does not drop out then. The winner keeps its
weights, its optimizer and its place in the data; its learning rate has followed the whole budget less what
the others use, so that it is where it would be had it been alone in that time.

Where a trained model is trained further, it is its learning rates that race, and of two near ones the
gentler wins.

Models take turns through checkpoints: one is in memory at a time, its random numbers are its own, and a race
that was interrupted goes on after the last whole turn.
"""

from __future__ import annotations

import json
import math
import shutil
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interlingua.errors import CheckpointError, TrainingError
from interlingua.files import write_text
from interlingua.runs.candidates import SHARED_LETTERS, SUBWORDS, rounds
from interlingua.runs.checkpoint import load_newest, save_checkpoint
from interlingua.runs.events import Event, Raced
from interlingua.runs.plan import Plan
from interlingua.runs.trainer import Trainer
from interlingua.runs.validation import StoppedError, Validation, Validator

__all__ = ["Race", "Racer", "Standing", "is_racing", "load_standing"]

STANDING, PLACES = "race.json", "race"
"""Its file and the directory of its checkpoints, in training/."""
COMPARED_CHARACTERS, FEWEST_PAIRS = 20_000, 50
"""Racers are compared on validation pairs with so many characters of targets, or on so many pairs."""
COMPARED_SHARE, FEWEST_COMPARED = 0.5, 4_000
"""Characters are fewer where a turn trains on few tokens: so large a part of these, and at least so many."""
HOPELESS = 1.5
"""Whose bits are more than so many times the best's drops out whatever the round."""
DECIDED = 3.0
"""Whose bits before its turn are more than so many times another's after that one's has no turn any more."""
NEAR, CLEAR = 1.02, 1.0
"""The last two, of which one's bits are at most so many times the other's, are judged by what they make of
validation pairs, if their scores are so many points apart."""
FEW_UPDATES = 40
"""After fewer all models know as little, which is said."""
KEPT_GAIN = 0.75
"""A gentler rate is taken for near only where it has won so much of what the best has won over the base
model: small differences are all that there is early in a training."""
NOT_BEGUN = 0.1
"""Who predicts hardly worse, by such a share, with other pairs' sources has not begun to look at them."""
FEWEST_TRANSLATED, MOST_TRANSLATED = 100, 500
"""Validation pairs; fewer, where there are no more or no time, say too little."""


@dataclass
class Racer:
    """What is known of one of the models."""

    config: dict[str, Any]
    """Its experiment, with nothing left open."""
    used_s: float = 0.0
    """In its turns."""
    steps: int = 0
    bits: list[float] = field(default_factory=list)
    """A character of the validation targets, after each of its turns."""
    begun: bool = True
    """Whether it looks at its source, if that is asked; see NOT_BEGUN."""
    score: float | None = None
    """By the task's metric, if that was looked at."""


@dataclass
class Standing:
    """How far a race is: plain values."""

    turn: float
    """Of the first round."""
    by_steps: bool
    """Whether turns are in steps, not in seconds; so it stays with whatever budget the run goes on."""
    racers: dict[str, Racer]
    """By name, the one that experience would choose first."""
    left: list[str]
    """Those that have not dropped out; in the end the winner."""
    began_s: float = 0.0
    """Of the run, when the race began."""
    elapsed_s: float = 0.0
    """Of the run, at the end of the last turn."""
    round: int = 0
    metric: str = ""
    """The task's, if the last two were near."""
    base: dict[str, Any] | None = None
    """How the model that all start from was validated, where there is one; see Trainer.validated_so_far."""
    base_bits: float | None = None
    """A character, of that model."""
    compared: int = COMPARED_CHARACTERS
    """On so many characters of validation targets."""

    @classmethod
    def beginning(cls, plans: Sequence[Plan], turn: float, began_s: float) -> Standing:
        """Before the first turn."""
        racers = {plan.name: Racer(plan.experiment.as_toml()) for plan in plans}
        training, updates_per_s = plans[0].experiment.training, plans[0].updates_per_s
        compared, by_steps = COMPARED_CHARACTERS, training.minutes is None
        if not by_steps and updates_per_s < math.inf:
            trained = turn * updates_per_s * training.max_tokens
            compared = round(min(compared, max(FEWEST_COMPARED, COMPARED_SHARE * trained)))
        return cls(turn, by_steps, racers, [*racers], began_s, began_s, compared=compared)

    @property
    def ranked(self) -> list[tuple[str, Racer]]:
        """Those that came farther, then the winner, then the better ones."""

        def rank(item: tuple[str, Racer]) -> tuple[int, bool, float]:
            name, racer = item
            return -len(racer.bits), name not in self.left, racer.bits[-1]

        return sorted(self.racers.items(), key=rank)

    @property
    def is_near(self) -> bool:
        """Whether two are left that predict about equally well."""
        bits = [self.racers[name].bits[-1] for name in self.left]
        return len(bits) == 2 and max(bits) < math.inf and max(bits) <= NEAR * min(bits)

    def as_info(self) -> dict[str, Any]:
        """What is worth keeping for people."""
        racers: dict[str, dict[str, Any]] = {
            name: {"bits": racer.bits, "steps": racer.steps, "used_s": round(racer.used_s, 1)}
            for name, racer in self.ranked
        }
        seconds = round(self.elapsed_s - self.began_s, 1)
        info = {"winner": self.left[0], "seconds": seconds, "racers": racers}
        if not self.metric:
            return info
        for name, racer in self.ranked:
            if racer.score is not None:
                racers[name]["score"] = round(racer.score, 2)
        return {**info, "metric": self.metric}

    @property
    def late(self) -> str | None:
        """Who may not be judged yet, after the first round: of those who have not begun the best."""
        late = [name for name in self.left if not self.racers[name].begun] if self.round == 0 else []
        return min(late, key=lambda name: self.racers[name].bits[-1], default=None)

    def has_turn(self, name: str) -> bool:
        """Whether one of those left is still to be trained in this round."""
        bits = self.racers[name].bits
        if len(bits) > self.round:
            return False
        others = [self.racers[each].bits for each in self.left]
        after = min((each[-1] for each in others if len(each) > self.round), default=math.inf)
        return not bits or bits[-1] < DECIDED * after

    def drop_worse(self, better: str | None = None) -> None:
        """Ends a round: keeps the better half, and of that what is not hopeless, and who is late.

        Args:
            better: which of the last two the task's metric prefers, if it does.
        """
        late = self.late
        self.round += 1
        if better is not None:
            self.left = [better]
            return
        best = min(self.racers[name].bits[-1] for name in self.left)
        names = list(self.racers)

        def rank(name: str) -> tuple[bool, float]:
            bits = self.racers[name].bits[-1]
            if self.base is None or not bits <= self._nearest(best) < math.inf:
                return True, bits
            return False, -names.index(name)  # the gentler of rates that are near, by which less is forgotten

        ranked = sorted(self.left, key=rank)
        half = ranked[: math.ceil(len(ranked) / 2)]
        if late is not None and late not in half:
            half = [late, *half[: max(1, len(half) - 1)]]  # whose turn may decide
        kept = [name for name in half if self.racers[name].bits[-1] <= HOPELESS * best or name == late]
        self.left = kept or ranked[:1]

    def _nearest(self, best: float) -> float:
        """The most bits of what is near the best of several rates."""
        if self.base_bits is None or best >= self.base_bits:  # nothing is won yet
            return NEAR * best
        return min(NEAR * best, self.base_bits - KEPT_GAIN * (self.base_bits - best))

    def __str__(self) -> str:
        bits = " · ".join(
            f"{name} {racer.bits[-1]:.2f} after {racer.steps:,} updates" for name, racer in self.ranked
        )
        seconds = self.elapsed_s - self.began_s
        scores = " · ".join(f"{name} {racer.score:.2f}" for name, racer in self.ranked
                            if racer.score is not None)  # fmt: skip
        near = f"; near each other, so by {self.metric} if that differs: {scores}" if self.metric else ""
        (_, winner), *others = self.ranked
        if self.base is None and min(racer.steps for racer in self.racers.values()) < FEW_UPDATES:
            near += "; so few updates are a weak hint"
        for name, _ in filter(lambda item: not item[1].begun, self.ranked):
            near += f"; {name} did not look at its source yet after its first turn, so that did not decide"
        if self.base is not None and any(
            len(other.bits) == len(winner.bits) and other.bits[-1] < winner.bits[-1] for _, other in others
        ):
            near += "; near each other, so the gentler one, which forgets less"
        return f"race ({seconds:.0f} s), bits/character (fewer is better): {bits}{near} → {self.left[0]}"


def load_standing(directory: Path) -> Standing | None:
    """The standing of a run's race; None when it had none.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = directory / "training" / STANDING
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        racers = {name: Racer(**racer) for name, racer in values.pop("racers").items()}
        return Standing(racers=racers, **values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError("how far the race is cannot be read", where=path, found=str(error)) from error


def is_racing(directory: Path) -> bool:
    """Whether the race of a run has not handed over to its winner yet."""
    return (directory / "training" / PLACES).is_dir()


class Race:
    """Lets models race, in a run's directory.

    Args:
        standing: from where the race goes on.
        plans: of all racers, by name.
        build: makes the trainer of a plan, at its beginning.
        directory: of the run.
    """

    def __init__(
        self, standing: Standing, plans: Mapping[str, Plan], build: Callable[[Plan], Trainer], directory: Path
    ) -> None:
        self.standing, self.plans, self.build = standing, plans, build
        self.training = directory / "training"

    def run(self, stopped: threading.Event) -> Generator[Event, None, bool]:
        """Races on; returns whether there is a winner, which is not so when `stopped` was set."""
        standing = self.standing
        first = next(iter(self.plans.values()))
        if first.experiment.base_model is not None and standing.base is None:
            trainer = self.build(first)
            try:
                yield trainer.validate(0.0, stopped)  # nothing worse than the model to start from is saved
            except StoppedError:
                return False
            standing.base = trainer.validated_so_far()
            standing.base_bits = trainer.compare(standing.compared, FEWEST_PAIRS)
            standing.began_s = standing.elapsed_s = trainer.clock()
            self.save()
        while len(standing.left) > 1:
            number = standing.round
            length = standing.turn * 2**number
            for name in standing.left:
                if not standing.has_turn(name):  # some had it before the race was interrupted
                    continue
                bits = self._turn(name, length, stopped)
                if bits is None:
                    return False
                racer = standing.racers[name]
                yield Raced(name, number, racer.steps, racer.used_s, standing.elapsed_s, bits)
            try:
                by_metric = standing.is_near and standing.base is None and standing.late is None
                standing.drop_worse(self._judge(stopped) if by_metric else None)
            except StoppedError:
                return False
            self.save()
        return True

    def place(self, name: str) -> Path:
        """Where the checkpoints of a racer are."""
        return self.training / PLACES / str(list(self.standing.racers).index(name))

    def hand_over(self, trainer: Trainer) -> None:
        """Gives the winner's state to its trainer, which goes on alone from now on."""
        standing = self.standing
        (winner,) = standing.left
        self._restore(trainer, winner)
        if standing.base is not None:
            trainer.restore_validated(standing.base)
        # What was spent before the race counts for all of them.
        others_s = standing.elapsed_s - standing.began_s - standing.racers[winner].used_s
        trainer.budget.others_s = trainer.budget.others_used_s = others_s

    def clear(self) -> None:
        """Removes the checkpoints of the racers; how they fared stays."""
        shutil.rmtree(self.training / PLACES, ignore_errors=True)

    def _turn(self, name: str, length: float, stopped: threading.Event) -> float | None:
        """Trains one of them for a while; returns its bits a character, or None when it was stopped."""
        ends_at = time.monotonic() + length
        trainer, racer = self.build(self.plans[name]), self.standing.racers[name]
        began_s = trainer.clock()
        self._restore(trainer, name)
        others_s = began_s - self.standing.began_s - racer.used_s
        trainer.budget.others_used_s, trainer.budget.others_s = others_s, max(others_s, self._others())
        try:
            if not self._train(trainer, racer, length, ends_at, stopped):
                return None
            compared = self.standing.compared, FEWEST_PAIRS
            bits = trainer.compare(*compared)
            if not racer.bits and self._may_be_late(name):
                without = trainer.compare(*compared, others_sources=True)
                racer.begun = without > (1 + NOT_BEGUN) * bits
        except TrainingError:  # it diverged, which is no reason to stop the others
            bits = math.inf
        racer.bits.append(bits if math.isfinite(bits) else math.inf)
        if math.isfinite(bits):
            racer.steps = trainer.learner.step
            save_checkpoint(self.place(name), trainer.checkpoint())
        self.standing.elapsed_s = trainer.clock()
        racer.used_s += trainer.clock() - began_s
        self.save()
        return racer.bits[-1]

    def _may_be_late(self, name: str) -> bool:
        """Whether it reads letters where another one reads subwords, of pairs that share letters."""
        description = self.plans[name].prepared.report.get("description", {})
        shared_letters = description.get("shared_letters", description.get("copied", 0.0))
        kinds = {each: plan.prepared.tokenizers.target.kind for each, plan in self.plans.items()}
        if shared_letters < SHARED_LETTERS:
            return False
        return kinds[name] == "characters" and not {*SUBWORDS}.isdisjoint(kinds.values())

    def _judge(self, stopped: threading.Event) -> str | None:
        """Which of the last two the task's metric clearly prefers, on validation pairs that both translated.

        Raises:
            StoppedError: `stopped` was set; it is done again when the run goes on.
        """
        tried: list[tuple[Validator, Validation]] = []
        for name in self.standing.left:
            trainer, racer = self.build(self.plans[name]), self.standing.racers[name]
            began_s = trainer.clock()
            self._restore(trainer, name)
            trainer.validator.decode_pairs = min(trainer.validator.decode_pairs, MOST_TRANSLATED)
            tried.append((trainer.validator, trainer.try_on_pairs(stopped)))
            self.standing.elapsed_s = trainer.clock()
            racer.used_s += trainer.clock() - began_s
        shared = min(len(validation.outputs) for _, validation in tried)
        (validator, first), (other, _) = tried
        if shared - validator.count_old(shared) < FEWEST_TRANSLATED:
            return None
        if validator.first_sources(shared) != other.first_sources(shared):
            return None
        values = [validator.judge(validation.outputs[:shared]) for _, validation in tried]  # by one metric
        self.standing.metric = first.scores[0].name
        for name, value in zip(self.standing.left, values, strict=True):
            self.standing.racers[name].score = abs(value)
        if abs(values[0] - values[1]) < CLEAR:
            return None
        return self.standing.left[values.index(max(values))]

    def _train(
        self, trainer: Trainer, racer: Racer, length: float, ends_at: float, stopped: threading.Event
    ) -> bool:
        """Makes the updates of a turn, so many or until that time; returns whether it came to its end."""
        for report in trainer.updates():
            if stopped.is_set():
                return False
            if report.step - racer.steps >= length if self.standing.by_steps else time.monotonic() >= ends_at:
                return True
        raise AssertionError("updates never end by themselves")

    def _restore(self, trainer: Trainer, name: str) -> None:
        checkpoint, _ = load_newest(self.place(name))
        if checkpoint is not None:
            trainer.restore(checkpoint)

    def _others(self) -> float:
        """The seconds that the others will have used when one of those left has won."""
        turns = sum((left - 1) * length for left, length in rounds(len(self.standing.racers)))
        return turns * self.standing.turn

    def save(self) -> None:
        """Writes the standing."""
        (self.training / PLACES).mkdir(exist_ok=True)
        write_text(self.training / STANDING, json.dumps(asdict(self.standing), ensure_ascii=False, indent=1))
