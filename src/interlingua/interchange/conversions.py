"""Models that were converted for a foreign engine: once, and kept beside the model or in the cache."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from interlingua.data.cache import Cache, choose_size_limit
from interlingua.data.codecs import digest
from interlingua.engine.ctranslate2 import CTRANSLATE2, Converted
from interlingua.engine.foreign import import_ctranslate2
from interlingua.errors import OutputError
from interlingua.inference.bundle import Bundle
from interlingua.interchange.ctranslate2 import ABOUT, FORMAT, convert_bundle, count_positions
from interlingua.interchange.token_names import name_tokens

__all__ = ["find_or_convert"]


def find_or_convert(bundle: Bundle, model_directory: Path, cache: Path, *, anew: bool = False) -> Converted:
    """The model as CTranslate2 has it; converted now if it was not before, or has changed since.

    It is kept in ctranslate2/ of the model's directory, or where that cannot be written in the cache, under a
    name that follows from all that it is made of. Processes that do so at the same time take turns, and one
    that cannot lock finds a whole conversion or makes one.

    Args:
        bundle: the loaded model.
        model_directory: where it was loaded from.
        cache: the directory of the cache.
        anew: whether one that is there is known to be damaged.

    Raises:
        ConfigurationError: CTranslate2 cannot express the model, or is not installed.
        OutputError: it can be written nowhere.
    """
    key, entries = _key(bundle), Cache(cache)
    beside = model_directory / CTRANSLATE2 / key
    with _locked(entries, key):
        directory = next((path for path in (beside, entries.entry(key)) if (path / ABOUT).is_file()), None)
        if directory is not None and anew:
            shutil.rmtree(directory, ignore_errors=True)
            directory = None
        if directory is None:
            directory = _convert(bundle, model_directory, beside, entries)
        if directory == entries.entry(key):
            with suppress(OSError):
                entries.use(key, [str(model_directory)])
    source, target = map(name_tokens, bundle.tokenizers)
    return Converted(directory, source, target, count_positions(bundle))


def _convert(bundle: Bundle, model_directory: Path, beside: Path, entries: Cache) -> Path:
    """Writes it to the first place that can be written."""
    for directory in (beside, entries.entry(beside.name)):
        try:
            convert_bundle(bundle, directory, where=model_directory)
        except OutputError:
            if (directory / ABOUT).is_file():  # another process was faster
                return directory
            continue
        if directory == beside:
            _remove_others(beside)
        else:
            entries.shrink(choose_size_limit(entries.directory))
        return directory
    temporary = Path(tempfile.mkdtemp(prefix=f"interlingua-{CTRANSLATE2}-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    convert_bundle(bundle, temporary, where=model_directory)
    return temporary


def _remove_others(kept: Path) -> None:
    """Removes conversions of what the model was before."""
    for path in kept.parent.iterdir():
        if path != kept and (path / ABOUT).is_file():
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(entries: Cache, key: str) -> Iterator[None]:
    """Keeps other processes from converting the same model, where the cache can be written."""
    try:
        entries.create()
        lock = entries.lock(key)
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _key(bundle: Bundle) -> str:
    """What the conversion follows from: weights, sizes, tokens, and who makes it."""
    parts = [FORMAT, import_ctranslate2().__version__, *map(digest, bundle.tokenizers), bundle.lengths]
    total = hashlib.blake2b(f"{parts} {getattr(bundle.model, 'settings', None)!r}".encode(), digest_size=16)
    for name, parameter in sorted(bundle.model.named_parameters()):
        total.update(f"{name} {list(parameter.shape)}".encode())
        total.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
