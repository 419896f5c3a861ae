"""What must hold for every architecture behind the Seq2Seq protocol."""

from __future__ import annotations

import math
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor, nn

from interlingua.errors import ConfigurationError
from interlingua.kinds import Source, SourceKind
from interlingua.model.architectures import build_model, parse_model_settings
from interlingua.model.attention import MultiHeadAttention, attention_bias, causal_mask
from interlingua.model.convolution import DepthwiseConvolution
from interlingua.model.embedding import FactoredEmbedding
from interlingua.model.frontends import FrameFrontend, PatchFrontend
from interlingua.model.positions import (
    GridPositions,
    LearnedPositions,
    RotaryPositions,
    SinusoidalPositions,
)
from interlingua.model.presets import PRESETS
from interlingua.model.projection import FactoredProjection
from interlingua.model.protocol import Seq2Seq
from interlingua.model.recurrent import RecurrentSettings, RecurrentState
from interlingua.model.transformer import Transformer, TransformerSettings, TransformerState

SIZE, BATCH, SOURCE, TARGET, BANDS = 31, 4, 9, 7, 5
FACTORS = (9, 3)
"""Of the target's ids, where they have such: 9 x 3 and the four special ones."""
SMALL = {"dim": 16, "heads": 4, "feed_forward": 32, "encoder_layers": 2, "decoder_layers": 2, "dropout": 0.3}
NARROW = {"dim": 16, "encoder_layers": 2, "decoder_layers": 2, "dropout": 0.3}

TRANSFORMERS: dict[str, dict[str, Any]] = {
    "pre-norm": {"norm": "pre"},
    "post-norm": {"norm": "post"},
    "RMSNorm": {"normalisation": "rms"},
    "GELU": {"activation": "gelu"},
    "SwiGLU": {"activation": "swiglu"},
    "swish": {"activation": "swish", "norm": "post", "norm_epsilon": 1e-3},
    "output bias": {"output_bias": True, "embeddings": "separate"},
    "sines, then cosines": {"sinusoids": "halves", "norm": "post"},
    "as Marian": {"sinusoids": "tensor2tensor", "norm": "post", "activation": "swish", "output_bias": True,
                  "norm_epsilon": 1e-6, "decoder_feed_forward": 12, "final_norm": True},
    "unscaled embeddings": {"scale_embeddings": False, "positions": "learned", "max_positions": 4},
    "pre-norm without a last one": {"norm": "pre", "final_norm": False},
    "learned positions": {"positions": "learned", "max_positions": 5},
    "rotary positions": {"positions": "rotary"},
    "deep and shallow": {"encoder_layers": 3, "decoder_layers": 1},
    "convolution": {"convolution": 5},
    "convolution, post-norm": {"convolution": 3, "norm": "post", "normalisation": "rms"},
    "separate embeddings": {"embeddings": "separate"},
    "grid of targets": {"positions": "rotary", "target_grid": 2},
    "all that is new": {"norm": "pre", "normalisation": "rms", "activation": "swiglu", "positions": "rotary",
                        "embeddings": "separate"},
}  # fmt: skip
RECURRENT: dict[str, dict[str, Any]] = {
    f"{cell} {attention}": {"cell": cell, "attention": attention}
    for cell in ("rnn", "gru", "lstm")
    for attention in ("none", "additive", "multiplicative")
} | {
    "lstm with input feeding": {"input_feeding": True},
    "gru of unequal depth": {"cell": "gru", "encoder_layers": 1, "decoder_layers": 3},
}
SETTINGS: dict[str, TransformerSettings | RecurrentSettings] = {
    **{name: TransformerSettings(**{**SMALL, **options}) for name, options in TRANSFORMERS.items()},
    **{name: RecurrentSettings(**{**NARROW, **options}) for name, options in RECURRENT.items()},
}


@pytest.fixture(
    params=[
        *((name, kind) for name in SETTINGS for kind in ("joint", "two", "frames")),
        *((name, "patches") for name in ("pre-norm", "rotary positions", "lstm additive")),
        *((name, "factors") for name in ("pre-norm", "grid of targets", "lstm additive")),
    ],
    ids=lambda param: f"{param[0]}, {param[1]}",
)
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    name, kind = request.param
    return make(name, kind)


