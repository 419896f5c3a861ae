"""From corrections to a better model: what is learnt from, and whether the result takes the model's place."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from interlingua.data.columns import has_names
from interlingua.data.corpus import are_there
from interlingua.data.settings import CorpusSettings, PairFile, display_name
from interlingua.errors import ConfigurationError
from interlingua.evaluation.metrics import task_metrics
from interlingua.evaluation.scores import Comparison, compare
from interlingua.files import write_text
from interlingua.inference.bundle import CONFIG, INFO, read_config, read_info
from interlingua.inference.translator import Translator
from interlingua.runs.correction_checks import Usual, build_checks
from interlingua.runs.corrections import LEAST, Correction, Parts, SortedOut, divide, read_new, sort_out
from interlingua.runs.versions import IMPROVEMENTS, PREVIOUS, digest_weights, promote
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.columns import COLUMN_END

__all__ = [
    "Improvement", "OldPairs", "Verdict", "begin", "describe_request", "judge", "propose", "refuse_too_few",
    "unfinished",
]  # fmt: skip

WORK, STATE = "work", "state.json"
MOST_LOST, CHANCE = 0.5, 0.05
"""Points that the test set's score may have fallen by, at worst (the lower end of the 95% interval), and how
probable it may be that the corrections are translated better by chance."""
MIX_TOLERANCE = 0.0
"""Points that weights may lose on old validation pairs: none, since few may be lost on the test set."""
MARKS = "corrections"
"""In info.json, how far each file of corrections was learnt from."""

Pair = tuple[str, str]


class OldPairs(NamedTuple):
    """Corpora to mix in, and how all files are written."""

    corpora: list[dict[str, Any]]
    """As data.corpora takes them."""
    reading: dict[str, Any]
    """Other keys of the [data] section."""
    tagged: bool
    """Whether sources have a tag as their first column that corpora gave them."""
    missing: Sequence[str] = ()
    """Files that it was trained on that are not there any more."""

    @classmethod
    def own(cls, directory: Path) -> OldPairs:
        """The pairs that a model was trained on, as far as the files are still there."""
        config = read_config(directory).get("data", {})
        settings = CorpusSettings.parse(config, where=f"{directory / CONFIG} [data]")
        kept = {key: value for key, value in config.items()
                if key not in ("train", "valid", "corpora", "mix", "mix_share")}  # fmt: skip
        corpora, missing = list[dict[str, Any]](), list[str]()
        for corpus in settings.mixture:
            given = [_moved_with(directory, file) for file in corpus.files]
            files = [file for file in given if are_there([file])]
            missing += [display_name(file) for file in given if file not in files]
            shared = () if settings.tagged or corpora else settings.valid
            valid = [_moved_with(directory, file) for file in (*corpus.valid, *shared)]
            if files:
                values = corpus.model_dump(mode="json", exclude_none=True)
                values |= {"files": files, "valid": valid if are_there(valid) else [], "mixed_in": True}
                corpora.append(values)
        return cls(corpora, kept, settings.tagged, missing)


@dataclass
class Improvement:
    """One that is begun."""

    directory: Path
    """Of the model."""
    asked: dict[str, Any]
    """What it was asked for; it goes on only when the same is asked for again."""
    marks: dict[str, Any]
    """How far each file of corrections was read."""
    dropped: dict[str, list[str]]
    """By reason, where a correction stands that is left out."""
    parts: Parts
    files: list[str]
    """That were written to be learnt from, and are no other model's."""

    @property
    def run(self) -> Path:
        """Where the new model is trained; it is called as the model, for its card."""
        return self.directory / IMPROVEMENTS / WORK / self.directory.absolute().name

    @property
    def trained(self) -> bool:
        """Whether the new model is there, and only the verdict is missing."""
        return "steps" in read_info(self.run)

    @property
    def learnt(self) -> bool:
        """Whether other weights than the old model's were saved."""
        return bool(read_info(self.run).get("best_step"))

    @property
    def kept(self) -> int:
        """How many corrections are usable."""
        return sum(map(len, self.parts))

    def save(self) -> None:
        """Writes it, so that another process can go on with it."""
        values = {**asdict(self), "directory": None, "parts": list(self.parts)}
        write_text(self.directory / IMPROVEMENTS / WORK / STATE, json.dumps(values, ensure_ascii=False))

    def accept(self) -> None:
        """Puts the new model into the place of the old one, and marks the corrections as used."""
        config, info = read_config(self.run), read_info(self.run)
        config["base_model"] = str((self.directory / IMPROVEMENTS / PREVIOUS).absolute())
        marks = {**read_info(self.directory).get(MARKS, {}), **self.marks}
        write_text(self.run / CONFIG, tomli_w.dumps(config))
        write_text(self.run / INFO, json.dumps({**info, MARKS: marks}, ensure_ascii=False, indent=1) + "\n")
        promote(self.directory, self.run)
        shutil.rmtree(self.directory / IMPROVEMENTS / WORK, ignore_errors=True)

    def give_up(self) -> None:
        """Removes what was made for it."""
        for file in self.files:
            Path(file).unlink(missing_ok=True)
        shutil.rmtree(self.directory / IMPROVEMENTS / WORK, ignore_errors=True)


