from __future__ import annotations

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlingua.data import duplicates
from interlingua.data.corpus import Corpus, CorpusReport, CorpusSettings, Pair, PairFile
from interlingua.data.duplicates import DuplicateFinder
from interlingua.data.inspection import are_swapped
from interlingua.data.split import split
from interlingua.errors import ConfigurationError, DataError, OutputError
from interlingua.text.normalise import is_blank

DEFAULTS = CorpusSettings()
SKIP = CorpusSettings(on_empty="skip")


def write(path: Path, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(
        gzip.compress(data) if path.suffix == ".gz" else lzma.compress(data) if path.suffix == ".xz" else data
    )
    return str(path)


def read(*files: PairFile, settings: CorpusSettings = DEFAULTS) -> list[tuple[str, str]]:
    return [tuple(pair) for pair in Corpus(files, settings)]


SIDE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), min_size=1).filter(
    lambda text: not is_blank(text) and not text.startswith("\ufeff")
)


def is_not_wide(pairs: list[tuple[str, str]]) -> bool:
    """Whether a file of them has too few NUL characters to be taken for UTF-16."""
    return sum(text.count("\0") for pair in pairs for text in pair) < 4


def test_names_of_files_count_from_the_file_that_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data" / "pairs.tsv", " a.png \tone\n/b/c.png\ttwo\nd/e.png\tthree\n")
    for source_root, where in ((None, "data"), ("other", "other"), ("/root", "/root")):
        kinds = CorpusSettings(source_kind="picture", target_kind="text", source_root=source_root)
        names = [f"{tmp_path / where}/a.png", "/b/c.png", f"{tmp_path / where}/d/e.png"]
        assert read("data/pairs.tsv", settings=kinds) == list(
            zip(names, ("one", "two", "three"), strict=True)
        )
    both = CorpusSettings(source_kind="text", target_kind="picture", columns=((2,), 1))
    assert read("data/pairs.tsv", settings=both)[0] == ("one", f"{tmp_path}/data/a.png")


class TestReading:
    @pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_every_form_of_file_gives_the_same_pairs(
        self, suffix: str, end: str, mark: str, tmp_path: Path
    ) -> None:
        pairs = [('a "b', "NA"), ("null", "x\u2028y\u0085z\v\f"), (" c ", "\ufeffd")]
        tsv = write(tmp_path / f"a.tsv{suffix}", mark + "".join(f"{s}\t{t}{end}" for s, t in pairs))
        unended = write(tmp_path / f"b.tsv{suffix}", mark + end.join(f"{s}\t{t}" for s, t in pairs))
        records = [json.dumps({"target": t, "source": s, "more": 1}) for s, t in pairs]
        jsonl = write(tmp_path / f"a.jsonl{suffix}", mark + "".join(record + end for record in records))
        source = write(tmp_path / f"a.en{suffix}", mark + "".join(f"{s}{end}" for s, _ in pairs))
        target = write(tmp_path / f"a.de{suffix}", mark + "".join(f"{t}{end}" for _, t in pairs))
        assert read(tsv) == read(unended) == read(jsonl) == read((source, target)) == pairs
        assert read(tsv, jsonl) == pairs * 2

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(pairs=st.lists(st.tuples(SIDE, SIDE), min_size=1).filter(is_not_wide))
    def test_any_text_without_tab_and_line_end_is_read_as_written(
        self, pairs: list[tuple[str, str]], tmp_path: Path
    ) -> None:
        path = write(tmp_path / "a.tsv", "".join(f"{s}\t{t}\n" for s, t in pairs))
        assert read(path) == pairs

    @pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
    def test_a_compressed_file_is_known_by_its_content(
        self, compress: Callable[[bytes], bytes], tmp_path: Path
    ) -> None:
        (tmp_path / "a.tsv").write_bytes(compress(b"a\tb\n"))
        (tmp_path / "A.TSV.GZ").write_bytes(compress(b"a\tb\n"))
        (tmp_path / "A.JSONL.XZ").write_bytes(compress(b'{"source": "a", "target": "b"}\n'))
        for path in tmp_path.iterdir():
            assert read(str(path)) == [("a", "b")]

    def test_joined_files_and_unlike_line_ends(self, tmp_path: Path) -> None:
        tsv = write(tmp_path / "a.tsv", "\ufeffa\tb\n\ufeffc\td\n")
        records = ['{"source": "a", "target": "b"}', '{"source": "c", "target": "d"}']
        jsonl = write(tmp_path / "A.JSONL", "".join(f"\ufeff{record}\n" for record in records))
        parallel = write(tmp_path / "a.en", "a\r\nc\r\n"), write(tmp_path / "a.de", "b\nd\n")
        assert read(tsv) == read(jsonl) == read(parallel) == [("a", "b"), ("c", "d")]

    def test_columns_and_keys_are_chosen(self, tmp_path: Path) -> None:
        tsv = write(tmp_path / "a.txt", "1\tone\teins\n2\ttwo\tzwei\tmore\n")
        jsonl = write(tmp_path / "a.data", '{"en": "one", "de": "eins"}\n{"en": "two", "de": "zwei"}\n')
        expected = [("eins", "one"), ("zwei", "two")]
        assert read(tsv, settings=CorpusSettings(columns=(3, 2))) == expected
        assert read(jsonl, settings=CorpusSettings(format="jsonl", keys=("de", "en"))) == expected

    def test_standard_input_can_be_read_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a\tb\nc\td\n")))
        corpus = Corpus(["-"], CorpusSettings())
        assert list(corpus) == list(corpus) == [("a", "b"), ("c", "d")]
        assert corpus.report().files == ["standard input"]

    def test_a_mistake_in_standard_input_is_placed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a\tb\nc\n")))
        with pytest.raises(DataError, match=r"^standard input:2: the line has no tab"):
            list(Corpus(["-"], CorpusSettings()))


