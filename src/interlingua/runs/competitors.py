"""Which plans there are for some data: the one that experience suggests, and those that race against it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from interlingua.data.corpus import CorpusSettings
from interlingua.data.description import AnyDescription
from interlingua.data.preparation import Prepared
from interlingua.kinds import FileCodec
from interlingua.model.presets import PRESETS
from interlingua.runs.candidates import (
    MAX_LOST,
    Candidate,
    are_better_spelt,
    choose_turn,
    enough_for_a_race,
    propose,
    propose_for_sound,
)
from interlingua.runs.data_facts import describe_data
from interlingua.runs.experiment import Experiment, parse_given
from interlingua.runs.lengths import measure_lengths
from interlingua.runs.machine import choose_fewer_threads, measure_throughput
from interlingua.runs.picture_recipes import choose_picture_recipe
from interlingua.runs.plan import Plan, prepare_data, with_own_report
from interlingua.runs.recipes import (
    choose_recipe,
    default_steps,
    epoch_tokens,
    is_of_symbols,
    measured_settings,
    tokens_of_batch,
)
from interlingua.runs.sizes import refuse_too_large
from interlingua.runs.sound_recipes import choose_sound_recipe, seconds_of
from interlingua.settings import merge
from interlingua.sound.description import SoundDescription
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.description import Description
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import Tokenizer, TokenizerSettings

__all__ = ["compete", "complete_plan", "keep_length_penalty"]

ARCHITECTURE_NAMES = {"recurrent": "lstm", "transformer": "transformer"}
TOKENIZER_KEYS = {"source", "target", "vocabulary_size", "joint", "source_model", "target_model"}
"""Those that choose a tokenization."""
FEW_PAIRS = 100
"""With fewer the user is told what to expect."""
CHOSEN_BESIDE = {"dropout", "ctc", "target_grid"}
"""Keys of the [model] section that are no sizes of a preset."""


def compete(
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
    if not given.training.race:
        return _with_description(plans, description)
    others = _propose_others(given, bool(values.get("model")), plans[0], description)
    racing = _count_racing(others, plans[0])
    minutes, updates_per_s = given.training.minutes, plans[0].updates_per_s
    alone = not racing and are_better_spelt(others, description, minutes, updates_per_s)
    for other in others[: racing or alone]:
        settings = TokenizerSettings.parse({**values.get("tokenizer", {}), **other.tokenizer}, where)
        own = prepare_data(data, settings, None, given.pictures) if other.tokenizer else prepared
        lost = len(prepared.train) - len(own.train)
        if lost > MAX_LOST * len(prepared.train):
            continue
        own = own._replace(report=with_own_report(prepared.report, own))
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
        why = [note for note in letters.notes if note.startswith("preset ")]
        of_all = [note for note in subwords.notes if not note.startswith("preset ")]
        return _with_description([letters._replace(notes=[*of_all, *why])], description)
    if len(plans) > 1:
        for plan, when in zip(plans, ["first candidate", *["goes on with"] * len(others)], strict=False):
            plan.notes[:] = [f"{when}: {note}" if note.startswith("preset ") else note for note in plan.notes]
    return _with_description(plans, description)


def _with_description(plans: list[Plan], description: AnyDescription) -> list[Plan]:
    """The plans, the first of which says what the data are like."""
    pairs = len(plans[0].prepared.train)
    said = [f"data: {pairs:,} pairs, {description}"]
    if pairs < FEW_PAIRS:
        least = "hundreds are the least for spellings, tens of thousands for sentences"
        of_text = isinstance(description, Description)
        least = f"{'; ' + least if of_text else ''}"
        said.append(f"only {pairs} to learn from: a model learns so few by heart, and little else{least}")
    plans[0].notes[:0] = said
    return plans


def _propose_others(
    given: Experiment, sizes_given: bool, first: Plan, description: AnyDescription
) -> list[Candidate]:
    """What may be better than the first plan, of what the user left open."""
    any_tokenizer = not given.tokenizer.model_fields_set & TOKENIZER_KEYS
    if isinstance(description, SoundDescription):
        return propose_for_sound(description, first.prepared.tokenizers, any_tokenizer=any_tokenizer)
    if not isinstance(description, Description):
        return []
    return propose(
        description, first.prepared.tokenizers, len(first.prepared.train),
        first.experiment.model.architecture,
        any_tokenizer=any_tokenizer, any_model=given.preset is None and not sizes_given,
    )  # fmt: skip


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
    experiment = Experiment.parse(keep_length_penalty(merge(chosen, values)), where)
    plan = complete_plan(experiment.model_copy(update=dict(shared)), prepared, device, facts)
    plan.notes.insert(0, f"{_describe_choice(recipe.preset, experiment, prepared)}: {recipe.reason}")
    return plan._replace(name=_name(experiment, prepared), updates_per_s=recipe.updates_per_s)


def _describe_choice(preset: str, experiment: Experiment, prepared: Prepared) -> str:
    """What of a recipe and the user's settings is in force, such as "preset lstm, dropout 0.2"."""
    model, training, sizes = experiment.model, experiment.training, PRESETS[preset].model_dump()
    changed = [f"{key} {value}" for key, value in model.model_dump().items()
               if key not in CHOSEN_BESIDE and value != sizes.get(key)]  # fmt: skip
    said = [f"preset {preset}", *changed, f"dropout {model.dropout:g}"]
    if prepared.train.source_kind == "sound":
        said.append(f"batches of {training.batch_seconds:.3g} s")
    else:
        said.append(f"batches of {training.max_tokens * training.accumulate:,} tokens")
    said.append(training.optimizer)
    said += ["subwords cut at random"] if training.subword_sampling else []
    return ", ".join([*said, *(["CTC"] if model.ctc else [])])


def complete_plan(experiment: Experiment, prepared: Prepared, device: torch.device, facts: TextFacts) -> Plan:
    """The plan of an experiment, whose budget is chosen if there is none.

    Raises:
        ConfigurationError: its model does not fit into memory.
    """
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


def keep_length_penalty(values: Mapping[str, Any]) -> Mapping[str, Any]:
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
