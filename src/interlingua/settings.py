"""Settings: the frozen pydantic models that make up one experiment's configuration file.

Each section stands beside the code that it configures; this module only says how all of them behave and
turns pydantic's complaints into the project's own error, with the key, the value and what is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from interlingua.errors import ConfigurationError, nearest

__all__ = ["Settings", "merge"]


class Settings(BaseModel):
    """A section of the configuration: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "configuration") -> Self:
        """Builds the settings from plain values.

        Args:
            values: what a TOML table or a JSON object holds.
            where: the file or option the values come from, for the message.

        Raises:
            ConfigurationError: names the key, the value found and what is accepted.
        """
        _refuse_lookalikes([cls], values, where)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explain(cls, error, where) from None


def _refuse_lookalikes(kinds: Sequence[Any], values: Any, where: str, above: str = "") -> None:
    """Refuses what pydantic would take for another type, and texts that no file could hold.

    Args:
        kinds: the settings that the values may be of.
        values: of a section.
        where: for the message.
        above: the section's place, with a dot.
    """
    for key, value in values.items() if isinstance(values, Mapping) else ():
        annotations = [kind.model_fields[key].annotation for kind in kinds if key in kind.model_fields]
        if sections := [section for annotation in annotations for section in _sections(annotation)]:
            for each in value if isinstance(value, list | tuple) else (value,):
                _refuse_lookalikes(sections, each, where, f"{above}{key}.")
        what = None
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, bool) and annotations and not any(map(_takes_truth, annotations)):
                what = "true and false are not acceptable here"
            elif isinstance(part, str) and "\0" in part:
                what = "a text cannot hold a NUL character"
            elif isinstance(part, str) and part != part.encode(errors="replace").decode():
                what = "the text is not UTF-8"
        if what:
            raise ConfigurationError(f"{above}{key}: {what}", where=where, found=value)


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """The settings that an annotation stands for; none when it is a plain value's."""
    return [
        each for each in (annotation, *get_args(annotation))
        if isinstance(each, type) and issubclass(each, BaseModel)
    ]  # fmt: skip


def _takes_truth(annotation: Any) -> bool:
    return annotation is bool or any(map(_takes_truth, get_args(annotation)))


def _explain(cls: type[Settings], error: ValidationError, where: str) -> ConfigurationError:
    errors = error.errors(include_url=False)
    first = errors[0]
    section, path = _place(cls, [str(part) for part in first["loc"]])
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        accepted = nearest(path[-1], section.model_fields)
        return ConfigurationError(f"unknown key {key!r}", where=where, accepted=accepted)
    # Where a value may be of several types, pydantic complains once for each.
    same = [each for each in errors if _place(cls, [str(part) for part in each["loc"]])[1] == path]
    message = ", or ".join(dict.fromkeys(map(_in_words, same)))
    found = None if _holds_tables(first["input"]) else first["input"]
    return ConfigurationError(f"{key}: {message}" if key else message, where=where, found=found)


def _holds_tables(value: Any) -> bool:
    """Whether a value is too much to be shown."""
    return isinstance(value, Mapping) or (isinstance(value, list | tuple) and any(map(_holds_tables, value)))


WORDS = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "finite_number": "should be a finite number",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_parsing_size": "should be a smaller number",
    "int_type": "should be a whole number",
    "missing": "is missing",
    "mapping_type": "should be a section of settings",
    "model_type": "should be a section of settings",
    "model_attributes_type": "should be a section of settings",
    "string_type": "should be a text",
    "string_unicode": "should be a text of UTF-8",
    "too_long": "has too many parts",
    "tuple_type": "should be a list",
}
"""What pydantic's complaints mean to people who know TOML and no Python; the others are plain already."""


def _in_words(complaint: Any) -> str:
    if complaint["type"] == "union_tag_invalid":
        key, tag, kinds = (complaint["ctx"][name] for name in ("discriminator", "tag", "expected_tags"))
        return f"{key.strip(chr(39))} {tag!r}: should be one of {kinds}"
    said = str(complaint["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return WORDS.get(complaint["type"], said)


def _place(cls: type[BaseModel], loc: list[str]) -> tuple[type[BaseModel], list[str]]:
    """The innermost section that an error lies in, and the key as the user wrote it.

    Where a value is one of several kinds, pydantic's place also names the kind, which no user wrote.
    """
    path: list[str] = []
    kinds: list[Any] = [cls]
    for part in loc:
        if len(kinds) > 1 and (named := [kind for kind in kinds if part in _kind(kind)]):
            cls, kinds = named[0], named
            continue
        if not kinds:  # inside a setting: a place in a list, or a type
            path += [part] if part.isdecimal() else []
            continue
        path.append(part)
        if part in cls.model_fields:
            kinds = _sections(cls.model_fields[part].annotation)
            cls = kinds[0] if len(kinds) == 1 else cls
    return cls, path


def _kind(cls: type[BaseModel]) -> set[Any]:
    return {field.default for field in cls.model_fields.values() if isinstance(field.default, str)}


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables joined key by key; where both have a value, that of `above`."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged
