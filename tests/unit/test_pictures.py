"""Pictures: files to pixels, pixels to patches and tokens, and back; what cannot be read is named."""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from interlingua.data.codecs import load_tokenizers, save_tokenizers
from interlingua.errors import BundleError, ConfigurationError, DataError
from interlingua.kinds import EOS, SPECIALS
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.patches import patches_of, pixels_of
from interlingua.pictures.quantisation import FiniteScalarQuantiser
from interlingua.pictures.reading import decode_picture, encode_png, fit, inspect_picture, read_picture
from interlingua.pictures.reconstruction import measure_codec
from interlingua.pictures.settings import PictureSettings
from interlingua.pictures.source import inspect_pictures
from interlingua.text.symbols import SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair
from interlingua.training.codec import CodecLearner
from tests.tiles import tiles

SMALL = PictureSettings(levels=(4, 3), colour_levels=(3, 3), width=16, blocks=1, batch=8, learning_rate=0.03)
PLAIN = SMALL.model_copy(update={"levels": (4, 3, 3, 3), "colour_levels": ()})
"""Without forms and colours apart, as earlier versions were."""
RED = (255, 0, 0)


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def png(width: int = 8, height: int = 8) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), RED).save(stream, format="PNG")
    return stream.getvalue()


def noise(width: int = 64, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))


def chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


# Reading


@pytest.mark.parametrize("size", [32, 64])
def test_a_picture_of_the_size_is_taken_as_it_is(size: int, tmp_path: Path) -> None:
    image = noise(size, size)
    for name in ("a.png", "a.bmp", "a.tiff", "a.ppm"):
        assert (read_picture(save(image, tmp_path / name), size) == np.asarray(image)).all()


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {"quality": 95}), ("a.webp", {"lossless": True}), ("a.gif", {}), ("a", {"format": "PNG"})],
)
def test_formats_are_told_apart_by_their_content(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 40), RED)
    pixels = read_picture(save(image, tmp_path / name, **options), 32)
    assert np.abs(pixels.astype(int) - RED).max() < 8
    (tmp_path / "wrong.txt").write_bytes((tmp_path / name).read_bytes())
    assert (read_picture(tmp_path / "wrong.txt", 32) == pixels).all()


def test_colours_are_counted(tmp_path: Path) -> None:
    colours = [(0, 0, 1), (0, 1, 0), (1, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)]
    image = Image.fromarray(np.array([colours[i % 6] for i in range(1024)], np.uint8).reshape(32, 32, 3))
    assert inspect_picture(save(image, tmp_path / "a.png"), 32)[1].colours == 6
    blank = inspect_picture(save(Image.new("RGB", (32, 32), RED), tmp_path / "b.png"), 32)[1]
    assert blank.colours == 1
    assert blank.warnings() == ["of one colour alone: there is nothing to see"]


def test_what_is_not_square_lies_on_white_in_the_middle(tmp_path: Path) -> None:
    pixels = read_picture(save(Image.new("RGB", (64, 32), RED), tmp_path / "a.png"), 32)
    assert (pixels[:8] == 255).all()
    assert (pixels[24:] == 255).all()
    assert (pixels[9:23] == RED).all()


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (16, 16), (0, 0, 0, 0)),
        Image.new("LA", (16, 16), (0, 0)),
        Image.new("1", (16, 16), 1),
        Image.new("L", (16, 16), 255),
        Image.new("I;16", (16, 16), 65_535),
        Image.new("RGBA", (16, 16), (0, 0, 0, 0)).convert("P"),
    ],
    ids=lambda image: image.mode,
)
def test_every_mode_becomes_colours_and_what_is_transparent_white(image: Image.Image, tmp_path: Path) -> None:
    options = {"transparency": image.getpixel((0, 0))} if image.mode == "P" else {}
    assert (read_picture(save(image, tmp_path / "a.png", **options), 32) == 255).all()


def test_a_picture_that_was_taken_sideways_stands_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), (255, 255, 255))
    image.paste(RED, (0, 0, 32, 16))  # red above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    pixels = read_picture(save(image, tmp_path / "a.png", exif=exif), 32)
    assert (pixels[:, 20:] == RED).all()
    assert (pixels[:, :12] == 255).all()


