"""From files of pairs to tokenizers and stores, done once for the same data and settings."""

from __future__ import annotations

import atexit
import errno
import hashlib
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece

from interlingua.data.account import SHOWN_PAIRS, show_pairs, summarise
from interlingua.data.cache import UNFINISHED, Cache, choose_size_limit
from interlingua.data.codecs import digest, load_tokenizers, save_tokenizers, train_codecs
from interlingua.data.corpus import Corpus, CorpusReport, CorpusSettings, Pair, format_of
from interlingua.data.formats.table import uses_languages
from interlingua.data.inspection import are_swapped, hash_source
from interlingua.data.mixture import Part, count_parts, refuse_epoch, report_corpora
from interlingua.data.opening import ChangeDetector
from interlingua.data.settings import CorpusFile
from interlingua.data.sources import recognise_kinds
from interlingua.data.split import SplitPart, split
from interlingua.data.store import Store
from interlingua.data.store_writer import FORMAT, SHOWN_FILES, Files, StoreWriter
from interlingua.data.unknown import is_hardly_known
from interlingua.errors import BundleError, DataError, OutputError
from interlingua.kinds import SPECIALS
from interlingua.pictures.settings import PictureSettings
from interlingua.text.choice import RULES
from interlingua.text.columns import check_tag
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings

__all__ = ["Prepared", "prepare"]

SHOWN_WORDS = 5
"""Of a closed list."""
WATCHED_SOURCES = 100_000
"""Validation sources that are looked for among the training sources, at most."""


class Prepared(NamedTuple):
    """All that training needs of the data."""

    tokenizers: TokenizerPair
    train: Store
    valid: Store
    report: dict[str, Any]
    """Plain values: content (hashes of the files), tokenizers (the choice in a line), train and valid (what
    was read, left out by reason, repeated), held_out (share and seed) when there was no validation file,
    train_stored and valid_stored (pairs), unknown (symbols by part and side), swapped, corpora
    (those that are mixed), unvalidated (names of those without validation pairs), valid_corpora (which one
    each file is of that `valid_by_file` counts),
    valid_mixed_in (whether these are old pairs that are mixed in, where some are), and summary (all of it for
    people)."""
    parts: tuple[Part, ...] = ()
    """How often the pairs of `train` are seen; none when each is seen once in an epoch."""
    valid_by_file: tuple[int, ...] = ()
    """How many of the pairs of `valid`, in order, are of each file: of training files, if some of their pairs
    are held out, then of validation files."""
    account: str = ""
    """The summary with what is only worth showing now: the first pairs, and notes on the cache."""

    @property
    def old_valid(self) -> frozenset[int]:
        """Which pairs of `valid` are old ones that are mixed in."""
        kinds = zip(self.report.get("valid_mixed_in", ()), self.valid_by_file, strict=False)
        is_old = [is_old for is_old, pairs in kinds for _ in range(pairs)]
        return frozenset(i for i, old in enumerate(is_old) if old)


