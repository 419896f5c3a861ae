"""Picture files and bytes to pixels: a square of one size, red, green and blue, 8 bits each.

Files are told apart by their content. Every error names the file, after what named it: "pairs.tsv:12: a.png".
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from interlingua.errors import ConfigurationError, DataError
from interlingua.pictures.opening import open_picture
from interlingua.pictures.quiet import without_warnings
from interlingua.pictures.recognition import HEAD_BYTES, explain_no_picture, reason

__all__ = [
    "PictureReport", "Pixels", "decode_picture", "encode_png", "fit", "fit_image", "inspect_picture",
    "inspect_stream", "measure_picture", "read_picture", "require_pictures",
]  # fmt: skip

Pixels = npt.NDArray[np.uint8]
"""(size, size, 3)."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000
"""Of a file; what unpacks to more is refused before it is unpacked."""
MAX_RATIO = 50
"""A picture so many times as wide as high, or as high as wide, is nothing but a line."""
_ONE_NUMBER = np.array([1 << 16, 1 << 8, 1], np.uint32)
"""Makes one number of red, green and blue: whole rows are sorted fifty times as slowly."""
DARK = 20
"""A picture that is nowhere brighter is nearly black."""
ORIENTATION = 0x0112
"""The tag by which a camera says how it was held."""


class PictureReport(NamedTuple):
    """A picture in a few numbers."""

    width: int
    height: int
    """Of the file, in pixels."""
    size: int
    """Of the edge that it was brought to."""
    colours: int
    """Distinct ones after that; 1 is a blank sheet."""
    brightest: int
    """The largest of all red, green and blue, up to 255."""

    def warnings(self) -> list[str]:
        """What is odd, in words; training goes on."""
        found = []
        if self.colours == 1:
            found.append("of one colour alone: there is nothing to see")
        elif self.brightest < DARK:
            found.append(f"nearly black: no pixel is brighter than {self.brightest} of 255")
        if max(self.width, self.height) < self.size / 2:
            found.append(f"very small: {self.width} x {self.height} pixels")
        return found


def require_pictures() -> Any:
    """The library that reads pictures: Pillow's `Image`.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ConfigurationError("the package for pictures is not installed", found=error.name,
                                 accepted="pip install 'interlingua[pictures]'") from None  # fmt: skip
    return Image


def read_picture(path: str | Path, size: int, where: str | None = None) -> Pixels:
    """The pixels of a picture file, fitted into a square.

    Args:
        path: a file of a usual format, of any size and mode; transparency shows white.
        size: of the square's edge, in pixels.
        where: what named the file, such as "pairs.tsv:12", for messages.

    Raises:
        DataError: there is no such file, or it is empty, no picture, damaged, cut off or far too large.
        ConfigurationError: the extra `pictures` is not installed.
    """
    return inspect_picture(path, size, where)[0]


def decode_picture(data: bytes, size: int, name: str = "picture") -> Pixels:
    """As `read_picture`, of a file's content.

    Args:
        data: the whole file.
        size: of the square's edge, in pixels.
        name: for messages.
    """
    return inspect_stream(io.BytesIO(data), size, name)[0]


def inspect_picture(path: str | Path, size: int, where: str | None = None) -> tuple[Pixels, PictureReport]:
    """As `read_picture`, with what the picture is like."""
    place = str(path) if where is None else f"{where}: {path}"
    with open_picture(path, place) as stream:
        return inspect_stream(stream, size, place)


def inspect_stream(
    stream: BinaryIO, size: int, place: str, max_pixels: int = MAX_PIXELS
) -> tuple[Pixels, PictureReport]:
    """As `inspect_picture`, of a file that is open.

    Args:
        stream: the file, at its beginning.
        size: of the square's edge, in pixels.
        place: what names it, for messages.
        max_pixels: a larger picture is refused before it is unpacked.
    """
    image = _identify(stream, place, max_pixels)
    width, height = image.size
    try:
        with without_warnings():
            if image.format in ("JPEG", "MPO"):  # a JPEG with more pictures behind the first
                image.draft("RGB", (2 * size, 2 * size))  # unpacks a large one at a fraction of its size
            image.load()
            pixels = _fit(image, size, place)
    except (MemoryError, DataError):
        raise
    except Exception as error:
        what = "the picture is cut off" if "truncated" in str(error) else "the picture is damaged"
        raise DataError(what, where=place, found=reason(error)) from error
    colours = len(np.unique(pixels @ _ONE_NUMBER))
    return pixels, PictureReport(width, height, size, colours, int(pixels.max()))


def measure_picture(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture file, in pixels, without unpacking it.

    Raises:
        DataError: as `read_picture`.
    """
    with open_picture(path, str(path)) as stream:
        width, height = _identify(stream, str(path)).size
        return width, height