@pytest.mark.parametrize("kind", ["png", "webp", "jpg", "tiff"])
@pytest.mark.parametrize(
    "notes", [b"junk and more junk", b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(30)]
)
def test_what_a_damaged_note_says_about_a_sound_picture_does_not_matter(
    kind: str, notes: bytes, tmp_path: Path
) -> None:
    image = Image.new("RGB", (32, 32), RED)
    path = save(image, tmp_path / f"a.{kind}", **({} if kind == "tiff" else {"exif": notes}))
    assert np.abs(read_picture(path, 32).astype(int) - RED).max() < 8


def test_a_picture_is_turned_though_its_other_notes_cannot_be_written(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), (255, 255, 255))
    image.paste(RED, (0, 0, 32, 16))
    note = struct.pack("<HHI4s", 0x0112, 3, 1, b"\6\0\0\0") + struct.pack(
        "<HHI4s", 0x010F, 2, 900, b"\xff" * 4
    )
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + note + bytes(4)
    pixels = read_picture(save(image, tmp_path / "a.png", exif=exif), 32)
    assert (pixels[:, 20:] == RED).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_way_to_hold_a_camera_is_undone(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(noise(32, 32), tmp_path / "a.png", exif=exif)
    with Image.open(path) as image:
        assert (read_picture(path, 32) == np.asarray(ImageOps.exif_transpose(image))).all()


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(0, 1, 1024, dtype=np.float32),
        np.linspace(0, 255.9, 1024, dtype=np.float32),
        np.linspace(0, 65_535, 1024, dtype=np.float32),
        np.linspace(0, 65_535, 1024, dtype=np.int32),
        np.linspace(0, 65_535, 1024, dtype=np.uint16),
    ],
    ids=["fractions", "bytes", "floats", "ints", "shorts"],
)
def test_grey_of_every_scale_runs_from_black_to_white(values: np.ndarray, tmp_path: Path) -> None:
    path = save(Image.fromarray(values.reshape(32, 32)), tmp_path / "a.tiff")
    expected = np.linspace(0, 255, 1024).reshape(32, 32)
    assert np.abs(read_picture(path, 32)[..., 0] - expected).max() < 1.5


@pytest.mark.parametrize("worst", [-1.0, np.nan, np.inf, 1e9])
def test_grey_of_no_scale_is_told_and_not_made_black_or_white(worst: float, tmp_path: Path) -> None:
    values = np.linspace(0, 1, 1024, dtype=np.float32)
    values[7] = worst
    path = save(Image.fromarray(values.reshape(32, 32)), tmp_path / "a.tiff")
    with pytest.raises(DataError, match=r"a.tiff: .* no usual scale"):
        read_picture(path, 32)


def test_twelve_bits_in_sixteen_are_told_to_be_nearly_black(tmp_path: Path) -> None:
    values = np.linspace(0, 4095, 1024).astype(np.uint16).reshape(32, 32)
    report = inspect_picture(save(Image.fromarray(values), tmp_path / "a.png"), 32)[1]
    assert report.warnings() == ["nearly black: no pixel is brighter than 16 of 255"]


def test_warnings_of_a_program_stay_as_they_were(tmp_path: Path) -> None:
    path = save(noise(), tmp_path / "a.jpg")
    before = list(warnings.filters)
    for _ in range(5):
        inspect_pictures([str(path)] * 200, 32)
        assert warnings.filters == before