def prepare(
    corpus_settings: CorpusSettings,
    tokenizer_settings: TokenizerSettings,
    cache: Path,
    given_tokenizers: TokenizerPair | None = None,
    pictures: PictureSettings | None = None,
) -> Prepared:
    """Reads the corpus, learns tokenizers and builds both stores; or opens what an earlier call left.

    Args:
        corpus_settings: the files and how to read them.
        tokenizer_settings: how to learn tokenizers.
        cache: a directory, created when missing; each combination of data and settings gets its own in it.
        given_tokenizers: those to use, of a trained model; nothing is learnt then.
        pictures: of the codec of targets that are pictures.

    Raises:
        DataError: a mistake in the files, with the file and line.
        ConfigurationError: settings that contradict each other, the data or the given tokenizers.
        OutputError: the cache cannot be written.
    """
    corpus_settings = recognise_kinds(corpus_settings)
    train = Corpus.of(corpus_settings.train_files, corpus_settings)
    valid_files = corpus_settings.valid_files
    valid = Corpus.of(valid_files, corpus_settings) if valid_files else None
    if given_tokenizers:
        for tag in train.tags:
            check_tag(tag, given_tokenizers.source, "data.corpora")
    content = [part.digest() for part in (train, valid) if part]
    if any(corpus_settings.names_files):  # the same names may stand for other files
        content += [part.digest_files() for part in (train, valid) if part]
    pictures = pictures or PictureSettings()
    learning = {
        **tokenizer_settings.model_dump(), **_of_codec(corpus_settings, pictures),
        **_digest_models(tokenizer_settings, must_exist=given_tokenizers is None), "rules": RULES,
    }  # fmt: skip
    key = _cache_key(content, corpus_settings, learning, given_tokenizers)
    try:
        entries, notes = _writable_cache(cache)
        learnt = _cache_key(content, corpus_settings, learning, None)
        if given_tokenizers and _holds(entries.entry(learnt), given_tokenizers):
            key = learnt  # a run that goes on: its tokenizers were learnt here
        with entries.lock(key):
            entry = entries.entry(key)
            try:
                prepared = _open(entry, train, valid, corpus_settings)
            except (DataError, BundleError) as damage:
                if entry.exists():
                    notes.append(f"prepared data in the cache was damaged and is made anew ({damage.where})")
                    shutil.rmtree(entry)
                with tempfile.TemporaryDirectory(
                    prefix=UNFINISHED, dir=entries.directory, ignore_cleanup_errors=True
                ) as name:
                    complete = Path(name) / "complete"
                    complete.mkdir()
                    _write(complete, train, valid, tokenizer_settings, pictures, given_tokenizers, content)
                    complete.rename(entry)
                prepared = _open(entry, train, valid, corpus_settings)
            end_use = entries.use(key, [*train.names, *(valid.names if valid else [])])
        weakref.finalize(prepared.train, end_use)
        entries.shrink(choose_size_limit(entries.directory))
    except OSError as error:
        raise _not_written(cache, error) from None
    refuse_epoch(prepared.parts)
    return prepared._replace(account="\n".join([prepared.account, *notes]))


def _holds(entry: Path, tokenizers: TokenizerPair) -> bool:
    with suppress(DataError, BundleError):
        return [*map(digest, load_tokenizers(entry))] == [*map(digest, tokenizers)]
    return False


