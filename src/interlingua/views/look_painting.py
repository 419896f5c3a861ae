"""Gathers what a model does with a caption: the picture, where each patch looked, its runners-up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interlingua.data.batch import make_source
from interlingua.engine.eager import EagerEngine
from interlingua.errors import DataError
from interlingua.inference.painter import Painter, Painting
from interlingua.kinds import EOS, SPECIALS, Source
from interlingua.model.protocol import Seq2Seq
from interlingua.search.guidance import Guided
from interlingua.search.settings import SearchSettings
from interlingua.text.tokenizer import Tokenizer
from interlingua.views.levels import AttentionLevels
from interlingua.views.look_pictures_data import PaintingLook
from interlingua.views.page import render
from interlingua.views.patch_sheet import Film, PatchSheet, paint_instead, png_uri
from interlingua.views.predictions import Ranking, name_rankings, rank_tokens, show_ids

__all__ = ["group_words", "look_at_painting", "look_at_painting_page"]

SPACES = (" ", "▁", "<0x20>")
"""What begins a word's first token, as tokenizers of characters, subwords and bytes show it."""


@torch.inference_mode()
def look_at_painting(painter: Painter, caption: str, *, name: str, **changes: Any) -> PaintingLook:
    """Paints a caption and keeps all that can be seen of it.

    Args:
        painter: a loaded model.
        caption: what to paint.
        name: what to call the model.
        **changes: fields of SearchSettings: seed, guidance, temperature, top_k, top_p, min_p.

    Raises:
        DataError: the caption is empty.
        ConfigurationError: a setting is not acceptable.
    """
    settings = SearchSettings.parse({**painter.settings.model_dump(), **changes}, where="search")
    engine, codec, captions = painter.engine, painter.codec, painter.captions
    assert isinstance(engine, EagerEngine), "only a model of this package can be looked into"
    encoded = captions.encode(captions.normalise(caption)) if caption.strip() else []
    if not encoded:
        raise DataError("there is no caption to paint", where="look", found=caption,
                        accepted='For example: "a red ring above a blue square"')  # fmt: skip
    ((painting,),) = painter.paint([caption], attention=engine.has_attention, **changes)
    rankings = _rank(engine, encoded, painting, settings.guidance)
    choices = paint_instead(
        codec, painting.tokens, [[id - len(SPECIALS) for id in each.ids] for each in rankings]
    )
    words, groups = group_words(captions, encoded)
    return PaintingLook(
        model=name,
        caption=caption,
        unknown=captions.unknown(captions.normalise(caption)),
        size=codec.size,
        grid=codec.settings.grid,
        seed=painting.seed,
        guidance=settings.guidance,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        min_p=settings.min_p,
        log_prob=round(painting.log_prob, 4),
        picture=png_uri(painting.pixels),
        words=words,
        attention=_attention(painting, groups),
        predictions=name_rankings(painter.tokenizers.target, rankings),
        choices=PatchSheet.of(np.stack(list(chain.from_iterable(choices)))),
        film=Film.of(codec, painting.tokens),
    )


def look_at_painting_page(data: PaintingLook) -> str:
    """The page that shows it."""
    return render("look_painting.html.jinja", data.as_data())


def group_words(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[list[str], list[list[int]]]:
    """The words of a source, and the end sign.

    Each token belongs to one of them, a space to the word after it. What has no spaces, as Chinese or a word,
    is shown token by token, and so are sources of several columns.

    Args:
        tokenizer: of the source.
        ids: of the source, without EOS.

    Returns:
        Their texts, and the numbers of the tokens that each is written with.
    """
    groups: list[list[int]] = []
    for number, piece in enumerate(show_ids(tokenizer, ids)):
        if not groups or tokenizer.kind in ("words", "columns") or piece.startswith(SPACES):
            groups.append([])
        groups[-1].append(number)
    if len(groups) == 1:
        groups = [[number] for number in range(len(ids))]
    texts = [_write(tokenizer, [ids[number] for number in group]) for group in groups]
    return [*texts, SPECIALS[EOS]], [*groups, [len(ids)]]


def _write(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """What to call a word: its text, where its tokens alone can be decoded."""
    shown = "".join(show_ids(tokenizer, ids)).replace("▁", " ").strip()
    if tokenizer.kind == "columns" or min(ids) < len(SPECIALS):
        return shown or "␣"
    return tokenizer.decode(ids).strip() or shown or "␣"


def _rank(engine: EagerEngine, encoded: list[int], painting: Painting, guidance: float) -> list[Ranking]:
    """The most probable codes of each patch, as the painter saw them."""
    values, mask = make_source([encoded], "text")
    source = Source(values.to(engine.device), mask.to(engine.device))
    model = engine.model if guidance == 1 else cast(Seq2Seq, Guided(engine.model, guidance))
    ids = [code + len(SPECIALS) for code in painting.tokens]
    return rank_tokens(model, source, ids, range(len(SPECIALS)))


def _attention(painting: Painting, groups: Sequence[Sequence[int]]) -> AttentionLevels | None:
    """Of the patches over the words; the query after the last patch chose nothing."""
    if painting.attention is None:
        return None
    weights: Float[Tensor, "layers heads patches tokens"] = painting.attention.cross[:, :, :-1].float().cpu()
    return AttentionLevels.of(torch.stack([weights[..., list(group)].sum(-1) for group in groups], dim=-1))
