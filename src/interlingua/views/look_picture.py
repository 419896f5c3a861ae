"""Gathers what a model does with a picture: where each word looked, probabilities, the search."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean

import torch

from interlingua.data.batch import make_source
from interlingua.engine.eager import EagerEngine
from interlingua.inference.captioner import Captioner
from interlingua.inference.words import tokens_of_words
from interlingua.kinds import Codec, Source
from interlingua.pictures.patches import GRID
from interlingua.pictures.reading import read_picture
from interlingua.search.hypothesis import Hypothesis
from interlingua.views.exploration import explore, widen_search
from interlingua.views.look_pictures_data import CaptionWord, PictureLook
from interlingua.views.page import render
from interlingua.views.patch_sheet import png_uri

__all__ = ["look_at_picture", "look_at_picture_page"]


@torch.inference_mode()
def look_at_picture(
    captioner: Captioner, picture: str | Path, *, name: str, beam: int | None = None
) -> PictureLook:
    """Says what a picture shows and keeps all that can be seen of it.

    Args:
        captioner: a loaded model.
        picture: the file.
        name: what to call the model.
        beam: hypotheses kept; by default the model's own setting.

    Raises:
        DataError: the picture cannot be read.
        ConfigurationError: the beam is not acceptable.
    """
    settings = widen_search(captioner.settings, beam)
    engine, codec = captioner.engine, captioner.tokenizers.target
    assert isinstance(engine, EagerEngine), "only a model of this package can be looked into"
    pixels = read_picture(picture, captioner.size)
    values, mask = make_source([pixels.reshape(-1)], "picture")
    source = Source(values.to(engine.device), mask.to(engine.device))
    seen = explore(engine, codec, source, captioner.limit, settings)
    return PictureLook(
        model=name,
        file=Path(picture).name,
        size=captioner.size,
        grid=GRID,
        picture=png_uri(pixels),
        target_out=seen.target_out,
        words=_words(codec, seen.best),
        beam=settings.beam,
        outputs=seen.outputs,
        predictions=seen.predictions,
        tree=seen.tree,
        attention=seen.attention,
    )


def look_at_picture_page(data: PictureLook) -> str:
    """The page that shows it."""
    return render("look_picture.html.jinja", data.as_data())


def _words(codec: Codec, best: Hypothesis) -> list[CaptionWord]:
    texts = codec.decode(best.ids).split()
    return [
        CaptionWord(text, round(math.exp(fmean(best.log_probs[i] for i in tokens)), 4), tokens)
        for text, tokens in zip(texts, tokens_of_words(codec, best.ids), strict=True)
    ]
