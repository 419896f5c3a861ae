"""Plans: experiments with nothing left open, once data and machine are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interlingua.data.codecs import load_tokenizers
from interlingua.data.formats.table import with_languages
from interlingua.data.sources import recognise_kinds
from interlingua.engine.device import choose_device
from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.pictures.settings import PictureSettings
from interlingua.runs.base_codec import describe_codec_of_base
from interlingua.runs.candidates import choose_turn
from interlingua.runs.competitors import compete, complete_plan, keep_length_penalty
from interlingua.runs.data_facts import facts_of_base, measure_data_facts, saved_facts
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
from interlingua.runs.machine import choose_fewer_threads
from interlingua.runs.manifest import Manifest
from interlingua.runs.plan import Plan, prepare_data, with_own_report
from interlingua.runs.sizes import refuse_other_architecture
from interlingua.runs.tensorboard import require_tensorboard
from interlingua.settings import merge

__all__ = ["load_plan", "load_racing_plans", "make_plans"]


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
        prepared = prepare_data(
            inputs.data, given.tokenizer, base.tokenizers if base else None, given.pictures
        )
    notes = []
    shared: dict[str, Any] = {
        "data": inputs.in_run(out), "base_model": given.base_model and str(Path(given.base_model).absolute())
    }  # fmt: skip
    if prepared.train.target_kind == "picture" and base is None:
        shared["pictures"] = given.pictures or PictureSettings()
    if base is not None:
        if said := other_languages(given.languages, base.config.get("languages")):
            notes.append(said)
        # the base model's penalty is chosen anew, only the user's is kept
        values = merge(values_of_base(base, given.training.optimizer), keep_length_penalty(values))
        experiment = Experiment.parse(values, where).model_copy(update=shared)
        if fewer := choose_fewer_threads(experiment.model, experiment.training, prepared, device):
            training = experiment.training.model_copy(update={"threads": fewer.threads})
            experiment = experiment.model_copy(update={"training": training})
            notes.append(str(fewer))
        # how well it covers sources is measured anew
        plan = complete_plan(experiment, prepared, device, facts_of_base(base.facts, prepared))
        notes += describe_codec_of_base(prepared, base.info)
        plans = _with_other_rates(plan, asked="learning_rate" in given.training.model_fields_set)
    else:
        plans = compete(values, where, prepared, shared, inputs.data, device)
    for plan in plans:
        inputs.name_report(plan.prepared.report)
    prepared = plans[0].prepared
    outliers = describe_outliers(prepared.train, prepared.tokenizers, inputs.data, plans[0].lengths)
    of_data = [inputs.rename(each) for each in (prepared.account, outliers) if each]
    plans[0].notes[:0] = [*of_data, *notes]
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
        prepared = prepare_data(data, experiment.tokenizer, of_base, experiment.pictures)
        prepared = prepared._replace(report=with_own_report(manifest.report, prepared))
        facts = saved_facts(directory) if experiment.base_model else None
        facts = facts or measure_data_facts(prepared.train, experiment.languages)
        plans.append(Plan(experiment, prepared, measure_lengths(prepared.train), facts, [], name=name))
    return plans


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
    prepared = prepare_data(data, experiment.tokenizer, tokenizers, experiment.pictures)
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


def _refuse_overlap(out: Path, experiment: Experiment) -> None:
    needed: list[tuple[str, str | Path]] = [
        ("a file of the data", file) for file in pair_files(experiment.data) if file != "-"
    ]
    if experiment.base_model is not None:
        needed.append(("the model to start from", experiment.base_model))
    refuse_overlap(out, [*needed, ("the cache of prepared data", cache_directory())])
