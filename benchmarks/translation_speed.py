"""Translating Multi30k's test2016: interlingua, Hugging Face generate and CTranslate2 with the same weights.

    python benchmarks/translation_speed.py --data DIR --model BUNDLE [--rounds 3] [--threads 2]

DIR holds `multi30k-en-de/test2016.tsv` (or test2016.tsv itself); BUNDLE is a post-norm Transformer with a
joint vocabulary. Needs transformers and, for the last column, ctranslate2: `pip install transformers
ctranslate2`, best into an environment of their own. The weights are copied into MarianMTModel, and from
there into CTranslate2; the script checks that all give the same log-probabilities. Everyone gets the
sentences sorted by length and the best of several batch sizes; only interlingua's time includes tokenizing
and putting text together. Rounds are interleaved; medians are printed. The last lines are the ratios.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from sacrebleu import corpus_bleu

from interlingua.engine.eager import EagerEngine
from interlingua.engine.packed import pack
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.inference.translator import Translator
from interlingua.kinds import BOS, EOS, PAD, UNK, Source
from interlingua.model.transformer import Transformer
from interlingua.search.forced import forced_log_probs

engine: Any = None
"""CTranslate2's, in its process."""

Run = Callable[[list[str], int, int], list[str]]
"""From texts, a beam and the rows of a batch (sentences times beams) to translations."""

