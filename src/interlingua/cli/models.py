"""Model directories as the verbs take them: what is none is told at once, with what was probably meant."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from interlingua.data.formats.parquet import is_dataset
from interlingua.data.formats.table import FORMATS, ZIP
from interlingua.data.opening import COMPRESSIONS
from interlingua.engine.cpus import default_threads
from interlingua.errors import BundleError, ConfigurationError

if TYPE_CHECKING:
    from interlingua.data.corpus import Corpus, Pair
    from interlingua.inference.captioner import Captioner
    from interlingua.inference.painter import Painter
    from interlingua.inference.transcriber import Transcriber
    from interlingua.inference.translator import Translator
    from interlingua.inference.using import AnyUse, TextUse
    from interlingua.kinds import SourceKind

__all__ = [
    "Use", "find_model", "find_tag", "find_use", "load_model", "load_text_model", "models_and_tests",
    "paints", "read_as_trained", "read_pairs_of", "source_kind", "use_all_cpus",
]  # fmt: skip

Use = Literal["text", "sound", "picture", "paint"]
"""What a verb needs a model for: its sources, of texts as targets; or to paint."""

USES: dict[Use, tuple[str, str]] = {
    "text": ("texts", "translate"),
    "sound": ("sounds", "transcribe"),
    "picture": ("pictures", "translate"),
    "paint": ("painting", "paint"),
}
CONFIG, WEIGHTS = "config.toml", "model.safetensors"
PAIRS = (*ZIP, *COMPRESSIONS, *(suffix for format in FORMATS.values() for suffix in format.suffixes))
"""How the names of files of pairs end."""
_HUB_NAME = re.compile(r"[\w-]+/[\w.-]+")
SHOWN = 3
"""Directories that are proposed at most."""


def is_model(path: Path) -> bool:
    """Whether it is the directory of a model, or of a run that has none yet."""
    return (path / CONFIG).is_file()


def find_model(path: Path, *, weights: bool = True) -> None:
    """Refuses what is no model directory, before PyTorch, which takes seconds, is loaded.

    Args:
        path: as the user wrote it.
        weights: whether the model must be ready for use.

    Raises:
        BundleError: it is something else, with the nearest that is a model.
    """
    try:
        if path.exists() and not path.is_dir():
            raise BundleError("this is a file, not a model directory", where=path, accepted=_advice(path))
        if not is_model(path):
            what = "this directory holds no model" if path.is_dir() else "there is no such model directory"
            raise BundleError(what, where=path, accepted=_advice(path))
        if weights and not (path / WEIGHTS).exists():
            raise BundleError(
                "the model has no weights yet", where=path / WEIGHTS,
                accepted="They are written at the first validation: wait for its training, or go on with it: "
                f"interlingua train --resume {path}",
            )  # fmt: skip
    except OSError as error:  # the name is too long, or a directory is closed to this user
        raise BundleError("the directory cannot be read", where=path, found=error.strerror) from error


def read_as_trained(model: Path, given: dict[str, Any]) -> dict[str, Any]:
    """How to read files of pairs for a model: where its training was told, as that did.

    Args:
        model: its directory.
        given: keys of the [data] section that the user gave, which go first.
    """
    data, languages = _read_data(model), _read_config(model).get("languages")
    trained = {key: data[key] for key in ("columns", "keys") if isinstance(data.get(key, [0])[0], list)}
    if "picture" in (data.get("source_kind"), data.get("target_kind")) and data.get("columns"):
        trained["columns"] = data["columns"]
    elif data.get("columns") == [2, 1] and "columns" not in given:
        print("interlingua: columns 2,1 as in the training (else: --columns 1,2)", file=sys.stderr)
        trained["columns"] = [2, 1]
    kinds = {key: data[key] for key in ("source_kind", "target_kind", "picture_size") if data.get(key)}
    if languages := data.get("languages", languages):
        trained["languages"] = languages
    return {**trained, **{key: kind for key, kind in kinds.items() if kind != "text"}, **given}


@overload
def load_model(
    directory: Path, device: str = ..., threads: int | None = ..., precision: str | None = ...,
    engine: str | None = ..., *, of: Literal["text"] = ...,
) -> Translator: ...  # fmt: skip
@overload
def load_model(
    directory: Path, device: str = ..., threads: int | None = ..., precision: str | None = ...,
    engine: str | None = ..., *, of: Literal["sound"],
) -> Transcriber: ...  # fmt: skip
@overload
def load_model(
    directory: Path, device: str = ..., threads: int | None = ..., precision: str | None = ...,
    engine: str | None = ..., *, of: Literal["picture"],
) -> Captioner: ...  # fmt: skip
@overload
def load_model(
    directory: Path, device: str = ..., threads: int | None = ..., precision: str | None = ...,
    engine: str | None = ..., *, of: Literal["paint"],
) -> Painter: ...  # fmt: skip
@overload
def load_model(
    directory: Path, device: str = ..., threads: int | None = ..., precision: str | None = ...,
    engine: str | None = ..., *, of: None,
) -> AnyUse: ...  # fmt: skip
def load_model(
    directory: Path, device: str = "auto", threads: int | None = None, precision: str | None = None,
    engine: str | None = None, *, of: Use | None = "text",
) -> AnyUse:  # fmt: skip
    """Loads a model; it computes with all CPUs unless told otherwise.

    Args:
        directory: of the model.
        device: where it computes.
        threads: CPU threads.
        precision: what it computes in.
        engine: what computes.
        of: what its sources must be, or that its targets must be pictures; None where any will do.

    Raises:
        BundleError: it is no model, or one of other sources or targets.
    """
    from interlingua.api import load

    use = find_use(directory)
    if of is not None and use != of:
        made_for, verb = USES[use]
        raise BundleError(f"this model is for {made_for}, not for {USES[of][0]}", where=directory,
                          accepted=f"Its verb is: interlingua {verb} {directory}")  # fmt: skip
    return load(
        directory, device=device, threads=threads or default_threads(), precision=precision or "fp32",
        engine=engine or "interlingua",
    )  # fmt: skip


def load_text_model(
    directory: Path, device: str = "auto", threads: int | None = None, precision: str | None = None,
    engine: str | None = None,
) -> TextUse:  # fmt: skip
    """As `load_model`, of any sources, whose targets must be texts."""
    if paints(directory):
        raise BundleError("this model is for painting, and others here write texts", where=directory)
    model = load_model(directory, device, threads, precision, engine, of=None)
    return cast("TextUse", model)


def find_use(model: Path) -> Use:
    """What a model is for."""
    return "paint" if paints(model) else source_kind(model)


def source_kind(model: Path) -> SourceKind:
    """What the sources of a model are."""
    kind = _read_data(model).get("source_kind")
    return kind if kind in ("sound", "picture") else "text"


def paints(model: Path) -> bool:
    """Whether the targets of a model are pictures."""
    return _read_data(model).get("target_kind") == "picture"


def _read_data(model: Path) -> dict[str, Any]:
    """The [data] section of a model's configuration."""
    data = _read_config(model).get("data", {})
    return data if isinstance(data, dict) else {}


