"""Settings: the frozen pydantic models that make up one experiment's configuration file.

Each section stands beside the code that it configures; this module only says how all of them behave and
turns pydantic's complaints into the project's own error, with the key, the value and what is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from interlingua.errors import ConfigurationError, nearest

__all__ = ["Settings", "merge"]


class Settings(BaseModel):
    """A section of the configuration: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "configuration") -> Self:
        """Builds the settings from plain values.

        Args:
            values: what a TOML table or a JSON object holds.
            where: the file or option the values come from, for the message.

        Raises:
            ConfigurationError: names the key, the value found and what is accepted.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explain(cls, error, where) from None


def _explain(cls: type[Settings], error: ValidationError, where: str) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    section, path = _place(cls, [str(part) for part in first["loc"]])
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        accepted = nearest(path[-1], section.model_fields)
        return ConfigurationError(f"unknown key {key!r}", where=where, accepted=accepted)
    message = first["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"{key}: {message}" if key else message, where=where, found=first["input"])


def _place(cls: type[BaseModel], loc: list[str]) -> tuple[type[BaseModel], list[str]]:
    """The innermost section that an error lies in, and the key as the user wrote it.

    Where a section is one of several kinds, pydantic's place also names the kind, which no user wrote.
    """
    path: list[str] = []
    kinds: list[Any] = [cls]
    for part in loc:
        if len(kinds) > 1 and (named := [kind for kind in kinds if part in _kind(kind)]):
            cls, kinds = named[0], named
            continue
        path.append(part)
        if part in cls.model_fields:
            annotation = cls.model_fields[part].annotation
            kinds = [
                each for each in (annotation, *get_args(annotation))
                if isinstance(each, type) and issubclass(each, BaseModel)
            ]  # fmt: skip
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
