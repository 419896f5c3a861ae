"""The files of pairs that a run reads: copied where they can be read only once, and found again later."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from interlingua.data.account import summarise
from interlingua.data.formats.parquet import dataset_files, is_dataset
from interlingua.data.settings import STANDARD_INPUT, CorpusFile, CorpusSettings, PairFile
from interlingua.errors import CheckpointError, ConfigurationError, DataError, OutputError
from interlingua.inference.bundle import WEIGHTS

__all__ = ["COPIES", "InputFile", "Inputs", "copy_streams", "find_again", "name_anew", "pair_files"]

COPIES = "copies"
"""A directory in training/, for what cannot be read again where it came from."""
DEVICES = ("/dev/std", "/dev/fd/", "/proc/")
"""Names there stand for something else in every process."""
_DESCRIPTOR = re.compile(r"(?:/dev/fd|/proc/self/fd)/([0-9]+)")
STANDARD_INPUTS = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


class InputFile(NamedTuple):
    """A file of pairs, or one side of two parallel files."""

    name: str
    """As the user wrote it."""
    from_run: str
    """Where it is, seen from the run's directory: a tree that is moved as a whole keeps this."""
    hash: str
    """Of its bytes."""


class Inputs(NamedTuple):
    """The corpus as it can be read any number of times."""

    data: CorpusSettings
    names: Mapping[str, str]
    """What the user called a file that was copied, by the copy."""
    copies: Path
    """The directory of the copies."""

    def in_run(self, out: Path) -> CorpusSettings:
        """The same with absolute names, as if the copies already lay in the run's directory."""
        target = out.absolute() / "training" / COPIES
        return _rename_files(
            self.data, lambda file: str(target / Path(file).name) if file in self.names else _absolute(file)
        )

    def describe(self, out: Path) -> list[InputFile]:
        """What find_again needs in order to know every file again."""
        later, found = pair_files(self.in_run(out)), []
        for file, absolute in zip(pair_files(self.data), later, strict=True):
            found.append(InputFile(self.names.get(file, file), _from_run(absolute, out), _hash(file)))
        return found

    def move_copies(self, directory: Path) -> None:
        """Moves the copies into the run's directory, which may be on another disk.

        Raises:
            OutputError: they cannot be written.
        """
        target = directory / "training" / COPIES
        try:
            for copy in self.names:
                target.mkdir(exist_ok=True)
                shutil.move(copy, target)
        except OSError as error:
            raise OutputError("the copy of the data cannot be written", where=target,
                              found=error.strerror) from error  # fmt: skip

    @contextmanager
    def named(self) -> Iterator[None]:
        """Has errors about a copy name what the user named."""
        try:
            yield
        except DataError as error:
            if not self.names:
                raise
            where, found = (each and self.rename(str(each)) for each in (error.where, error.found))
            accepted = error.accepted and self.rename(error.accepted)
            raise DataError(
                self.rename(error.what), where=where, found=found, accepted=accepted
            ) from error.__cause__

    def name_report(self, report: dict[str, Any]) -> None:
        """Has the report on the data name what the user named; it may have been written for another run."""
        if not self.names:
            return
        for part in ("train", "valid"):
            if part in report:
                report[part]["files"] = [*map(self.rename, report[part]["files"])]
                for places in report[part].get("places", {}).values():
                    places[:] = map(self.rename, places)
        for corpus in report.get("corpora", ()):
            corpus |= {"name": self.rename(corpus["name"]), "files": [*map(self.rename, corpus["files"])]}
        if corpora := report.get("valid_corpora"):
            report["valid_corpora"] = [*map(self.rename, corpora)]
        report["summary"] = summarise(report)

    def rename(self, text: str) -> str:
        """A text for people with what the user named in place of copies."""
        for copy, name in self.names.items():
            text = text.replace(copy, name).replace(Path(copy).name, name)
            text = text.replace(Path(copy).stem, Path(name).stem)  # of what is advised to call another file
        return text


def pair_files(data: CorpusSettings) -> list[str]:
    """The names of all files, of training first."""
    return _names((*data.train_files, *data.valid_files))


def _names(files: Sequence[CorpusFile]) -> list[str]:
    return [name for each in files for name in ([each.file] if isinstance(each.file, str) else each.file)]


