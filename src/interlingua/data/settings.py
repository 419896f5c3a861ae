"""Where pairs are and how they are read: the [data] section of an experiment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from interlingua.kinds import SourceKind, TargetKind
from interlingua.settings import Settings
from interlingua.text.columns import COLUMN_END
from interlingua.text.languages import check_language
from interlingua.text.normalise import normalise

__all__ = ["STANDARD_INPUT", "CorpusFile", "CorpusSettings", "MixedCorpus", "PairFile", "display_name"]

STANDARD_INPUT = "standard input"

PairFile = str | tuple[str, str]
"""A file of pairs ("-" is standard input), or the source and the target file of two parallel ones."""

Files = Annotated[tuple[PairFile, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]


def _column(value: Any) -> int | str:
    column = int(value) if isinstance(value, str) and value.isdecimal() else value
    is_number = isinstance(column, int) and not isinstance(column, bool) and column >= 1
    if not is_number and not (isinstance(column, str) and column):
        raise ValueError("should be the number of a column, from 1 on, or its name")
    return column


_Column = Annotated[int | str, BeforeValidator(_column)]
"""A number, or the name of a column."""
T = TypeVar("T")
_Several = Annotated[
    tuple[T, ...],
    BeforeValidator(lambda value: _split(value, "+") if isinstance(value, str | list | tuple) else [value]),
    PlainSerializer(lambda value: list(value) if len(value) > 1 or "+" in str(value[0]) else value[0]),
    Field(min_length=1),
]
"""One or more, as a list or with a plus between them."""


def _source_and_target(example: str) -> BeforeValidator:
    """Takes two values, as a list or with a comma between."""

    def take(value: Any) -> Any:
        parts = _split(value, ",")
        if isinstance(parts, list | tuple) and len(parts) != 2:
            raise ValueError(f"should be two, the source's and the target's, such as {example}")
        return parts

    return BeforeValidator(take)


def _check_columns(columns: tuple[tuple[int | str, ...], int | str]) -> Any:
    if len({type(column) for column in (*columns[0], columns[1])}) > 1:
        raise ValueError("should be all numbers of columns, from 1, or all their names")
    return _check_distinct(columns)


def _check_distinct(named: tuple[tuple[int | str, ...], int | str]) -> Any:
    """Of a source of several columns or keys; that source and target are one and the same may be meant."""
    sources, target = named
    if len(sources) > 1 and target in sources:
        raise ValueError(
            f"should not have the target, {target}, among the sources: they would tell the answer"
        )
    if len(set(sources)) < len(sources):
        raise ValueError(f"should name each source once, not {'+'.join(map(str, sources))}")
    return named


_Columns = Annotated[
    tuple[_Several[_Column], _Column],
    _source_and_target("1,2 (a source of two columns: 1+3,2)"),
    AfterValidator(_check_columns),
]
_Language = Annotated[str, AfterValidator(check_language)]
Languages = Annotated[tuple[_Language, _Language], _source_and_target("en,de")]
"""Codes of source and target."""


def _split(value: Any, between: str) -> Any:
    return [part.strip() for part in value.split(between)] if isinstance(value, str) else value


def display_name(file: PairFile) -> str:
    """What a file, or two parallel ones, are called in messages."""
    if isinstance(file, str):
        return STANDARD_INPUT if file == "-" else file
    return " + ".join(file)


_LINE_END = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def _check_tag(tag: str) -> str:
    if COLUMN_END in tag or _LINE_END.search(tag) or not (known_as := normalise(tag, "text")):
        raise ValueError("should be a text on one line, without a tab")
    return known_as


class MixedCorpus(Settings):
    """One of several corpora."""

    files: Annotated[Files, Field(min_length=1)]
    """As data.train takes them."""
    weight: float = Field(1.0, gt=0)
    """How many times each pair is seen in an epoch: .5 is every other epoch, 2.5 twice and every other epoch
    a third time."""
    languages: Languages | None = None
    """As data.languages, of its own files."""
    tag: Annotated[str, AfterValidator(_check_tag)] | None = None
    """A first column that its sources get, such as the language to translate into; all corpora or none."""
    valid: Files = ()
    """Validation files of its own, which get its tag."""
    mixed_in: bool = False
    """Whether these are old pairs, seen beside the new ones when a model is trained further: data.mix_share
    of all pairs seen are of such corpora, and weights tell only how they differ among themselves."""

    @property
    def name(self) -> str:
        """What it is called in accounts."""
        return self.tag or display_name(self.files[0])


MixedCorpora = Annotated[
    tuple[MixedCorpus, ...], BeforeValidator(lambda v: (v,) if isinstance(v, Mapping) else v)
]


class CorpusFile(NamedTuple):
    """A file, and what it is a part of."""

    file: PairFile
    corpus: str
    """Its name."""
    tag: str | None
    languages: tuple[str, str] | None = None
    """Of this file; those of all files when not given."""


class CorpusSettings(Settings):
    """Where the pairs are, how they are written, and which of them are left out."""

    train: Files = ()
    """Files read one after another; each a name, or [source file, target file]."""
    valid: Files = ()
    """The same for validation; without any, a share of the training pairs is held out."""
    corpora: MixedCorpora = ()
    """Instead of train: several corpora with weights or tags."""
    mix: Files = ()
    """Old pairs, beside which a model is trained further on new ones; held out from where none are given."""
    mix_share: float = Field(0.5, gt=0, lt=1)
    """The share of the pairs seen that are old ones, where some are mixed in."""
    format: Literal["auto", "tsv", "jsonl", "csv", "tmx", "xliff", "po", "parquet"] = "auto"
    """auto goes by the end of the name, such as .jsonl, .csv or .tmx; what is not known is tab-separated."""
    languages: Languages | None = None
    """Which languages are source and target in files that hold several, such as TMX; those of the experiment
    when not given."""
    columns: _Columns | None = None
    """The source's and the target's column of files with more than two, from 1, such as "1,2", or by the
    names in the first line, such as "english,german"; "1+3,2" or [[1, 3], 2]: a source of two columns, such
    as a word and its tags."""
    keys: Annotated[
        tuple[_Several[str], str], _source_and_target("english,german"), AfterValidator(_check_distinct)
    ] = (("source",), "target")
    """The source's and the target's key of JSON lines; a source may have several, as columns."""
    source_kind: SourceKind | Literal["auto"] = "auto"
    """What sources are: text, or names of sound or picture files; auto goes by the names that stand there."""
    target_kind: TargetKind | Literal["auto"] = "auto"
    """What targets are: text, or the names of picture files; auto goes by the names that stand there."""
    source_root: str | None = None
    """Where names of files count from; the directory of the file that names them when not given."""
    picture_size: Literal[32, 64] | None = None
    """The edge, in pixels, that pictures are brought to; chosen from the first ones when not given."""
    max_seconds: float = Field(30.0, gt=0)
    """Pairs of a longer sound are left out."""
    on_empty: Literal["error", "skip"] = "error"
    """What to do about a pair with a side that is empty, or of white space and invisible characters alone, or
    with a sound that is silent or cannot be read, or a picture that cannot be read."""
    max_length: int = Field(512, ge=1)
    """Pairs with more ids than this on a side are left out, of training and of validation."""
    drop_duplicates: bool = False
    """Whether exact repetitions of a pair are left out; they are counted in any case."""
    valid_share: float | None = Field(None, gt=0, lt=1)
    """The share of distinct sources to hold out when there is no validation file; chosen when not given."""
    split_by: Literal["chance", "count"] = "chance"
    """Whether each source is held out with the probability of that share, or, of few pairs, so many of them.
    Runs begin with count; what was begun before has chance."""
    split_seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0
    """Decides which sources are held out."""

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.train and self.corpora:
            raise ValueError("train and corpora both say what to train on: name all files in corpora")
        if self.tagged and not all(corpus.tag for corpus in self.corpora):
            without = next(corpus.name for corpus in self.corpora if not corpus.tag)
            raise ValueError(f"either all corpora have a tag or none has: {without} has none")
        if self.tagged and self.valid:
            raise ValueError("valid has no tag: with tags, each corpus names its own validation files")
        if self.tagged and self.mix:
            raise ValueError("mix has no tag: with tags, old pairs are corpora with mixed_in = true")
        if self.corpora and all(corpus.mixed_in for corpus in self.corpora):
            raise ValueError("all corpora are mixed in, so there are no new pairs to train on")
        return self

    @property
    def tagged(self) -> bool:
        """Whether sources have a tag as their first column."""
        return any(corpus.tag for corpus in self.corpora)

    @property
    def names_files(self) -> tuple[bool, bool]:
        """Whether sources, and whether targets, are names of files."""
        return self.source_kind not in ("text", "auto"), self.target_kind not in ("text", "auto")

    def for_file(self, file: CorpusFile) -> Self:
        """Returns these settings with the file's own languages, if it has some."""
        return self.model_copy(update={"languages": file.languages}) if file.languages else self

    @property
    def mixture(self) -> tuple[MixedCorpus, ...]:
        """The corpora to train on; data.train is one that is seen once in an epoch."""
        new = self.corpora or ((MixedCorpus(files=self.train),) if self.train else ())
        return (*new, MixedCorpus(files=self.mix, mixed_in=True)) if self.mix else new

    @property
    def mixed_in(self) -> tuple[bool, ...]:
        """Of each of `train_files`, whether its pairs are old ones that are mixed in."""
        return tuple(corpus.mixed_in for corpus in self.mixture for _ in corpus.files)

    @property
    def valid_mixed_in(self) -> tuple[bool, ...]:
        """The same of each of `valid_files`."""
        own = [corpus.mixed_in for corpus in self.corpora for _ in corpus.valid]
        return (*(False for _ in self.valid), *own)

    @property
    def held_out(self) -> tuple[bool, ...]:
        """Of each of `train_files`, whether pairs of it are held out, since its kind has no validation file.

        New pairs and old ones that are mixed in are each validated on some of their own.
        """
        return tuple(each not in self.valid_mixed_in for each in self.mixed_in)

    @property
    def train_files(self) -> tuple[CorpusFile, ...]:
        """All files to train on, in order."""
        return tuple(CorpusFile(file, corpus.name, corpus.tag, corpus.languages)
                     for corpus in self.mixture for file in corpus.files)  # fmt: skip

    @property
    def valid_files(self) -> tuple[CorpusFile, ...]:
        """All validation files, in order."""
        files = [CorpusFile(file, display_name(self.valid[0]), None) for file in self.valid]
        files += [CorpusFile(file, corpus.name, corpus.tag, corpus.languages)
                  for corpus in self.corpora for file in corpus.valid]  # fmt: skip
        return tuple(files)