def fit(pixels: npt.NDArray[np.integer | np.floating], size: int, where: str = "picture") -> Pixels:
    """A picture that is an array, as `read_picture` gives it.

    Args:
        pixels: (height, width) of grey, or (height, width, 3 or 4); uint8, or floats from 0 to 1.
        size: of the square's edge, in pixels.
        where: for messages.

    Raises:
        DataError: the array holds no picture.
    """
    accepted = "(height, width), or that by 3 or 4 channels; uint8, or finite floats from 0 to 1."
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not shaped or not all(pixels.shape):
        raise DataError("this array is no picture", where=where, found=f"shape {pixels.shape}",
                        accepted=accepted)  # fmt: skip
    if np.issubdtype(pixels.dtype, np.floating):
        if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
            raise DataError("these are no pixels", where=where, found="floats outside 0 to 1",
                            accepted=accepted)  # fmt: skip
        pixels = np.round(pixels * 255)
    elif pixels.dtype != np.uint8:
        raise DataError("these are no pixels", where=where, found=f"type {pixels.dtype}", accepted=accepted)
    return _fit(require_pictures().fromarray(pixels.astype(np.uint8)), size, where)


def fit_image(image: Any, size: int, where: str = "picture") -> Pixels:
    """A picture that is an `Image` of Pillow, as `read_picture` gives it.

    Raises:
        DataError: it is empty or nothing but a line, or the file that it is of is damaged.
    """
    width, height = image.size
    _check_edges(width, height, where)
    try:
        with without_warnings():
            return _fit(image, size, where)
    except (MemoryError, DataError):
        raise
    except Exception as error:
        raise DataError("the picture is damaged", where=where, found=reason(error)) from error


def encode_png(pixels: Pixels, notes: Mapping[str, str] | None = None) -> bytes:
    """A picture as a PNG file, with texts by their keywords, such as Title (PNG, 3rd edition, 11.3.3)."""
    images = require_pictures()
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for keyword, text in (notes or {}).items():
        info.add_text(keyword, text)
    stream = io.BytesIO()
    images.fromarray(pixels).save(stream, format="PNG", optimize=True, pnginfo=info)
    return stream.getvalue()


def _identify(stream: BinaryIO, place: str, max_pixels: int = MAX_PIXELS) -> Any:
    """The picture of a stream, not unpacked yet, whose header is plausible."""
    image_module = require_pictures()
    head = stream.read(HEAD_BYTES)
    if not head:
        raise DataError("the file is empty", where=place)
    stream.seek(0)
    try:
        with without_warnings():  # of large pictures, which are refused below, and odd headers
            image = image_module.open(stream, formats=FORMATS)
    except MemoryError:
        raise
    except image_module.DecompressionBombError as error:
        raise _too_large(place, str(error), max_pixels) from error
    except Exception as error:  # decoders raise whatever a damaged header makes of them
        raise explain_no_picture(head, error, place) from error
    width, height = image.size
    if width * height > max_pixels:
        raise _too_large(place, f"{width:,} x {height:,} pixels", max_pixels)
    _check_edges(width, height, place)
    return image


def _check_edges(width: int, height: int, place: str) -> None:
    if not min(width, height) or max(width, height) > MAX_RATIO * min(width, height):
        raise DataError("the picture is nothing but a line", where=place,
                        found=f"{width:,} x {height:,} pixels",
                        accepted=f"One edge may be {MAX_RATIO} times the other.")  # fmt: skip


def _fit(image: Any, size: int, place: str) -> Pixels:
    """Upright, on white, as large as the square allows, in its middle."""
    image_module = require_pictures()
    image = _turn_upright(image)
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits a pixel, or 32
        image = image_module.fromarray(_to_bytes(image, place))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
        white = image_module.new("RGBA", image.size, (255, 255, 255, 255))
        image = image_module.alpha_composite(white, image)
    image = image.convert("RGB")
    if image.size != (size, size):
        scale = size / max(image.size)
        width, height = (max(1, round(edge * scale)) for edge in image.size)
        image = image.resize((width, height), image_module.Resampling.LANCZOS)
        square = image_module.new("RGB", (size, size), (255, 255, 255))
        square.paste(image, ((size - width) // 2, (size - height) // 2))
        image = square
    return np.asarray(image, dtype=np.uint8).copy()


def _turn_upright(image: Any) -> Any:
    """As the camera was held; a picture whose notes about itself are damaged stays as it is."""
    turns = require_pictures().Transpose
    methods = {2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE,
               6: turns.ROTATE_270, 7: turns.TRANSVERSE, 8: turns.ROTATE_90}  # fmt: skip
    try:
        method = methods.get(image.getexif().get(ORIENTATION))
    except MemoryError:
        raise
    except Exception:  # the pixels are sound
        return image
    return image if method is None else image.transpose(method)


def _to_bytes(image: Any, place: str) -> Pixels:
    """Grey of 16 or 32 bits a pixel, or of fractions, as 8 bits."""
    values = np.asarray(image, dtype=np.float64)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 65_535):  # nor what is no number
        raise DataError(
            "the picture's grey is on no usual scale", where=place, found=f"from {low:g} to {high:g}",
            accepted="From 0 to 255 or to 65,535, or fractions from 0 to 1; bring it to one of these first.",
        )  # fmt: skip
    top = 1 if image.mode == "F" and high <= 1 else 255 if high < 256 else 65_535
    return (values * (255 / top)).round().clip(0, 255).astype(np.uint8)


def _too_large(place: str, found: str, max_pixels: int) -> DataError:
    accepted = f"At most {max_pixels / 1_000_000:g} million pixels are."
    return DataError("the picture is too large", where=place, found=found, accepted=accepted)
