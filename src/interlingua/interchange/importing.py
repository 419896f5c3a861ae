"""Models of other toolkits become model directories of this package."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from interlingua.errors import BundleError, OutputError
from interlingua.files import write_error
from interlingua.inference.bundle import (
    ORIGIN_LICENCE,
    ORIGIN_README,
    load_bundle,
    save_config,
    save_info,
    save_weights,
)
from interlingua.interchange.from_hugging_face import read_hugging_face
from interlingua.interchange.from_marian import read_marian
from interlingua.interchange.import_proof import prove
from interlingua.interchange.imported import ImportedModel, read_bytes
from interlingua.interchange.recognition import recognise
from interlingua.model.architectures import parse_model_settings
from interlingua.text.facts import TextFacts
from interlingua.version import __version__

__all__ = ["Imported", "import_model"]

DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
           NotImplementedError)  # fmt: skip
"""What reading a damaged zip may raise."""
READERS = {"marian": read_marian, "hugging_face": read_hugging_face}
KEPT = {"README": ORIGIN_README, "LICENSE": ORIGIN_LICENCE, "LICENCE": ORIGIN_LICENCE,
        "COPYING": ORIGIN_LICENCE}  # fmt: skip
"""Files of a package that stay with its model, by the beginnings of their names."""


class Imported(NamedTuple):
    """What became of a model of another toolkit."""

    what: str
    notes: list[str]
    proof: str
    """How it was shown that the model computes what it did there, or why it was not."""


def import_model(place: Path, out: Path, languages: tuple[str, str] | None = None) -> Imported:
    """Reads a model of another toolkit, and writes it as one of ours when it computes the same.

    Args:
        place: a directory, or a zip of one: a Marian package or a MarianMT directory of Hugging Face.
        out: the directory to make; it must not be there, or be empty.
        languages: codes of source and target, where the package does not say them.

    Raises:
        BundleError: it is something else, incomplete, or of options that are not supported.
        OutputError: the directory exists or cannot be written.
    """
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise OutputError("the directory exists", where=out, accepted="Choose another --out, or remove it.")
    with _unpacked(place) as unpacked:
        kind, directory = recognise(place, unpacked)
        model = READERS[kind](directory)
        proof = prove(kind, directory, model)
        origin = _read_origin(directory if directory.is_dir() else directory.parent)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        except OSError as error:
            raise write_error(error, out) from error
        try:
            name = _name(place)
            notes = _write(aside, model, name, origin, languages or model.languages, proof)
            load_bundle(aside)  # what was written is a model
            aside.chmod(0o777 & ~_umask())
            aside.replace(out)
        except OSError as error:
            raise write_error(error, out) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return Imported(model.what, notes, proof)


def _write(
    out: Path, model: ImportedModel, name: str, origin: Mapping[str, bytes],
    languages: tuple[str, str] | None, proof: str,
) -> list[str]:  # fmt: skip
    """Writes all files of a model directory; returns what there is to say."""
    notes = list(model.notes)
    settings = parse_model_settings(model.settings, name)
    config: dict[str, Any] = {"model": settings.model_dump(mode="json", exclude_none=True),
                              "search": dict(model.search)}  # fmt: skip
    if languages:
        config["languages"] = [*languages]
    else:
        notes.append(
            "languages: not said; to serve it, name them with --languages, such as --languages en de"
        )
    save_config(out, config, model.tokenizers)
    facts = TextFacts(natural=True, passages=False, copies_symbols=True, copies_numbers=True,
                      language=languages[0] if languages else "en")  # fmt: skip
    save_weights(out, model.weights, model.lengths, facts)
    for file, content in origin.items():
        (out / file).write_bytes(content)
    info = {
        "interlingua": __version__,
        "torch": torch.__version__,
        "parameters": sum(tensor.numel() for tensor in model.weights.values()),
        "vocabulary": [*map(len, model.tokenizers)],
        "data": {"tokenizers": _about_tokenizers(model)},
        "imported": {"what": model.what, "from": name, "licence": _licence(origin), "kept": [*origin],
                     "proof": proof, "notes": notes},
    }  # fmt: skip
    save_info(out, info, _card(info, settings.describe(), languages))
    return notes


def _about_tokenizers(model: ImportedModel) -> str:
    source, target = (f"pieces, {len(side):,} of them" for side in model.tokenizers)
    return f"joint: {source}" if model.tokenizers.joint else f"source: {source}; target: {target}"


def _read_origin(directory: Path) -> dict[str, bytes]:
    """What a package says of its makers and its licence, by the names under which it stays with the model."""
    found: dict[str, bytes] = {}
    for entry in sorted(directory.iterdir()):
        name = next((name for begin, name in KEPT.items() if entry.name.upper().startswith(begin)), None)
        if name is not None and entry.is_file() and name not in found:
            found[name] = read_bytes(entry)
    return found


def _licence(origin: Mapping[str, bytes]) -> str:
    """What the package calls its licence; empty where it does not."""
    names = ORIGIN_README, ORIGIN_LICENCE
    readme, licence = (origin.get(name, b"").decode(errors="replace") for name in names)
    if found := re.search(r"^[\s*-]*licen[sc]e:\s*(\S.*?)\s*$", readme, re.IGNORECASE | re.MULTILINE):
        return found[1]
    return next((line.strip() for line in licence.split("\n") if line.strip()), "")


def _card(info: Mapping[str, Any], sizes: str, languages: tuple[str, str] | None) -> str:
    imported = info["imported"]
    between = f", {languages[0]} to {languages[1]}" if languages else ""
    licence = f"\n- licence: {imported['licence']}" if imported["licence"] else ""
    origin = "".join(f"\n- as it came with the model: [{name}]({name})" for name in imported["kept"])
    return f"""# {imported["from"]}

A sequence-to-sequence model{between}, imported from a {imported["what"]}
by interlingua {info["interlingua"]}.

- {info["parameters"]:,} parameters, {sizes}; vocabulary {" and ".join(f"{n:,}" for n in info["vocabulary"])}
- {imported["proof"]}{licence}{origin}
"""


@contextmanager
def _unpacked(place: Path) -> Iterator[Path]:
    """The directory that is meant; of a zip, its files in a directory that goes again."""
    if place.is_dir():
        yield _snapshot(place)
        return
    if not place.exists() or not zipfile.is_zipfile(place) or place.suffix == ".npz":
        yield place
        return
    with tempfile.TemporaryDirectory() as name:
        try:
            with zipfile.ZipFile(place) as archive:
                archive.extractall(name)
        except DAMAGED as error:
            raise BundleError("the zip file is damaged", where=place, found=str(error),
                              accepted="Copy it again from where it came.") from error  # fmt: skip
        inside = Path(name)
        while len(entries := [*inside.iterdir()]) == 1 and entries[0].is_dir():
            inside = entries[0]
        yield inside


def _snapshot(directory: Path) -> Path:
    """The newest download in a directory of Hugging Face's cache; any other as it is."""
    try:
        newest = (directory / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return directory
    found = directory / "snapshots" / newest
    return found if newest and found.is_dir() else directory


def _name(place: Path) -> str:
    """What the model is called; in Hugging Face's cache the directories are hashes below its name."""
    place = place.resolve()
    for part in reversed(place.parts):
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    return place.name


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