WIDTHS = {"interlingua": (128, 192, 256), "Hugging Face": (64, 128, 256), "CTranslate2": (64, 256)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--sentences", type=int, default=1000)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    file = next(options.data.rglob("test2016.tsv"))
    lines = file.read_text(encoding="utf-8").rstrip("\n").split("\n")[: options.sentences]
    sources, references = (list(side) for side in zip(*(line.split("\t") for line in lines), strict=True))
    bundle = load_bundle(options.model)
    systems = prepare_systems(bundle, options.threads)
    table = {}
    for beam in (1, 5):
        table[beam] = measure(systems, beam, sources, references, options.rounds)
    print(f"{len(sources)} sentences, {options.threads} threads, median of {options.rounds} rounds\n")
    print("| | greedy, sentences/s | rows | BLEU | beam 5, sentences/s | rows | BLEU |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in systems:
        cells = [
            f"{speed:.0f} | {rows} | {bleu:.2f}"
            for speed, bleu, rows in (table[beam][name] for beam in table)
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    print()
    for name in systems:
        if name.startswith("interlingua"):
            ratios = [table[beam][name][0] / table[beam]["Hugging Face fp32"][0] for beam in table]
            print(f"{name} / Hugging Face fp32: greedy {ratios[0]:.2f}x, beam 5 {ratios[1]:.2f}x")


def measure(
    systems: dict[str, Run], beam: int, sources: list[str], references: list[str], rounds: int
) -> dict[str, tuple[float, float, int]]:
    """Sentences/s (median), BLEU and the best rows of each system."""
    widths = {}
    for name, run in systems.items():
        tried = {}
        for width in next(widths for key, widths in WIDTHS.items() if name.startswith(key)):
            run(sources[:50], beam, width)  # warm-up
            started = time.perf_counter()
            run(sources[:200], beam, width)
            tried[width] = time.perf_counter() - started
        widths[name] = min(tried, key=tried.__getitem__)
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    outputs = {}
    for _ in range(rounds):
        for name, run in systems.items():
            started = time.perf_counter()
            outputs[name] = run(sources, beam, widths[name])
            seconds[name].append(time.perf_counter() - started)
    reference = outputs["interlingua fp32"]
    for name, output in outputs.items():
        same = sum(map(str.__eq__, output, reference)) / len(output)
        assert same > 0.6, f"{name} translates differently (only {same:.0%} alike): no comparison"
    return {
        name: (
            len(sources) / statistics.median(seconds[name]),
            corpus_bleu(outputs[name], [references]).score,
            widths[name],
        )
        for name in systems
    }


def prepare_systems(bundle: Bundle, threads: int) -> dict[str, Run]:
    systems = {f"interlingua {precision}": ours(bundle, precision) for precision in ("fp32", "bf16", "int8")}
    peer = marian(bundle.model)
    systems["Hugging Face fp32"] = hugging_face(bundle, peer)
    try:
        import ctranslate2  # noqa: F401
    except ImportError:
        print("ctranslate2 is not installed: its column is left out")
        return systems
    systems[f"CTranslate2 int8, {threads} workers of 1 thread"] = c_translate(bundle, peer, threads)
    return systems


def ours(bundle: Bundle, precision: Any) -> Run:
    engine = EagerEngine(pack(bundle.model, precision))
    translator = Translator(engine, bundle.tokenizers, **bundle.lengths._asdict())

    def run(texts: list[str], beam: int, width: int) -> list[str]:
        engine.capacity = engine.capacity._replace(rows=width)
        return [
            translation.text for translation in translator.translate(texts, beam=beam, length_penalty=0.6)
        ]

    return run


def hugging_face(bundle: Bundle, peer: Any) -> Run:
    def run(texts: list[str], beam: int, width: int) -> list[str]:
        encoded, order = sorted_sources(bundle, texts)
        size = max(1, width // beam)
        found: dict[int, str] = {}
        for start in range(0, len(order), size):
            part = order[start : start + size]
            longest = len(encoded[part[0]])
            ids = torch.tensor([encoded[i] + [PAD] * (longest - len(encoded[i])) for i in part])
            out = peer.generate(
                input_ids=ids, attention_mask=(ids != PAD).long(), num_beams=beam, do_sample=False,
                length_penalty=0.6, max_new_tokens=bundle.lengths.limit(longest),
            )  # fmt: skip
            for i, row in zip(part, out.tolist(), strict=True):
                found[i] = bundle.tokenizers.target.decode(row)
        return [found[i] for i in range(len(texts))]

    return run


def c_translate(bundle: Bundle, peer: Any, workers: int) -> Run:
    from ctranslate2.converters.transformers import BartLoader

    peer = copy.deepcopy(peer)  # converting and quantizing change the weights that they are given
    peer.config.normalize_before, peer.config.normalize_embedding = False, False
    spec = BartLoader().get_model_spec(peer)
    names = [f"<{i}>" for i in range(peer.config.vocab_size)]
    names[UNK], names[BOS], names[EOS] = "<unk>", "<s>", "</s>"
    spec.register_source_vocabulary(names)
    spec.register_target_vocabulary(names)
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = "<unk>", "<s>", "</s>"
    spec.config.decoder_start_token = "<s>"
    spec.config.add_source_bos = spec.config.add_source_eos = False
    spec.validate()
    spec.optimize(quantization="int8")
    directory = tempfile.mkdtemp()
    spec.save(directory)
    # In a process of its own: its threads slow down whatever else runs in theirs.
    pool = ProcessPoolExecutor(
        1, get_context("spawn"), initializer=start_engine, initargs=(directory, workers)
    )

    def run(texts: list[str], beam: int, width: int) -> list[str]:
        encoded, order = sorted_sources(bundle, texts)
        tokens = [[names[i] for i in encoded[place]] for place in order]
        options = {
            "beam_size": beam,
            "max_batch_size": max(1, width // beam),
            "length_penalty": 0.6,
            "max_decoding_length": bundle.lengths.limit(len(tokens[0])),
            "return_scores": False,
        }
        results = pool.submit(use_engine, tokens, options).result()
        number = {name: i for i, name in enumerate(names)}
        found = {
            place: bundle.tokenizers.target.decode([number[token] for token in result])
            for place, result in zip(order, results, strict=True)
        }
        return [found[i] for i in range(len(texts))]

    return run


def start_engine(directory: str, workers: int) -> None:
    import ctranslate2

    global engine
    engine = ctranslate2.Translator(directory, compute_type="int8", inter_threads=workers, intra_threads=1)


def use_engine(tokens: list[list[str]], options: dict[str, Any]) -> list[list[str]]:
    return [result.hypotheses[0] for result in engine.translate_batch(tokens, **options)]


def sorted_sources(bundle: Bundle, texts: list[str]) -> tuple[list[list[int]], list[int]]:
    encoded = [[*ids, EOS] for ids in bundle.tokenizers.source.encode_batch(texts)]
    return encoded, sorted(range(len(texts)), key=lambda i: -len(encoded[i]))


def marian(model: Transformer) -> Any:
    """The same weights as a MarianMTModel, which is the same architecture; checked on random sentences."""
    from transformers import MarianConfig, MarianMTModel

    sizes = model.settings
    assert sizes.norm == "post", "MarianMTModel is post-norm: train with model.norm=post"
    config = MarianConfig(
        vocab_size=len(model.target_embedding.weight), d_model=sizes.dim, max_position_embeddings=512,
        encoder_layers=sizes.encoder_layers, decoder_layers=sizes.decoder_layers,
        encoder_attention_heads=sizes.heads, decoder_attention_heads=sizes.heads,
        encoder_ffn_dim=sizes.feed_forward, decoder_ffn_dim=sizes.feed_forward,
        activation_function="relu", scale_embedding=True, share_encoder_decoder_embeddings=True,
        pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=BOS,
        forced_eos_token_id=None,
    )  # fmt: skip
    peer = MarianMTModel(config).eval()
    peer.generation_config.bad_words_ids = [[PAD], [UNK], [BOS]]
    peer.generation_config.forced_eos_token_id = None
    with torch.no_grad():
        positions = model.positions(torch.zeros(1, 512, sizes.dim), 0)[0]
        peer.model.shared.weight.copy_(model.target_embedding.weight)
        for side, layers in ((peer.model.encoder, model.encoder), (peer.model.decoder, model.decoder)):
            side.embed_positions.weight.copy_(positions)
            for theirs, layer in zip(side.layers, layers, strict=True):
                copy_layer(theirs, layer)
    source = torch.randint(4, config.vocab_size, (4, 9))
    source[:, -1] = EOS
    target_in, target_out = source.roll(1, dims=1).index_fill(1, torch.tensor([0]), BOS), source
    expected = forced_log_probs(model, Source(source, source != PAD), target_in, target_out)
    with torch.no_grad():
        logits = peer(input_ids=source, decoder_input_ids=target_in).logits
    found = logits.log_softmax(-1).gather(2, target_out.unsqueeze(2)).squeeze(2)
    assert torch.allclose(found, expected, atol=1e-3), "the copied weights do not give the same outputs"
    return peer


def copy_layer(theirs: Any, layer: Any) -> None:
    blocks = [(theirs.self_attn, layer.attention)]
    if hasattr(layer, "cross"):
        blocks.append((theirs.encoder_attn, layer.cross))
        theirs.encoder_attn_layer_norm.load_state_dict(layer.cross_sublayer.norm.state_dict())
    for block, own in blocks:
        block.q_proj.load_state_dict(own.query.state_dict())
        for half, projection in zip((0, 1), (block.k_proj, block.v_proj), strict=True):
            projection.weight.copy_(own.key_value.weight.chunk(2)[half])
            projection.bias.copy_(own.key_value.bias.chunk(2)[half])
        block.out_proj.load_state_dict(own.output.state_dict())
    theirs.self_attn_layer_norm.load_state_dict(layer.attention_sublayer.norm.state_dict())
    theirs.fc1.load_state_dict(layer.feed_forward.inner.state_dict())
    theirs.fc2.load_state_dict(layer.feed_forward.outer.state_dict())
    theirs.final_layer_norm.load_state_dict(layer.feed_forward_sublayer.norm.state_dict())


if __name__ == "__main__":
    main()