def make(name: str, kind: str) -> Seq2Seq:
    of_files: dict[str, SourceKind] = {"frames": "sound", "patches": "picture"}
    sizes = (BANDS, SIZE) if kind in of_files else (SIZE, SIZE)
    source_kind = of_files.get(kind, "text")
    factors = FACTORS if kind == "factors" else None
    model = build_model(
        SETTINGS[name], *sizes, shared=kind == "joint", source_kind=source_kind, target_factors=factors
    )
    for grid in (getattr(model, "grid", None), getattr(model.frontend, "grid", None)):
        if grid is not None:
            nn.init.normal_(grid.rows)
            nn.init.normal_(grid.columns)
    return model.eval()


def made_of_frames(model: Seq2Seq) -> bool:
    return isinstance(model.frontend, FrameFrontend)


@pytest.fixture
def inputs(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, Tensor]:
    """Sources of the kind that the test's model reads, if any: ids, or four frames in place of each."""
    if "model" not in request.fixturenames:
        return make_inputs(False)
    model = request.getfixturevalue("model")
    if isinstance(model.frontend, PatchFrontend):
        mask = torch.ones(BATCH, 64, dtype=torch.bool)
        return torch.randn(BATCH, 64, BANDS), mask, torch.randint(4, SIZE, (BATCH, TARGET))
    return make_inputs(made_of_frames(model))


def make_inputs(frames: bool) -> tuple[Tensor, Tensor, Tensor]:
    target = torch.randint(4, SIZE, (BATCH, TARGET))
    if frames:
        mask = torch.arange(4 * SOURCE) < torch.tensor([36, 13, 26, 1]).unsqueeze(1)
        return torch.randn(*mask.shape, BANDS).masked_fill(~mask.unsqueeze(2), 0), mask, target
    source = torch.randint(4, SIZE, (BATCH, SOURCE))
    mask = torch.arange(SOURCE) < torch.tensor([9, 4, 7, 1]).unsqueeze(1)
    return source.masked_fill(~mask, 0), mask, target


def wider(values: Tensor, by: int) -> Tensor:
    """So many more positions at the end."""
    return torch.cat([values, values.new_zeros(len(values), by, *values.shape[2:])], dim=1)


