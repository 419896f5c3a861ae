"""Plans: experiments with nothing left open, once data and machine are known."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from interlingua.data.account import summarise
from interlingua.data.codecs import load_tokenizers
from interlingua.data.corpus import CorpusSettings
from interlingua.data.formats.table import with_languages
from interlingua.data.preparation import Prepared, prepare
from interlingua.data.sources import recognise_kinds
from interlingua.engine.device import choose_device
from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import Bundle, LengthStatistics, load_bundle
from interlingua.kinds import FileCodec
from interlingua.model.presets import PRESETS
from interlingua.pictures.settings import PictureSettings
from interlingua.runs.base_codec import describe_codec_of_base
from interlingua.runs.candidates import (
    MAX_LOST,
    Candidate,
    are_better_spelt,
    choose_turn,
    enough_for_a_race,
    propose,
    propose_for_sound,
)
from interlingua.runs.data_facts import describe_data, facts_of_base, measure_data_facts, saved_facts
from interlingua.runs.directory import refuse_overlap
from interlingua.runs.experiment import (
    Experiment,
    cache_directory,
    change_training,
    fill_in_architecture,
    parse_given,
    rename_old_keys,
)
from interlingua.runs.fine_tuning import (
    kinds_of_base,
    other_languages,
    racing_rates,
    refuse_other_columns,
    refuse_other_model,
    values_of_base,
)
from interlingua.runs.inputs import Inputs, copy_streams, find_again, pair_files
from interlingua.runs.lengths import describe_outliers, measure_lengths
from interlingua.runs.machine import choose_fewer_threads, measure_throughput
from interlingua.runs.manifest import Manifest
from interlingua.runs.picture_recipes import choose_picture_recipe
from interlingua.runs.recipes import (
    choose_recipe,
    default_steps,
    epoch_tokens,
    is_of_symbols,
    measured_settings,
    tokens_of_batch,
)
from interlingua.runs.sizes import refuse_other_architecture, refuse_too_large
from interlingua.runs.sound_recipes import choose_sound_recipe, seconds_of
from interlingua.runs.tensorboard import require_tensorboard
from interlingua.settings import merge
from interlingua.sound.description import SoundDescription
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.description import Description
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import Tokenizer, TokenizerPair, TokenizerSettings

__all__ = ["Plan", "load_plan", "load_racing_plans", "make_plans"]


ARCHITECTURE_NAMES = {"recurrent": "lstm", "transformer": "transformer"}
TOKENIZER_KEYS = {"source", "target", "vocabulary_size", "joint", "source_model", "target_model"}
"""Those that choose a tokenization."""


class Plan(NamedTuple):
    """An experiment with nothing left open."""

    experiment: Experiment
    prepared: Prepared
    lengths: LengthStatistics
    facts: TextFacts
    notes: list[str]
    """What was found and chosen, for people."""
    inputs: Inputs | None = None
    """The files as they were read, of a run that is started."""
    name: str = ""
    """Such as "characters + lstm"."""
    updates_per_s: float = math.inf
    """That are made, about, where that was found out."""


def make_plans(values: Mapping[str, Any], where: str, out: Path, copies: Path) -> list[Plan]:
    """Parses a configuration, prepares its data, and chooses what it leaves open.

    Args:
        values: a configuration file's tables, with whatever was changed on the command line.
        where: where they come from, for messages.
        out: the run's directory.
        copies: a directory for what can be read only once, such as standard input.

    Returns:
        The plan that experience suggests first, then others that may be better ones (see race.py).

    Raises:
        ConfigurationError: a key, a value or the device is not acceptable.
        DataError: the files are not as announced.
        BundleError: the model to start from cannot be used.
        OutputError: the run's directory is, or holds, what it needs.
    """
    values = fill_in_architecture(rename_old_keys(values))
    given = parse_given(values, where)
    if named := given.tokenizer.own_models():
        absolute = {key: str(Path(file).absolute()) for key, file in named.items()}
        values = merge(values, {"tokenizer": absolute})
        given = parse_given(values, where)
    device = choose_device(given.training.device)  # what is wrong is found now, before anything is written
    if given.training.tensorboard:
        require_tensorboard()
    if given.base_model is None:
        refuse_other_architecture(given.preset, given.model, where)
    base = None if given.base_model is None else load_bundle(given.base_model)
    if base is not None:
        refuse_other_model(values, base, where)
    elif any(given.data.mixed_in):
        raise ConfigurationError(
            "old pairs are mixed in only where a model is trained further", where="data.mix",
            found=pair_files(given.data)[given.data.mixed_in.index(True)],
            accepted="Name that model: --from. To train anew on both, name both with --train, and --weight.",
        )  # fmt: skip
    _refuse_overlap(out, given)
    languages = given.languages or (base and base.config.get("languages"))
    inputs = copy_streams(with_languages(given.data, languages), copies)
    with inputs.named():
        inputs = _recognise_kinds(inputs, base, where)
        prepared = _prepare(inputs.data, given.tokenizer, base.tokenizers if base else None, given.pictures)
    inputs.name_report(prepared.report)
    notes = [inputs.rename(prepared.account)]
    lengths = measure_lengths(prepared.train)
    if outliers := describe_outliers(prepared.train, prepared.tokenizers, inputs.data, lengths):
        notes.append(inputs.rename(outliers))
    shared: dict[str, Any] = {
        "data": inputs.in_run(out), "base_model": given.base_model and str(Path(given.base_model).absolute())
    }  # fmt: skip
    if prepared.train.target_kind == "picture" and base is None:
        shared["pictures"] = given.pictures or PictureSettings()
    if base is not None:
        if said := other_languages(given.languages, base.config.get("languages")):
            notes.append(said)
        # the base model's penalty is chosen anew, only the user's is kept
        values = merge(values_of_base(base, given.training.optimizer), _keep_length_penalty(values))
        experiment = Experiment.parse(values, where).model_copy(update=shared)
        if fewer := choose_fewer_threads(experiment.model, experiment.training, prepared, device):
            training = experiment.training.model_copy(update={"threads": fewer.threads})
            experiment = experiment.model_copy(update={"training": training})
            notes.append(str(fewer))
        # how well it covers sources is measured anew
        plan = _complete(experiment, prepared, device, facts_of_base(base.facts, prepared))
        notes += describe_codec_of_base(prepared, base.info)
        plans = _with_other_rates(plan, asked="learning_rate" in given.training.model_fields_set)
    else:
        plans = _compete(values, where, prepared, shared, inputs.data, device)
    plans[0].notes[:0] = notes
    return [plan._replace(inputs=inputs) for plan in plans]


def _with_other_rates(plan: Plan, asked: bool) -> list[Plan]:
    """A fine-tuning, and the same with other learning rates, if none is asked for and a race has time."""
    training = plan.experiment.training
    rates = racing_rates(training.learning_rate)
    turn = choose_turn(training.minutes, training.max_steps, len(rates), fine_tuning=True)
    if asked or turn is None or not training.race:
        return [plan]
    settings = [training.model_copy(update={"learning_rate": rate}) for rate in rates]
    plans = [
        plan._replace(experiment=plan.experiment.model_copy(update={"training": each}), notes=[],
                      name=f"rate {each.learning_rate:g}")
        for each in settings
    ]  # fmt: skip
    return [plans[0]._replace(notes=plan.notes), *plans[1:]]


def load_racing_plans(
    directory: Path, configs: Mapping[str, Mapping[str, Any]], changed: Mapping[str, Any],
    manifest: Manifest, moved: Sequence[str] = (),
) -> list[Plan]:  # fmt: skip
    """The plans of a run whose race is not over: nothing is chosen anew.

    Args:
        directory: of the run.
        configs: of the racers, by name.
        changed: settings of training that are to be others.
        manifest: what the run was started from.
        moved: see `find_again`.

    Raises:
        CheckpointError: its data is not what it was.
    """
    plans = []
    for name, config in configs.items():
        training = change_training(config["training"], changed)
        experiment = Experiment.parse({**config, "training": training}, str(directory / "config.toml"))
        data = find_again(experiment.data, manifest.files, directory, moved)
        experiment = experiment.model_copy(update={"data": data})
        of_base = load_tokenizers(directory) if experiment.base_model else None
        prepared = _prepare(data, experiment.tokenizer, of_base, experiment.pictures)
        prepared = prepared._replace(report=_with_own(manifest.report, prepared))
        facts = saved_facts(directory) if experiment.base_model else None
        facts = facts or measure_data_facts(prepared.train, experiment.languages)
        plans.append(Plan(experiment, prepared, measure_lengths(prepared.train), facts, [], name=name))
    return plans


def _with_own(report: Mapping[str, Any], prepared: Prepared) -> dict[str, Any]:
    """The report on the data of a run, with what is another with other tokenizers."""
    own = {key: prepared.report[key] for key in ("tokenizers", "unknown", "train_stored", "valid_stored")}
    for part in {"train", "valid"} & report.keys():
        own[part] = {**report[part], **{key: prepared.report[part][key] for key in ("left_out", "kept")}}
    merged = {**report, **own}
    return {**merged, "summary": summarise(merged)}


def _compete(
    values: Mapping[str, Any], where: str, prepared: Prepared, shared: Mapping[str, Any],
    data: CorpusSettings, device: torch.device,
) -> list[Plan]:  # fmt: skip
    """The plan that experience suggests, and those that may beat it.

    Args:
        values: the configuration as it was given.
        where: where it comes from, for messages.
        prepared: the data, with the tokenizers that experience suggests.
        shared: settings of all of them.
        data: the files as they can be read now.
        device: what trains.
    """
    given = parse_given(values, where)
    description, facts = describe_data(prepared.train, given.languages)
    prepared.report["description"] = description.as_dict()
    plans = [_suggest(values, where, Candidate(), prepared, shared, device, facts)]
    suggested = plans[0].experiment
    if fewer := choose_fewer_threads(suggested.model, suggested.training, prepared, device):
        values = merge(values, {"training": {"threads": fewer.threads}})  # which see more in the time
        plans = [_suggest(values, where, Candidate(), prepared, shared, device, facts)]
        plans[0].notes.append(str(fewer))
    plans[0].notes.insert(0, f"data: {len(prepared.train):,} pairs, {description}")
    if not given.training.race:
        return plans
    any_tokenizer = not given.tokenizer.model_fields_set & TOKENIZER_KEYS
    others: list[Candidate] = []
    if isinstance(description, SoundDescription):
        others = propose_for_sound(description, prepared.tokenizers, any_tokenizer=any_tokenizer)
    elif isinstance(description, Description):
        others = propose(
            description, prepared.tokenizers, len(prepared.train), plans[0].experiment.model.architecture,
            any_tokenizer=any_tokenizer, any_model=given.preset is None and not values.get("model"),
        )  # fmt: skip
    racing = _count_racing(others, plans[0])
    alone = not racing and are_better_spelt(others, description, given.training.minutes)
    for other in others[: racing or alone]:
        settings = TokenizerSettings.parse({**values.get("tokenizer", {}), **other.tokenizer}, where)
        own = _prepare(data, settings, None, given.pictures) if other.tokenizer else prepared
        lost = len(prepared.train) - len(own.train)
        if lost > MAX_LOST * len(prepared.train):
            continue
        own = own._replace(report=_with_own(prepared.report, own))
        plans.append(_suggest(values, where, other, own, shared, device, facts))
        if lost:
            more = f"more than {given.data.max_length:,} ids on a side with this vocabulary"
            plans[-1].notes.append(f"training pairs left out beside those above: {lost:,} ({more})")
    if racing < len(others):
        untried = _describe_untried(others, racing, plans[0], plans[-1])
        plans[0].notes.append(untried)
        for plan in plans:
            plan.prepared.report["no_race"] = untried
    if alone and len(plans) > 1:
        subwords, letters = plans
        of_all = [note for note in subwords.notes if not note.startswith("preset ")]
        plans = [letters._replace(notes=[*of_all, *letters.notes])]
    if len(plans) > 1:
        for plan, when in zip(plans, ["first candidate", *["goes on with"] * len(others)], strict=False):
            plan.notes[:] = [f"{when}: {note}" if note.startswith("preset ") else note for note in plan.notes]
    return plans


def _count_racing(others: Sequence[Candidate], first: Plan) -> int:
    """How many of the candidates there is time to race against."""
    training, racing = first.experiment.training, len(others)
    while racing and choose_turn(
        training.minutes, training.max_steps, 1 + racing, updates_per_s=first.updates_per_s
    ) is None:  # fmt: skip
        racing -= 1
    return racing


def _describe_untried(others: Sequence[Candidate], racing: int, first: Plan, taken: Plan) -> str:
    """What to say of the candidates that there is no time for.

    Args:
        others: all candidates beside the first.
        racing: how many of them do race.
        first: the plan of the first.
        taken: the plan that is carried out without a race, if there is none.
    """
    enough = enough_for_a_race(
        first.experiment.training.minutes is not None, 1 + len(others), first.updates_per_s
    )
    names = [_name_of(other, first.name) for other in others[racing:]]
    if racing:
        return f"no race with {', '.join(names)} (that takes {enough} here)"
    names.insert(0, first.name)
    return f"no race between {', '.join(names)} (that takes {enough} here): {taken.name} by experience"


def _suggest(
    values: Mapping[str, Any], where: str, candidate: Candidate, prepared: Prepared,
    shared: Mapping[str, Any], device: torch.device, facts: TextFacts,
) -> Plan:  # fmt: skip
    given = parse_given(values, where)
    architecture = candidate.architecture or (given.model.architecture if values.get("model") else None)
    if prepared.train.source_kind == "sound":

        @functools.cache
        def throughput(preset: str) -> float:
            settings = measured_settings(given.training, preset)
            return measure_throughput(PRESETS[preset], settings, prepared, device)

        recipe = choose_sound_recipe(given.preset, given.training, prepared.train, throughput)
    elif "picture" in (prepared.train.source_kind, prepared.train.target_kind):
        recipe = choose_picture_recipe(given.preset, given.training, prepared, device)
    else:
        recipe = choose_recipe(given.preset, architecture, given.training, prepared, device)
    # the user's penalty, or a paper's, is kept
    chosen = merge(recipe.values, {"tokenizer": dict(candidate.tokenizer)})
    experiment = Experiment.parse(_keep_length_penalty(merge(chosen, values)), where)
    plan = _complete(experiment.model_copy(update=dict(shared)), prepared, device, facts)
    plan.notes.insert(0, recipe.reason)
    return plan._replace(name=_name(experiment, prepared), updates_per_s=recipe.updates_per_s)


def _complete(experiment: Experiment, prepared: Prepared, device: torch.device, facts: TextFacts) -> Plan:
    refuse_too_large(experiment.model, prepared, device)
    notes = []
    if experiment.training.max_steps is None and experiment.training.minutes is None:
        experiment, note = _with_default_budget(experiment, prepared)
        notes.append(note)
    return Plan(experiment, prepared, measure_lengths(prepared.train), facts, notes)


def _name_of(candidate: Candidate, suggested: str) -> str:
    """What a candidate would be called beside the suggested plan; see _name."""
    kind, model = suggested.split(" + ")
    source, target = kind.split(" to ")[0], kind.split(" to ")[-1]
    kinds = candidate.tokenizer.get("source", source), candidate.tokenizer.get("target", target)
    kind = " to ".join(dict.fromkeys(kinds))
    return f"{kind} + {ARCHITECTURE_NAMES.get(candidate.architecture or '', model)}"


def _name(experiment: Experiment, prepared: Prepared) -> str:
    """Such as "characters + lstm"."""
    kinds = map(_tokens_of, prepared.tokenizers)
    model = getattr(experiment.model, "cell", experiment.model.architecture)
    return f"{' to '.join(dict.fromkeys(kinds))} + {model}"


def _tokens_of(tokenizer: Tokenizer) -> str:
    """What texts are cut into; of several columns those that are no tags."""
    if isinstance(tokenizer, FileCodec):
        return "pictures" if tokenizer.kind == "picture" else "sound"
    if isinstance(tokenizer, ColumnTokenizer):
        return next((name for name in map(_tokens_of, tokenizer.columns) if name != "words"), "words")
    if tokenizer.kind in ("unigram", "bpe"):
        return f"{len(tokenizer):,} subwords"
    return "symbols" if is_of_symbols(tokenizer) else tokenizer.kind


def load_plan(
    directory: Path, values: Mapping[str, Any], manifest: Manifest | None, moved: Sequence[str] = ()
) -> Plan:
    """The plan of a run that exists: nothing is chosen or learnt anew.

    Args:
        directory: of the run.
        values: its configuration, perhaps with another budget.
        manifest: what it was started from; None for a run of an earlier version.
        moved: see `find_again`.

    Raises:
        CheckpointError: its data is not what it was.
    """
    experiment = Experiment.parse(rename_old_keys(values), where=str(directory / "config.toml"))
    tokenizers, data = load_tokenizers(directory), experiment.data
    if manifest is not None:
        data = find_again(data, manifest.files, directory, moved)
        experiment = experiment.model_copy(update={"data": data})
    prepared = _prepare(data, experiment.tokenizer, tokenizers, experiment.pictures)
    if manifest is not None:
        prepared = prepared._replace(report=manifest.report)
    facts = saved_facts(directory) if experiment.base_model else None
    if facts is None:
        facts = measure_data_facts(prepared.train, experiment.languages)
    return Plan(experiment, prepared, measure_lengths(prepared.train), facts, [])


def _recognise_kinds(inputs: Inputs, base: Bundle | None, where: str) -> Inputs:
    """The files, and what they are of; names in a stream count from the working directory."""
    root = inputs.data.source_root
    of_names = str(Path(root or "").absolute()) if root or inputs.names else None
    split_by = inputs.data.split_by if "split_by" in inputs.data.model_fields_set else "count"
    data = recognise_kinds(inputs.data.model_copy(update={"source_root": of_names, "split_by": split_by}))
    if base is not None:
        data = kinds_of_base(data, inputs.data, base, where)
        refuse_other_columns(data, base)
    return inputs._replace(
        data=data.model_copy(update={"source_root": of_names if any(data.names_files) else root})
    )


def _prepare(
    data: CorpusSettings, settings: TokenizerSettings, tokenizers: TokenizerPair | None,
    pictures: PictureSettings | None,
) -> Prepared:  # fmt: skip
    """The data, prepared with these tokenizers; with new ones when there are none."""
    prepared = prepare(data, settings, cache_directory(), tokenizers, pictures)
    return prepared if tokenizers is None else prepared._replace(tokenizers=tokenizers)


def _refuse_overlap(out: Path, experiment: Experiment) -> None:
    needed: list[tuple[str, str | Path]] = [
        ("a file of the data", file) for file in pair_files(experiment.data) if file != "-"
    ]
    if experiment.base_model is not None:
        needed.append(("the model to start from", experiment.base_model))
    refuse_overlap(out, [*needed, ("the cache of prepared data", cache_directory())])


def _keep_length_penalty(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A length penalty among the values is not to be replaced by one that validation pairs choose."""
    if "length_penalty" not in (values.get("search") or {}):
        return values
    return merge(values, {"training": {"choose_length_penalty": False}})


def _with_default_budget(experiment: Experiment, prepared: Prepared) -> tuple[Experiment, str]:
    """Sets the steps by the size of the data; also says so."""
    training, tokens = experiment.training, epoch_tokens(prepared)
    if prepared.train.source_kind == "sound":
        batch_tokens = max(1.0, tokens * training.batch_seconds / seconds_of(prepared.train))
    else:
        batch_tokens = tokens_of_batch(prepared.train, training.max_tokens)
    steps = default_steps(tokens, batch_tokens * training.accumulate)
    training = training.model_copy(update={"max_steps": steps})
    note = f"budget: {steps:,} steps, from the size of the data (--minutes or --max-steps to choose)"
    return experiment.model_copy(update={"training": training}), note
