"""From files of pairs to tokenizers and stores, done once for the same data and settings."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece

from interlingua.data.corpus import Corpus, CorpusReport, CorpusSettings, Pair
from interlingua.data.split import split
from interlingua.data.store import FORMAT, Store, build_store
from interlingua.errors import BundleError, DataError, OutputError
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings, train_tokenizers
from interlingua.text.tokenizer_files import digest, load_tokenizers, save_tokenizers

__all__ = ["UNFINISHED", "Prepared", "prepare"]

UNFINISHED = ".preparing-"
"""What the name of a directory begins with while it is written."""
STALE_AFTER_S = 86_400
"""An unfinished directory of this age is of a process that was killed."""


class Prepared(NamedTuple):
    """All that training needs of the data."""

    tokenizers: TokenizerPair
    train: Store
    valid: Store
    report: dict[str, Any]
    """Plain values: content (hashes of the files), tokenizers (the choice in a line), train and valid (what
    was read, left out by reason, repeated), held_out (share and seed) when there was no validation file,
    train_stored and valid_stored (pairs), and summary (all of it for people)."""


def prepare(
    corpus_settings: CorpusSettings,
    tokenizer_settings: TokenizerSettings,
    cache: Path,
    given_tokenizers: TokenizerPair | None = None,
) -> Prepared:
    """Reads the corpus, learns tokenizers and builds both stores; or opens what an earlier call left.

    Args:
        corpus_settings: the files and how to read them.
        tokenizer_settings: how to learn tokenizers.
        cache: a directory, created when missing; each combination of data and settings gets its own in it.
        given_tokenizers: those to use, of a trained model; nothing is learnt then.

    Raises:
        DataError: a mistake in the files, with the file and line.
        ConfigurationError: settings that contradict each other or the data.
        OutputError: the cache cannot be written.
    """
    train = Corpus(corpus_settings.train, corpus_settings)
    valid = Corpus(corpus_settings.valid, corpus_settings) if corpus_settings.valid else None
    content = [part.digest() for part in (train, valid) if part]
    entry = cache / _cache_key(content, corpus_settings, tokenizer_settings, given_tokenizers)
    learnt = cache / _cache_key(content, corpus_settings, tokenizer_settings, None)
    for prepared in (entry, learnt):  # a run that goes on has tokenizers that may have been learnt here
        with suppress(DataError, BundleError):  # missing or damaged: made anew
            found = _open(prepared)
            if prepared == entry or _same(found.tokenizers, given_tokenizers):
                return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache)
        shutil.rmtree(entry, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=cache, ignore_cleanup_errors=True) as name:
            complete = Path(name) / "complete"
            complete.mkdir()
            _write(complete, train, valid, tokenizer_settings, given_tokenizers, content)
            if not entry.exists():  # another process may have been faster
                complete.rename(entry)
    except OSError as error:
        raise OutputError("the prepared data cannot be written", where=cache, found=error.strerror) from None
    return _open(entry)


def _same(tokenizers: TokenizerPair, given: TokenizerPair | None) -> bool:
    return given is not None and [*map(digest, tokenizers)] == [*map(digest, given)]


def _remove_stale(cache: Path) -> None:
    for unfinished in cache.glob(f"{UNFINISHED}*"):
        if time.time() - unfinished.stat().st_mtime > STALE_AFTER_S:
            shutil.rmtree(unfinished, ignore_errors=True)


def _cache_key(
    content: list[str],
    corpus_settings: CorpusSettings,
    tokenizer_settings: TokenizerSettings,
    given_tokenizers: TokenizerPair | None,
) -> str:
    reading = corpus_settings.model_dump(exclude={"train", "valid"})
    if given_tokenizers:
        tokenization: Any = [digest(side) for side in given_tokenizers]
    else:
        tokenization = tokenizer_settings.model_dump()
    files = [_suffixes(corpus_settings.train), _suffixes(corpus_settings.valid)]
    formats = [*files, FORMAT, sentencepiece.__version__]
    key = json.dumps([content, reading, tokenization, formats], sort_keys=True)
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _suffixes(files: Iterable[str | tuple[str, str]]) -> list[Any]:
    return [Path(file).suffixes if isinstance(file, str) else "parallel" for file in files]


def _write(
    directory: Path,
    train: Corpus,
    valid: Corpus | None,
    tokenizer_settings: TokenizerSettings,
    given_tokenizers: TokenizerPair | None,
    content: list[str],
) -> None:
    reports = {"train": train.report()} | ({"valid": valid.report()} if valid else {})
    report: dict[str, Any] = {"content": content}
    parts: list[Iterable[Pair]]
    if valid:
        parts = [train, valid]
    else:
        rest, held_out = split(train)
        report["held_out"] = {"share": held_out.share, "seed": held_out.seed}
        parts = [rest, held_out]
    if given_tokenizers is None:
        tokenizers, report["tokenizers"] = train_tokenizers(parts[0], tokenizer_settings)
    else:
        tokenizers, report["tokenizers"] = given_tokenizers, "given"
    save_tokenizers(tokenizers, directory)
    for name, part in zip(("train", "valid"), parts, strict=True):
        store = build_store(part, tokenizers, directory / name, train.settings.max_length)
        report[f"{name}_stored"] = len(store)
        origin = reports.get(name, reports["train"])
        reason = f"more than {train.settings.max_length:,} ids on a side"
        origin.left_out[reason] = origin.left_out.get(reason, 0) + store.too_long
    report.update({name: part.as_dict() for name, part in reports.items()})
    report["summary"] = _summary(report, reports.values())
    (directory / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")


def _summary(report: dict[str, Any], reports: Iterable[CorpusReport]) -> str:
    lines = [str(part) for part in reports]
    if held_out := report.get("held_out"):
        lines.append(
            f"held out for validation: {report['valid_stored']:,} pairs, "
            f"{held_out['share']:.2%} of the sources (seed {held_out['seed']})"
        )
    return "\n".join([*lines, f"vocabulary: {report['tokenizers']}"])


def _open(directory: Path) -> Prepared:
    try:
        report = json.loads((directory / "report.json").read_bytes())
    except (OSError, ValueError):
        raise DataError("nothing is prepared", where=directory) from None
    return Prepared(
        load_tokenizers(directory), Store(directory / "train"), Store(directory / "valid"), report
    )