def copy_streams(data: CorpusSettings, directory: Path) -> Inputs:
    """Copies standard input, pipes and devices, which can be read only once, into a directory.

    Raises:
        ConfigurationError: one is named twice, or a name cannot be kept in the configuration.
        OutputError: the copy cannot be written.
    """
    files = pair_files(data)
    for file in files:
        _check_name(file)
    streams = ["-" if file in STANDARD_INPUTS else file for file in files if _is_stream(file)]
    if twice := [file for file in dict.fromkeys(streams) if streams.count(file) > 1]:
        name = STANDARD_INPUT if twice[0] == "-" else twice[0]
        raise ConfigurationError(
            f"{name} can be read only once", where="--train, --valid",
            found=f"named {streams.count(twice[0])} times", accepted="Save one of them as a file first.",
        )  # fmt: skip
    names, copied = {}, {}
    for part, part_files in (("train", data.train_files), ("valid", data.valid_files)):
        for number, file in enumerate(_names(part_files), start=1):
            if _is_stream(file):
                suffixes = "" if file in STANDARD_INPUTS or file.startswith(DEVICES) else _suffixes(file)
                copy = directory / f"{part}-{number}.copy{suffixes or '.tsv'}"
                _copy(file, copy)
                copied[file], names[str(copy)] = str(copy), STANDARD_INPUT if file == "-" else file
    return Inputs(_rename_files(data, lambda file: copied.get(file, file)), names, directory)


def find_again(
    data: CorpusSettings, files: list[InputFile], out: Path, moved: Sequence[str] = ()
) -> CorpusSettings:
    """Where the files of a run are now: where its configuration says, or where they are seen from the run.

    Args:
        data: as the run's configuration has it.
        files: what they were when the run was started.
        out: the run's directory.
        moved: files that lie where neither tells.

    Raises:
        CheckpointError: a file is gone, or it is not any more what it was, or a moved one is none of them.
        ConfigurationError: a moved one can be read only once.
    """
    named = pair_files(data)
    if len(named) != len(files):
        raise CheckpointError(
            "the configuration names other files than the run was started from",
            where=out / "config.toml", found=f"{len(named)} files; there were {len(files)}",
            accepted="A run goes on with its own data. To train on other data: --from, into another --out.",
        )  # fmt: skip
    if streams := [file for file in moved if _is_stream(file)]:
        name = STANDARD_INPUT if streams[0] in STANDARD_INPUTS else streams[0]
        raise ConfigurationError(f"{name} can be read only once", where="--resume",
                                 accepted="Save it as a file first.")  # fmt: skip
    found = {_hash(file): _absolute(file) for file in moved}
    if strange := [file for hash, file in found.items() if hash not in {each.hash for each in files}]:
        raise CheckpointError(
            "the run was not started with this file, or it has changed since", where=strange[0],
            accepted="A run goes on with its own data, byte by byte (not compressed since). To train on "
            f"other data: --from {out}, into another --out.",
        )  # fmt: skip
    places = {name: found.get(file.hash) or _find(name, file, out)
              for name, file in zip(named, files, strict=True)}  # fmt: skip
    lost = [(name, file) for name, file in zip(named, files, strict=True) if places[name] is None]
    if lost:
        raise _lost_error(data, lost, out)
    return _rename_files(data, lambda name: places[name] or name)


def name_anew(files: list[InputFile], data: CorpusSettings, out: Path) -> list[InputFile]:
    """The files of a run, called by where they are now."""
    return [
        file if file.from_run == (from_run := _from_run(name, out)) else InputFile(name, from_run, file.hash)
        for file, name in zip(files, pair_files(data), strict=True)
    ]


def _find(name: str, file: InputFile, out: Path) -> str | None:
    return next((place for place in _there(name, file, out) if _hash(place) == file.hash), None)


def _there(name: str, file: InputFile, out: Path) -> list[str]:
    """Where there is a file that may be this one, or may once have been."""
    runs = _absolute(out), out.resolve()  # which is another where a link leads to the run
    candidates = [_absolute(name), *(os.path.normpath(Path(run) / file.from_run) for run in runs)]
    return [place for place in dict.fromkeys(candidates) if Path(place).is_file() or is_dataset(Path(place))]