MISTAKES: list[tuple[str, bytes, CorpusSettings, str]] = [
    ("a.tsv", b"a\tb\nc d\n", SKIP, r"a\.tsv:2: the line has no tab"),
    ("a.tsv", b"a\tb\nc\td\te\n", SKIP, r"a\.tsv:2: the line has 3 columns.*\n.*--columns"),
    ("a.tsv", b"a\tb\tc\nd\te\n", CorpusSettings(columns=(1, 3)), r"a\.tsv:2: the line has 2 columns"),
    ("a.tsv", b"a\tb\n\xff\tb\n", SKIP, r"a\.tsv:2: the line is not UTF-8"),
    ("a.tsv", b"a\tb\nc\t\n", CorpusSettings(), r"a\.tsv:2: the target is empty\n.*--on-empty skip"),
    ("a.tsv", b"a\tb\n \tb\n", CorpusSettings(), r"a\.tsv:2: the source is empty"),
    ("a.tsv", "a\tb\n\u200b \u2060\tb\n".encode(), CorpusSettings(), r"a\.tsv:2: the source is empty"),
    ("a.tsv", "a\tb\nc\t\ufeff\u200b\n".encode(), CorpusSettings(), r"a\.tsv:2: the target is empty"),
    ("a.tsv", b"a\tb\n\nc\td\n", CorpusSettings(), r"a\.tsv:2: the line is empty"),
    ("a.tsv", b"", SKIP, r"a\.tsv: there are no pairs"),
    ("a.tsv", b"\t\n", SKIP, r"a\.tsv: there are no pairs"),
    ("a.jsonl", b'{"source": "a"}\n', SKIP, r"a\.jsonl:1: the key 'target' is missing"),
    ("a.jsonl", b'{"source": "a", "target": 1}\n', SKIP, r"a\.jsonl:1: the value of 'target' is not a text"),
    ("a.jsonl", b'{"source": "\\ud800", "target": "b"}\n', SKIP, r"a\.jsonl:1: .*lone surrogate"),
    ("a.jsonl", b"[1]\n", SKIP, r"a\.jsonl:1: the line is not a JSON object"),
    ("a.jsonl", b"{'source'\n", SKIP, r"a\.jsonl:1: the line is not JSON"),
    ("a.jsonl", b"[" * 100_000 + b"\n", SKIP, r"a\.jsonl:1: the line is not JSON"),
    ("a.tsv", b"a\tb\nc\td\t\n", SKIP, r"a\.tsv:2: .*ends with a tab.*\n.*--columns 1,2"),
    ("a.jsonl", b'{"source": "a", "target": null}\n', CorpusSettings(), r"a\.jsonl:1: the target is empty"),
    ("a.jsonl", b'{"source": "a", "target": true}\n', SKIP, r"a\.jsonl:1: .*not a text but true or false"),
    ("a.jsonl", b'{"source": "a", "target": ["b"]}\n', SKIP, r"a\.jsonl:1: .*not a text but an array"),
    (
        "a.jsonl",
        b'{"source": "a", "target": "b", "source": "c"}\n',
        SKIP,
        r"a\.jsonl:1: .*'source' is there twice",
    ),
    ("a.jsonl", b'["a", "b"]\n', SKIP, r"a\.jsonl:1: .*not a JSON object.*\n.*jq -c '{source: "),
    ("a.jsonl", b'[{"source": "a"}]\n', SKIP, r"a\.jsonl:1: .*not a JSON object.*\n.*jq -c '\.\[\]'"),
    ("a.jsonl", b'{\n "source": "a",\n', SKIP, r"a\.jsonl:1: .*not JSON.*\n.*jq -c \."),
    ("a.jsonl", b'{"en": "a", "de": "b"}\n', SKIP, r"a\.jsonl:1: the key 'source'.*\n.*--keys en,de"),
    ("a.jsonl", b'{"translation": {"en": "a", "de": "b"}}\n', SKIP, r"a\.jsonl:1: .*\n.*jq -c \.translation"),
]

