"""What a run takes from the model that it starts from, and what may not be asked for beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlingua.data.formats.languages import match, primary
from interlingua.data.settings import CorpusSettings
from interlingua.data.sources import first_pairs
from interlingua.errors import ConfigurationError, DataError, nearest
from interlingua.inference.bundle import Bundle
from interlingua.kinds import FileCodec
from interlingua.model.architectures import parse_model_settings
from interlingua.model.presets import PRESETS
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.settings import PictureSettings
from interlingua.pictures.source import PictureSource
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.columns import COLUMN_END, list_tags
from interlingua.text.normalise import is_blank

__all__ = [
    "kinds_of_base", "other_languages", "racing_rates", "refuse_other_columns", "refuse_other_model",
    "values_of_base",
]  # fmt: skip

LEARNING_RATE = {"adamw": 2e-3, "muon": 4e-3}
"""Peaks: two thirds of that from nothing suited the validation pairs of a new domain best
(benchmarks/results/recipes.md). What was learnt before is kept all the same: nothing is saved that scores
worse than the base model."""
RACING_SHARES = 1.0, 0.25, 0.0625
"""Of these peaks, which race: few pairs, or those of a domain near the old one, want gentler ones."""
NARROW_DIM = 192
"""Wider models take half of it, as they do from nothing."""

CHANGEABLE = ("dropout", "attention_dropout", "activation_dropout", "max_positions")
"""Settings of a model that its weights do not depend on."""
CHANGEABLE_PICTURES = ("caption_dropout",)
"""Settings of pictures that do not depend on their codec, which is learnt already."""


def values_of_base(base: Bundle, optimizer: str) -> dict[str, Any]:
    """What a run takes from its base model, beside weights and tokenizers; and a gentle learning rate."""
    kept: dict[str, Any] = {
        key: base.config[key] for key in ("model", "search", "languages") if key in base.config
    }
    share = 1 if kept["model"].get("dim", 0) <= NARROW_DIM else 0.5
    training = {"learning_rate": share * LEARNING_RATE[optimizer]}
    codec = base.tokenizers.target
    if isinstance(codec, PictureCodec):
        kept["pictures"] = _picture_values(codec, base)
        training["label_smoothing"] = base.config.get("training", {}).get("label_smoothing", 0.0)
    return {**kept, "training": training}


def kinds_of_base(found: CorpusSettings, given: CorpusSettings, base: Bundle, where: str) -> CorpusSettings:
    """The settings of the data, with what the base model's sources and targets are.

    Args:
        found: with what the sources and targets of the files seem to be.
        given: as they were given.
        base: the model.
        where: where the settings come from, for messages.

    Raises:
        ConfigurationError: the files are not of its kinds, or another size of pictures is asked for.
    """
    source, target = (each.kind if isinstance(each, FileCodec) else "text" for each in base.tokenizers)
    for asked, seen, kind in (
        (given.source_kind, found.source_kind, source), (given.target_kind, found.target_kind, target)
    ):  # fmt: skip
        if seen != kind and (seen != "text" or asked == "text"):  # names of no file there is look like texts
            swapped = (found.source_kind, found.target_kind) == (target, source)
            same = "Data of the same kinds, or to train anew without --from."
            raise ConfigurationError(
                f"the model to start from makes {target}s of {source}s", where=where,
                found=f"{found.source_kind}s as sources, {found.target_kind}s as targets",
                accepted=_swap_advice(given) if swapped else same,
            )  # fmt: skip
    changes: dict[str, Any] = {"source_kind": source, "target_kind": target}
    for codec in base.tokenizers:
        if isinstance(codec, PictureSource | PictureCodec):
            if given.picture_size not in (None, codec.size):
                raise _differs("data.picture_size", given.picture_size, codec.size, where)
            changes["picture_size"] = codec.size
    return found.model_copy(update=changes)


def refuse_other_columns(data: CorpusSettings, base: Bundle) -> None:
    """Refuses sources of another number of columns than the base model's have.

    Raises:
        DataError: the first ones are such.
    """
    source = base.tokenizers.source
    if isinstance(source, FileCodec):
        return
    known = len(source.columns) if isinstance(source, ColumnTokenizer) else 1
    tags = getattr(source, "tags", [])
    tag_in_text = bool(tags) and not isinstance(source, ColumnTokenizer)  # as in models of several targets
    for pair, place in zip(*first_pairs(data), strict=True):
        columns = pair.source.split(COLUMN_END)
        if (found := len(columns) + (data.tagged and not tag_in_text)) != known and not is_blank(pair.source):
            wanted = "+".join(str(number + 1) for number in range(known))
            accepted = f"As many as it was trained on, such as --columns {wanted},{known + 1}"
            if tags and not data.tagged:
                accepted += f", the first of them a tag; or [[data.corpora]] with a tag: {list_tags(tags)}"
            raise DataError(
                f"the sources have {_columns(found)}, and the model to start from reads {_columns(known)}",
                where=place, found=" + ".join(columns), accepted=accepted,
            )  # fmt: skip


def _columns(number: int) -> str:
    return "1 column" if number == 1 else f"{number} columns"


def _swap_advice(given: CorpusSettings) -> str:
    """How to name the columns the other way round."""
    sources, target = given.columns or ((1,), 2)
    return f"The columns the other way round: --columns {target},{'+'.join(map(str, sources))}"


def _picture_values(codec: PictureCodec, base: Bundle) -> dict[str, Any]:
    """The settings of a model that paints: of its codec, and what else the run that made it had."""
    of_codec = codec.settings.model_dump(mode="json")
    of_run = base.config.get("pictures", {})
    return {**of_codec, **{key: of_run[key] for key in CHANGEABLE_PICTURES if key in of_run}}


def racing_rates(learning_rate: float) -> list[float]:
    """The peaks that race, the usual one first."""
    return [share * learning_rate for share in RACING_SHARES]


def other_languages(asked: Sequence[str] | None, has: Sequence[str] | None) -> str | None:
    """What there is to say where a run is of other languages than its base model.

    Args:
        asked: codes of the run's source and target, if it has any of its own.
        has: those of the base model, if it says them.
    """
    if not asked or not has or all(map(_alike, asked, has)):
        return None
    own, of_base = (" → ".join(codes) for codes in (asked, has))
    return (
        f"warning: this training is of {own}, and the model to start from of {of_base}: "
        "it learns the former and forgets the latter"
    )


def _alike(one: str, other: str) -> bool:
    """Whether two codes are of one language, be it of several countries; models of several say "mul"."""
    return other == "mul" or match(primary(one), other)


def refuse_other_model(values: Mapping[str, Any], base: Bundle, where: str) -> None:
    """Refuses sizes, a preset or tokenizers that differ from those of the model to start from.

    Args:
        values: the configuration, parsed once, so that all its keys are known ones.
        base: the model.
        where: where the values come from, for the message.

    Raises:
        ConfigurationError: names the key, what was asked for and what the model has.
    """
    model = parse_model_settings(base.config["model"], where).model_dump()
    preset = values.get("preset")
    if preset is not None and preset not in PRESETS:
        raise ConfigurationError("there is no such preset", where="preset", found=preset,
                                 accepted=nearest(preset, PRESETS))  # fmt: skip
    sizes = PRESETS[preset].model_dump() if preset else {}
    asked = {f"preset {preset}: {key}": (key, value) for key, value in sizes.items()}
    asked |= {f"model.{key}": (key, value) for key, value in values.get("model", {}).items()}
    for name, (key, value) in asked.items():
        if key not in CHANGEABLE and key in model and model[key] != value:
            raise _differs(name, value, model[key], where)
    for key, value in values.get("tokenizer", {}).items():
        has = _tokenizer_value(key, base)
        if value not in ("auto", has, base.config.get("tokenizer", {}).get(key)):
            raise _differs(f"tokenizer.{key}", value, has, where)
    _refuse_other_codec(values, base, where)


def _refuse_other_codec(values: Mapping[str, Any], base: Bundle, where: str) -> None:
    """Refuses settings of the codec of pictures that differ from those that it was learnt with."""
    codec = base.tokenizers.target
    if isinstance(codec, PictureCodec):
        has = codec.settings.model_dump(mode="json")
        asked = PictureSettings.parse(values.get("pictures", {}), where).model_dump(mode="json")
        for key in values.get("pictures", {}):
            if key not in CHANGEABLE_PICTURES and asked[key] != has[key]:
                raise _differs(f"pictures.{key}", asked[key], has[key], where)


def _tokenizer_value(key: str, base: Bundle) -> Any:
    """What the tokenizers of a model are, in the words of their settings."""
    source, target = base.tokenizers
    return {
        "source": source.kind, "target": target.kind, "joint": base.tokenizers.joint,
        "normalisation": source.normalisation, "vocabulary_size": max(len(source), len(target)),
        **{name: base.config.get("tokenizer", {}).get(name)
           for name in ("sample", "source_model", "target_model")},
    }[key]  # fmt: skip


def _differs(name: str, asked: Any, has: Any, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is {asked}, but the model to start from has {has}", where=where,
        accepted="A run that starts from a model keeps its sizes, tokenizers and codec. Leave it out, or "
        "train anew without --from.",
    )  # fmt: skip