def _writable_cache(directory: Path) -> tuple[Cache, list[str]]:
    """Returns the cache, or a temporary one and a note where that one may not be written."""
    cache = Cache(directory)
    try:
        cache.create()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        temporary = Path(tempfile.mkdtemp(prefix="interlingua-cache-"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        cache = Cache(temporary)
        cache.create()
        return cache, [
            f"prepared data cannot be kept for the next time: {directory} ({error.strerror}); "
            "INTERLINGUA_CACHE says where else"
        ]
    return cache, []


def _not_written(cache: Path, error: OSError) -> OutputError:
    accepted = None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        accepted = (
            "Nothing half-written is left. To free space: interlingua cache --clear; "
            "for another disk: INTERLINGUA_CACHE=DIRECTORY"
        )
    return OutputError(
        "the prepared data cannot be written", where=cache, found=error.strerror, accepted=accepted
    )


def _cache_key(
    content: list[str],
    corpus_settings: CorpusSettings,
    learning: dict[str, Any],
    given_tokenizers: TokenizerPair | None,
) -> str:
    apart = {"train", "valid", "corpora", "languages", "mix", "mix_share"}
    if corpus_settings.split_by == "chance":
        apart.add("split_by")  # which earlier versions did not have
    reading = corpus_settings.model_dump(exclude=apart)
    if given_tokenizers:
        tokenization: Any = [digest(side) for side in given_tokenizers]
    else:
        tokenization = learning
    files = [
        [
            (format_of(each.file, corpus_settings), each.tag, _languages_of(each, corpus_settings))
            for each in part
        ]
        for part in (corpus_settings.train_files, corpus_settings.valid_files)
    ]
    kinds = [*corpus_settings.mixed_in, *corpus_settings.valid_mixed_in]
    formats = [*files, *([kinds] if any(kinds) else []), FORMAT, sentencepiece.__version__]
    key = json.dumps([content, reading, tokenization, formats], sort_keys=True)
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _digest_models(settings: TokenizerSettings, *, must_exist: bool) -> dict[str, str]:
    """A hash of each SentencePiece model that is given, in place of its name."""
    return {
        key: ChangeDetector().digest(Path(file)).hex()
        for key, file in settings.own_models().items()
        if must_exist or Path(file).is_file()
    }


def _languages_of(file: CorpusFile, settings: CorpusSettings) -> tuple[str, str] | None:
    """Those that choose the sides of a file's pairs."""
    return settings.for_file(file).languages if uses_languages(file.file, settings) else None


def _of_codec(data: CorpusSettings, pictures: PictureSettings) -> dict[str, Any]:
    """The settings of the codec, which is kept with the data, where targets are pictures."""
    return {"pictures": pictures.model_dump(mode="json")} if data.target_kind == "picture" else {}


def _write(
    directory: Path,
    train: Corpus,
    valid: Corpus | None,
    tokenizer_settings: TokenizerSettings,
    pictures: PictureSettings,
    given_tokenizers: TokenizerPair | None,
    content: list[str],
) -> None:
    reports = _read_through(train, valid)
    report: dict[str, Any] = {"content": content}
    rest: Iterable[Pair] = train
    held_out = None
    if any(train.settings.held_out):
        rest, held_out = split(train)
        report["held_out"] = {"share": held_out.share, "seed": held_out.seed}
    if valid and are_swapped(train.first_pairs, valid.first_pairs):
        report["swapped"] = True
    if given_tokenizers is None:
        tokenizers, report["tokenizers"] = train_codecs(
            rest, tokenizer_settings, train.settings, pictures, train.tags
        )
    else:
        tokenizers, report["tokenizers"] = given_tokenizers, "given"
    save_tokenizers(tokenizers, directory)
    report["by_file"] = _write_stores(directory, train, held_out, valid, tokenizers)
    if held_out is not None:
        report["valid_files_stored"] = report["by_file"][1][len(train.names) :]
    report["unknown"] = {}
    for name in ("train", "valid"):
        store = Store(directory / name)
        report[f"{name}_stored"], report["unknown"][name] = len(store), store.unknown
        origin = reports.get(name, reports["train"])
        if store.odd_files["count"]:
            before = origin.findings.get("odd_files", {"count": 0, "examples": []})
            origin.findings["odd_files"] = {
                "count": before["count"] + store.odd_files["count"],
                "examples": (before["examples"] + store.odd_files["examples"])[:SHOWN_FILES],
            }
        for reason, count in store.left_out.items():
            origin.leave_out(reason, count, store.places.get(reason, []))
    _refuse_unknown(report["unknown"], train, valid, given_tokenizers)
    report.update({name: part.as_dict() for name, part in reports.items()})
    # What the pairs look like is shown, but only on this machine: a report goes with a published model.
    report["first_pairs"] = train.first_pairs[:SHOWN_PAIRS]
    (directory / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")


def _read_through(train: Corpus, valid: Corpus | None) -> dict[str, CorpusReport]:
    if valid is None:
        return {"train": train.report()}
    valid_report = valid.report()
    watched = frozenset(hash_source(valid.untagged(pair)) for pair in islice(valid, WATCHED_SOURCES))
    return {"train": train.report(watched), "valid": valid_report}


def _write_stores(
    directory: Path, train: Corpus, held_out: SplitPart | None, valid: Corpus | None,
    tokenizers: TokenizerPair,
) -> list[list[int]]:  # fmt: skip
    """Writes both stores; pairs that are held out are written in the same pass as the others.

    Returns:
        How many pairs of each file are in the store of training, and in that of validation: of training files
        where some pairs are held out, then of validation files.
    """
    settings, writers = train.settings, []
    sources = train, valid or train
    for name, kind, corpus in zip(("train", "valid"), ("training", "validation"), sources, strict=True):
        (directory / name).mkdir()
        taken = Files(settings.max_seconds, settings.on_empty == "skip", corpus.find_file)
        where = ", ".join(corpus.names)
        writers.append(
            StoreWriter(directory / name, tokenizers, settings.max_length, taken, kind=kind, where=where)
        )
    with writers[1], writers[0]:  # that there is nothing to train on is said first
        for file, pair in train.by_file():
            writers[held_out is not None and held_out.holds(pair)].add(pair, file)
        first_valid = len(train.names) if held_out else 0
        for file, pair in valid.by_file() if valid else ():
            writers[1].add(pair, first_valid + file)
    counted = len(train.names), first_valid + (len(valid.names) if valid else 0)
    return [[writer.by_file[file] for file in range(files)]
            for writer, files in zip(writers, counted, strict=True)]  # fmt: skip


def _refuse_unknown(
    unknown: dict[str, dict[str, dict[str, Any]]], train: Corpus, valid: Corpus | None,
    given: TokenizerPair | None,
) -> None:  # fmt: skip
    """Raises a DataError when a vocabulary knows hardly anything of the texts of a file."""
    for part, corpus in (("train", train if given else None), ("valid", valid)):
        for side, counts in unknown[part].items():
            if corpus is None or not is_hardly_known(counts, to_train=part == "train"):
                continue
            known_by = "the model to start from" if given else "the vocabulary of the training pairs"
            advice = "Are these the right file and the right columns?"
            own = given and getattr(given, side)
            if own and own.kind == "words":
                known = ", ".join(own.pieces(range(len(SPECIALS), len(SPECIALS) + SHOWN_WORDS)))
                known_by += f", which has {len(own) - len(SPECIALS):,} words, such as {known}"
                advice = "No other word can come of it. To learn others, train anew, without --from."
            elif given:
                advice += " Another alphabet is learnt only from the beginning, without --from."
                letters = "".join(counts["examples"])
                if letters.islower() or letters.isupper():
                    case = "capitals" if letters.islower() else "small letters"
                    advice += f" Of a model that knows {case} only, the texts are to be written so."
            examples = ", ".join(counts["examples"])
            raise DataError(
                f"most symbols of the {side}s are unknown to {known_by}",
                where=", ".join(corpus.names),
                found=f"{counts['unknown']:,} of {counts['symbols']:,}, such as {examples}",
                accepted=advice,
            )


def _open(directory: Path, train: Corpus, valid: Corpus | None, corpus_settings: CorpusSettings) -> Prepared:
    """Opens an entry of the cache; its report gets the names, weights and corpora of today's files."""
    try:
        report = json.loads((directory / "report.json").read_bytes())
        first_pairs, by_file = report.pop("first_pairs"), report.pop("by_file")
        for part, corpus in (("train", train), ("valid", valid)):
            if corpus is not None:
                report[part] = CorpusReport.of(report[part]).renamed(corpus.names).as_dict()
        mixed = any(corpus_settings.mixed_in)
        parts = tuple(count_parts(by_file[0], corpus_settings.mixture, corpus_settings.mix_share))
        if corpus_settings.corpora or mixed:
            report["corpora"] = report_corpora(
                parts, report["train"]["duplicates_by_file"], corpus_settings.mixture
            )
            held_out = corpus_settings.train_files if any(corpus_settings.held_out) else ()
            report["valid_corpora"] = [each.corpus for each in (*held_out, *corpus_settings.valid_files)]
            if not corpus_settings.valid:
                names = dict.fromkeys(corpus.name for corpus in corpus_settings.mixture)
                report["unvalidated"] = [name for name in names if name not in report["valid_corpora"]]
        if mixed:
            kinds = corpus_settings.mixed_in if any(corpus_settings.held_out) else ()
            report["valid_mixed_in"] = [*kinds, *corpus_settings.valid_mixed_in]
        account = summarise(report, show_pairs(first_pairs))
        report["summary"] = summarise(report)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError("nothing is prepared", where=directory / "report.json") from None
    stores = Store(directory / "train"), Store(directory / "valid")
    for store in stores:
        store.verify()
    return Prepared(load_tokenizers(directory), *stores, report, parts, tuple(by_file[1]), account)
