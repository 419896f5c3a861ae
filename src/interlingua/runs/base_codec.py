"""What the codec of a model that paints makes of the pictures that it is trained further on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from interlingua.data.preparation import Prepared
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.reconstruction import measure_codec

__all__ = ["describe_codec_of_base"]

MEASURED = 500
"""Validation pictures that tell how good the codec is for the new ones."""
CLEARLY_WORSE_DB = 3.0
"""Twice the squared error."""


def describe_codec_of_base(prepared: Prepared, base_info: Mapping[str, Any]) -> list[str]:
    """How well the codec keeps new pictures, for people, with a warning where that is worse than before.

    It stays as it is, since the model knows its tokens: what it loses, no painting can show. The numbers go
    into the report on the data, too.

    Args:
        prepared: the data; a codec of its targets is that of the model to start from.
        base_info: what is known of that model, whose codec was measured on pictures of its own.
    """
    codec, store = prepared.tokenizers.target, prepared.valid
    numbers = [i for i in range(len(store)) if i not in prepared.old_valid][:MEASURED]
    if not isinstance(codec, PictureCodec) or not codec.trained or not numbers:
        return []
    kept = measure_codec(codec, np.stack([store.target_pixels(i) for i in numbers]))
    prepared.report["codec"] = kept._asdict()
    notes = [f"codec: that of the model to start from; of {len(numbers):,} validation pictures, {kept}"]
    own_db = base_info.get("data", {}).get("codec", {}).get("psnr_db")
    if own_db is not None and kept.psnr_db < own_db - CLEARLY_WORSE_DB:
        notes.append(
            "warning: that codec keeps these pictures worse than those that it was learnt from "
            f"({own_db:.1f} dB), and no painting can be better; it stays as it is. For colours and shapes "
            "that the model never saw, train anew on all pictures, without --from"
        )
    return notes