def propose(
    directory: Path, files: Sequence[Path], test: Sequence[Pair], old: Iterable[Pair], translator: Translator,
    asked: Mapping[str, Any],
) -> Improvement:  # fmt: skip
    """Sorts out the corrections that a model has not learnt from; writes nothing.

    Args:
        directory: of the model.
        files: of corrections.
        test: the pairs that the new model is to be tested on.
        old: some of the pairs that the model learnt from.
        translator: the model.
        asked: what is asked for.
    """
    source = translator.tokenizers.source
    columns = len(source.columns) if isinstance(source, ColumnTokenizer) else 1
    usual = Usual([*test, *old], list(translator.score_pairs(test)))
    checks, known = build_checks(usual, translator), read_info(directory).get(MARKS, {})
    marks, dropped, kept = {}, dict[str, list[str]](), list[Correction]()
    for file in files:
        unread = read_new(file, known.values())  # the file may have been moved, or be a copy
        marks[str(file.absolute())] = unread.mark
        found: SortedOut = sort_out(unread.lines, columns, test, checks, natural=translator.facts.natural)
        kept += found.kept
        for reason, lines in found.dropped.items():
            dropped.setdefault(reason, []).extend(
                str(line) if len(files) == 1 else f"{file.name}:{line}" for line in lines
            )
    return Improvement(directory, dict(asked), marks, dropped, divide(kept), [])


def refuse_too_few(improvement: Improvement) -> None:
    """Refuses to learn from so few corrections that nothing could be said of the result.

    Raises:
        ConfigurationError: there are fewer than `LEAST`.
    """
    if improvement.kept < LEAST:
        raise ConfigurationError(
            "too few usable corrections, so nothing is changed", where=improvement.directory,
            found=f"{improvement.kept:,}",
            accepted=f"From {LEAST} on, three in ten are kept aside, and show whether a new model is better. "
            "Those that are there stay, and count the next time.",
        )  # fmt: skip