def _lost_error(data: CorpusSettings, lost: list[tuple[str, InputFile]], out: Path) -> CheckpointError:
    """That data is gone, or is not any more what it was; what is gone is told first, all of it."""
    there = {name: _there(name, file, out) for name, file in lost}
    gone = [(name, file) for name, file in lost if not there[name]]
    told = gone or lost
    what = "is not where it was" if gone else "has changed since this run was started"
    options, kinds = [], []
    for option, kind, pairs in (
        ("--train", "training", data.train_files), ("--valid", "validation", data.valid_files),
    ):  # fmt: skip
        sides = {side for each in pairs for side, name in enumerate(_names([each])) if name in dict(told)}
        options += [f"{option}{'-target' if side else ''} FILE" for side in sorted(sides)]
        kinds += [kind] if sides else []
    where = ", ".join((there[name] or [_absolute(name)])[0] for name, _ in told)
    called = ", ".join(file.name for _, file in told)
    begin = f"start a new run from the saved model: --from {out}" if (out / WEIGHTS).exists() else (
        "begin anew, with --force"
    )  # fmt: skip
    again = f"say where it lies now: --resume {out} {' '.join(options)}"
    return CheckpointError(
        f"the {' and '.join(kinds)} data {what}", where=where, found=None if called == where else called,
        accepted=f"Put the old file back, or {again}. Or {begin}",
    )  # fmt: skip


def _is_stream(file: str) -> bool:
    """Whether a file can be read only once, or is another one in the next process."""
    if file == "-" or str(Path(file).absolute()).startswith(DEVICES):
        return True
    try:
        mode = Path(file).stat().st_mode
    except OSError:
        return False  # told when it is read
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _copy(file: str, copy: Path) -> None:
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("wb") as target:
            if file in STANDARD_INPUTS:
                shutil.copyfileobj(sys.stdin.buffer, target)
                return
            with _open(file) as source:
                shutil.copyfileobj(source, target)
    except OSError as error:
        raise OutputError(
            f"the copy of {STANDARD_INPUT if file == '-' else file} cannot be written", where=copy.parent,
            found=error.strerror,
        ) from error  # fmt: skip


def _open(file: str) -> BufferedReader:
    try:
        if descriptor := _DESCRIPTOR.fullmatch(file):
            # Opened by its name, a pipe whose writer has ended already would be waited for.
            return os.fdopen(os.dup(int(descriptor[1])), "rb")
        return Path(file).open("rb")
    except OSError as error:
        raise DataError("the file cannot be read", where=file, found=error.strerror) from error


def _check_name(file: str) -> None:
    """A configuration file holds Unicode."""
    try:
        file.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            "the name of the file is not UTF-8", where="data", found=os.fsencode(file),
            accepted="Rename it, or give it another name: ln -s",
        ) from None  # fmt: skip
    if "\0" in file:
        raise ConfigurationError("no file has such a name", where="data", found=file)


def _rename_files(data: CorpusSettings, rename: Callable[[str], str]) -> CorpusSettings:
    def renamed(files: tuple[PairFile, ...]) -> tuple[PairFile, ...]:
        return tuple(
            rename(file) if isinstance(file, str) else (rename(file[0]), rename(file[1])) for file in files
        )

    corpora = tuple(
        corpus.model_copy(update={"files": renamed(corpus.files), "valid": renamed(corpus.valid)})
        for corpus in data.corpora
    )
    return data.model_copy(
        update={
            "train": renamed(data.train),
            "valid": renamed(data.valid),
            "corpora": corpora,
            "mix": renamed(data.mix),
        }
    )


def _suffixes(file: str) -> str:
    return "".join(Path(file).suffixes[-2:])


def _absolute(file: str | Path) -> str:
    return str(Path(file).absolute())


def _from_run(file: str, out: Path) -> str:
    try:
        return os.path.relpath(file, _absolute(out))
    except ValueError:
        return file  # on another drive


def _hash(file: str) -> str:
    if Path(file).is_dir():
        of_files = [_hash(str(each)) for each in dataset_files(Path(file))]
        return hashlib.blake2b("".join(of_files).encode(), digest_size=16).hexdigest()
    try:
        with _open(file) as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise DataError("the file cannot be read", where=file, found=error.strerror) from error