def logits_of(model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    source, mask, target = inputs
    return model.project(model.decode(model.encode(Source(source, mask)), target))


def test_shapes_are_checked() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        SinusoidalPositions(8)(torch.zeros(3, 8))


def test_steps_give_what_teacher_forcing_gives(model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
    source, mask, target = inputs
    expected = logits_of(model, inputs)
    state = model.start(model.encode(Source(source, mask)))
    for t in range(TARGET):
        logits, state = model.step(target[:, t], state)
        torch.testing.assert_close(logits, expected[:, t], atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing(model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
    source, mask, target = inputs
    for by in (1, 2, 3, 5) if made_of_frames(model) else (5,):
        padded = wider(source, by), wider(mask, by), target
        torch.testing.assert_close(logits_of(model, padded), logits_of(model, inputs), atol=1e-5, rtol=1e-5)
    hidden = ~mask.view(*mask.shape, *[1] * (source.dim() - 2))
    anything = source.masked_fill(hidden, 17), mask, target  # what stands behind the mask does not matter
    torch.testing.assert_close(logits_of(model, anything), logits_of(model, inputs))


def test_rows_do_not_see_each_other(model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
    order = torch.tensor([2, 0, 3, 1])
    permuted = tuple(part[order] for part in inputs)
    expected = logits_of(model, inputs)[order]
    torch.testing.assert_close(logits_of(model, permuted), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("position", range(TARGET))
def test_the_future_is_hidden(model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor], position: int) -> None:
    source, mask, target = inputs
    before = logits_of(model, inputs)
    changed = target.clone()
    changed[:, position] = (changed[:, position] + 1 - 4) % (SIZE - 4) + 4
    after = logits_of(model, (source, mask, changed))
    torch.testing.assert_close(after[:, :position], before[:, :position])
    assert not torch.allclose(after[:, position:], before[:, position:])


def test_attention_rows_sum_to_one_and_respect_the_masks(
    model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor]
) -> None:
    source, mask, target = inputs
    if getattr(model.settings, "attention", "") == "none":
        with pytest.raises(ConfigurationError, match="this model has no attention to show"):
            model.attend(Source(source, mask), target)
        return
    encoder, decoder, cross = model.attend(Source(source, mask), target)
    if isinstance(model, Transformer):
        heads, layers, above = SMALL["heads"], model.settings.encoder_layers, model.settings.decoder_layers
    else:  # its decoder looks at the source, and nothing looks at itself
        heads, layers, above = 1, 0, 0
    _, mask = model.frontend(Source(source, mask))
    patches = isinstance(model.frontend, PatchFrontend)
    assert mask.sum(dim=1).tolist() == ([64] * BATCH if patches else [9, 4, 7, 1])  # of the memory
    positions = mask.shape[1]
    assert encoder.shape == (BATCH, layers, heads, positions, positions)
    assert decoder.shape == (BATCH, above, heads, TARGET, TARGET)
    assert cross.shape == (BATCH, max(above, 1), heads, TARGET, positions)
    for weights in (encoder, decoder, cross):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    for weights in (encoder, cross):
        assert not weights.masked_select(~mask[:, None, None, None]).any()
    assert not decoder.masked_select(~causal_mask(TARGET, source.device)).any()


def test_beams_share_their_sentence_and_keep_their_own_past(
    model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor]
) -> None:
    source, mask, target = inputs
    state = model.start(model.encode(Source(source, mask)))
    _, state = model.step(target[:, 0], state)
    # Three rows a sentence, sentences 0, 2 and 3 only; then each row continues in its own way.
    kept = torch.tensor([0, 2, 3])
    state = state.reorder(kept.unsqueeze(1).expand(-1, 3))
    sentences, rows = sizes(state)
    assert sentences == 3
    assert rows == 9
    continuations = torch.randint(4, SIZE, (3, 3))
    logits, state = model.step(continuations.flatten(), state)
    for i, sentence in enumerate(kept.tolist()):
        for beam in range(3):
            past = torch.stack([target[sentence, 0], continuations[i, beam]]).unsqueeze(0)
            alone = logits_of(model, (source[[sentence]], mask[[sentence]], past))[0, -1]
            torch.testing.assert_close(logits[3 * i + beam], alone, atol=1e-5, rtol=1e-5)


def sizes(state: TransformerState | RecurrentState) -> tuple[int, int]:
    """The sentences and the rows that a state holds."""
    if isinstance(state, TransformerState):
        assert {len(layer.memory_keys) for layer in state.layers} == {len(state.memory_bias)}
        return len(state.memory_bias), len(state.layers[-1].keys)
    return len(state.memory.states), len(state.layers[-1])


def test_an_old_state_stays_usable(model: Seq2Seq, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
    source, mask, target = inputs
    _, state = model.step(target[:, 0], model.start(model.encode(Source(source, mask))))
    first, _ = model.step(target[:, 1], state)
    model.step(target[:, 2], state)
    again, _ = model.step(target[:, 1], state)
    torch.testing.assert_close(first, again, atol=0, rtol=0)


def test_attention_equals_its_equation() -> None:
    attention = MultiHeadAttention(12, 3, 0.0)
    x, memory = torch.randn(2, 5, 12), torch.randn(2, 6, 12)
    mask = torch.rand(2, 1, 6) < 0.7
    mask[..., 0] = True
    key_weight, value_weight = attention.key_value.weight.chunk(2)
    key_bias, value_bias = attention.key_value.bias.chunk(2)

    def split(y: Tensor) -> Tensor:
        return y.view(2, -1, 3, 4)

    q = split(x @ attention.query.weight.T + attention.query.bias)
    k = split(memory @ key_weight.T + key_bias)
    v = split(memory @ value_weight.T + value_bias)
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(4)
    weights = scores.masked_fill(~mask.unsqueeze(1), -math.inf).softmax(-1)
    context = torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2)
    expected = context @ attention.output.weight.T + attention.output.bias
    found, shares = attention(x, *attention.keys_values(memory), attention_bias(mask, 3, x.dtype))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(shares, weights.flatten(0, 1))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_equals_torch_transformer_with_its_weights(norm: str, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
    source, mask, target = inputs
    ours = build_model(TransformerSettings(norm=norm, **SMALL), SIZE, SIZE, shared=True).eval()
    theirs = nn.Transformer(16, 4, 2, 2, 32, 0.0, batch_first=True, norm_first=norm == "pre").eval()
    if norm == "post":  # the paper has no norm after the stacks
        theirs.encoder.norm = theirs.decoder.norm = None
    else:
        copy(ours.encoder_norm, theirs.encoder.norm)
        copy(ours.decoder_norm, theirs.decoder.norm)
    for mine, layer in zip(ours.encoder, theirs.encoder.layers, strict=True):
        copy_attention(mine.attention, layer.self_attn)
        copy_rest(
            mine, layer, [(mine.attention_sublayer, layer.norm1), (mine.feed_forward_sublayer, layer.norm2)]
        )
    for mine, layer in zip(ours.decoder, theirs.decoder.layers, strict=True):
        copy_attention(mine.attention, layer.self_attn)
        copy_attention(mine.cross, layer.multihead_attn)
        norms = [(mine.attention_sublayer, layer.norm1), (mine.cross_sublayer, layer.norm2),
                 (mine.feed_forward_sublayer, layer.norm3)]  # fmt: skip
        copy_rest(mine, layer, norms)

    def embed(ids: Tensor) -> Tensor:
        return ours.positions(ours.target_embedding(ids) * 4)

    future = nn.Transformer.generate_square_subsequent_mask(TARGET)
    hidden = theirs(
        embed(source), embed(target), tgt_mask=future,
        src_key_padding_mask=torch.zeros(mask.shape).masked_fill(~mask, -math.inf),
        memory_key_padding_mask=torch.zeros(mask.shape).masked_fill(~mask, -math.inf),
    )  # fmt: skip
    expected = hidden @ ours.target_embedding.weight.T
    torch.testing.assert_close(logits_of(ours, inputs), expected, atol=1e-5, rtol=1e-5)


def copy(mine: nn.Module, theirs: nn.Module) -> None:
    for parameter in mine.parameters():
        nn.init.normal_(parameter)
    theirs.load_state_dict(mine.state_dict())


def copy_attention(mine: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([mine.query.weight, mine.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key_value.bias]))
    copy(mine.output, theirs.out_proj)


def copy_rest(mine: nn.Module, theirs: nn.Module, norms: list[tuple[nn.Module, nn.Module]]) -> None:
    copy(mine.feed_forward.inner, theirs.linear1)
    copy(mine.feed_forward.outer, theirs.linear2)
    for sublayer, norm in norms:
        copy(sublayer.norm, norm)


@pytest.mark.parametrize(("preset", "parameters"), [("paper-base", 63_082_496), ("paper-big", 214_245_376)])
def test_the_papers_models_have_the_papers_sizes(preset: str, parameters: int) -> None:
    with torch.device("meta"):
        model = build_model(PRESETS[preset], 37_000, 37_000, shared=True)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert PRESETS[preset].norm == "post"


def test_sinusoids_are_the_papers() -> None:
    model = build_model(TransformerSettings(**SMALL), SIZE, SIZE, shared=True)
    codes = model.positions(torch.zeros(1, 300, 16), first=3)[0]
    for position, i in [(3, 0), (10, 3), (299, 7)]:
        angle = position / 10000 ** (2 * i / 16)
        assert codes[position - 3, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-4)
        assert codes[position - 3, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-4)


def test_sinusoids_in_halves_are_those_of_other_toolkits() -> None:
    """Marian's are those of tensor2tensor, whose slowest angle is pos / 10000."""
    for layout, slowest in (("halves", 16), ("tensor2tensor", 14)):
        codes = SinusoidalPositions(16, layout)(torch.zeros(1, 300, 16), first=3)[0]
        for position, i in [(3, 0), (10, 3), (299, 7)]:
            angle = position / 10000 ** (2 * i / slowest)
            assert codes[position - 3, i].item() == pytest.approx(math.sin(angle), abs=1e-4)
            assert codes[position - 3, 8 + i].item() == pytest.approx(math.cos(angle), abs=1e-4)


def test_options_of_norms_embeddings_and_the_bias_do_what_they_say() -> None:
    """The whole model as a few lines of plain operations, one layer each."""
    settings = TransformerSettings(
        **{**SMALL, "encoder_layers": 1, "decoder_layers": 1, "heads": 1}, norm="post", activation="swish",
        norm_epsilon=0.01, output_bias=True, sinusoids="halves", scale_embeddings=False, final_norm=True,
        decoder_feed_forward=12,
    )  # fmt: skip
    model = build_model(settings, SIZE, SIZE, shared=True).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    source, target = torch.randint(4, SIZE, (1, 5)), torch.randint(4, SIZE, (1, 3))
    codes = SinusoidalPositions(16, "halves")(torch.zeros(1, 5, 16))

    def norm(module: nn.Module, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        variance = (centred**2).mean(-1, keepdim=True)
        return centred / (variance + 0.01).sqrt() * module.weight + module.bias

    def attend(
        module: MultiHeadAttention, queries: Tensor, memory: Tensor, *, causal: bool = False
    ) -> Tensor:
        keys, values = module.key_value(memory).chunk(2, dim=-1)
        scores = module.query(queries) @ keys.transpose(1, 2) / 4
        if causal:
            scores = scores.masked_fill(~causal_mask(3, scores.device), -math.inf)
        return module.output(scores.softmax(-1) @ values)

    def widen(module: nn.Module, x: Tensor) -> Tensor:
        inner = module.inner(x)
        return module.outer(inner * inner.sigmoid())

    layer, x = model.encoder[0], model.target_embedding(source) + codes
    x = norm(layer.attention_sublayer.norm, x + attend(layer.attention, x, x))
    x = norm(layer.feed_forward_sublayer.norm, x + widen(layer.feed_forward, x))
    memory = norm(model.encoder_norm, x)
    layer, x = model.decoder[0], model.target_embedding(target) + codes[:, :3]
    assert layer.feed_forward.inner.weight.shape == (12, 16)
    x = norm(layer.attention_sublayer.norm, x + attend(layer.attention, x, x, causal=True))
    x = norm(layer.cross_sublayer.norm, x + attend(layer.cross, x, memory))
    x = norm(model.decoder_norm, norm(layer.feed_forward_sublayer.norm, x + widen(layer.feed_forward, x)))
    expected = x @ model.target_embedding.weight.T + model.projection.bias
    inputs = source, torch.ones(1, 5, dtype=torch.bool), target
    torch.testing.assert_close(logits_of(model, inputs), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["two", "frames"])
@pytest.mark.parametrize("name", SETTINGS)
def test_the_loss_reaches_every_weight(name: str, kind: str) -> None:
    model = make(name, kind).train()
    logits_of(model, make_inputs(kind == "frames")).logsumexp(-1).sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("kind", ["joint", "frames"])
@pytest.mark.parametrize(
    "name", [name for name in SETTINGS if "learned" not in name and "unscaled" not in name]
)
def test_longer_than_ever_seen_is_no_trouble(name: str, kind: str) -> None:
    target = torch.randint(4, SIZE, (1, 300))
    source = torch.randn(1, 1600, BANDS) if kind == "frames" else torch.randint(4, SIZE, (1, 400))
    mask = torch.ones(source.shape[:2], dtype=torch.bool)
    assert logits_of(make(name, kind), (source, mask, target)).isfinite().all()


@pytest.mark.parametrize(("length", "size"), [(9, 5), (2, 7), (1, 3), (6, 1)])
def test_a_convolution_a_channel_and_its_gradients_are_torchs(length: int, size: int) -> None:
    module = DepthwiseConvolution(6, size)
    nn.init.normal_(module.bias)
    x = torch.randn(3, length, 6, requires_grad=True)
    wanted = [x, module.kernels, module.bias]
    found = module(x)
    expected = nn.functional.conv1d(
        x.transpose(1, 2), module.kernels, module.bias, padding=size // 2, groups=6
    ).transpose(1, 2)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(3, length, 6)
    for one, other in zip(*(torch.autograd.grad((y * weights).sum(), wanted) for y in (found, expected)),
                          strict=True):  # fmt: skip
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_frames_become_a_quarter_as_many_by_two_convolutions(frames: int) -> None:
    frontend = FrameFrontend(BANDS, 16)
    values = torch.randn(2, frames, BANDS)
    found, mask = frontend(Source(values, torch.ones(2, frames, dtype=torch.bool)))
    x = values.transpose(1, 2)
    for convolution in (frontend.first, frontend.second):
        weight, bias = convolution.linear.weight, convolution.linear.bias
        kernel = weight.unflatten(1, (3, -1)).transpose(1, 2)  # (outputs, inputs, 3)
        x = nn.functional.conv1d(x, kernel, bias, stride=2, padding=1).relu()
    torch.testing.assert_close(found, frontend.projection(x.transpose(1, 2)))
    assert mask.shape == found.shape[:2] == (2, math.ceil(math.ceil(frames / 2) / 2))
    assert mask.all()


def test_learned_positions_beyond_the_table_share_its_last_vector() -> None:
    positions = LearnedPositions(16, 5)
    nn.init.normal_(positions.table)
    codes = positions(torch.zeros(1, 4, 16), first=3)[0]
    torch.testing.assert_close(codes, positions.table[[3, 4, 4, 4]])


def test_rotary_scores_depend_on_distance_alone() -> None:
    rotate = RotaryPositions(8)
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    scores = [(rotate(query, 7 + shift) * rotate(key, 3 + shift)).sum() for shift in (0, 1, 250, 1000)]
    torch.testing.assert_close(torch.stack(scores), scores[0].expand(4), atol=1e-3, rtol=1e-3)
    assert (rotate(query, 5) * rotate(key, 3)).sum() != scores[0]


def test_separate_embeddings_share_nothing() -> None:
    tied, apart = (
        build_model(TransformerSettings(embeddings=how, **SMALL), SIZE, SIZE, shared=True)
        for how in ("tied", "separate")
    )
    sizes = [sum(parameter.numel() for parameter in model.parameters()) for model in (tied, apart)]
    assert sizes[1] - sizes[0] == 2 * SIZE * SMALL["dim"]


@pytest.mark.parametrize(("sizes", "message"), [
    ({"dim": 16, "heads": 3}, "model: 3 heads do not divide a width of 16; 1, 2, 4, 8, 16 would"),
    ({"dim": 15, "heads": 3}, "a width of 15 is odd"),
    ({"dim": 12, "heads": 4, "positions": "rotary"}, "rotary positions turn pairs"),
    ({"dim": 0}, "model.dim"),
    ({"convolution": 4}, "a convolution of 4 has no middle; it must be odd, or 0 for none"),
    ({"convolution": -1}, "model.convolution"),
    ({"dim": 2, "heads": 1, "sinusoids": "tensor2tensor"}, "needs a width of 4 at least, not 2"),
    ({"norm_epsilon": 0}, "model.norm_epsilon"),
    ({"encoder_layers": -1}, "model.encoder_layers"),
    ({"dropout": 1.0}, "model.dropout"),
    ({"feed_foward": 3}, "unknown key 'model.feed_foward'.*\n.*Did you mean 'feed_forward'"),
    ({"architecture": "recurrent", "dim": 15}, "a width of 15 is odd"),
    ({"architecture": "recurrent", "cell": "gnu"}, "model.cell"),
    ({"architecture": "recurrent", "heads": 4}, "unknown key 'model.heads'"),
    ({"architecture": "recurrent", "attention": "none", "input_feeding": True}, "input feeding goes with"),
    ({"architecture": "recurent"}, "'recurent'.*'transformer', 'recurrent'"),
])  # fmt: skip
def test_bad_sizes_are_errors(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_model_settings(sizes, "config.toml")


def test_positions_that_grew_in_a_validation_serve_the_next_training_step() -> None:
    rotary = RotaryPositions(4)
    with torch.inference_mode():
        rotary(torch.zeros(1, 1, 300, 4))
    x = torch.randn(1, 1, 5, 4, requires_grad=True)
    rotary(x).sum().backward()
    assert x.grad is not None


def test_a_grid_tells_rows_and_columns() -> None:
    grid = GridPositions(4, 3)
    nn.init.normal_(grid.rows)
    nn.init.normal_(grid.columns)
    codes = grid(torch.zeros(1, 11, 4))[0]
    for place in range(9):
        torch.testing.assert_close(codes[place], grid.rows[place // 3] + grid.columns[place % 3])
    torch.testing.assert_close(grid(torch.zeros(1, 4, 4), 5)[0], codes[5:9])
    assert codes.isfinite().all()  # the end sign stands behind it


def test_ids_of_two_factors() -> None:
    """Vectors are sums, probabilities products: of a first factor, and of a second one given the first."""
    torch.manual_seed(0)
    firsts, seconds = FACTORS
    embedding = FactoredEmbedding(FACTORS, 8)
    for table in embedding.tables():
        nn.init.normal_(table)
    table = embedding(torch.arange(SIZE))
    assert table.shape == (SIZE, 8) == (embedding.num_embeddings, 8)
    assert torch.equal(table[:4], embedding.special)
    for first, second in ((0, 0), (5, 1), (8, 2)):
        expected = embedding.first[first] + embedding.second[second]
        assert torch.equal(table[4 + second * firsts + first], expected)
    projection = FactoredProjection(FACTORS, 8)
    hidden = torch.randn(2, 3, 8)
    probabilities = projection(hidden).exp()
    assert probabilities.shape == (2, 3, SIZE)
    assert torch.allclose(probabilities.sum(dim=-1), torch.ones(2, 3))
    by_factors = probabilities[..., 4:].unflatten(-1, (seconds, firsts))
    of_first = torch.softmax(projection.first(hidden), dim=-1)
    assert torch.allclose(by_factors.sum(dim=-2), of_first[..., 4:], atol=1e-6)
    assert torch.allclose(probabilities[..., :4], of_first[..., :4], atol=1e-6)