WORDS = "Ein Hund läuft.\tA dog runs.\nDie Tür klemmt.\tThe door sticks.\n"
CYRILLIC = "Собака бежит по дороге.\tA dog runs.\nДверь не открывается.\tThe door sticks.\n"
FOREIGN: list[tuple[str, bytes, str]] = [
    ("a.tsv", WORDS.encode("utf-16"), r"UTF-16, not UTF-8\n.*iconv -f UTF-16 -t UTF-8"),
    ("a.tsv", CYRILLIC.encode("utf-16-be"), r"UTF-16BE, .*\n.*iconv -f UTF-16BE -t UTF-8"),
    ("a.tsv", WORDS.encode("utf-16-le"), r"UTF-16LE, .*\n.*iconv -f UTF-16LE -t UTF-8"),
    ("a.tsv", CYRILLIC.encode("utf-16-le"), r"UTF-16LE, .*\n.*iconv -f UTF-16LE -t UTF-8"),
    ("a.tsv", WORDS.encode("utf-32"), r"UTF-32, not UTF-8\n.*iconv -f UTF-32 -t UTF-8"),
    ("a.tsv", CYRILLIC.encode("utf-32-be"), r"UTF-32BE, .*\n.*iconv -f UTF-32BE -t UTF-8"),
    ("a.tsv", WORDS.encode("latin1"), r"a\.tsv:1: .*not UTF-8.*\n.*iconv -f ISO-8859-1 -t UTF-8 a\.tsv"),
    ("a.tsv", f"\u201e{WORDS}".encode("cp1252"), r"a\.tsv:1: .*\n.*iconv -f windows-1252 -t UTF-8"),
    ("a.tsv", CYRILLIC.encode("cp1251"), r"a\.tsv:1: .*\n.*encoding cannot be told.*windows-1251"),
    ("a.tsv", WORDS.encode() * 3 + b"\xc3(\tx\n", r"a\.tsv:7: .*\n.*Other lines of the file are UTF-8"),
    ("a.tsv", WORDS.replace("\n", "\r").encode(), r"carriage return alone.*\n.*tr '\\r' '\\n' < a\.tsv"),
    ("a.tsv", b"src,tgt\na,b\nc,d\n", r"a\.tsv:1: .*looks like CSV \(commas"),
    ("a.txt", b'"a, b","c"\n"d","e ""f"""\n', r"a\.txt:1: .*looks like CSV \(commas.*\n.*a\.csv"),
    (
        "a.json",
        b'{"info": {}, "images": [{"id": 1}], "annotations": []}\n',
        r"a\.json:1: .*\(COCO\).*\n.*jq -r",
    ),
    ("a.txt", b'{"images": ["a.png"], "source": "a"}\n', r"a\.txt:1: .*looks like JSON lines"),
    ("a.tsv", b"a;b\nc;d\ne;f\n", r"a\.tsv:1: .*looks like CSV \(semicolons.*\n.*data\.format=csv"),
    ("a.tsv", b"a ||| b\n", r"a\.tsv:1: .*separated by \|\|\|"),
    (
        "a.dict",
        b"CAT  K AE T\nDOG  D AO G\n",
        r"a\.dict:1: .*two or more spaces .*\n.*sed 's/   \*/\\t/' a\.dict > a\.tsv",
    ),
    (
        "a.dict",
        b"cat k ae1 t\ndog d ao1 g\n",
        r"a\.dict:1: .*word and its sounds.*\n.*sed 's/ /\\t/' a\.dict > a\.tsv",
    ),
    (
        "a.dict",
        b";;; # A dictionary\n" * 60 + b";;;\n!MARK  M AA1 R K\nCAT  K AE1 T\n",
        r"a\.dict:1: .*comments and spaces.*\n.*sed '/\^;;;/d; s/   \*/\\t/' a\.dict > a\.tsv",
    ),
    (
        "a.dict",
        b"cat k ae1 t\naalborg ao1 l b ao0 r g # place, danish\n",
        r"a\.dict:1: .*comments and spaces.*\n.*sed 's/ \*#\.\*//; s/ /\\t/' a\.dict > a\.tsv",
    ),
    ("a.txt", b"The cat sat.\nDogs bark at us.\n", r"a\.txt:1: .*no tab \(found.*\n.*source, a tab, target"),
    ("a.txt", b'{"source": "a", "target": "b"}\n', r"a\.txt:1: .*JSON lines.*\n.*a\.jsonl"),
    ("a.json", b'[{"source": "a", "target": "b"}]', r"a\.json:1: .*JSON array.*\n.*jq -c '\.\[\]'"),
    ("a.json", b'[\n{"source": "a", "target": "b"}\n]', r"a\.json:1: .*JSON array.*\n.*jq -c '\.\[\]'"),
    ("a.json", b'{"audio": "a", "text": "b"}\n', r"a\.json:1: the key 'source' is missing"),
    ("e.toml", b"[data]\ntrain = 'a.tsv'\n", r"e\.toml:1: .*TOML.*\n.*interlingua train e\.toml"),
    ("a.tsv", b"<!DOCTYPE html>\n<html>\n", r"an HTML page"),
    ("a.xml", b"\xef\xbb\xbf<?xml version='1.0'?>\n<tmx version='1.4'>\n", r"TMX.*\n.*data\.format=tmx"),
    ("a.xml", b"<?xml version='1.0'?>\n<xliff version='1.2'>\n", r"XLIFF.*\n.*data\.format=xliff"),
    ("a.tsv", b"PAR1\x15\0", r"a Parquet file\n.*\.parquet"),
    ("a.tsv", b"%PDF-1.7\n%\xe2\xe3\n", r"a PDF document"),
    ("a.tsv", b"\x89PNG\r\n\x1a\n\0\0", r"a picture \(PNG\)"),
    ("a.tsv", b"PK\x03\x04\x14\0\x06\0[Content_Types].xml xl/workbook.xml", r"an Excel workbook"),
    ("a.tsv", b"PK\x03\x04\x14\0\x06\0a.tsv", r"a zip archive\n.*unzip a\.tsv"),
    ("a.tsv", gzip.compress(b"\x28\xb5\x2f\xfd\0\0", mtime=0), r"compressed twice \(zstd\)"),
    ("a.tsv", gzip.compress(gzip.compress(b"a\tb\n", mtime=0), mtime=0), r"compressed twice"),
    (
        "a.tgz",
        gzip.compress(b"a.tsv".ljust(257, b"\0") + b"ustar\0", mtime=0),
        r"a tar archive.*\n.*tar -xf a\.tgz",
    ),
]


