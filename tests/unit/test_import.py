"""Models of other toolkits compute here what they compute there."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from interlingua.errors import BundleError, OutputError
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.interchange import import_proof
from interlingua.interchange.flat_yaml import read_flat_yaml
from interlingua.interchange.importing import Imported, import_model
from interlingua.kinds import BOS, EOS, UNK, Source
from interlingua.search.hypothesis import SearchInput
from interlingua.search.search import search
from interlingua.search.settings import SearchSettings
from tests.marian import ENGLISH, GERMAN, MARIAN, NaiveMarian, joint_tokens, write_hugging_face, write_marian

TRANSFORMERS = {
    "as OPUS-MT": {},
    "two vocabularies": {"separate": True, "shared": False},
    "two embeddings of one vocabulary": {"shared": False},
    "a projection of its own": {"tied": False},
    "three tables": {"separate": True, "shared": False, "tied": False},
    "relu, unscaled": {"activation_function": "relu", "scale_embedding": False},
    "gelu, a narrow decoder": {"activation_function": "gelu", "decoder_ffn_dim": 20, "decoder_layers": 1},
    "several target languages": {"extra": (">>deu<<", ">>nds<<"), "about": {"target_lang": "gmw"}},
}
OPTIONS = {
    "as OPUS-MT": {},
    "tied outputs": {"tied_embeddings_all": False, "tied_embeddings": True},
    "tied sources": {"tied_embeddings_all": False, "tied_embeddings_src": True},
    "tied in two ways": {"tied_embeddings_all": False, "tied_embeddings_src": True, "tied_embeddings": True},
    "nothing tied": {"tied_embeddings_all": False},
    "pre-norm": {"transformer_preprocess": "n", "transformer_postprocess": "da",
                 "transformer_postprocess_top": "n"},
    "pre-norm without a last one": {"transformer_preprocess": "nd", "transformer_postprocess": "a"},
    "one more norm": {"transformer_postprocess_top": "dn", "transformer_ffn_activation": "relu"},
    "gelu, a narrow decoder": {"transformer_ffn_activation": "gelu", "transformer_decoder_dim_ffn": 20},
    "no projection": {"transformer_no_projection": True},
    "tied layers": {"transformer_tied_layers": [1, 1, 3], "dec_depth": 3},
    "learned positions": {"transformer_train_position_embeddings": True},
    "guided alignment": {"guided_alignment": "corpus.align", "transformer_guided_alignment_layer": "last"},
}  # fmt: skip

Write = Callable[..., Any]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def bring(place: Path, out: Path, **options: Any) -> tuple[Bundle, Imported]:
    imported = import_model(place, out, **options)
    return load_bundle(out), imported


def their_tokenizer(directory: Path) -> Any:
    from transformers import MarianTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MarianTokenizer.from_pretrained(str(directory))


def log_probs(bundle: Bundle, source: list[int], target: list[int]) -> torch.Tensor:
    """Of each of our ids at each position, the last of which is after the target."""
    ids = torch.tensor([[*source, EOS]])
    with torch.no_grad():
        memory = bundle.model.encode(Source(ids, torch.ones_like(ids, dtype=torch.bool)))
        hidden = bundle.model.decode(memory, torch.tensor([[BOS, *target]]))
        return bundle.model.project(hidden)[0].log_softmax(-1)


def ids_by_piece(bundle: Bundle) -> dict[str, int]:
    target = bundle.tokenizers.target
    return {"</s>": EOS, "<unk>": UNK} | {target.pieces([i])[0]: i for i in range(4, len(target))}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_hugging_faces_models_give_what_they_gave(name: str, tmp_path: Path, out: Path) -> None:
    theirs = write_hugging_face(tmp_path / "opus-mt-en-de", **TRANSFORMERS[name])
    bundle, imported = bring(tmp_path / "opus-mt-en-de", out)
    assert "compared with transformers" in imported.proof
    tokenizer = their_tokenizer(tmp_path / "opus-mt-en-de")
    start = theirs.config.decoder_start_token_id
    for source, target in zip(ENGLISH, GERMAN, strict=True):
        source = f">>nds<< {source}" if "several" in name else source
        source_ids = tokenizer(source, return_tensors="pt").input_ids
        target_ids = tokenizer(text_target=target).input_ids[:-1]
        with torch.no_grad():
            logits = theirs(source_ids, decoder_input_ids=torch.tensor([[start, *target_ids]])).logits
        expected = logits[0].log_softmax(-1)
        ours = bundle.tokenizers.source.encode(source), bundle.tokenizers.target.encode(target)
        found = log_probs(bundle, *ours)
        own = ids_by_piece(bundle)
        vocabulary = tokenizer.target_encoder if tokenizer.separate_vocabs else tokenizer.encoder
        for piece, i in vocabulary.items():
            if piece != "<pad>":
                torch.testing.assert_close(found[:, own[piece]], expected[:, i], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["as OPUS-MT", "two vocabularies", "several target languages"])
def test_texts_get_the_ids_of_marian_tokenizer(name: str, tmp_path: Path, out: Path) -> None:
    write_hugging_face(tmp_path / "model", **TRANSFORMERS[name])
    bundle, _ = bring(tmp_path / "model", out)
    theirs = their_tokenizer(tmp_path / "model")
    texts = [
        *ENGLISH,
        *GERMAN,
        "",
        " ",
        "  two  spaces\tand a tab ",
        "Ｆｕｌｌ width",
        "日本 ☃ snow",
        "a\u0301",
        "<unk>x",
    ]
    if "several" in name:
        texts += [">>deu<< A dog.", ">>nds<<A dog.", ">>xyz<< A dog."]
    for text in texts:
        ours, expected = bundle.tokenizers.source, theirs(text).input_ids[:-1]
        names = {i: piece for piece, i in theirs.encoder.items()}
        if text != "<unk>x":  # text is never a special token here
            assert ours.pieces(ours.encode(text)) == [names[i] for i in expected], text
        expected = theirs(text_target=text).input_ids[:-1]
        target = bundle.tokenizers.target
        ids = target.encode(text)
        if text != "<unk>x":
            assert len(ids) == len(expected)
            assert target.decode(ids) == theirs.decode(expected, skip_special_tokens=True), text
    assert ours.encode_batch(texts) == [ours.encode(text) for text in texts]
    for text in GERMAN:
        assert target.decode(target.encode(text)) == text.replace("„", "„")


def test_searches_of_hugging_faces_models_find_the_same(tmp_path: Path, out: Path) -> None:
    theirs = write_hugging_face(tmp_path / "model", seed=3)
    bundle, _ = bring(tmp_path / "model", out)
    tokenizer, own = their_tokenizer(tmp_path / "model"), ids_by_piece(bundle)
    names = {i: piece for piece, i in tokenizer.encoder.items()}
    for text in ENGLISH:
        ids = torch.tensor([[*bundle.tokenizers.source.encode(text), EOS]])
        batch = SearchInput(Source(ids, ids != 0), torch.tensor([12]))
        greedy, beam = (
            search(bundle.model, batch, SearchSettings(beam=width, length_penalty=0, unknown=True))[0][0]
            for width in (1, 4)
        )
        source = tokenizer(text, return_tensors="pt")
        options = {"max_new_tokens": 12, "min_new_tokens": 0, "max_length": None, "do_sample": False,
                   "bad_words_ids": [[theirs.config.pad_token_id]]}  # fmt: skip
        (expected,) = theirs.generate(**source, num_beams=1, **options).tolist()
        assert greedy.ids == [own[names[i]] for i in expected[1:] if names[i] not in ("</s>", "<pad>")]
        found = theirs.generate(**source, num_beams=4, length_penalty=0.0, output_scores=True,
                                return_dict_in_generate=True, **options)  # fmt: skip
        # Beams differ in how hypotheses that ended compete; what theirs found is as probable here.
        ids = [own[names[i]] for i in found.sequences[0].tolist()[1:] if names[i] != "<pad>"]
        scored = log_probs(bundle, bundle.tokenizers.source.encode(text), ids)
        total = sum(scored[t, i].item() for t, i in enumerate(ids))
        assert total == pytest.approx(found.sequences_scores[0].item(), abs=1e-3)
        assert beam.score >= greedy.score - 1e-4


@pytest.mark.parametrize("found", [99_999, -1, "<pad>"])
def test_padding_without_a_row_is_refused(found: object, tmp_path: Path, out: Path) -> None:
    write_hugging_face(tmp_path / "model", seed=3)
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "pad_token_id": found}))
    with pytest.raises(BundleError, match="no row for the token of padding"):
        import_model(tmp_path / "model", out)


def split_weights(directory: Path) -> None:
    """As transformers saves large models: several files and an index."""
    weights = load_file(directory / "model.safetensors")
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, of_file in parts.items():
        save_file({name: weights[name] for name in of_file}, directory / file)
    index = {"metadata": {}, "weight_map": {name: file for file, each in parts.items() for name in each}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    (directory / "model.safetensors").unlink()


def save_as_pickle(directory: Path) -> None:
    """As older versions saved them: all names of tied tables, and the positions."""
    weights = load_file(directory / "model.safetensors")
    table = weights["model.shared.weight"]
    for name in ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"):
        weights[name] = table
    angles = np.arange(64)[:, None] / 10000 ** (2 * np.arange(8) / 16)
    codes = torch.tensor(np.concatenate([np.sin(angles), np.cos(angles)], axis=1)).float()
    weights["model.encoder.embed_positions.weight"] = weights["model.decoder.embed_positions.weight"] = codes
    torch.save(weights, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def halve(directory: Path) -> None:
    """Half precision, as OPUS-MT's models are published."""
    weights = {name: tensor.half() for name, tensor in load_file(directory / "model.safetensors").items()}
    save_file(weights, directory / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("change", [split_weights, save_as_pickle, halve])
def test_weights_may_lie_in_any_of_their_files(change: Write, tmp_path: Path, out: Path) -> None:
    write_hugging_face(tmp_path / "model")
    expected, _ = bring(tmp_path / "model", tmp_path / "expected")
    change(tmp_path / "model")
    bundle, imported = bring(tmp_path / "model", out)
    assert "compared with transformers" in imported.proof
    for name, parameter in bundle.model.named_parameters():
        wanted = dict(expected.model.named_parameters())[name]
        if change is halve:
            wanted = wanted.half().float()
        torch.testing.assert_close(parameter, wanted, atol=0, rtol=0)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_the_same_model(
    precision: torch.dtype, tmp_path: Path, out: Path
) -> None:
    directory = tmp_path / "model"
    model = write_hugging_face(directory)
    model.to(precision).save_pretrained(directory)
    _, imported = bring(directory, out)
    difference = float(imported.proof.rpartition("differ by ")[2].split()[0])
    assert difference < 1e-4


def test_tokens_added_to_a_tokenizer_come_out_and_are_told(tmp_path: Path, out: Path) -> None:
    directory = tmp_path / "model"
    model = write_hugging_face(directory)
    tokenizer = their_tokenizer(directory)
    tokenizer.add_tokens(["Zauberwort", ">>nds<<"])
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    bundle, imported = bring(directory, out)
    target = bundle.tokenizers.target
    ids = [target.vocabulary.id("\u2581a"), target.vocabulary.id("Zauberwort")]
    assert UNK not in ids
    assert target.decode(ids).replace(" ", "") == "aZauberwort"
    assert bundle.tokenizers.source.tags == ["nds"]
    (note,) = (note for note in imported.notes if "added to the tokenizer" in note)
    assert "(Zauberwort)" in note


def test_what_lies_in_the_cache_of_hugging_face_is_found_and_named(tmp_path: Path, out: Path) -> None:
    repository = tmp_path / "models--Helsinki-NLP--opus-mt-en-de"
    snapshot = repository / "snapshots" / ("f" * 40)
    for directory in (snapshot, repository / "refs", repository / "blobs"):
        directory.mkdir(parents=True)
    (repository / "refs" / "main").write_text(snapshot.name)
    write_hugging_face(tmp_path / "model")
    for number, path in enumerate((tmp_path / "model").iterdir()):
        path.rename(repository / "blobs" / str(number))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(number))
    for place in (repository, snapshot):
        bring(place, out / place.name)
        assert (out / place.name / "README.md").read_text().startswith("# Helsinki-NLP/opus-mt-en-de\n")


