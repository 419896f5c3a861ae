"""What models can be taken elsewhere at all, and which packages that takes."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import Bundle
from interlingua.model.frontends import TokenFrontend
from interlingua.model.transformer import Transformer
from interlingua.text.column_tokenizer import ColumnTokenizer

__all__ = ["refuse_other_kinds", "require_packages"]


def require_packages(names: Sequence[str], extra: str, where: str) -> None:
    """Makes sure that packages are installed.

    Raises:
        ConfigurationError: one is not.
    """
    if missing := [name for name in names if importlib.util.find_spec(name) is None]:
        raise ConfigurationError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed", where=where,
            accepted=f"pip install 'interlingua[{extra}]'",
        )  # fmt: skip


def refuse_other_kinds(bundle: Bundle, to: str) -> Transformer:
    """The Transformer of a bundle from text to text.

    Raises:
        ConfigurationError: it is something else.
    """
    model, where = bundle.model, f"--to {to}"
    kinds = [tokenizer.kind for tokenizer in bundle.tokenizers]
    for side, kind in zip(("sources", "targets"), kinds, strict=True):
        if kind in ("sound", "picture"):
            raise ConfigurationError(
                f"only models from text to text can be exported, and this one's {side} are {kind}s",
                where=where,
            )
    if not isinstance(model, Transformer) or not isinstance(model.frontend, TokenFrontend):
        architecture = str(bundle.config.get("model", {}).get("architecture", "another"))
        raise ConfigurationError(
            "only Transformers can be exported", where=where, found=f"architecture {architecture}",
            accepted="Train one, for example: interlingua train … --preset small",
        )  # fmt: skip
    if isinstance(bundle.tokenizers.source, ColumnTokenizer) and to in ("huggingface", "argos"):
        raise ConfigurationError(
            "this model's sources have several columns, which no tokenizer there can cut", where=where,
            accepted="Train one whose sources are texts alone: without tags, and one column in --columns.\n"
            "  --to ctranslate2 takes the model as it is.",
        )  # fmt: skip
    return model