class TestMistakes:
    @pytest.mark.parametrize(("name", "content", "settings", "message"), MISTAKES)
    def test_the_file_and_line_are_named(
        self, name: str, content: bytes, settings: CorpusSettings, message: str, tmp_path: Path
    ) -> None:
        path = write(tmp_path / name, content)
        with pytest.raises(DataError, match=message):
            Corpus([path], settings).report()

    @pytest.mark.parametrize(("name", "content", "message"), FOREIGN)
    def test_a_file_of_another_form_is_called_by_its_name(
        self, name: str, content: bytes, message: str, tmp_path: Path
    ) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            Corpus([str(tmp_path / name)], SKIP).report()

    def test_other_forms_are_seen_in_parallel_files_as_well(self, tmp_path: Path) -> None:
        source = write(tmp_path / "a.en", "one\ntwo\n")
        for name, content, message in FOREIGN:
            if not message.startswith((r"a\.", r"e\.")):
                (tmp_path / name).write_bytes(content)
                with pytest.raises(DataError, match=message):
                    Corpus([(source, str(tmp_path / name))], SKIP).report()

    def test_blank_lines_at_the_end_of_one_parallel_file(self, tmp_path: Path) -> None:
        files = write(tmp_path / "a.en", "one\ntwo\n\n\n"), write(tmp_path / "a.de", "eins\r\nzwei\r\n")
        with pytest.raises(DataError, match=r"a\.de:2: .*unequal.*\n.*blank lines at its end"):
            Corpus([files], SKIP).report()

    def test_markup_in_pairs_is_text(self, tmp_path: Path) -> None:
        pairs = [("<html>", "<HTML>"), ("a", "b")]
        assert read(write(tmp_path / "a.tsv", "".join(f"{s}\t{t}\n" for s, t in pairs))) == pairs

    @pytest.mark.skipif(os.name != "posix", reason="needs pipes")
    def test_a_pipe_that_is_read_again_is_called_so(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"a\tb\n")
        os.close(writing)
        corpus = Corpus([f"/dev/fd/{reading}"], SKIP)
        assert corpus.report().kept == 1
        with pytest.raises(DataError, match="a pipe, which can be read only once"):
            list(corpus)
        os.close(reading)

    def test_no_room_for_temporary_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def write_nothing(finder: DuplicateFinder) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(DuplicateFinder, "_flush", write_nothing)
        with pytest.raises(
            OutputError, match=r"temporary files cannot be written.*No space left.*\n.*TMPDIR"
        ):
            Corpus([write(tmp_path / "a.tsv", "a\tb\n")], SKIP).report()

    @pytest.mark.parametrize("when", ["between", "during"])
    def test_a_file_that_changes_is_an_error(self, when: str, tmp_path: Path) -> None:
        path = tmp_path / "a.tsv"
        path.write_text("a\tb\n" * 500_000)
        corpus = Corpus([str(path)], SKIP)
        if when == "between":
            corpus.digest()
            path.write_text("a\tc\n" * 500_000)
            reading = iter(corpus)
        else:
            reading = iter(corpus)
            next(reading)
            path.write_text("a\tb\n" * 300_000 + "half a line")
        with pytest.raises(DataError, match=r"a\.tsv: the file changed while it was read"):
            list(reading)

    @pytest.mark.parametrize(("lines", "named"), [((1, 3), r"a\.en:1"), ((3, 2), r"a\.de:2")])
    def test_parallel_files_of_unequal_length(
        self, lines: tuple[int, int], named: str, tmp_path: Path
    ) -> None:
        files = write(tmp_path / "a.en", "x\n" * lines[0]), write(tmp_path / "a.de", "y\n" * lines[1])
        with pytest.raises(DataError, match=rf"{named}: the two files have unequal numbers of lines"):
            Corpus([files], SKIP).report()

    @pytest.mark.parametrize("suffix", [".gz", ".xz"])
    def test_a_damaged_compressed_file(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"a.tsv{suffix}"
        write(path, "a\tb\n" * 1000)
        path.write_bytes(path.read_bytes()[:-15])
        with pytest.raises(DataError, match="the compressed file is damaged"):
            Corpus([str(path)], SKIP).report()
        path.write_bytes(b"a\tb\n")
        with pytest.raises(DataError, match="the compressed file is damaged"):
            Corpus([str(path)], SKIP).report()

    def test_a_missing_file_and_a_directory(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none.tsv", tmp_path):
            with pytest.raises(DataError, match="cannot be read"):
                Corpus([str(path)], SKIP).report()
            with pytest.raises(DataError, match="cannot be read"):
                Corpus([str(path)], SKIP).digest()

    def test_no_file(self) -> None:
        with pytest.raises(DataError, match="no file"):
            Corpus([], SKIP)

    def test_settings_are_checked(self) -> None:
        with pytest.raises(ConfigurationError, match="columns"):
            CorpusSettings.parse({"columns": [0, 1]})
        assert CorpusSettings.parse({"train": "a.tsv"}).train == ("a.tsv",)
        assert CorpusSettings.parse({"train": ["a", ["b.en", "b.de"]]}).train == ("a", ("b.en", "b.de"))


class TestHoldingOutFew:
    @pytest.mark.parametrize(
        ("pairs", "held_out"), [(2, 1), (3, 1), (12, 6), (60, 10), (200, 10), (1_000, 50)]
    )
    def test_so_many_are_held_out(self, pairs: int, held_out: int, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "".join(f"w{i}\tx{i}\nw{i}\ty{i}\n" for i in range(pairs)))
        settings = CorpusSettings(split_by="count", valid_share=held_out / pairs)
        for seed in range(3):
            rest, valid = split(Corpus([path], settings.model_copy(update={"split_seed": seed})))
            assert len(list(valid)) == 2 * held_out  # both pairs of a source
            assert not {pair.source for pair in rest} & {pair.source for pair in valid}
            assert len(list(rest)) == 2 * (pairs - held_out)

    def test_they_are_those_that_chance_takes_first(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "".join(f"w{i}\tx{i}\n" for i in range(300)))
        by_chance = CorpusSettings(valid_share=0.1)
        counted = by_chance.model_copy(update={"split_by": "count"})
        one, other = (set(split(Corpus([path], each))[1]) for each in (by_chance, counted))
        assert one <= other or other <= one


class TestListsOfSounds:
    """What other recognisers' lists become by the command that the message gives."""

    def converted(self, directory: Path, name: str) -> list[str]:
        with pytest.raises(DataError) as refused:
            list(Corpus([str(directory / name)], DEFAULTS))
        command, _, made = str(refused.value.accepted).partition(": ")[2].rpartition(" > ")
        subprocess.run(["bash", "-c", f"{command} > {made}"], cwd=directory, check=True)
        return (directory / made).read_text().splitlines()

    def test_librispeech(self, tmp_path: Path) -> None:
        write(tmp_path / "84-1.trans.txt", "84-1-0000 GO DO YOU HEAR\n84-1-0001 YES\n")
        write(tmp_path / "84-1-0000.flac", b"fLaC")
        pairs = ["84-1-0000.flac\tGO DO YOU HEAR", "84-1-0001.flac\tYES"]
        assert self.converted(tmp_path, "84-1.trans.txt") == pairs

    @pytest.mark.parametrize("name", ["wav.scp", "text"])
    def test_kaldi(self, name: str, tmp_path: Path) -> None:
        write(tmp_path / "wav.scp", "a-1 sounds/1.wav\na-2 sounds/2.wav\n")
        write(tmp_path / "text", "a-1 GO DO YOU HEAR\na-2 YES\n")
        assert self.converted(tmp_path, name) == ["sounds/1.wav\tGO DO YOU HEAR", "sounds/2.wav\tYES"]

    def test_commands_of_kaldi(self, tmp_path: Path) -> None:
        path = write(tmp_path / "wav.scp", "a-1 sph2pipe -f wav 1.sph |\n")
        with pytest.raises(DataError, match=r"wav\.scp:1: .*commands stand where the names of sounds"):
            list(Corpus([path], DEFAULTS))


class TestReport:
    def test_everything_left_out_is_counted(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "a\tb\n\t\nc\td\na\tb\n\n\u3000\tx\na\tb\nb\ta\n")
        corpus = Corpus([path], SKIP)
        report = corpus.report()
        assert (report.read, report.kept, report.duplicates) == (8, 5, 2)
        assert report.left_out == {"a side is empty": 3}
        assert len(list(corpus)) == report.kept
        assert "8 pairs read, 5 used" in str(report)
        assert f"left out: 3 (a side is empty): {path}:2, {path}:5, {path}:6\n" in str(report)
        assert "exact duplicates: 2 (used)" in str(report)
        assert json.loads(json.dumps(report.as_dict()))["kept"] == 5

    def test_of_many_that_are_left_out_the_first_are_named(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "a\tb\n" + "\t\n" * 30)
        report = Corpus([path], SKIP).report()
        named = ", ".join(f"{path}:{line}" for line in range(2, 7))
        assert f"left out: 30 (a side is empty): {named}, …\n" in f"{report}\n"
        other = CorpusReport.of(json.loads(json.dumps(report.as_dict()))).renamed(["b: 1.tsv"])
        assert "(a side is empty): b: 1.tsv:2, b: 1.tsv:3," in str(other)

    def test_duplicates_are_dropped_on_request(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "a\tb\n\t\nc\td\na\tb\nb\ta\nc\td\n")
        corpus = Corpus([path], CorpusSettings(on_empty="skip", drop_duplicates=True))
        assert list(corpus) == [("a", "b"), ("c", "d"), ("b", "a")]
        assert corpus.report().left_out == {"a side is empty": 1, "exact duplicate": 2}
        assert corpus.report().kept == 3

    def test_the_digest_is_of_the_content_alone(self, tmp_path: Path) -> None:
        first, second = write(tmp_path / "a", "a\tb\n"), write(tmp_path / "b", "a\tb\n")
        third = write(tmp_path / "c", "a\tc\n")
        digests = [Corpus([path], SKIP).digest() for path in (first, second, third)]
        assert digests[0] == digests[1] != digests[2]
        assert Corpus([first, third], SKIP).digest() != Corpus([third, first], SKIP).digest()

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(pairs=st.lists(st.tuples(st.text("ab", max_size=2), st.text("ab", max_size=2))))
    def test_duplicates_are_those_of_a_set(
        self, pairs: Sequence[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(duplicates, "HASHES_SORTED_AT_ONCE", 5)  # several parts
        monkeypatch.setattr(duplicates, "HASHES_WRITTEN_AT_ONCE", 3)
        seen: set[tuple[str, str]] = set()
        expected = []
        with DuplicateFinder() as finder:
            for pair in pairs:
                finder.add(*pair)
                expected.append(pair in seen)
                seen.add(pair)
            mask = np.unpackbits(finder.mask(), count=len(pairs))
        assert mask.astype(bool).tolist() == expected


class TestInspection:
    """What is often a mistake, and what only looks like one."""

    def account(self, directory: Path, content: str, **settings: Any) -> str:
        return str(Corpus([write(directory / "a.tsv", content)], CorpusSettings.parse(settings)).report())

    @pytest.mark.parametrize(
        "header",
        ["source\ttarget", "en\tde", "English\tGerman", '"Source text"\t"Target text"', "pt-BR\ten_US"],
    )
    def test_a_header_is_seen_in_every_file(self, header: str, tmp_path: Path) -> None:
        files = [write(tmp_path / f"{i}.tsv", f"{header}\na\tb\nc\td\n") for i in range(2)]
        files.insert(1, write(tmp_path / "none.tsv", "a\tb\nEnglish\tGerman\n"))
        account = str(Corpus(files, DEFAULTS).report())
        assert account.count("looks like a header") == 2
        assert "none.tsv begins" not in account

    @pytest.mark.parametrize("first", ["house\tHaus", "the\tdie", "1 2\t2 1", "to be\tsein", "en\ten"])
    def test_an_ordinary_pair_is_no_header(self, first: str, tmp_path: Path) -> None:
        assert "header" not in self.account(tmp_path, f"{first}\na\tb\n")

    @pytest.mark.parametrize(
        ("equal", "said"),
        [(0, ""), (2, "equal in 2% of the pairs"), (60, "warning: source and target are equal")],
    )
    def test_equal_sides(self, equal: int, said: str, tmp_path: Path) -> None:
        lines = [f"a{i}\ta{i}\n" for i in range(equal)] + [f"a{i}\tb{i}\n" for i in range(equal, 100)]
        account = self.account(tmp_path, "".join(lines))
        assert said in account
        assert ("are equal" in account) == bool(equal)

    @pytest.mark.parametrize(
        ("side", "said"), [("...", True), ("\u200b\u200d", True), ("+", False), ("č", False)]
    )
    def test_sides_that_only_look_full(self, side: str, said: bool, tmp_path: Path) -> None:
        account = self.account(tmp_path, f"a\t{side}\nb\tc\nd\te\n")
        assert ("pairs with a side of nothing but punctuation or invisible characters: 1" in account) == said

    def test_a_code_of_punctuation_is_no_mistake(self, tmp_path: Path) -> None:
        assert "warning" not in self.account(tmp_path, "sos\t... --- ...\nee\t. .\n")

    def test_quotes_of_a_spreadsheet(self, tmp_path: Path) -> None:
        assert "stands in" in self.account(tmp_path, '"a"\t"b"\n"c"\t"d"\n"e"\t"f"\n')
        assert "stands in" not in self.account(tmp_path, '"a"\t"b"\n"c" d\te\n"e"\t"f"\n')

    def test_one_target_for_all(self, tmp_path: Path) -> None:
        assert "all targets are the same" in self.account(tmp_path, "a\tx\nb\tx\nc\tx\n")
        assert "all targets" not in self.account(tmp_path, "a\tx\nb\tx\nc\ty\n")
        assert "all targets" not in self.account(tmp_path, "a\tx\n")

    def test_marks_and_nul_characters(self, tmp_path: Path) -> None:
        account = self.account(tmp_path, "a\t\ufeffb\nc\td\0e\nf\tg\n")
        assert "byte order mark at the beginning (files joined together?): 1" in account
        assert "NUL characters: 1" in account

    def test_variants_of_a_dictionary_of_sounds(self, tmp_path: Path) -> None:
        words = "cat\tK\ncat(2)\tA\ndog\tD\ndog(2)\tO\ndog(3)\tG\n"
        account = self.account(tmp_path, words)
        assert "a number in brackets (WORD(2)): 3; the" in account
        assert r"sed 's/([0-9]*)\t/\t/' a.tsv > words.tsv" in account
        assert "brackets" not in self.account(tmp_path, words.replace("(", " (").replace("dog\t", "hog\t"))

    def test_nothing_is_said_of_ordinary_pairs(self, tmp_path: Path) -> None:
        account = self.account(tmp_path, "a\tb\nc!\td\n¿e?\tf\n")
        assert len(account.splitlines()) == 1

    def test_swapped_columns(self) -> None:
        pairs = [(f"the cat {i} sleeps", f"die Katze {i} schläft") for i in range(50)]
        swapped = [(target, source) for source, target in pairs]
        assert are_swapped(pairs, swapped[:9])
        assert not are_swapped(pairs, pairs[:9])
        spelt = [("hund", "hʊnt"), ("katze", "kaʦə"), ("maus", "maʊs"), ("vogel", "foːɡəl"), ("huhn", "huːn")]
        seen = [("tausend", "taʊzənt"), ("magen", "maːɡən"), ("hose", "hoːzə"), ("faul", "faʊl")]
        unseen = [(target, source) for source, target in spelt]
        assert are_swapped(spelt + seen, unseen)
        assert not are_swapped(spelt + seen, seen)
        copies = [("a b c", "c b a"), ("b c d", "d c b")]
        assert not are_swapped(copies, [("c d", "d c")])


class TestSplit:
    def corpus(self, directory: Path, pairs: int, **settings: float) -> Corpus:
        content = "".join(f"source {i % (pairs // 2)}\ttarget {i}\n" for i in range(pairs))
        return Corpus([write(directory / "a.tsv", content)], CorpusSettings.parse(settings))

    def test_sources_are_on_one_side_and_nothing_is_lost(self, tmp_path: Path) -> None:
        corpus = self.corpus(tmp_path, 2000, valid_share=0.2)
        train, valid = map(list, split(corpus))
        assert sorted(train + valid) == sorted(corpus)
        assert not {pair.source for pair in train} & {pair.source for pair in valid}
        assert 250 < len(valid) < 550
        assert list(split(corpus)[1]) == valid

    def test_the_seed_decides(self, tmp_path: Path) -> None:
        first, second = (set(split(self.corpus(tmp_path, 200, split_seed=seed))[1]) for seed in (1, 2))
        assert first != second

    def test_two_spellings_of_one_source_stay_together(self, tmp_path: Path) -> None:
        lines = [f"{form}{i}\tx\n" for i in range(100) for form in ("é", "e\u0301")]
        corpus = Corpus([write(tmp_path / "a", "".join(lines))], CorpusSettings(valid_share=0.5))
        for part in split(corpus):
            sources = [pair.source for pair in part]
            assert len({source[0] for source in sources}) == 2
            assert len({source.replace("e\u0301", "é") for source in sources}) * 2 == len(sources)

    def test_pictures_with_several_captions_are_on_one_side(self, tmp_path: Path) -> None:
        settings = CorpusSettings(valid_share=0.3, columns=((2,), 1), target_kind="picture")
        lines = [f"a/{i // 5}.png\tcaption {i % 7} {i}\n" for i in range(500)]
        train, valid = map(list, split(Corpus([write(tmp_path / "a.tsv", "".join(lines))], settings)))
        assert len(train) + len(valid) == 500
        assert 50 < len(valid) < 250
        assert not {pair.target for pair in train} & {pair.target for pair in valid}
        (tmp_path / "b").mkdir()  # where it lies does not matter
        again = split(Corpus([write(tmp_path / "b" / "a.tsv", "".join(lines))], settings))[1]
        assert [pair.source for pair in again] == [pair.source for pair in valid]
        alone = "".join(f"a/{i}.png\tcaption {i % 50}\n" for i in range(500))
        train, valid = map(list, split(Corpus([write(tmp_path / "c.tsv", alone)], settings)))
        assert not {pair.source for pair in train} & {pair.source for pair in valid}
        one = Corpus([write(tmp_path / "d.tsv", "".join(f"a.png\t{i}\n" for i in range(30)))], settings)
        with pytest.raises(DataError, match=r"too few pictures.*found: '30 pairs with 1 distinct picture'"):
            split(one)

    def test_too_few_sources(self, tmp_path: Path) -> None:
        corpus = Corpus([write(tmp_path / "a", "a\tb\n" * 30)], CorpusSettings())
        with pytest.raises(DataError, match=r"too few sources.*found: '30 pairs with 1 distinct source'"):
            split(corpus)


def test_a_pair_names_its_sides() -> None:
    assert Pair("a", "b")._fields == ("source", "target")