def _read_config(model: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((model / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise BundleError("the configuration cannot be read", where=model / CONFIG, found=found) from error


def find_tag(model: Path) -> str | None:
    """A tag of those that sources of the model have, if they have any."""
    corpora = _read_data(model).get("corpora", [])
    return next((tag for corpus in corpora if (tag := corpus.get("tag"))), None)


def use_all_cpus() -> None:
    """Has a training that is not told otherwise compute with all CPUs."""
    import torch

    torch.set_num_threads(default_threads())


def models_and_tests(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Tells the model directories from the files of pairs, in whichever order they were given.

    Raises:
        ConfigurationError: there is no model or no test file among them.
        BundleError: a directory holds no model that can be used.
    """
    tests = [name for name in arguments if name == "-" or _is_file(Path(name))]
    others = [name for name in arguments if name not in tests]
    if not tests and len(others) > 1 and not Path(others[-1]).is_dir():
        tests = [others.pop()]  # no such file, which reading it will say
    if not others or not tests:
        raise ConfigurationError(
            f"there is no {'model' if tests else 'test file'} among the arguments", where="evaluate",
            found=" ".join(arguments), accepted="For example: interlingua evaluate runs/en-de test.tsv",
        )  # fmt: skip
    for name in others:
        find_model(Path(name))
    return others, tests


def _is_file(path: Path) -> bool:
    """Whether it is a file, a pipe perhaps, or is called as if it were; or a directory of a data set."""
    if path.is_dir():
        return not is_model(path) and is_dataset(path)
    return path.exists() or path.suffix.lower() in PAIRS


def _advice(path: Path) -> str:
    near = list(dict.fromkeys(_near(path)))
    if not near and (of_others := _advice_for_others(path)):
        return of_others
    if not near and path.exists() and not path.is_dir():
        return "The model's directory comes first, and then what it is to work on."
    if not near:
        return f"A model directory has a {CONFIG}."
    return f"Did you mean {' or '.join(map(str, near[:SHOWN]))}?"


def _advice_for_others(path: Path) -> str | None:
    """What to do with a model of another program, if it is one."""
    if (path / "model.bin").is_file():
        return "This is a CTranslate2 model; what it was exported from is needed."
    if (path / "config.json").is_file() or (path / "refs").is_dir() or any(path.glob("*.npz")):
        return f"To bring a model of Marian or Hugging Face: interlingua import {path} --out DIR"
    if not path.exists() and not path.parent.exists() and _HUB_NAME.fullmatch(str(path)):
        return (f"Is this a name on the Hugging Face hub? hf download {path} --local-dir {path.name}, "
                f"and then: interlingua import {path.name} --out DIR")  # fmt: skip
    return None


def _near(path: Path) -> Iterable[Path]:
    """Models that hold the path, lie in it, or are called alike."""
    yield from (parent for parent in path.parents if parent.name and is_model(parent))
    if path.is_dir():
        inside = filter(is_model, (*path.glob("*"), *path.glob("*/*")))
        yield from sorted(inside, key=lambda model: (not (model / WEIGHTS).exists(), model))
        return
    for place in (path.parent, Path(), Path("runs")):
        models = {model.name: model for model in place.glob("*") if is_model(model)}
        yield from (models[name] for name in get_close_matches(path.name, models, n=1))


def read_pairs_of(name: str, corpus: Corpus) -> list[Pair]:
    """The pairs of a file; where it is so set, those whose sounds or pictures cannot be read are left out.

    Raises:
        DataError: a sound or a picture cannot be read.
        ConfigurationError: no pair is left.
    """
    from interlingua.data.file_account import describe_left_out
    from interlingua.data.usable import usable_pairs

    pairs, left_out = usable_pairs(corpus)
    for line in describe_left_out(left_out, left_out.places):
        print(f"{name}: {line}", file=sys.stderr)
    if not pairs:
        raise ConfigurationError("there are no pairs", where=name)
    return pairs