def test_a_model_of_ours_without_its_large_files_is_told(tmp_path: Path, out: Path) -> None:
    write_marian(tmp_path / "model")
    import_model(tmp_path / "model", out)
    make_pointer(out / "model.safetensors")
    with pytest.raises(BundleError, match=r"model\.safetensors: this is a pointer of Git LFS.*\n.*lfs pull"):
        load_bundle(out)


def test_a_model_beside_what_was_named_is_told(tmp_path: Path, out: Path) -> None:
    write_hugging_face(tmp_path / "runs" / "checkpoint-500")
    with pytest.raises(BundleError, match=r"no model that can be imported.*\n.*name it: .*checkpoint-500"):
        import_model(tmp_path / "runs", out)
    with pytest.raises(BundleError, match=r"one file of a model.*\n.*directory: .*checkpoint-500$"):
        import_model(tmp_path / "runs" / "checkpoint-500" / "model.safetensors", out)


def test_positions_of_marian_itself_are_recognised_in_a_table(tmp_path: Path, out: Path) -> None:
    write_hugging_face(tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    weights = load_file(path)
    angles = np.arange(64)[:, None] / 10000 ** (np.arange(8) / 7)
    codes = torch.tensor(np.concatenate([np.sin(angles), np.cos(angles)], axis=1)).float()
    for stack in ("encoder", "decoder"):
        weights[f"model.{stack}.embed_positions.weight"] = codes.clone()
    save_file(weights, path, {"format": "pt"})
    bundle, imported = bring(tmp_path / "model", out)
    assert bundle.config["model"]["sinusoids"] == "tensor2tensor"
    assert "compared with transformers" in imported.proof


def test_a_model_that_computes_something_else_is_refused(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hugging_face(tmp_path / "model")
    monkeypatch.setattr(import_proof, "start_id", lambda *_: 3)  # theirs then begins with another token
    with pytest.raises(BundleError, match=r"does not compute what transformers does.*differ by up to"):
        import_model(tmp_path / "model", out)
    assert not out.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_without_transformers_it_is_said_that_nothing_was_compared(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hugging_face(tmp_path / "model")
    monkeypatch.setattr(import_proof, "_load_transformers", lambda: None)
    assert "transformers, which is not installed" in import_model(tmp_path / "model", out).proof


def test_what_transformers_cannot_load_is_not_compared(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    def refuse(*_: Any, **__: Any) -> None:
        raise KeyError("an option of a newer version")

    write_hugging_face(tmp_path / "model")
    monkeypatch.setattr(transformers.MarianMTModel, "from_pretrained", refuse)
    proof = import_model(tmp_path / "model", out).proof
    assert "cannot load it (KeyError: 'an option of a newer version')" in proof


@pytest.mark.parametrize("name", OPTIONS)
def test_marians_models_give_what_they_gave(name: str, tmp_path: Path, out: Path) -> None:
    options = OPTIONS[name]
    weights = write_marian(tmp_path / "en-de", **options)
    bundle, imported = bring(tmp_path / "en-de", out)
    assert "nothing here runs Marian itself" in imported.proof
    marian = NaiveMarian(
        weights, {**MARIAN, **{key.replace("_", "-"): value for key, value in options.items()}}
    )
    marian.pre = "n" in marian.options["transformer-preprocess"]
    models = [(tmp_path / "en-de" / f"{side}.spm").read_bytes() for side in ("source", "target")]
    tokens = joint_tokens(models)
    own = ids_by_piece(bundle)
    theirs = {own[token]: i for i, token in enumerate(tokens)}
    for source, target in zip(ENGLISH, GERMAN, strict=True):
        source_ids, target_ids = (
            bundle.tokenizers.source.encode(source),
            bundle.tokenizers.target.encode(target),
        )
        by_theirs = [*(theirs[i] for i in source_ids), 0], [theirs[i] for i in target_ids]
        found, expected = log_probs(bundle, source_ids, target_ids), marian.log_probs(*by_theirs)
        for i, token in enumerate(tokens):
            np.testing.assert_allclose(found[:, own[token]].numpy(), expected[:, i], atol=1e-4, rtol=0)
        assert found[:, [0, BOS]].max() < -50  # what Marian does not have does not come out
        ids = torch.tensor([[*source_ids, EOS]])
        batch = SearchInput(Source(ids, ids != 0), torch.tensor([15]))
        ((greedy,),) = search(bundle.model, batch, SearchSettings(beam=1))
        assert [theirs[i] for i in greedy.ids] == marian.greedy(by_theirs[0], [1], 15)


def test_what_a_package_says_of_searching_is_taken_over(tmp_path: Path, out: Path) -> None:
    write_marian(tmp_path / "model")
    bundle, imported = bring(tmp_path / "model", out)
    assert (bundle.search.beam, bundle.search.length_penalty, bundle.search.unknown) == (6, 1.0, False)
    assert bundle.lengths.limit(20) == 3 * 20 + 10
    assert bundle.config["languages"] == ["en", "de"]
    assert any("Marian divides by length^1" in note for note in imported.notes)
    assert any("preprocess.sh is not run" in note for note in imported.notes)
    decoder = tmp_path / "model" / "decoder.yml"
    decoder.write_text(
        "normalize: 0.6\nallow-unk: true\nmax-length-factor: 2\nmax-length: 100\nword-penalty: 0.5\n"
    )
    bundle, imported = bring(tmp_path / "model", tmp_path / "other")
    assert (bundle.search.beam, bundle.search.length_penalty, bundle.search.unknown) == (5, 0.6, True)
    assert bundle.lengths.limit(20) == 2 * 20 + 10
    assert bundle.lengths.max_source_length == 100
    assert any("beam: 5, chosen here" in note for note in imported.notes)
    assert any("word-penalty = 0.5 was not taken over" in note for note in imported.notes)


def test_languages_are_those_that_the_package_says(tmp_path: Path, out: Path) -> None:
    write_marian(tmp_path / "marian", extra=(">>deu<<", ">>nds<<"))
    readme = tmp_path / "marian" / "README.md"
    readme.write_text("* source language(s): en\n* target language(s): deu nds\n")
    bundle, imported = bring(tmp_path / "marian", out)
    assert bundle.config["languages"] == ["en", "mul"]
    assert any("2 target languages (deu, nds)" in note for note in imported.notes)
    write_hugging_face(tmp_path / "other", about={"source_lang": "ROMANCE"})
    bundle, imported = bring(tmp_path / "other", tmp_path / "not said")
    assert "languages" not in bundle.config
    assert any("languages: not said" in note for note in imported.notes)
    bundle, _ = bring(tmp_path / "other", tmp_path / "given", languages=("fr", "en"))
    assert bundle.config["languages"] == ["fr", "en"]
    assert bundle.facts.language == "fr"


def test_attribution_and_licence_stay_with_the_model(tmp_path: Path, out: Path) -> None:
    write_marian(tmp_path / "model")
    bundle, _ = bring(tmp_path / "model", out)
    assert (out / "ORIGIN-LICENSE").read_text() == (tmp_path / "model" / "LICENSE").read_text()
    assert "opus-2020-02-26.zip" in (out / "ORIGIN-README.md").read_text()
    assert bundle.info["imported"]["licence"] == "Attribution 4.0 International"
    write_hugging_face(tmp_path / "other")
    bundle, _ = bring(tmp_path / "other", tmp_path / "third")
    assert bundle.info["imported"]["licence"] == "cc-by-4.0"


def test_zips_are_read_like_directories(tmp_path: Path, out: Path) -> None:
    write_marian(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "opus.zip", "w") as archive:
        for path in (tmp_path / "model").iterdir():
            archive.write(path, f"en-de/{path.name}")
    expected, _ = bring(tmp_path / "model", tmp_path / "expected")
    bundle, _ = bring(tmp_path / "opus.zip", out)
    for found, wanted in zip(bundle.model.parameters(), expected.model.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, atol=0, rtol=0)
    bundle, _ = bring(next((tmp_path / "model").glob("*.npz")), tmp_path / "of file")
    assert bundle.info["imported"]["what"] == "Marian package"


def test_damage_within_compressed_data_is_told(tmp_path: Path, out: Path) -> None:
    write_marian(tmp_path / "model")
    (packed,) = (tmp_path / "model").glob("*.npz")
    arrays = dict(np.load(packed))
    np.savez_compressed(packed, **arrays)
    shutil.make_archive(str(tmp_path / "opus"), "zip", tmp_path / "model")
    for path, message in ((packed, "damaged or cut off"), (tmp_path / "opus.zip", "the zip file is damaged")):
        content = bytearray(path.read_bytes())
        content[len(content) // 3 : len(content) // 3 + 200] = bytes(range(200))
        path.write_bytes(content)
        with pytest.raises(BundleError, match=message):
            import_model(path, out)


def test_a_short_table_of_positions_is_compared_as_far_as_it_goes(tmp_path: Path, out: Path) -> None:
    write_hugging_face(tmp_path / "model", max_position_embeddings=9)
    bundle, imported = bring(tmp_path / "model", out)
    assert "compared with transformers" in imported.proof
    assert bundle.lengths.max_source_length == 8


def test_settings_of_generation_that_are_not_taken_over_are_told(tmp_path: Path, out: Path) -> None:
    write_hugging_face(tmp_path / "model")
    path = tmp_path / "model" / "generation_config.json"
    given = json.loads(path.read_text())
    _, imported = bring(tmp_path / "model", tmp_path / "before")
    assert not any("was not taken over" in note for note in imported.notes)
    more = {
        "forced_bos_token_id": 7, "bad_words_ids": [[5], [1, 2]], "suppress_tokens": [11],
        "min_new_tokens": 5, "max_new_tokens": 50, "repetition_penalty": 1.3, "num_beams": True,
    }  # fmt: skip
    path.write_text(json.dumps(given | more))
    _, imported = bring(tmp_path / "model", out)
    told = {note.split(" ")[0] for note in imported.notes if "was not taken over" in note}
    assert told == more.keys() - {"num_beams"}
    assert any("num_beams True cannot be taken over" in note for note in imported.notes)


def test_vocabularies_of_sentencepiece_itself(tmp_path: Path, out: Path) -> None:
    """What Marian trains without OPUS-MT's scripts: the ids are SentencePiece's."""
    from sentencepiece import SentencePieceProcessor

    from tests.marian import train_pieces

    model = train_pieces([*ENGLISH, *GERMAN], 120)
    processor = SentencePieceProcessor(model_proto=model)
    weights = write_marian(tmp_path / "model", tokens=[processor.IdToPiece(i) for i in range(len(processor))])
    for name in ("source.spm", "target.spm", "opus.spm32k-spm32k.vocab.yml", "decoder.yml"):
        (tmp_path / "model" / name).unlink()
    (tmp_path / "model" / "vocab.spm").write_bytes(model)
    bundle, _ = bring(tmp_path / "model", out)
    marian, tokenizer = NaiveMarian(weights, MARIAN), bundle.tokenizers.source
    assert tokenizer.pieces(tokenizer.encode(ENGLISH[0])) == processor.EncodeAsPieces(ENGLISH[0])
    ids = processor.EncodeAsIds(ENGLISH[0])
    expected = marian.log_probs([*ids, processor.eos_id()], ids[:3])
    found = log_probs(bundle, tokenizer.encode(ENGLISH[0]), tokenizer.encode(ENGLISH[0])[:3])
    for i in ids:
        own = ids_by_piece(bundle)[processor.IdToPiece(i)]
        np.testing.assert_allclose(found[:, own].numpy(), expected[:, i], atol=1e-4, rtol=0)


@pytest.mark.parametrize("named", [True, False])
def test_vocabularies_of_one_token_a_line(named: bool, tmp_path: Path, out: Path) -> None:
    """As Marian reads whatever is no .yml, .yaml or .json; OPUS-MT's newer packages have such files."""
    package, names = tmp_path / "model", ("opus.src.vocab", "opus.trg.vocab")
    write_marian(package)
    (mapping,) = package.glob("*.vocab.yml")
    tokens = [token for token, _ in read_flat_yaml(mapping.read_text(encoding="utf-8"))]
    expected, _ = bring(package, tmp_path / "expected")
    mapping.unlink()
    for name in names:
        (package / name).write_text("\n".join(tokens) + "\n", encoding="utf-8")
    decoder = package / "decoder.yml"
    decoder.write_text("vocabs:\n" + "".join(f"  - {name}\n" for name in names if named))
    bundle, _ = bring(package, out)
    for side, other in zip(bundle.tokenizers, expected.tokenizers, strict=True):
        assert side.pieces(range(len(side))) == other.pieces(range(len(other)))


def test_a_token_of_damaged_bytes_is_only_an_id(tmp_path: Path, out: Path) -> None:
    package = tmp_path / "model"
    write_marian(package, extra=["damaged", "Á¿"])
    (path,) = package.glob("*.vocab.yml")
    path.write_bytes(path.read_bytes().replace(b"damaged: ", b'"\xc1\xbf": '))
    bundle, _ = bring(package, out)
    assert "Á¿" in ids_by_piece(bundle)
    assert bundle.tokenizers.source.decode(bundle.tokenizers.source.encode("A dog")) == "A dog"


@pytest.mark.parametrize(("options", "message"), [
    ({"type": "s2s"}, "the option type of this model is not supported.*'s2s'"),
    ({"transformer_decoder_autoreg": "average-attention"}, "transformer-decoder-autoreg.*'average-att"),
    ({"transformer_decoder_autoreg": "rnn"}, "transformer-decoder-autoreg.*'rnn'"),
    ({"transformer_ffn_depth": 3}, "transformer-ffn-depth.*'3'"),
    ({"transformer_ffn_activation": "leakyrelu"}, "transformer-ffn-activation.*'leakyrelu'"),
    ({"transformer_postprocess": "dahn"}, "transformer-postprocess .*'dahn'"),
    ({"transformer_preprocess": "n"}, "transformer-preprocess .*'n'"),
    ({"transformer_postprocess_emb": "nd"}, "transformer-postprocess-emb.*'nd'"),
    ({"transformer_postprocess_top": "a"}, "transformer-postprocess-top.*'a'"),
    ({"transformer_pool": True}, "transformer-pool"),
    ({"transformer_attention_mask": "alibi"}, "transformer-attention-mask"),
    ({"right_left": True}, "right-left"),
    ({"lemma_dim_emb": 64}, "lemma-dim-emb"),
    ({"input_types": ["sequence", "class"]}, "input-types"),
    ({"dim_emb": "wide"}, "the model does not say dim-emb"),
])  # fmt: skip
def test_options_that_cannot_be_had_are_named(
    options: dict[str, Any], message: str, tmp_path: Path, out: Path
) -> None:
    weights = write_marian(tmp_path / "sound")
    write_marian(tmp_path / "model", weights=weights, **options)
    with pytest.raises(BundleError, match=message):
        import_model(tmp_path / "model", out)
    assert not out.exists()


def test_every_weight_is_used_or_named(tmp_path: Path, out: Path) -> None:
    weights = write_marian(tmp_path / "model")
    write_marian(tmp_path / "more", weights={**weights, "decoder_l1_gate_W": np.zeros((16, 16))})
    with pytest.raises(BundleError, match=r"weights that a Transformer of these options does not have"
                                          ".*decoder_l1_gate_W"):  # fmt: skip
        import_model(tmp_path / "more", out)
    less = {name: each for name, each in weights.items() if name != "decoder_l2_context_bk"}
    write_marian(tmp_path / "less", weights=less)
    with pytest.raises(BundleError, match=r"a weight is missing.*decoder_l2_context_bk"):
        import_model(tmp_path / "less", out)
    write_marian(tmp_path / "wrong", weights={**weights, "encoder_l1_ffn_W1": np.zeros((16, 31))})
    with pytest.raises(BundleError, match=r"encoder_l1_ffn_W1 has another shape.*\(16, 31\).*\n.*\(16, 32\)"):
        import_model(tmp_path / "wrong", out)
    nan = {**weights, "encoder_l1_ffn_W2": np.full((32, 16), np.nan)}
    write_marian(tmp_path / "broken", weights=nan)
    with pytest.raises(BundleError, match=r"not finite numbers.*encoder_l1_ffn_W2"):
        import_model(tmp_path / "broken", out)


def test_older_and_quantised_weights(tmp_path: Path, out: Path) -> None:
    options = {"tied_embeddings_all": False}
    weights = write_marian(tmp_path / "model", **options)
    older = {name: each for name, each in weights.items() if name != "decoder_ff_logit_out_Wt"}
    older["decoder_ff_logit_out_W"] = weights["decoder_ff_logit_out_Wt"].T
    write_marian(tmp_path / "older", weights=older, **options)
    expected, _ = bring(tmp_path / "model", tmp_path / "expected")
    bundle, _ = bring(tmp_path / "older", out)
    torch.testing.assert_close(
        bundle.model.projection.weight, expected.model.projection.weight, atol=0, rtol=0
    )
    (path,) = (tmp_path / "model").glob("*.npz")
    with np.load(path) as arrays:
        quantised = {**arrays, "encoder_l1_ffn_W1": np.ones((16, 32), np.int8)}
    np.savez(path, **quantised)
    with pytest.raises(BundleError, match=r"encoder_l1_ffn_W1 is not of floating-point numbers.*'int8'"):
        import_model(tmp_path / "model", tmp_path / "third")


def test_a_token_that_is_there_twice_keeps_its_first_id(tmp_path: Path, out: Path) -> None:
    """As Marian reads it; a library for YAML would keep the last."""
    write_marian(tmp_path / "model")
    (path,) = (tmp_path / "model").glob("*.vocab.yml")
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    again = lines[7].rpartition(":")[0]
    lines[20] = f"{again}: 20"
    path.write_text("\n".join(lines), encoding="utf-8")
    expected, _ = bring(tmp_path / "model", out)
    symbols = expected.tokenizers.source.vocabulary.symbols
    assert symbols[7 - 2] == again.strip('"')
    assert symbols[20 - 2] == "<unused 20>"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def drop_pieces(directory: Path) -> None:
    (directory / "source.spm").unlink()


def make_pointer(path: Path) -> None:
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 298000000\n")


def lead_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "blobs" / "gone")


def rename_pieces(directory: Path) -> None:
    """As if vocab.json were that of another model."""
    path = directory / "vocab.json"
    special = ("</s>", "<unk>", "<pad>")
    ids = json.loads(path.read_text(encoding="utf-8"))
    other = {token if token in special else f"{token}-": i for token, i in ids.items()}
    path.write_text(json.dumps(other), encoding="utf-8")


def use_bpe(directory: Path) -> None:
    for side in ("source", "target"):
        (directory / f"{side}.spm").rename(directory / f"{side}.bpe")


def drop_options(directory: Path) -> None:
    (model,) = directory.glob("*.npz")
    np.savez(model, a=np.zeros(3))


def add_model(directory: Path) -> None:
    (directory / "decoder.yml").unlink()
    shutil.copyfile(*directory.glob("*.npz"), directory / "second.npz")


@pytest.mark.parametrize(("damage", "message"), [
    (lambda d: truncate(next(d.glob("*.npz"))), "the model is damaged or cut off"),
    (drop_options, "this .npz is no Marian model: it does not hold its options"),
    (drop_pieces, "source.spm: a SentencePiece model is missing"),
    (use_bpe, r"source.bpe: packages of Moses' tokenizer and BPE \(source.bpe, preprocess.sh\) are not"),
    (lambda d: truncate(d / "source.spm"), r"source\.spm: not a SentencePiece model"),
    (lambda d: next(d.glob("*.vocab.yml")).unlink(), "the package has no vocabulary"),
    (lambda d: next(d.glob("*.vocab.yml")).write_text("no entries\n"), "line 1 is no entry: 'no entries'"),
    (lambda d: next(d.glob("*.vocab.yml")).write_text("a: 0\nb: 1\n"), "lacks </s> or <unk>"),
    (lambda d: next(d.glob("*.vocab.yml")).write_text("</s>: 0\n<unk>: 1\nx: 999\n"),
     "the embedding has no row for the token 'x'"),
    (add_model, "the directory holds several models"),
    (lambda d: [path.unlink() for path in d.glob("*.npz")], "holds no model that can be imported"),
    (lambda d: make_pointer(next(d.glob("*.npz"))), r"\.npz: this is a pointer of Git LFS"),
    (lambda d: make_pointer(d / "target.spm"), r"target\.spm: this is a pointer of Git LFS.*\n.*lfs pull"),
    (lambda d: make_pointer(next(d.glob("*.vocab.yml"))), r"vocab\.yml: this is a pointer of Git LFS"),
])  # fmt: skip
def test_damaged_packages_are_told_apart(damage: Write, message: str, tmp_path: Path, out: Path) -> None:
    write_marian(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(BundleError, match=message):
        import_model(tmp_path / "model", out)
    assert not out.exists()


def change_config(**values: Any) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        path = directory / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def pickle_code(directory: Path) -> None:
    """A file that would run a command when it is unpickled."""

    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (directory / "executed",)

    (directory / "model.safetensors").unlink()
    torch.save({"a": Harmful()}, directory / "pytorch_model.bin")


@pytest.mark.parametrize(("damage", "message"), [
    (change_config(model_type="t5"), "this is a t5 model of Hugging Face, and only MarianMT can be imported"),
    (change_config(model_type="m2m_100"), "this is a m2m_100 model of Hugging Face"),
    (change_config(activation_function="gelu_new"), "this activation_function is not supported"),
    (change_config(activation_function=["swish"]), "this activation_function is not supported"),
    (change_config(max_position_embeddings=None), "does not say max_position_embeddings"),
    (change_config(share_encoder_decoder_embeddings=False, decoder_vocab_size="many"),
     "does not say decoder_vocab_size"),
    (lambda d: (save_as_pickle(d), truncate(d / "pytorch_model.bin")), "the weights are damaged"),
    (change_config(normalize_embedding=True), "normalize_embedding is not supported"),
    (change_config(normalize_before=True), "normalize_before is not supported"),
    (change_config(decoder_attention_heads=2), "decoder_attention_heads is not supported where it differs"),
    (change_config(d_model=32), "has another shape than the configuration says"),
    (change_config(encoder_layers=1), "weights that a Transformer of these options does not have"),
    (change_config(encoder_layers=3), "a weight is missing"),
    (change_config(eos_token_id=5), "eos_token_id is not that of the vocabulary"),
    (lambda d: truncate(d / "model.safetensors"), "the weights are damaged"),
    (lambda d: truncate(d / "config.json"), "config.json: the file cannot be read"),
    (lambda d: (d / "vocab.json").unlink(), "vocab.json: a file of the tokenizer is missing"),
    (lambda d: (d / "model.safetensors").unlink(), "the directory has no weights"),
    (pickle_code, "holds other things than tensors, or is damaged: nothing in it is executed"),
    (lambda d: make_pointer(d / "model.safetensors"), r"model\.safetensors: this is a pointer of Git LFS"),
    (lambda d: make_pointer(d / "config.json"), r"config\.json: this is a pointer of Git LFS"),
    (lambda d: lead_nowhere(d / "model.safetensors"), "the weights cannot be read .*No such file"),
    (rename_pieces, r"\.spm: the vocabulary does not fit the SentencePiece model .*of its pieces"),
])  # fmt: skip
def test_other_directories_of_hugging_face_are_told_apart(
    damage: Write, message: str, tmp_path: Path, out: Path
) -> None:
    write_hugging_face(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(BundleError, match=message):
        import_model(tmp_path / "model", out)
    assert not out.exists()
    assert not (tmp_path / "model" / "executed").exists()


def test_what_is_no_model_is_named(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def expect(place: Path | str, message: str) -> None:
        with pytest.raises(BundleError, match=message):
            import_model(Path(place), out)

    monkeypatch.chdir(tmp_path)
    expect(
        "Helsinki-NLP/opus-mt-en-de",
        "no such file or directory\n.*\n.*hf download Helsinki-NLP/opus-mt-en-de",
    )
    expect("nowhere", "no such file or directory\n.*A Marian package")
    for name, what in (("model.bin", "a CTranslate2 model"), ("en_de.argosmodel", "an Argos package"),
                       ("model.intgemm.alphas.bin", "a quantised Marian model"),
                       ("step.pt", "a PyTorch checkpoint"),
                       ("dict.en.txt", "a fairseq model"),
                       ("tf_model.h5", "a model with weights of TensorFlow alone"),
                       ("adapter_model.safetensors", "an adapter of PEFT")):  # fmt: skip
        directory = tmp_path / what.replace(" ", "-")
        directory.mkdir()
        (directory / name).write_bytes(b"x")
        expect(directory, f"this is {what}")
        expect(directory / name, f"this is {what}")
    write_hugging_face(tmp_path / "adapted")
    (tmp_path / "adapted" / "model.safetensors").rename(tmp_path / "adapted" / "adapter_model.safetensors")
    (tmp_path / "adapted" / "optimizer.pt").write_bytes(b"x")
    expect("adapted", "this is an adapter of PEFT.*merge_and_unload")
    (tmp_path / "text.txt").write_text("x")
    expect("text.txt", "neither a model directory nor a zip of one")
    (tmp_path / "empty").mkdir()
    expect("empty", "holds no model that can be imported")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and nothing more")
    expect("cut.zip", "neither a model directory nor a zip of one|the zip file is damaged")
    write_marian(tmp_path / "model")
    import_model(tmp_path / "model", tmp_path / "ours")
    expect(tmp_path / "ours", "a model of interlingua already, which needs no import")
    out.mkdir()
    import_model(tmp_path / "model", out)  # an empty one may be there
    with pytest.raises(OutputError, match="the directory exists"):
        import_model(tmp_path / "model", out)


@pytest.mark.parametrize(("text", "entries"), [
    ("no: 1\nyes: 2\nnull: 3\n~: 4\n12: 5\n1e3: 6\ntrue: 7\n", [(word, str(i)) for i, word in enumerate(
        ("no", "yes", "null", "~", "12", "1e3", "true"), start=1)]),
    ('"a\\"b": 1\n"\\u2581x\\\\": 2\n', [('a"b', "1"), ("\u2581x\\", "2")]),
    ("'it''s': 1\n':': 2\n", [("it's", "1"), (":", "2")]),
    ('":": 1\n"a: b": 2\na:b: 3\n', [(":", "1"), ("a: b", "2"), ("a:b", "3")]),
    ("x: 1\nx: 2\n", [("x", "1"), ("x", "2")]),
    ("? long key\n: 7\n", [("long key", "7")]),
    ('"\u2028": 1\n"\x85": 2\n', [("\u2028", "1"), ("\x85", "2")]),
    ('{"a": 0, "a": 1, "b\\n": 2}', [("a", "0"), ("a", "1"), ("b\n", "2")]),
    ("a:\n  - x\n  - y\nb: [1, 2]\nc:\n  []\nd: \"\"\n",
     [("a", ["x", "y"]), ("b", ["1", "2"]), ("c", []), ("d", "")]),
    ("# note\n---\nkey: value\r\n...\n", [("key", "value")]),
    ("...: 4\n---: 5\n%: 6\n?: 7\n'#': 8\n\u2581-: 9\n", [("...", "4"), ("---", "5"), ("%", "6"), ("?", "7"),
                                                        ("#", "8"), ("\u2581-", "9")]),
])  # fmt: skip
def test_yaml_entries_stay_what_is_written(text: str, entries: list[Any]) -> None:
    assert read_flat_yaml(text) == entries