def begin(improvement: Improvement, old: OldPairs, training: Mapping[str, Any]) -> dict[str, Any]:
    """Writes what is learnt from, and what a process needs to go on.

    Returns:
        The experiment to carry out in `improvement.run`.
    """
    place = improvement.directory / IMPROVEMENTS
    shutil.rmtree(place / WORK, ignore_errors=True)
    (place / WORK).mkdir(parents=True)
    settings, tagged = CorpusSettings.parse(old.reading, where=CONFIG), old.tagged
    corpora: dict[str | None, dict[str, Any]] = {}
    for kind, corrections in (("files", improvement.parts.train), ("valid", improvement.parts.valid)):
        for tag in dict.fromkeys(_tag(each) if tagged else None for each in corrections):
            own = [each for each in corrections if not tagged or _tag(each) == tag]
            content = _written(own, tagged, settings)
            name = hashlib.blake2b(content.encode(), digest_size=6).hexdigest()
            suffix = "jsonl" if _as_json(settings) else "tsv"
            path = place / f"corrections-{name}.{suffix}"
            if (
                not path.exists()
            ):  # else a model has learnt from the same, perhaps one that was gone back from
                write_text(path, content)
                improvement.files.append(str(path))
            corpora.setdefault(tag, {"tag": tag} if tag else {})[kind] = [str(path.absolute())]
    improvement.save()
    # Of a language with few corrections all may have come to lie in the other part.
    new = [corpus for corpus in corpora.values() if "files" in corpus]
    config = read_config(improvement.directory)
    values: dict[str, Any] = {
        "base_model": str(improvement.directory.absolute()),
        "data": {**old.reading, "corpora": [*new, *old.corpora]},
        "training": {"mix_tolerance": MIX_TOLERANCE, **training},
    }  # fmt: skip
    return values | {key: config[key] for key in ("languages",) if key in config}


