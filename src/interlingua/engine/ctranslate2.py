"""The engine that runs a model converted to CTranslate2."""

from __future__ import annotations

from typing import Any

from interlingua.errors import ConfigurationError

__all__ = ["import_ctranslate2"]


def import_ctranslate2() -> Any:
    """The package, which is an extra.

    Raises:
        ConfigurationError: it is not installed, or does not work here.
    """
    try:
        import ctranslate2
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the package ctranslate2 is not installed", found=error.name,
            accepted="pip install 'interlingua[ctranslate2]'",
        ) from None  # fmt: skip
    except (ImportError, OSError) as error:
        raise ConfigurationError("the package ctranslate2 does not work here", found=str(error)) from error
    return ctranslate2
