"""Every architecture: the one table that a new one is added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union

from pydantic import BeforeValidator, Field
from torch import nn

from interlingua.kinds import SourceKind
from interlingua.model.embedding import FactoredEmbedding, TargetEmbedding
from interlingua.model.frontends import FrameFrontend, Frontend, PatchFrontend, TokenFrontend
from interlingua.model.protocol import Model
from interlingua.model.recurrent import Recurrent, RecurrentSettings
from interlingua.model.settings import ModelSettings
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.settings import Settings

__all__ = ["ARCHITECTURES", "AnyModelSettings", "Architecture", "build_model", "parse_model_settings"]


class Architecture(NamedTuple):
    """How a model is described, and what builds it."""

    settings: type[ModelSettings]
    build: Callable[[Any, Frontend, TargetEmbedding], Model]
    """From the settings, the frontend of the source and the embedding of the target."""


ARCHITECTURES: Mapping[str, Architecture] = {
    "transformer": Architecture(TransformerSettings, Transformer),
    "recurrent": Architecture(RecurrentSettings, Recurrent),
}


def _with_architecture(values: Any) -> Any:
    """A [model] section that does not say which architecture it is of describes a Transformer."""
    return {"architecture": "transformer", **values} if isinstance(values, Mapping) else values


if TYPE_CHECKING:
    AnyModelSettings = ModelSettings
else:
    AnyModelSettings = Annotated[
        Union[tuple(each.settings for each in ARCHITECTURES.values())],  # noqa: UP007
        Field(discriminator="architecture"),
        BeforeValidator(_with_architecture),
    ]
"""The [model] section of an experiment: the settings of any architecture."""


class _Section(Settings):
    model: AnyModelSettings


def parse_model_settings(values: Mapping[str, Any], where: str) -> ModelSettings:
    """The settings that a configuration's [model] section holds.

    Raises:
        ConfigurationError: names the key, the value found and what is accepted.
    """
    return _Section.parse({"model": values}, where).model


def build_model(
    settings: ModelSettings,
    source_size: int,
    target_size: int,
    *,
    shared: bool,
    source_kind: SourceKind = "text",
    target_factors: tuple[int, int] | None = None,
) -> Model:
    """A freshly initialised model of tokens, of frames of sound, or of patches of pictures, to tokens.

    Args:
        settings: the architecture and its sizes.
        source_size: source vocabulary; of sound the bands of a frame, of pictures the numbers of a patch.
        target_size: target vocabulary.
        shared: whether source and target have one vocabulary, and so one embedding where these are tied.
        source_kind: what sources are made of.
        target_factors: of targets whose ids have two factors, how many of each.
    """
    assert not shared or (source_size == target_size and source_kind == "text")
    assert not shared or target_factors is None
    target = nn.Embedding(target_size, settings.dim)
    target_embedding = FactoredEmbedding(target_factors, settings.dim) if target_factors else target
    one = shared and settings.tied
    frontend: Frontend
    if source_kind == "sound":
        frontend = FrameFrontend(source_size, settings.dim)
    elif source_kind == "picture":
        frontend = PatchFrontend(source_size, settings.dim)
    else:
        embedding = target if one else nn.Embedding(source_size, settings.dim)
        frontend = TokenFrontend(embedding, settings.embedding_scale)
    return ARCHITECTURES[settings.architecture].build(settings, frontend, target_embedding)
