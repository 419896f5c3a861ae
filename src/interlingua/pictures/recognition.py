"""What a file is that cannot be read as a picture: recognised by its content, so that the advice is right."""

from __future__ import annotations

import re

from interlingua.errors import DataError

__all__ = ["HEAD_BYTES", "explain_no_picture", "reason"]

HEAD_BYTES = 4096
"""Of a file, by which it is recognised."""
READABLE = "PNG, JPEG, WebP, GIF (its first picture), BMP, TIFF and PPM can be read"
_BEGINNING = rb"(\xef\xbb\xbf)?\s*"
_OTHERS = {
    _BEGINNING + rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(?i:!doctype\s+html|html|head|body)\b": "a web page",
    _BEGINNING + rb"(<svg|<(\?xml|!--|!DOCTYPE).*<svg)\b": "an SVG drawing",
    _BEGINNING + rb"<\?xml": "an XML document, perhaps the error of a server",
    _BEGINNING + rb'[{\[]\s*["{}\[\]]': "JSON text, perhaps the error of a server",
    rb"\s*https?://\S+\s*$": "the address of something, not the thing itself",
    rb"\s*(data:image/|iVBORw0KGgo|/9j/|R0lGOD|UklGR)": "a picture in letters (base64)",
    rb"....ftyp(avif|avis)": "an AVIF picture",
    rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)": "an HEIC picture",
    rb"....ftypcrx": "a camera's raw picture (CR3)",
    rb"....ftypqt|....(moov|mdat|wide)": "a QuickTime film",
    rb"....ftyp": "an MP4 film",
    rb"\x1aE\xdf\xa3": "a WebM or Matroska film",
    rb"RIFF....AVI ": "an AVI film",
    rb"\0\0\0\x0cJXL |\xff\x0a": "a JPEG XL picture",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": "a JPEG 2000 picture",
    rb"v/1\x01": "an OpenEXR picture",
    rb"#\?(RADIANCE|RGBE)": "a Radiance HDR picture",
    rb"qoif": "a QOI picture",
    rb"DDS ": "a DDS texture",
    rb"%PDF": "a PDF document",
    rb"%!PS|\xc5\xd0\xd3\xc6": "a PostScript document",
    rb"8BPS": "a Photoshop file",
    rb"gimp xcf": "a GIMP file",
    rb"\0\0\x01\0": "an icon (ICO)",
    rb"icns": "an icon (ICNS)",
    rb"version https://git-lfs": "a Git LFS pointer, in place of the file itself (git lfs pull brings it)",
    rb"\x93NUMPY": "a NumPy array",
    rb"PK\x03\x04": "a ZIP archive",
    rb"Rar!": "a RAR archive",
    rb"\x1f\x8b": "a gzip file",
    rb"RIFF....WAVE|RF64|fLaC|OggS|FORM....AIF|\.snd|caff|ID3|\xff[\xe2-\xfd]": "a sound",
}
_CONVERSION = "convert it first, for example to PNG"
_TIFF = rb"(II|MM)(\*\0|\0\*|\+\0|\0\+)"


def explain_no_picture(head: bytes, error: Exception, place: str) -> DataError:
    """Why a file could not be opened as a picture.

    Args:
        head: its beginning.
        error: what opening it raised.
        place: what names it, for messages.
    """
    for pattern, what in _OTHERS.items():
        if re.match(pattern, head, re.DOTALL):
            return DataError(f"the file is {what}", where=place, accepted=f"{READABLE}; {_CONVERSION}.")
    unknown = type(error).__name__ == "UnidentifiedImageError"
    if unknown and re.match(_TIFF, head):
        return DataError("the TIFF file is damaged, or its pixels are of a kind that is not read",
                         where=place, accepted=f"If it opens elsewhere, {_CONVERSION}.")  # fmt: skip
    if not unknown or re.match(rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP", head, re.DOTALL):
        return DataError("the picture is damaged", where=place, found=reason(error))
    return DataError("this is no picture, or a damaged one", where=place, accepted=f"{READABLE}.")


def reason(error: Exception) -> str | None:
    """What a decoder said, if it says more than that it cannot."""
    said = str(error)
    return None if not said or "cannot identify" in said else said