def test_of_several_pictures_the_first_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (32, 32), RED), Image.new("RGB", (32, 32), (0, 0, 255))
    path = save(first, tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (read_picture(path, 32) == RED).all()


SVG = b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
BOMB = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0")
BOMB += chunk(b"IDAT", zlib.compress(bytes(1000)))
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "text": (b"a cat\ta dog\n", "this is no picture"),
    "random": (bytes(range(256)), "this is no picture"),
    "zeros": (bytes(1000), "this is no picture"),
    "svg": (SVG, "an SVG drawing"),
    "html": (b"<!DOCTYPE html><html>404</html>", "a web page"),
    "pdf": (b"%PDF-1.7\n", "a PDF document"),
    "avif": (b"\0\0\0\x20ftypavif\0\0\0\0", "an AVIF picture"),
    "heic": (b"\0\0\0\x20ftypheic\0\0\0\0", "an HEIC picture"),
    "film": (b"\0\0\0\x20ftypisom\0\0\0\0", "an MP4 film"),
    "psd": (b"8BPS\0\1", "a Photoshop file"),
    "icon": (b"\0\0\1\0\1\0", "an icon"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    "zip": (b"PK\3\4aaaa", "a ZIP archive"),
    "gzip": (b"\x1f\x8b\x08", "a gzip file"),
    "icons": (b"icns\0\0", "an icon"),
    "page after a mark": (b"\xef\xbb\xbf<!doctype html>", "a web page"),
    "page with a drawing": (b"<html><svg/></html>", "a web page"),
    "svg after a comment": (b"<!-- " + b"x" * 900 + b" --><svg/>", "an SVG drawing"),
    "svg of a document type": (
        b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>",
        "an SVG drawing",
    ),
    "error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "error in JSON": (b'{"error": "not found"}', "JSON text"),
    "address": (b"https://example.org/a.png\n", "the address of something"),
    "letters": (base64.b64encode(png()), "base64"),
    "letters in a URL": (b"data:image/png;base64,iVBORw0KGgo=", "base64"),
    "heic of a burst": (b"\0\0\0\x18ftyphevc", "an HEIC picture"),
    "raw": (b"\0\0\0\x18ftypcrx ", "raw picture"),
    "jpeg xl": (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    "webm": (b"\x1aE\xdf\xa3", "a WebM"),
    "array": (b"\x93NUMPY\1\0", "a NumPy array"),
    "tiff": (b"II*\0\x08\0\0\0" + bytes(20), "the TIFF file is damaged, or"),
    "sound": (b"RIFF\0\0\0\0WAVEfmt ", "a sound"),
    "signature only": (png()[:8], "the picture is damaged|no picture"),
    "header only": (png()[:33], "the picture is (damaged|cut off)"),
    "cut off": (png(200, 200)[:-30], "the picture is (damaged|cut off)"),
    "wrong checksum": (png().replace(b"IDAT", b"IDAX"), "the picture is (damaged|cut off)"),
    "flipped bytes": (png()[:45] + bytes(8) + png()[53:], "the picture is (damaged|cut off)"),
    "bomb": (BOMB, "too large"),
    "line": (png(400, 2), "but a line|nothing but a line"),
    "zero wide": (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(8) + b"\x08\x02\0\0\0"), "damaged|no picture"),
}


@pytest.mark.parametrize(("content", "what"), BAD.values(), ids=BAD)
def test_what_is_no_picture_is_named(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (lambda: read_picture(path, 32, "pairs.tsv:3"), lambda: decode_picture(content, 32, "a.png")):
        with pytest.raises(DataError, match=what) as caught:
            read()
        assert "a.png" in str(caught.value.where)
    with pytest.raises(DataError, match=r"^pairs.tsv:3: .*a.png: "):
        read_picture(path, 32, "pairs.tsv:3")


@pytest.mark.parametrize("kind", ["jpg", "webp", "gif"])
def test_a_picture_that_is_cut_off_is_named(kind: str, tmp_path: Path) -> None:
    path = save(noise(), tmp_path / f"a.{kind}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cut off|damaged"):
        read_picture(path, 32)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, what in (
        (tmp_path / "none.png", "no such file"), (tmp_path, "a directory"),
        (tmp_path / "pipe", "not a regular file"), (Path("a\0.png"), "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=what):
            read_picture(path, 32)


@pytest.mark.parametrize(
    ("meant", "written"),
    [
        ("Bild é.png", normalize("NFD", "Bild é.png")), (normalize("NFD", "ü.png"), "ü.png"),
        ("a.JPG", "a.jpg"), ("a.jpeg", "a.jpg"), ("000042.jpg", "000042"), ("v1.5.png", "v1.5"),
        ("in/a.png", "in\\a.png"), ("a.png", '"a.png"'),
    ],
)  # fmt: skip
def test_a_name_that_is_written_otherwise_is_told(meant: str, written: str, tmp_path: Path) -> None:
    (tmp_path / meant).parent.mkdir(exist_ok=True)
    (tmp_path / meant).write_bytes(png())
    if (tmp_path / written).exists():
        pytest.skip("this disk takes both for one")
    with pytest.raises(DataError, match="no such file") as caught:
        read_picture(tmp_path / written, 32, "pairs.tsv:3")
    assert caught.value.accepted.endswith(str(tmp_path / meant))


@pytest.mark.parametrize(
    ("name", "said"), [("https://example.org/a.png", "download"), ("a.png\ta cat", "a tab")]
)
def test_what_is_no_name_of_a_file_is_told(name: str, said: str) -> None:
    for path in (name, Path("/data") / name):
        with pytest.raises(DataError, match="no such file") as caught:
            read_picture(path, 32)
        assert said in caught.value.accepted


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(1, 20))
def test_damage_is_a_data_error_or_harmless(junk: bytes, start: int, length: int) -> None:
    content = png(20, 20)
    damaged = content[:start] + junk[:length] + content[start + length :]
    with contextlib.suppress(DataError):
        assert decode_picture(damaged, 32).shape == (32, 32, 3)


def test_odd_pictures_are_told(tmp_path: Path) -> None:
    _, report = inspect_picture(save(Image.new("RGB", (9, 9), RED), tmp_path / "a.png"), 32)
    assert report.warnings() == ["of one colour alone: there is nothing to see", "very small: 9 x 9 pixels"]
    assert inspect_picture(save(noise(), tmp_path / "b.png"), 32)[1].warnings() == []


def test_arrays_are_pictures_too() -> None:
    pixels = np.asarray(noise(32, 32))
    assert (fit(pixels, 32) == pixels).all()
    assert (fit(pixels / 255, 32) == pixels).all()
    assert (fit(np.zeros((10, 20)), 32)[10:20] == 0).all()
    for wrong in (np.zeros(5), np.zeros((0, 4, 3)), np.zeros((4, 4, 2)), np.full((4, 4), 2.0),
                  np.zeros((4, 4), np.int64), np.full((4, 4), np.nan)):  # fmt: skip
        with pytest.raises(DataError):
            fit(wrong, 32)


def test_a_png_is_read_again_as_it_was() -> None:
    pixels = np.asarray(noise(32, 32))
    notes = {"Title": "un café, 猫", "Comment": "1"}
    png = encode_png(pixels, notes)
    assert (decode_picture(png, 32) == pixels).all()
    assert Image.open(io.BytesIO(png)).info == notes


# Patches and tokens


@pytest.mark.parametrize(("size", "grid"), [(32, 8), (64, 8), (64, 16)])
def test_patches_become_the_pixels_that_they_were(size: int, grid: int) -> None:
    pixels = torch.randint(0, 256, (3, size * size * 3), dtype=torch.uint8)
    patches = patches_of(pixels, grid)
    assert patches.shape == (3, grid * grid, 3 * (size // grid) ** 2)
    assert patches.abs().max() <= 1
    assert (pixels_of(patches).reshape(3, -1) == pixels).all()
    picture, edge = pixels.view(3, size, size, 3), size // grid  # the second patch is right of the first
    assert (pixels_of(patches)[:, :edge, edge : 2 * edge] == picture[:, :edge, edge : 2 * edge]).all()
    second = picture[:, :edge, edge : 2 * edge].reshape(3, -1).float() / 127.5 - 1
    torch.testing.assert_close(patches[:, 1], second)


@pytest.mark.parametrize("levels", [(2,), (3,), (4, 3), (8, 8, 6, 5), (7, 5, 5, 5, 5)])
def test_every_code_is_a_vector_and_every_vector_its_code(levels: tuple[int, ...]) -> None:
    quantiser = FiniteScalarQuantiser(levels)
    assert quantiser.size == np.prod(levels)
    codes = torch.arange(quantiser.size)
    vectors = quantiser.vectors(codes)
    assert len(torch.unique(vectors, dim=0)) == quantiser.size
    assert vectors.abs().max() <= 1
    anything = 100 * torch.randn(1000, len(levels))
    rounded = quantiser(anything)
    torch.testing.assert_close(quantiser.vectors(quantiser.codes(anything)), rounded)
    for number, count in enumerate(levels):  # each level of each number is reached
        line = torch.zeros(1000, len(levels))
        line[:, number] = torch.linspace(-4, 4, 1000)
        assert len(torch.unique(quantiser.codes(line))) == count


def test_the_gradient_passes_as_if_nothing_were_rounded() -> None:
    x = torch.zeros(3, 2, requires_grad=True)
    FiniteScalarQuantiser((5, 8))(x).sum().backward()
    assert (x.grad > 0).all()


def learn(
    steps: int, pixels: np.ndarray, seed: int = 1, settings: PictureSettings = SMALL
) -> tuple[PictureCodec, CodecLearner]:
    codec = PictureCodec(32, settings)
    learner = CodecLearner(codec, lambda numbers: pixels[numbers], len(pixels), seed)
    for _ in learner.updates(lambda step: step / steps):
        if learner.step == steps:
            break
    return codec, learner


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    names = np.random.default_rng(0).choice(["red", "green", "blue", "black"], (64, 4))
    return np.stack([tiles(each.tolist()).reshape(-1) for each in names])


@pytest.fixture(scope="module")
def codec(pixels: np.ndarray) -> PictureCodec:
    torch.set_num_threads(1)
    codec, learner = learn(150, pixels)
    learner.finish()
    return codec


def test_a_codec_learns_to_keep_pictures(codec: PictureCodec, pixels: np.ndarray) -> None:
    kept = measure_codec(codec, pixels)
    assert kept.error < 20
    assert kept.psnr_db > 18
    ids = codec.encode_pixels(pixels)
    assert ids.shape == (64, 64)
    assert ids.min() >= len(SPECIALS)
    assert ids.max() < len(codec)
    together = codec.decode_batch(ids.tolist())
    assert all(
        (codec.decode(row) == picture).all()
        for row, picture in zip(ids[:5].tolist(), together[:5], strict=True)
    )


def test_what_is_not_painted_yet_is_white(codec: PictureCodec, pixels: np.ndarray) -> None:
    ids = codec.encode_pixels(pixels[:1])[0].tolist()
    begun = codec.decode(ids[:11])  # a row of eight, and three
    assert (begun[4:, 12:] == 255).all()
    assert (begun[8:] == 255).all()
    assert (begun[:4] != 255).any()
    assert (begun[4:8, :12] != 255).any()
    assert (codec.decode([]) == 255).all()
    assert (codec.decode([*ids, EOS]) == codec.decode(ids)).all()


@pytest.mark.parametrize("settings", [SMALL, PLAIN], ids=["forms and colours", "plain"])
def test_only_the_codes_of_the_training_pictures_are_kept(
    settings: PictureSettings, pixels: np.ndarray
) -> None:
    codec, learner = learn(60, pixels, settings=settings)
    learner.finish()
    all_of_them, few = (copy.deepcopy(codec) for _ in range(2))
    before = few.encode_pixels(pixels[:4])
    ids = few.restrict(before)
    codes = np.unique(before).astype(np.int64) - len(SPECIALS)
    if settings is SMALL:  # every form in every colour
        assert few.factors == (len({*codes % 12}), len({*codes // 12}))
        codes = np.array(sorted(12 * colour + form for colour in {*codes // 12} for form in {*codes % 12}))
    assert len(few) == len(SPECIALS) + len(codes) < len(all_of_them)
    assert (few.encode_pixels(pixels[:4]) == ids).all()
    for row, number in zip(ids.tolist(), before.tolist(), strict=True):
        assert (few.decode(row) == all_of_them.decode(number)).all()
    noise = np.random.default_rng(1).integers(0, 256, (3, 3072), dtype=np.uint8)
    vectors = few.network.quantiser.vectors(torch.arange(few.network.quantiser.size))
    used = torch.from_numpy(codes)
    for ours, code in zip(few.encode_pixels(noise).flat, all_of_them.encode_pixels(noise).flat, strict=True):
        distances = (vectors[used] - vectors[int(code) - len(SPECIALS)]).norm(dim=1)
        assert distances[int(ours) - len(SPECIALS)] == distances.min()
    again = PictureCodec(32, settings)
    again.restore(few.state())
    assert len(again) == len(few)
    assert again.factors == few.factors
    assert (again.encode_pixels(pixels) == few.encode_pixels(pixels)).all()
    again.restore(codec.network.state_dict())  # as earlier versions wrote it
    assert len(again) == len(codec)
    if settings is SMALL:
        with pytest.raises(RuntimeError, match="every form in every colour"):
            again.restore({**few.state(), "used": torch.tensor([0, 13])})


def test_levels_alone_are_those_of_the_first_versions() -> None:
    assert PictureSettings.parse({"levels": [8, 8, 6, 5]}, "config.toml").colour_levels == ()
    assert PictureSettings.parse({"grid": 16}, "config.toml").colour_levels == PictureSettings().colour_levels
    both = PictureSettings.parse({"levels": [3], "colour_levels": [4]}, "config.toml")
    assert both.colour_levels == (4,)
    with pytest.raises(ConfigurationError, match=r"colour_levels make 262,144 codes"):
        PictureSettings.parse({"levels": [64, 64], "colour_levels": [64]}, "config.toml")


def test_forms_and_colours_are_apart(codec: PictureCodec) -> None:
    """Tiles of other colours have other colour numbers; a tile keeps its own beside any other."""

    def codes(*names: str) -> np.ndarray:
        ids = codec.encode_pixels(tiles([*names]).reshape(1, -1))[0]
        return ids.astype(np.int64) - len(SPECIALS)

    red, green = codes(*["red"] * 4), codes(*["green"] * 4)
    assert {*red // 12}.isdisjoint(green // 12)
    mixed = codes("red", "green", "green", "red")
    assert {*mixed // 12} == {*red // 12} | {*green // 12}


def test_other_colours_of_a_picture_leave_white_what_it_is(pixels: np.ndarray) -> None:
    _, learner = learn(1, pixels)
    grey = np.full((8, 3072), 90, np.uint8)
    for before in (np.full((8, 3072), 255, np.uint8), grey, pixels[:8]):
        patches = patches_of(torch.from_numpy(before), 8)
        one, same, other = (learner._recolour(patches, turn) for turn in (0, 0, 1))
        assert torch.equal(one, same)
        assert (one >= patches.amin() - 1e-6).all()
        assert (one[patches.amin(dim=2) == 1] == 1).all()
    assert not torch.equal(one, other)
    _, plain = learn(1, pixels, settings=PLAIN)
    assert plain._recolour(patches, 0) is patches


def test_learning_goes_on_bit_by_bit(pixels: np.ndarray) -> None:
    _, whole = learn(12, pixels)
    half = PictureCodec(32, SMALL)
    first = CodecLearner(half, lambda numbers: pixels[numbers], len(pixels), 1)
    for _ in first.updates(lambda step: step / 12):
        if first.step == 5:
            break
    tensors = {name: value.clone() for name, value in first.learner.tensors().items()}
    second = CodecLearner(PictureCodec(32, SMALL), lambda numbers: pixels[numbers], len(pixels), 1)
    second.learner.restore(tensors, 5)
    for _ in second.updates(lambda step: step / 12):
        if second.step == 12:
            break
    assert (second.learner.averaged == whole.learner.averaged).all()


def test_a_codec_is_saved_with_its_tokenizers(
    codec: PictureCodec, pixels: np.ndarray, tmp_path: Path
) -> None:
    captions = SymbolTokenizer.train(["red green"], "words", "text")
    save_tokenizers(TokenizerPair(captions, codec), tmp_path)
    loaded = load_tokenizers(tmp_path).target
    assert loaded.trained
    assert loaded.settings == SMALL
    assert (loaded.encode_pixels(pixels) == codec.encode_pixels(pixels)).all()
    weights = tmp_path / "target.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(BundleError, match=r"codec .* damaged"):
        load_tokenizers(tmp_path)
    weights.unlink()
    assert not load_tokenizers(tmp_path).target.trained
