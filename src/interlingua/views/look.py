"""Gathers what a model does with one text: attention, probabilities, the search, positions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from interlingua.engine.ctranslate2 import CTranslate2Engine
from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.translation import Translation
from interlingua.inference.translator import Translator
from interlingua.kinds import BOS, EOS, SPECIALS, Source
from interlingua.model.attention import causal_mask
from interlingua.model.protocol import Explanation
from interlingua.search.beam import BeamStep, beam_search
from interlingua.search.hypothesis import SearchInput
from interlingua.search.settings import SearchSettings
from interlingua.views.levels import entropy_bits
from interlingua.views.look_data import (
    AttentionKind,
    AttentionMaps,
    Look,
    Output,
    PositionCode,
)  # fmt: skip
from interlingua.views.page import render
from interlingua.views.predictions import predict, rounded, show_ids
from interlingua.views.search_tree import build_tree

__all__ = ["look", "look_page"]


@torch.inference_mode()
def look(translator: Translator, text: str, *, name: str, beam: int | None = None, part: int = 1) -> Look:
    """Translates a text and keeps all that can be seen of it.

    Args:
        translator: a loaded model.
        text: what to translate.
        name: what to call the model.
        beam: hypotheses kept; by default the model's own setting.
        part: which part to show of a text that is too long for the model, from 1.

    Raises:
        DataError: the text is empty.
        ConfigurationError: there is no such part, or the beam is not acceptable.
    """
    if isinstance(translator.engine, CTranslate2Engine):  # whose search cannot be looked into
        translator = translator.with_engine(translator.engine.own)
    shown, parts = _choose_part(translator, text, part)
    width = translator.settings.beam if beam is None else beam
    changes = {"beam": width, "n_best": width, "sample": False}
    settings = SearchSettings.parse({**translator.settings.model_dump(), **changes}, where="search")
    encoded = [*translator.tokenizers.source.encode(shown), EOS]
    engine = translator.engine
    assert isinstance(engine, EagerEngine), "only a model of this package can be looked into"
    ids = torch.tensor([encoded], device=engine.device)
    source = Source(ids, torch.ones_like(ids, dtype=torch.bool))
    limit = translator.length_limit(len(encoded) - 1)
    limits = torch.tensor([limit], device=engine.device)
    steps: list[BeamStep] = []
    (found,) = beam_search(engine.model, SearchInput(source, limits), settings, steps.append)
    written = [*found[0].ids, *([] if found[0].limited else [EOS])]
    translation, reason = _translation(translator, shown, changes)
    attention = _attention(translation, len(written))
    explanation = engine.model.explain(max(len(encoded), len(written)))
    source_tokens = translator.tokenizers.source.pieces(encoded[:-1])
    target_tokens = show_ids(translator.tokenizers.target, written)
    return Look(
        model=name,
        text=shown,
        part=part,
        parts=parts,
        source=[*source_tokens, SPECIALS[EOS]],
        target_in=[SPECIALS[BOS], *target_tokens[:-1]],
        target_out=target_tokens,
        beam=width,
        outputs=_outputs(translation),
        positions=predict(translator.tokenizers.target, engine.model, source, written),
        tree=build_tree(steps, found, EOS, lambda id: show_ids(translator.tokenizers.target, [id])[0]),
        attention=attention,
        no_attention=reason,
        alignment=list(translation.alignment or ()),
        scoring=explanation.scoring if attention else None,
        head_dim=explanation.head_dim,
        position_code=_position_code(explanation),
        mask=_mask(len(written)) if "decoder" in attention else None,
    )


def look_page(data: Look) -> str:
    """The page that shows it."""
    return render("look.html.jinja", data.as_data())


def _choose_part(translator: Translator, text: str, part: int) -> tuple[str, int]:
    """The chosen part of the text, and how many there are."""
    (passage,) = translator.split([text])
    parts = [passage.others.complete(part) for part in passage.parts]
    if not text.strip() or not any(translator.tokenizers.source.encode(part) for part in parts):
        raise DataError("there is no text to look at", found=text, accepted='For example: "A dog runs."')
    if not 1 <= part <= len(parts):
        raise ConfigurationError(
            "the text has no such part", where="part", found=part, accepted=f"1 to {len(parts)}."
        )
    return parts[part - 1], len(parts)


def _translation(
    translator: Translator, text: str, changes: dict[str, Any]
) -> tuple[Translation, str | None]:
    """The translation with its attention, or why there is none."""
    try:
        return translator.translate([text], attention=True, alignment=True, whole=True, **changes)[0], None
    except ConfigurationError as error:
        return translator.translate([text], whole=True, **changes)[0], error.what


def _outputs(translation: Translation) -> list[Output]:
    return [
        Output(output.text, round(output.score, 4), round(sum(output.log_probs), 4), "limit" in output.flags)
        for output in (translation, *translation.alternatives)
    ]


def _attention(translation: Translation, queries: int) -> dict[AttentionKind, AttentionMaps]:
    """What there is of each kind; the query after a translation that was cut off chose nothing."""
    if translation.attention is None:
        return {}
    encoder, decoder, cross = (weights.float().cpu() for weights in translation.attention)
    kinds: dict[AttentionKind, Tensor] = {
        "cross": cross[:, :, :queries],
        "encoder": encoder,
        "decoder": decoder[:, :, :queries, :queries],
    }
    return {kind: _attention_maps(weights) for kind, weights in kinds.items() if len(weights)}


def _attention_maps(weights: Tensor) -> AttentionMaps:
    return AttentionMaps(rounded(weights, 3), entropy_bits(weights))


def _position_code(explanation: Explanation) -> PositionCode | None:
    kind, code = explanation.positions, explanation.position_code
    if kind is None or code is None:
        return None
    return PositionCode(kind, rounded(code.float(), 2 if kind != "learned" else 4))


def _mask(length: int) -> list[list[int]]:
    mask: list[list[int]] = causal_mask(length, torch.device("cpu"))[0].int().tolist()
    return mask
