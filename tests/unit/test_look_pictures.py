"""Properties of what is seen of pictures that a model paints or describes, before and as a page."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from interlingua.data.batch import make_source
from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from interlingua.kinds import BOS, SPECIALS
from interlingua.model.architectures import build_model, parse_model_settings
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.settings import PictureSettings
from interlingua.pictures.source import PictureSource
from interlingua.search.guidance import Guided
from interlingua.search.settings import SearchSettings
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings, train_tokenizers
from interlingua.views.look_painting import group_words, look_at_painting, look_at_painting_page
from interlingua.views.look_picture import look_at_picture, look_at_picture_page
from interlingua.views.page import as_json
from interlingua.views.patch_sheet import Film, PatchSheet, paint_instead, split_patches
from tests.tiles import SIZE, tiles

NASTY = "</script><img src=x onerror=alert(1)>&'\"<!--\u2028.png"
CAPTION = "a red ring above a blue square"
WORDS = SymbolTokenizer.train([CAPTION], "words", "text")
TRANSFORMER = {
    "architecture": "transformer", "dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1,
    "decoder_layers": 3,
}  # fmt: skip


def recurrent(attention: str) -> dict[str, Any]:
    return {"architecture": "recurrent", "cell": "gru", "dim": 8, "attention": attention}


def codec(
    blocks: int = 2, grid: Any = 8, levels: tuple[int, ...] = (4,), colour_levels: tuple[int, ...] = (3, 3)
) -> PictureCodec:
    """A codec that has learnt nothing, in which neighbours matter."""
    settings = PictureSettings(levels=levels, colour_levels=colour_levels, width=16, blocks=blocks, grid=grid)
    made = PictureCodec(SIZE, settings)
    made.initialise(1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.network.decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return made


def model_of(
    values: dict[str, Any], source: int, target: int, kind: Any, factors: tuple[int, int] | None = None
) -> EagerEngine:
    """A random model that is sure of something."""
    torch.manual_seed(4)
    model = build_model(
        parse_model_settings(values, "test"), source, target, shared=False, source_kind=kind,
        target_factors=factors,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return EagerEngine(model.eval())


def painter(values: dict[str, Any] = TRANSFORMER, **options: Any) -> Painter:
    tokenizers = TokenizerPair(WORDS, codec(**options))
    return Painter(model_of(values, *map(len, tokenizers), "text", tokenizers.target.factors), tokenizers)


def captioner(values: dict[str, Any] = TRANSFORMER) -> Captioner:
    source = PictureSource(SIZE)
    engine = model_of(values, len(source), len(WORDS), "picture")
    settings = SearchSettings(beam=3, length_penalty=3)
    return Captioner(engine, TokenizerPair(source, WORDS), settings=settings, max_ratio=0.2)


def unpack(levels: Any) -> np.ndarray:
    return np.frombuffer(base64.b64decode(levels.bytes), np.uint8).reshape(levels.shape) / 255


def pixels_of(uri: str) -> np.ndarray:
    start, content = uri.split(",")
    assert start == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def patches_of(sheet: PatchSheet) -> np.ndarray:
    """The patches of a sheet, those beyond the last one too."""
    pixels = pixels_of(sheet.png)
    rows = pixels.reshape(-1, sheet.edge, sheet.columns, sheet.edge, 3).swapaxes(1, 2)
    return rows.reshape(-1, sheet.edge, sheet.edge, 3)


def replay(film: Film, grid: int) -> list[np.ndarray]:
    """What is seen after each token; white where there is none yet."""
    left, patches = (
        iter(patches_of(film.sheet)),
        np.full((grid * grid, film.sheet.edge, film.sheet.edge, 3), 255),
    )
    frames = []
    for changed in film.changes:
        for place in changed:
            patches[place] = next(left)
        frames.append(patches.copy())
    return frames


def embedded(page: str) -> Any:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


@pytest.fixture(scope="module")
def painted() -> Any:
    return look_at_painting(painter(), CAPTION, name="wild", seed=5, guidance=2, temperature=0.8)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "tiles.png"
    Image.fromarray(tiles(["red", "green", "blue", "black"])).save(path)
    return path


@pytest.fixture(scope="module")
def seen(picture: Path) -> Any:
    return look_at_picture(captioner(), picture, name="wild")


# Paintings


def test_a_painting_is_that_of_paint(painted: Any) -> None:
    ((alone,),) = painter().paint([CAPTION], seed=5, guidance=2, temperature=0.8)
    assert (pixels_of(painted.picture) == alone.pixels).all()
    assert (painted.seed, painted.guidance, painted.temperature) == (5, 2, 0.8)
    assert painted.log_prob == pytest.approx(alone.log_prob, abs=1e-3)
    assert (painted.size, painted.grid, len(painted.predictions)) == (SIZE, 8, 64)


@pytest.mark.parametrize("values", [TRANSFORMER, recurrent("additive"), recurrent("none")])
@pytest.mark.parametrize("guidance", [0, 1, 3])
def test_probabilities_are_those_that_tokens_were_drawn_by(values: dict[str, Any], guidance: float) -> None:
    model = painter(values)
    found = look_at_painting(model, CAPTION, name="wild", guidance=guidance)
    ((alone,),) = model.paint([CAPTION], guidance=guidance)
    told = sum(math.log(max(each.probability, 5e-5)) for each in found.predictions)
    assert told == pytest.approx(alone.log_prob, abs=0.5)  # each was rounded to 4 decimals
    for code, each in zip(alone.tokens, found.predictions, strict=True):
        names = [name for name, _ in each.best]
        assert len(names) == len(set(names)) == 5
        assert all(name.startswith("#") for name in names)  # never an end, which cannot be drawn
        assert each.rank == names.index(f"#{code}") if f"#{code}" in names else each.rank >= 5
        assert [share for _, share in each.best] == sorted((share for _, share in each.best), reverse=True)


@pytest.mark.parametrize("values", [TRANSFORMER, recurrent("additive"), recurrent("multiplicative")])
def test_a_guided_model_steps_as_it_decodes(values: dict[str, Any]) -> None:
    model = Guided(painter(values).engine.model, 2.5)
    ids = torch.randint(len(SPECIALS), 20, (3, 6), generator=torch.Generator().manual_seed(0))
    target_in = torch.cat([torch.full((3, 1), BOS), ids], dim=1)
    with torch.inference_mode():
        memory = model.encode(make_source([[4, 5, 6], [5], [6, 7]], "text"))
        together = model.project(model.decode(memory, target_in))
        state, rows = model.start(memory), []
        for tokens in target_in.T:
            logits, state = model.step(tokens, state)
            rows.append(logits)
    assert torch.stack(rows, dim=1) == pytest.approx(together, abs=1e-3)


def test_each_patch_shares_out_its_attention_over_the_words(painted: Any) -> None:
    assert painted.words == [*CAPTION.split(), "</s>"]
    assert painted.attention.roots.shape == (3, 2, 64, 8)
    assert (unpack(painted.attention.roots) ** 2).sum(-1) == pytest.approx(1, abs=0.05)
    bits = np.array(painted.attention.entropy)
    assert bits.shape == (3, 2)
    assert ((bits >= 0) & (bits <= 3.01)).all()


def test_attention_is_that_of_the_rows_that_know_the_caption(painted: Any) -> None:
    ((alone,),) = painter().paint([CAPTION], seed=5, guidance=2, temperature=0.8, attention=True)
    assert alone.attention is not None
    expected = alone.attention.cross[:, :, :64].numpy()
    assert unpack(painted.attention.roots) ** 2 == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(("blocks", "grid"), [(0, 8), (2, 8), (2, 16)])
def test_the_film_shows_what_the_codec_makes_of_the_tokens_so_far(blocks: int, grid: int) -> None:
    paints = codec(blocks, grid)
    codes = torch.randint(0, 36, (grid * grid,), generator=torch.Generator().manual_seed(1)).tolist()
    film = Film.of(paints, codes)
    ids = [code + len(SPECIALS) for code in codes]
    for number, frame in enumerate(replay(film, grid)):
        assert (frame == split_patches(paints.decode(ids[: number + 1]), grid)).all()
    assert all(changed[-1] == number for number, changed in enumerate(film.changes))
    alone = all(len(changed) == 1 for changed in film.changes)
    assert alone == (blocks == 0)  # without neighbours nothing changes later


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_runners_up_look_as_if_they_had_been_drawn(blocks: int) -> None:
    paints = codec(blocks)
    codes = torch.randint(0, 36, (64,), generator=torch.Generator().manual_seed(1)).tolist()
    others = [[(code + shift) % 36 for shift in range(3)] for code in codes]
    found = paint_instead(paints, codes, others)
    for place in (0, 7, 9, 27, 63):
        for choice in range(3):
            changed = [*codes[:place], others[place][choice], *codes[place + 1 :]]
            whole = paints.decode([code + len(SPECIALS) for code in changed])
            distance = found[place][choice].astype(int) - split_patches(whole, 8)[place]
            assert np.abs(distance).max() <= 1  # rounding


def test_what_was_drawn_looks_as_it_does_in_the_picture(painted: Any) -> None:
    whole, choices = split_patches(pixels_of(painted.picture), 8), patches_of(painted.choices)
    ((alone,),) = painter().paint([CAPTION], seed=5, guidance=2, temperature=0.8)
    best = 0
    for place, (code, each) in enumerate(zip(alone.tokens, painted.predictions, strict=True)):
        if each.rank < 5:
            assert each.best[each.rank][0] == f"#{code}"
            distance = choices[5 * place + each.rank].astype(int) - whole[place]
            assert np.abs(distance).max() <= 1
            best += 1
    assert best


def test_a_codec_of_fewer_codes_than_runners_up_shows_them_all() -> None:
    found = look_at_painting(painter(levels=(3,), colour_levels=()), CAPTION, name="wild")
    assert all(len(each.best) == 3 for each in found.predictions)
    assert len(patches_of(found.choices)) >= 3 * 64


SUBWORDS, _ = train_tokenizers(
    [(CAPTION, "x"), ("a square above a ring", "y")] * 20,
    TokenizerSettings(source="bpe", target="bytes", vocabulary_size=320, joint=False),
)


@pytest.mark.parametrize(
    ("tokenizer", "caption", "words"),
    [
        (WORDS, "a red ring", ["a", "red", "ring"]),
        (WORDS, "a purple ring", ["a", "<unk>", "ring"]),
        (SymbolTokenizer.train([CAPTION], "characters", "text"), "red ring", ["red", "ring"]),
        (SymbolTokenizer.train([CAPTION], "characters", "text"), "rzd ring", ["r<unk>d", "ring"]),
        (SymbolTokenizer.train([CAPTION], "characters", "text"), "red", ["r", "e", "d"]),
        (SymbolTokenizer.train(["红色的圆环"], "characters", "text"), "红圆环", ["红", "圆", "环"]),
        (ByteTokenizer("text"), "één blå ring", ["één", "blå", "ring"]),
        (SUBWORDS.source, "a blue square", ["a", "blue", "square"]),
    ],
)
def test_every_token_of_a_caption_belongs_to_a_word(tokenizer: Any, caption: str, words: list[str]) -> None:
    ids = tokenizer.encode(caption)
    texts, groups = group_words(tokenizer, ids)
    assert texts == [*words, "</s>"]
    assert [number for group in groups for number in group] == list(range(len(ids) + 1))


def test_there_must_be_a_caption() -> None:
    for caption in ("", "  \t"):
        with pytest.raises(DataError, match="no caption"):
            look_at_painting(painter(), caption, name="wild")
    with pytest.raises(ConfigurationError):
        look_at_painting(painter(), CAPTION, name="wild", guidance=-1)


def test_words_that_the_model_does_not_know_are_named() -> None:
    found = look_at_painting(painter(), "a purple ring", name="wild")
    assert found.unknown == ["purple"]
    assert 'id="unknown"' in look_at_painting_page(found)


# Pictures that are read


def test_everything_has_the_shape_of_the_picture_and_the_text(seen: Any, picture: Path) -> None:
    assert (pixels_of(seen.picture) == np.asarray(Image.open(picture))).all()
    assert (seen.file, seen.size, seen.grid) == ("tiles.png", SIZE, 8)
    assert seen.attention.roots.shape == (3, 2, len(seen.target_out), 64)
    assert (unpack(seen.attention.roots) ** 2).sum(-1) == pytest.approx(1, abs=0.05)
    assert len(seen.predictions) == len(seen.target_out) > 3
    assert [word.text for word in seen.words] == seen.outputs[0].text.split()
    assert all(0 <= word.confidence <= 1 for word in seen.words)
    assert len(seen.outputs) == seen.beam == 3


def test_the_text_is_that_of_translate(seen: Any, picture: Path) -> None:
    (said,) = captioner().translate([picture], n_best=3, attention=True)
    assert [each.text for each in seen.outputs] == [said.text, *(each.text for each in said.alternatives)]
    for prediction, log_prob in zip(seen.predictions, said.log_probs, strict=True):
        assert prediction.probability == pytest.approx(math.exp(log_prob), abs=1e-3)
    assert said.attention is not None
    expected = said.attention.cross[:, :, : len(seen.target_out)].numpy()
    assert unpack(seen.attention.roots) ** 2 == pytest.approx(expected, abs=0.005)
    ranks = sorted(node.rank for node in seen.tree if node.rank is not None)
    assert ranks == list(range(len(seen.outputs)))


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no picture"):
        look_at_picture(captioner(), tmp_path / "a.png", name="wild")
    with pytest.raises(ConfigurationError):
        look_at_picture(captioner(), tmp_path / "a.png", name="wild", beam=0)


# Pages


def test_pages_hold_the_same_data_as_the_json(painted: Any, seen: Any) -> None:
    for page, data in ((look_at_painting_page(painted), painted), (look_at_picture_page(seen), seen)):
        assert embedded(page) == json.loads(as_json(data.as_data()))
    assert embedded(look_at_painting_page(painted))["film"]["changes"] == painted.film.changes


def test_pages_name_nothing_to_fetch_and_let_no_text_be_markup(painted: Any, seen: Any) -> None:
    nasty = [replace(painted, model=NASTY, caption=NASTY, words=[NASTY, *painted.words[1:]], unknown=[NASTY])]
    words = [replace(seen.words[0], text=NASTY), *seen.words[1:]]
    outputs = [replace(seen.outputs[0], text=NASTY)]
    pages = [look_at_painting_page(nasty[0])]
    pages.append(look_at_picture_page(replace(seen, model=NASTY, file=NASTY, words=words, outputs=outputs)))
    for page in pages:
        assert "default-src 'none'" in page
        assert not re.search("https?:", page)
        assert not re.search(r"\b(src|href)=(?!x)|url\(|@import|\bfetch\(", page)
        assert "<img" not in page
        assert page.count("</script>") == 2
        assert embedded(page)["model"] == NASTY


def test_models_without_attention_say_so(picture: Path) -> None:
    painted = look_at_painting(painter(recurrent("none")), CAPTION, name="gru", guidance=2)
    seen = look_at_picture(captioner(recurrent("none")), picture, name="gru")
    for data, page in ((painted, look_at_painting_page(painted)), (seen, look_at_picture_page(seen))):
        assert data.attention is None
        assert 'id="no-attention"' in page
        assert 'id="heads"' not in page
    painted = look_at_painting(painter(recurrent("additive")), CAPTION, name="gru")
    assert painted.attention.roots.shape == (1, 1, 64, 8)
    assert 'id="heads"' in look_at_painting_page(painted)