def unfinished(directory: Path, asked: Mapping[str, Any]) -> Improvement | None:
    """One that was begun with the same request and that can go on; another one is removed."""
    work = directory / IMPROVEMENTS / WORK
    try:
        values = json.loads((work / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        shutil.rmtree(work, ignore_errors=True)
        return None
    parts = Parts(*([Correction(*each) for each in part] for part in values.pop("parts")))
    found = Improvement(**{**values, "directory": directory, "parts": parts})
    if found.asked == json.loads(json.dumps(asked)) and (found.run / CONFIG).exists():
        return found
    found.give_up()
    return None


@dataclass(frozen=True)
class Verdict:
    """Whether a new model takes the place of the old one."""

    test: list[Comparison]
    """On the test set, by each metric."""
    corrections: list[Comparison]
    """On corrections that neither has learnt from, by each metric."""

    @property
    def deciding(self) -> Comparison:
        """By which metric nothing may be lost: the first, or by symbols where outputs are right or wrong.

        Of a few hundred outputs a single wrong one would be more than may be lost.
        """
        by_name = {comparison.name: comparison for comparison in self.test}
        return by_name["symbol_error"] if self.test[0].name == "sequence_error" else self.test[0]

    @property
    def lost(self) -> float:
        """Points by which the new model may be worse on the test set; negative where it is better."""
        first = self.deciding
        return -first.difference.low if first.higher_is_better else first.difference.high

    @property
    def no_worse(self) -> bool:
        """Whether it has lost nothing of what counts on the test set."""
        return self.lost < MOST_LOST

    def pairs_to_tell(self, pairs: int) -> int | None:
        """How many test pairs could show that nothing is lost, where so many could not."""
        first = self.deciding
        gained = _gain(first)
        if self.no_worse or gained <= -MOST_LOST:
            return None
        return math.ceil(pairs * ((self.lost + gained) / (MOST_LOST + gained)) ** 2)

    @property
    def telling(self) -> Comparison:
        """By which metric corrections must be better: chrF where the task's own is BLEU, else that one.

        Of some dozens of sentences BLEU counts hardly any matches of four words, and mostly tells of chance;
        chrF sees each ending (Popović 2015).
        """
        by_name = {comparison.name: comparison for comparison in self.corrections}
        return by_name.get("chrF2", self.corrections[0])

    @property
    def better(self) -> bool:
        """Whether it translates corrections better, not by chance, and no worse by the task's own metric."""
        telling, first = self.telling, self.corrections[0]
        return _gain(telling) > 0 and telling.p_value < CHANCE and _gain(first) >= 0

    @property
    def accepted(self) -> bool:
        """Whether the new model is the better one."""
        return self.no_worse and self.better

    def __str__(self) -> str:
        metric = self.deciding.name
        worst = f"{max(0.0, self.lost):.2f} points of {metric} at worst (the 95% interval's end)"
        allowed = f"{'less' if self.no_worse else 'not less'} than the {MOST_LOST:g} that it may"
        test = f"On the test set it loses {worst}, {allowed}."
        telling = self.telling
        change = f"{telling.baseline:.2f} → {telling.score:.2f}, p = {telling.p_value:.3f}"
        surely = "" if self.better else "not surely "
        corrected = f"On corrections that were kept aside it is {surely}better"
        verdict = (
            "The new model takes the old one's place."
            if self.accepted
            else "The old model stays; nothing is changed."
        )
        return f"{verdict} {test} {corrected} ({telling.name} {change})."


def _gain(comparison: Comparison) -> float:
    """Points by which the new model is better."""
    difference = comparison.score - comparison.baseline
    return difference if comparison.higher_is_better else -difference


def judge(old: Translator, new: Translator, test: Sequence[Pair], corrections: Sequence[Pair]) -> Verdict:
    """Compares two models on a test set and on corrections, by the metrics that fit the test set."""
    metrics = task_metrics([target for _, target in test], old.tokenizers, old.facts)

    def compared(pairs: Sequence[Pair]) -> list[Comparison]:
        sources = [source for source, _ in pairs]
        before, after = ([found.text for found in model.translate(sources)] for model in (old, new))
        return compare(before, after, pairs, metrics=metrics)

    return Verdict(compared(test), compared(corrections))


def describe_request(
    directory: Path, test: Sequence[Pair], files: Sequence[Path], mix: str | None, values: Mapping[str, Any]
) -> dict[str, Any]:
    """What an improvement is asked for, to know it again."""
    content = json.dumps([list(pair) for pair in test], ensure_ascii=False).encode()
    return {
        "weights": digest_weights(directory), "test": hashlib.blake2b(content, digest_size=16).hexdigest(),
        "corrections": [str(file.absolute()) for file in files], "mix": mix, "values": dict(values),
    }  # fmt: skip


def _moved_with(directory: Path, file: PairFile) -> PairFile:
    """A file, or where it lies now if it is one of corrections that moved with the model's directory."""
    if isinstance(file, str) and not (path := Path(file)).exists() and path.parent.name == IMPROVEMENTS:
        moved = directory.absolute() / IMPROVEMENTS / path.name
        return str(moved) if moved.exists() else file
    return file


def _tag(correction: Correction) -> str:
    return correction.source.partition(COLUMN_END)[0]


def _written(corrections: Sequence[Correction], tagged: bool, settings: CorpusSettings) -> str:
    """Corrections as the content of a file that is read as the model's own files are.

    Raises:
        ConfigurationError: those are all of a format that corrections cannot have.
    """
    if settings.format not in ("auto", "tsv", "jsonl"):
        raise ConfigurationError(
            "corrections cannot be written as this model's training files are", where="data.format",
            found=settings.format, accepted="A model trained with data.format = auto.",
        )  # fmt: skip
    rows = [
        [*(each.source.partition(COLUMN_END)[2] if tagged else each.source).split(COLUMN_END), each.target]
        for each in corrections
    ]
    if _as_json(settings):
        keys = [*settings.keys[0], settings.keys[1]]
        lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False) for row in rows]
    elif settings.columns is None:
        lines = [COLUMN_END.join(row) for row in rows]
    else:
        columns = (*settings.columns[0], settings.columns[1])
        names = [str(column) for column in columns]
        if has_names(settings.columns):
            lines = [COLUMN_END.join(row) for row in [names, *rows]]
        else:
            lines = [_in_places(row, [int(column) for column in columns]) for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _as_json(settings: CorpusSettings) -> bool:
    """Whether lines of JSON are written: also where columns have names, which not every kind of file has."""
    return settings.format == "jsonl" or (settings.format == "auto" and has_names(settings.columns))


def _in_places(values: Sequence[str], places: Sequence[int]) -> str:
    row = ["-"] * max(places)
    for place, value in zip(places, values, strict=True):
        row[place - 1] = value
    return COLUMN_END.join(row)
