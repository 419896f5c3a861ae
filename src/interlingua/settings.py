"""Settings: the frozen pydantic models that make up one experiment's configuration file.

Each section stands beside the code that it configures; this module only says how all of them behave and
turns pydantic's complaints into the project's own error, with the key, the value and what is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from interlingua.errors import ConfigurationError, nearest

__all__ = ["Settings"]


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
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _section(cls, path[:-1]).model_fields
        return ConfigurationError(f"unknown key {key!r}", where=where, accepted=nearest(path[-1], known))
    message = first["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"{key}: {message}" if key else message, where=where, found=first["input"])


def _section(cls: type[BaseModel], path: list[str]) -> type[BaseModel]:
    for part in path:
        annotation = cls.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        cls = annotation
    return cls
