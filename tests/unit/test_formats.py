"""Files of pairs as translators and data sets have them: one account of what is read, and of what is not."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import random
import shutil
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlingua.cli.choices import is_experiment
from interlingua.data.corpus import Corpus, CorpusReport, CorpusSettings, PairFile
from interlingua.data.preparation import prepare
from interlingua.data.reading import read_lines
from interlingua.errors import ConfigurationError, DataError
from interlingua.text.normalise import is_blank
from interlingua.text.tokenizer import TokenizerSettings

Pairs = Sequence[tuple[str, str]]
EN_DE = CorpusSettings(languages=("en", "de"))
DEFAULTS = CorpusSettings()
ANY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def read(*files: PairFile | Path, settings: CorpusSettings = DEFAULTS) -> list[tuple[str, str]]:
    names: list[PairFile] = [str(file) if isinstance(file, Path) else file for file in files]
    return [tuple(pair) for pair in Corpus(names, settings)]


def report(*files: Path, settings: CorpusSettings = DEFAULTS) -> CorpusReport:
    return Corpus([str(file) for file in files], settings).report()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tmx(units: str, source: str = "en", header: str = "") -> str:
    return (
        f'<?xml version="1.0"?>\n{header}<tmx version="1.4"><header srclang="{source}"/>\n<body>'
        f"{units}</body></tmx>"
    )


def unit(*texts: tuple[str, str]) -> str:
    return "<tu>" + "".join(f'<tuv xml:lang="{code}"><seg>{t}</seg></tuv>' for code, t in texts) + "</tu>\n"


def xliff(units: str, source: str = "en", target: str = "de", more: str = "") -> str:
    return (
        f'<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"{more}>'
        f'<file source-language="{source}" target-language="{target}"><body>{units}</body></file></xliff>'
    )


def xliff2(units: str) -> str:
    return (
        '<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="de">'
        f'<file id="f">{units}</file></xliff>'
    )


def po_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: de\\n"\n\n'


def zip_of(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def as_tsv(pairs: Pairs, path: Path) -> Path:
    return write(path / "a.tsv", "".join(f"{s}\t{t}\n" for s, t in pairs))


def as_jsonl(pairs: Pairs, path: Path) -> Path:
    return write(path / "a.jsonl", "".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in pairs))


def as_tmx(pairs: Pairs, path: Path) -> Path:
    return write(
        path / "a.tmx", tmx("".join(unit(("en-US", escape(s)), ("de", escape(t))) for s, t in pairs))
    )


def as_wide_tmx(pairs: Pairs, path: Path) -> Path:
    text = tmx("".join(unit(("de", escape(t)), ("EN", escape(s))) for s, t in pairs), "EN")
    return write(path / "wide.tmx", text.encode("utf-16"))


def as_xliff(pairs: Pairs, path: Path) -> Path:
    units = (
        f"<trans-unit id='1'><source>{escape(s)}</source><target>{escape(t)}</target></trans-unit>"
        for s, t in pairs
    )
    return write(path / "a.xlf", xliff("".join(units)))


def as_xliff2(pairs: Pairs, path: Path) -> Path:
    segments = (
        f"<segment><source>{escape(s)}</source><target>{escape(t)}</target></segment>" for s, t in pairs
    )
    return write(path / "b.xliff", xliff2(f"<unit id='1'>{''.join(segments)}</unit>"))


def as_po(pairs: Pairs, path: Path) -> Path:
    entries = (f"msgid {po_text(s)}\nmsgstr {po_text(t)}\n\n" for s, t in pairs)
    return write(path / "a.po", HEADER + "".join(entries))


def as_csv(pairs: Pairs, path: Path) -> Path:
    rows = io.StringIO(newline="")
    csv.writer(rows, quoting=csv.QUOTE_ALL).writerows(pairs)
    return write(path / "a.csv", rows.getvalue())


def as_zip(pairs: Pairs, path: Path) -> Path:
    members: dict[str, str | bytes] = {"README": "About", "LICENSE": "CC0", "Talks.en-de.xml": "<x/>"}
    for side, code in enumerate(("en", "de")):
        members[f"Talks.en-de.{code}"] = "".join(f"{pair[side]}\n" for pair in pairs)
    return zip_of(path / "en-de.txt.zip", members)


def as_parquet(pairs: Pairs, path: Path) -> Path:
    columns = {"source": [s for s, _ in pairs], "target": [t for _, t in pairs]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path / "a.parquet", row_group_size=2)
    return path / "a.parquet"


def as_translation(pairs: Pairs, path: Path) -> Path:
    """As the library datasets saves it."""
    directory = path / "saved"
    directory.mkdir(exist_ok=True)
    table = pyarrow.table({"id": [*range(len(pairs))], "translation": [{"en": s, "de": t} for s, t in pairs]})
    with pyarrow.ipc.new_stream(str(directory / "data-00000-of-00001.arrow"), table.schema) as stream:
        stream.write_table(table, 2)
    write(directory / "state.json", json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    write(directory / "dataset_info.json", "{}")
    return directory


WRITERS: list[Callable[[Pairs, Path], Path]] = [
    as_tsv, as_jsonl, as_tmx, as_wide_tmx, as_xliff, as_xliff2, as_po, as_csv, as_zip, as_parquet,
    as_translation,
]  # fmt: skip
SIDE = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff", codec="utf-8"),
    min_size=1,
).filter(lambda text: not is_blank(text))


class TestEveryFormat:
    @settings(deadline=None, suppress_health_check=ANY, max_examples=60)
    @given(pairs=st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=5))
    def test_the_same_pairs_are_read_of_all(self, pairs: list[tuple[str, str]], tmp_path: Path) -> None:
        for write_as in WRITERS:
            assert read(write_as(pairs, tmp_path)) == pairs, write_as

    def test_mixed_in_one_corpus(self, tmp_path: Path) -> None:
        pairs = [("One dog.", "Ein Hund."), ("Two dogs.", "Zwei Hunde.")]
        files = [write_as(pairs, tmp_path) for write_as in WRITERS]
        assert read(*files, settings=EN_DE) == pairs * len(WRITERS)

    @pytest.mark.parametrize("write_as", WRITERS)
    def test_prepared_data_is_the_same(self, write_as: Callable[[Pairs, Path], Path], tmp_path: Path) -> None:
        pairs = [(f"The dog number {i} runs.", f"Der Hund Nummer {i} läuft.") for i in range(40)]
        plain = prepare_file(as_tsv(pairs, tmp_path), tmp_path)
        other = prepare_file(write_as(pairs, tmp_path), tmp_path)
        assert [plain.train.source_text(i) for i in range(len(plain.train))] == [
            other.train.source_text(i) for i in range(len(other.train))
        ]
        assert (plain.train.source(3) == other.train.source(3)).all()
        assert len(plain.valid) == len(other.valid)

    @pytest.mark.parametrize(
        ("suffix", "compress"),
        [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress), ("zst", zstandard.compress)],
    )
    def test_compressed(self, suffix: str, compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
        pairs = [(f"One dog {i}.", f"Ein Hund {i}.") for i in range(1000)]
        for write_as in (as_tsv, as_jsonl, as_tmx, as_wide_tmx, as_xliff, as_po, as_csv):
            plain = write_as(pairs, tmp_path)
            packed = write(tmp_path / f"{plain.name}.{suffix}", compress(plain.read_bytes()))
            assert read(packed) == pairs
            packed.write_bytes(packed.read_bytes()[:-40])
            with pytest.raises(DataError, match="damaged"):
                read(packed)

    def test_inside_of_an_archive(self, tmp_path: Path) -> None:
        pairs = [("One dog.", "Ein Hund."), ("Two dogs.", "Zwei Hunde.")]
        for write_as in (as_tsv, as_jsonl, as_tmx, as_wide_tmx, as_xliff, as_po, as_csv):
            plain = write_as(pairs, tmp_path)
            packed = {f"data/{plain.name}.gz": gzip.compress(plain.read_bytes()), "README.txt": "about"}
            assert read(zip_of(tmp_path / "a.zip", packed)) == pairs

    @pytest.mark.parametrize("write_as", WRITERS)
    def test_damage_is_an_error_or_harmless(
        self, write_as: Callable[[Pairs, Path], Path], tmp_path: Path
    ) -> None:
        chance = random.Random(1)
        pairs = [(f"One dog {i}.", f"Ein Hund {i}.") for i in range(30)]
        path = write_as(pairs, tmp_path)
        file = path / "data-00000-of-00001.arrow" if path.is_dir() else path
        whole = file.read_bytes()
        for attempt in range(60):
            damaged = bytearray(whole)
            if attempt % 3 == 0:
                del damaged[chance.randrange(len(damaged)) :]
            for _ in range(attempt % 4):
                if damaged:
                    damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            file.write_bytes(damaged)
            try:
                report(path, settings=CorpusSettings(on_empty="skip"))
            except DataError as error:
                found = str(error)
                assert str(path) in found

    def test_a_file_that_changes_is_an_error(self, tmp_path: Path) -> None:
        for write_as in (as_zip, as_parquet, as_translation, as_tmx):
            path = write_as([("One dog.", "Ein Hund.")] * 10, tmp_path)
            corpus = Corpus([str(path)], DEFAULTS)
            corpus.report()
            corpus.digest()
            write_as([("Two dogs.", "Zwei Hunde.")] * 5, tmp_path)
            with pytest.raises(DataError, match="changed while it was read"):
                list(corpus)

    def test_line_ends_in_texts_become_spaces_and_are_counted(self, tmp_path: Path) -> None:
        pairs = [("One\ndog.", "Ein\n  Hund."), ("\n Two\tdogs.\n", "Zwei Hunde.\r\n")]
        clean = [("One dog.", "Ein Hund."), ("Two dogs.", "Zwei Hunde.")]
        for write_as in (as_tmx, as_xliff, as_po, as_csv, as_parquet, as_translation):
            path = write_as(pairs, tmp_path)
            assert read(path) == clean
            assert "texts of several lines: 2 " in str(report(path))


def prepare_file(path: Path, cache: Path) -> Any:
    return prepare(
        CorpusSettings(train=(str(path),)),
        TokenizerSettings(source="characters", target="words"),
        cache / "c",
    )


class TestTmx:
    def test_languages_choose_the_direction(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tmx", tmx(unit(("en-US", "one"), ("de-AT", "eins"), ("fr", "un"))))
        assert read(path, settings=EN_DE) == [("one", "eins")]
        assert read(path, settings=CorpusSettings(languages=("fr", "en"))) == [("un", "one")]
        with pytest.raises(
            DataError, match=r"not clear.*found: 'en-US \(1\), de-AT \(1\), fr \(1\)'.*\n.*--lang"
        ):
            read(path)
        with pytest.raises(DataError, match=r"no text in it .*en-US \(1\)"):
            read(path, settings=CorpusSettings(languages=("en", "it")))
        with pytest.raises(DataError, match="the same language"):
            read(path, settings=CorpusSettings(languages=("en", "EN")))

    def test_the_header_says_the_source_of_two(self, tmp_path: Path) -> None:
        units = unit(("de-DE", "eins"), ("en-GB", "one")) + unit(("en-US", "two"), ("de", "zwei"))
        for header, expected in (("en", ("one", "eins")), ("DE_de", ("eins", "one"))):
            path = write(tmp_path / "a.tmx", tmx(units, header))
            assert read(path)[0] == expected
            assert "as the file says" in str(report(path))
        for header in ("*all*", "fr"):
            with pytest.raises(DataError, match="not clear which language is the source"):
                read(write(tmp_path / "a.tmx", tmx(units, header)))

    def test_a_third_language_later_on_is_an_error_with_counts(self, tmp_path: Path) -> None:
        units = unit(("en", "one"), ("de", "eins")) * 2 + unit(("en", "one"), ("fr", "un")) * 3
        with pytest.raises(DataError, match=r"found: 'en \(5\), fr \(3\), de \(2\)'"):
            read(write(tmp_path / "a.tmx", tmx(units)))

    def test_countries_are_told_apart_where_only_they_differ(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tmx", tmx(unit(("pt-BR", "ônibus"), ("pt-PT", "autocarro")), "pt-PT"))
        assert read(path) == [("autocarro", "ônibus")]
        assert read(path, settings=CorpusSettings(languages=("pt-BR", "pt"))) == [("ônibus", "autocarro")]

    def test_what_lacks_a_side_is_counted(self, tmp_path: Path) -> None:
        units = unit(("en", "one"), ("de", "eins")) + unit(("en", "two")) + unit(("de", "drei")) + "<tu/>"
        units += (
            unit(("en", "four"), ("de", " ")) + unit(("en", "<ph/>"), ("de", "vier")) + unit(("fr", "un"))
        )
        path = write(tmp_path / "a.tmx", tmx(units))
        found = report(path, settings=EN_DE)
        assert (found.read, found.kept) == (7, 1)
        assert found.left_out == {
            "a side is empty": 2, "units without de": 1, "units without en": 1, "units in other languages": 1,
            "units without a text (<seg>)": 1,
        }  # fmt: skip
        assert "left out: 1 (units without de)" in str(found)

    def test_units_whose_texts_are_not_in_seg_are_told_so(self, tmp_path: Path) -> None:
        units = '<tu><tuv xml:lang="en">one</tuv><tuv xml:lang="de">eins</tuv></tu>'
        path = write(tmp_path / "a.tmx", tmx(units + unit(("en", "one"), ("de", "eins"))))
        for languages in (DEFAULTS, EN_DE):
            assert report(path, settings=languages).left_out["units without a text (<seg>)"] == 1

    @pytest.mark.parametrize(("content", "message"), [
        (tmx(unit(("en", "a"), ("de", "ü"))).encode("latin-1"), r":3: .*another encoding.*\n.*ISO-8859-1"),
        (tmx(unit(("en", "a"), ("de", "\x1f"))), r":3: .*U\+001F.*\n.*take it out"),
        (tmx(unit(("en", "a"), ("de", "&#x1F;"))), r":3: .*character number.*\n.*take them out"),
        (tmx(unit(("en", "a"), ("de", "b & c"))), r":3: .*invalid token: b.*b & c.*\n.*stray"),
        (tmx(unit(("en", "a"), ("de", "&nbsp;"))), r":3: .*undefined entity.*\n.*&#160;"),
        (tmx("") * 2, r":3: .*\n.*joined together"),
        ("\n" + tmx(""), r":2: .*\n.*before <\?xml"),
        (tmx("<tuv/></tu>"), r":3: .*mismatched tag.*\n.*not the one open"),
        (tmx("").replace('"?>', '" encoding="UTF-16"?>', 1), r":1: .*\n.*correct the name"),
        (tmx("").encode("utf-32"), r"text in UTF-32.*\n.*iconv -f UTF-32"),
        ('{"a": "b"}', r":1: .*\n.*no XML"),
        ("", r":1: .*\n.*is empty"),
    ])  # fmt: skip
    def test_what_is_wrong_with_the_xml_is_said(
        self, content: str | bytes, message: str, tmp_path: Path
    ) -> None:
        with pytest.raises(DataError, match=message):
            report(write(tmp_path / "a.tmx", content))

    def test_codes_of_two_and_of_three_letters_are_one_language(self, tmp_path: Path) -> None:
        units = unit(("EN", "one"), ("zh_CN", "一")) + unit(("eng-GB", "two"), ("chi", "二"))
        path = write(tmp_path / "a.tmx", tmx(units + unit(("zho-TW", "三"), ("en-US", "three")), "eng"))
        for languages in (None, ("en", "zh"), ("eng", "zho")):
            found = read(path, settings=CorpusSettings(languages=languages))
            assert found == [("one", "一"), ("two", "二"), ("three", "三")]
        assert read(path, settings=CorpusSettings(languages=("eng-GB", "chi"))) == [("two", "二")]
        path = write(tmp_path / "b.tmx", tmx(unit(("fre-FR", "un"), ("iw", "אחת")), "fr"))
        assert read(path, settings=CorpusSettings(languages=("fra", "he"))) == [("un", "אחת")]
        with pytest.raises(DataError, match="the same language"):
            read(path, settings=CorpusSettings(languages=("en", "eng")))

    def test_several_texts_of_a_language_are_pairs_of_their_own(self, tmp_path: Path) -> None:
        units = unit(("en", "bus"), ("de", "Bus"), ("de-AT", "Autobus"))
        assert read(write(tmp_path / "a.tmx", tmx(units))) == [("bus", "Bus"), ("bus", "Autobus")]

    def test_old_versions_and_namespaces(self, tmp_path: Path) -> None:
        units = "<tu><tuv lang='EN'><seg>one</seg></tuv><tuv lang='DE'><seg>eins</seg></tuv></tu>"
        doctype = '<!DOCTYPE tmx SYSTEM "tmx11.dtd">\n'
        assert read(write(tmp_path / "a.tmx", tmx(units, header=doctype))) == [("one", "eins")]
        spaced = tmx(unit(("en", "one"), ("de", "eins"))).replace(
            "<tmx ", "<tmx xmlns='http://www.lisa.org/tmx14' "
        )
        assert read(write(tmp_path / "a.tmx", spaced)) == [("one", "eins")]

    @pytest.mark.parametrize(
        ("segment", "text"),
        [
            ('Press <bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept> now.', "Press OK now."),
            ('un<bpt i="1">&lt;b&gt;</bpt>believ<ept i="1">&lt;/b&gt;</ept>able', "unbelievable"),
            ("line one<ph>&lt;br/&gt;</ph>line two", "line one line two"),
            ("Hello<ph>{name}</ph>, you", "Hello, you"),
            ("a <ph>{0}</ph> b", "a b"),
            ("a\u00a0<it pos='begin'>x</it> b", "a\u00a0b"),
            ("<ph>x</ph> begins", "begins"),
            ("ends <ut>x</ut>", "ends"),
            ("a <hi type='b'>bold <hi>word</hi></hi> here", "a bold word here"),
            ("foot<ph>&lt;fn&gt;<sub>the note <hi>deep</hi></sub>&lt;/fn&gt;</ph>.", "foot."),
            ("a  b", "a  b"),
            ("<![CDATA[a < b]]> &amp; c<!-- no -->", "a < b & c"),
        ],
    )
    def test_codes_go_and_texts_stay(self, segment: str, text: str, tmp_path: Path) -> None:
        assert read(write(tmp_path / "a.tmx", tmx(unit(("en", segment), ("de", "x"))))) == [(text, "x")]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                tmx("&nbsp;", header='<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'),
                r"a\.tmx:4: .*not declared.*&nbsp;",
            ),
            (
                tmx("&a;", header='<!DOCTYPE tmx [<!ENTITY a "b">]>\n'),
                r"a\.tmx:2: .*declares an entity.*ENTITY a",
            ),
            (
                tmx("&a;", header='<!DOCTYPE tmx [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n'),
                r"a\.tmx:2: .*declares an entity",
            ),
            (tmx("<tu><tuv></tu>"), r"a\.tmx:3: .*not well-formed.*mismatched tag"),
            (tmx("\x08"), r"a\.tmx:3: .*invalid token.*\n.*control character"),
            (tmx(unit(("en", "a"), ("de", "b")))[:-20], r"a\.tmx:3: .*end of the file.*\n.*complete"),
            ("", r"a\.tmx:1: .*end of the file"),
            ("a\tb\n", r"a\.tmx:1: the XML is not well-formed"),
            (xliff(""), r"a\.tmx:1: the document is no TMX .*xliff"),
            ('<?xml version="1.0" encoding="klingon"?><tmx/>', r"a\.tmx:1: .*encoding"),
            (tmx(""), r"a\.tmx: there are no pairs"),
            (tmx(unit(("en", "a"))), r"a\.tmx: no unit has texts in two languages .*en \(1\)"),
            (
                tmx(unit(("en", "a"), ("de", " "))),
                r"a\.tmx: there are no pairs .*1 left out: a side is empty",
            ),
        ],
    )
    def test_mistakes_are_placed(self, content: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=message):
            report(write(tmp_path / "a.tmx", content))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
    def test_encodings(self, encoding: str, tmp_path: Path) -> None:
        said = {"utf-8-sig": "UTF-8"}.get(encoding, encoding)
        text = tmx(unit(("en", "one"), ("de", "fünf"))).replace('1.0"', f'1.0" encoding="{said}"')
        assert read(write(tmp_path / "a.tmx", text.encode(encoding))) == [("one", "fünf")]

    def test_memory_is_flat(self, tmp_path: Path) -> None:
        def peak(units: int) -> int:
            path = tmp_path / f"{units}.tmx"
            with path.open("w") as file:
                file.write('<tmx version="1.4"><header srclang="en"/><body>')
                for i in range(units):
                    file.write(
                        unit(("en", f"The dog number {i} runs."), ("de", f"Der Hund Nummer {i} läuft."))
                    )
                file.write("</body></tmx>")
            tracemalloc.start()
            assert sum(1 for _ in Corpus([str(path)], DEFAULTS)) == units
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

        assert peak(100_000) < peak(5_000) + 1_000_000

    def test_what_has_no_end_is_not_held(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("interlingua.data.formats.xml_stream.MAX_TOKEN", 1 << 18)
        monkeypatch.setattr("interlingua.data.formats.inline_codes.MAX_CHARACTERS", 1 << 18)
        for segment, message in (("<!--" + "x" * (1 << 20), "has no end"), ("x" * (1 << 20), "longer than")):
            with pytest.raises(DataError, match=message):
                read(write(tmp_path / "a.tmx", tmx(unit(("en", segment), ("de", "x")))))


class TestXliff:
    def test_what_is_translated_counts(self, tmp_path: Path) -> None:
        def trans_unit(target: str, more: str = "") -> str:
            return f"<trans-unit id='1' {more}><source>one</source>{target}</trans-unit>"

        units = trans_unit("<target>eins</target>") + trans_unit("<target state='translated'>zwei</target>")
        units += trans_unit("<target state='final'>drei</target>", "approved='yes'")
        units += trans_unit("") + trans_unit("<target/>") + trans_unit("<target state='new'>neu</target>")
        units += trans_unit("<target state='needs-review-translation'>fuzzy</target>")
        units += f"<group translate='no'>{trans_unit('<target>x</target>')}</group>"
        units += trans_unit(
            "<target>vier</target><alt-trans><source>two</source><target>2</target></alt-trans>"
        )
        path = write(tmp_path / "a.xliff", xliff(units))
        assert [target for _, target in read(path)] == ["eins", "zwei", "drei", "vier"]
        assert report(path).left_out == {
            "a side is empty": 0, "not translated yet": 2, "not translated yet, by its state: new": 1,
            "not translated yet, by its state: needs-review-translation": 1, "not to be translated": 1,
        }  # fmt: skip

    def test_codes(self, tmp_path: Path) -> None:
        source = "Press <g id='1'>the <x id='2'/> key</g><bx id='3'/>!<ex id='3'/> a<x id='4'/>b"
        target = "<bpt id='1'>&lt;b></bpt>Taste<ept id='1'>&lt;/b></ept> <ph id='2'>{0}</ph> "
        target += "<mrk mtype='x'>jetzt</mrk>"
        units = f"<trans-unit id='1'><source>{source}</source><target>{target}</target></trans-unit>"
        assert read(write(tmp_path / "a.xlf", xliff(units))) == [("Press the key! a b", "Taste jetzt")]
        two = "<unit id='u'><segment><source>a<pc id='1'>b</pc> <ph id='2'/> c<sc id='3'/></source>"
        two += "<target><mrk id='m'>d</mrk></target></segment></unit>"
        assert read(write(tmp_path / "a.xlf", xliff2(two))) == [("ab c", "d")]

    def test_a_segment_may_be_marked_piece_by_piece(self, tmp_path: Path) -> None:
        def marked(*words: str) -> str:
            first, rest = (f'<mrk mtype="seg" mid="1">{word}</mrk>' for word in words)
            return f'<g id="1">{first}</g>{rest}<mrk mtype="seg" mid="2">{words[0]}!</mrk>'

        unit = f"<source>-</source><seg-source>{marked('a', ' b')}</seg-source>"
        content = xliff(f"<trans-unit id='1'>{unit}<target>{marked('x', ' y')}</target></trans-unit>")
        assert read(write(tmp_path / "a.xlf", content)) == [("a b", "x y"), ("a!", "x!")]

    def test_namespaces_of_their_own(self, tmp_path: Path) -> None:
        body = "<trans-unit id='1'><source>one</source><target>eins</target></trans-unit>"
        other = '<o:x xmlns:o="urn:other"><trans-unit><source>two</source></trans-unit></o:x>'
        content = (
            '<xliff xmlns="http://example.org/xliff-1.2"><file source-language="en" target-language="de">'
            f"<body>{other}{body}</body></file></xliff>"
        )
        assert read(write(tmp_path / "a.xlf", content)) == [("one", "eins")]

    def test_phrase(self, tmp_path: Path) -> None:
        units = "".join(
            f"<trans-unit id='{n}' {said}><source>{n}</source><target>x</target></trans-unit>"
            for n, said in enumerate(('m:confirmed="0"', 'm:confirmed="1"', ""))
        )
        content = xliff(f'<group xmlns:m="http://www.memsource.com/mxlf/2.0">{units}</group>')
        path = write(tmp_path / "a.mxliff", content)
        assert read(path) == [("1", "x"), ("2", "x")]
        assert report(path).left_out["not translated yet, by its state: not confirmed"] == 1

    def test_version_2(self, tmp_path: Path) -> None:
        units = """<unit id="1"><notes><note>no</note></notes>
            <mtc:matches xmlns:mtc="urn:oasis:names:tc:xliff:matches:2.0"><mtc:match><source>x</source>
            <target>y</target></mtc:match></mtc:matches>
            <segment state="final"><source>one</source><target>eins</target></segment>
            <ignorable><source> </source><target> </target></ignorable>
            <segment state="initial"><source>two</source><target>two</target></segment>
            <segment><source>three</source></segment>
            <segment><source>four</source><target>vier</target></segment></unit>
            <unit id="2" translate="no"><segment><source>X</source><target>X</target></segment></unit>"""
        path = write(tmp_path / "a.xlf", xliff2(units))
        assert read(path) == [("one", "eins"), ("four", "vier")]
        assert report(path).read == 5

    def test_trados(self, tmp_path: Path) -> None:
        units = """<trans-unit id="1"><source>One. Two. Three. Four.</source>
            <seg-source><g id="9"><mrk mtype="seg" mid="1">One.</mrk> <mrk mtype="seg" mid="2">Two.</mrk></g>
            <mrk mtype="seg" mid="3">Three.</mrk> <mrk mtype="seg" mid="4">Four.</mrk></seg-source>
            <target><g id="9"><mrk mtype="seg" mid="1">Ein<mrk mtype="x-sdl-deleted">en</mrk>s.</mrk>
            <mrk mtype="seg" mid="2">Zwo.</mrk></g> <mrk mtype="seg" mid="3"/></target>
            <sdl:seg-defs><sdl:seg id="1" conf="Translated"><sdl:value key="k">v</sdl:value></sdl:seg>
            <sdl:seg id="2" conf="Draft"/><sdl:seg id="3"/></sdl:seg-defs></trans-unit>
            <trans-unit id="2" translate="no"><source>code</source></trans-unit>"""
        path = write(
            tmp_path / "a.sdlxliff",
            xliff(units, "en-US", "de-DE", ' xmlns:sdl="http://sdl.com/FileTypes/SdlXliff/1.0"'),
        )
        assert read(path) == [("One.", "Eins.")]
        assert report(path).left_out == {
            "a side is empty": 0, "not translated yet, by its state: Draft": 1, "not translated yet": 2,
            "not to be translated": 1,
        }  # fmt: skip

    def test_memoq(self, tmp_path: Path) -> None:
        units = "".join(
            f"<trans-unit mq:status='{status}'><source>a</source><target>{status}</target></trans-unit>"
            for status in ("ManuallyConfirmed", "NotStarted", "Proofread", "Pretranslated")
        )
        path = write(tmp_path / "a.mqxliff", xliff(units, more=' xmlns:mq="MQXliff"'))
        assert [target for _, target in read(path)] == ["ManuallyConfirmed", "Proofread"]

    def test_languages_may_be_exchanged_but_not_others(self, tmp_path: Path) -> None:
        path = as_xliff([("one", "eins")], tmp_path)
        assert read(path, settings=EN_DE) == [("one", "eins")]
        assert read(path, settings=CorpusSettings(languages=("de", "en"))) == [("eins", "one")]
        with pytest.raises(DataError, match=r"nothing from fr to de .*en → de \(1\)"):
            read(path, settings=CorpusSettings(languages=("fr", "de")))
        two = as_xliff([("one", "eins")], tmp_path).read_text()
        both = two.replace("</xliff>", two[two.index("<file") :].replace('"de"', '"fr"'))
        path = write(tmp_path / "both.xlf", both)
        assert report(path, settings=EN_DE).left_out == {
            "a side is empty": 0,
            "segments in other languages": 1,
        }
        with pytest.raises(DataError, match="in several languages"):
            read(path)

    @pytest.mark.parametrize("of_file", ["", 'source-language="en-US"'])
    def test_texts_say_their_languages_where_the_file_does_not(self, of_file: str, tmp_path: Path) -> None:
        source, target = '<source xml:lang="en-US">one</source>', '<target xml:lang="fr">un</target>'
        units = "<trans-unit><source>none</source></trans-unit>"
        units += f"<trans-unit>{source}{target}</trans-unit>"
        text = xliff(units).replace('source-language="en" target-language="de"', of_file)
        path = write(tmp_path / "a.xlf", text)
        assert read(path) == read(path, settings=CorpusSettings(languages=("en", "fr"))) == [("one", "un")]
        assert read(path, settings=CorpusSettings(languages=("fra", "eng"))) == [("un", "one")]
        with pytest.raises(DataError, match=r"no pairs .*1 left out: segments in other languages"):
            report(path, settings=EN_DE)
        other = text.replace("</body>", units.replace('"fr"', '"it"') + "</body>")
        with pytest.raises(DataError, match="in several languages"):
            read(write(tmp_path / "b.xlf", other))
        two = xliff2(
            '<unit id="1"><segment><source>one</source><target xml:lang="fr">un</target></segment></unit>'
        )
        path = write(tmp_path / "c.xlf", two.replace(' trgLang="de"', ""))
        assert read(path, settings=CorpusSettings(languages=("fr", "en"))) == [("un", "one")]

    def test_mistakes(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"a\.xlf:2: the document is no XLIFF"):
            read(write(tmp_path / "a.xlf", tmx("")))
        with pytest.raises(DataError, match=r"a\.xlf:1: .*not well-formed"):
            read(write(tmp_path / "a.xlf", xliff("<trans-unit>")))


class TestGettext:
    def test_entries(self, tmp_path: Path) -> None:
        catalogue = (
            HEADER
            + r"""# a comment
#: file.c:1
#, c-format
msgctxt "menu"
msgid "Open "
"file"
msgstr "Datei "
"öffnen"

#, fuzzy
#| msgid "Old"
msgid "New"
msgstr "Alt"
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"
msgstr[2] ""

msgid "Quoted \"x\"\tand\\n"
msgstr "\303\266 \x41"

msgid "None"
msgstr ""

#, fuzzy
#~ msgid "Gone"
#~ msgstr "Weg"

msgid "Last"
msgstr "Letzte"
"""
        )
        path = write(tmp_path / "a.po", catalogue)
        assert read(path) == [
            ("Open file", "Datei öffnen"), ("%d file", "%d Datei"), ("%d files", "%d Dateien"),
            ('Quoted "x" and\\n', "ö A"), ("Last", "Letzte"),
        ]  # fmt: skip
        assert report(path).left_out == {
            "a side is empty": 0,
            "fuzzy": 1,
            "not translated yet": 2,
            "obsolete": 1,
        }

    def test_the_header_decides_encoding_and_direction(self, tmp_path: Path) -> None:
        text = HEADER.replace("UTF-8", "ISO-8859-1") + 'msgid "five"\nmsgstr "fünf"\n'
        path = write(tmp_path / "a.po", text.encode("latin-1"))
        assert read(path) == read(path, settings=EN_DE) == [("five", "fünf")]
        assert read(path, settings=CorpusSettings(languages=("de", "en"))) == [("fünf", "five")]
        with pytest.raises(DataError, match=r"not asked for.*Language: de"):
            read(path, settings=CorpusSettings(languages=("en", "fr")))
        with pytest.raises(DataError, match=r"a\.po:7: the line is not UTF-8, as the header says"):
            read(write(tmp_path / "a.po", text.replace("ISO-8859-1", "UTF-8").encode("latin-1")))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('msgid "a"\nmsgstr "b\n', r"a\.po:2: the line is not of the gettext format"),
            ('"a"\n', r"a\.po:1: the line is not of"),
            ('msgid "a"\n', r"a\.po:1: the entry has no msgstr"),
            ('msgid "b"\nmsgstr "c"\n\nmsgstr "b"\n', r"a\.po:4: the entry has no msgid"),
            (HEADER + 'msgid "a"\nmsgstr ""\n', r"no pairs .*1 left out: not translated yet"),
            (HEADER.replace("UTF-8", "KLINGON"), "encoding is not known"),
            (b'msgid "a"\nmsgstr "\xfc"\n', r"a\.po:2: the line is not UTF-8 \(.*\n.*iconv -f ISO-8859-1"),
            (HEADER.replace("UTF-8", "UTF-16"), r"a\.po:1: .*as the header says.*\n.*the charset"),
            ("a\tb\n", r"a\.po:1: the line is not of"),
        ],
    )
    def test_mistakes_are_placed(self, content: str | bytes, message: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=message):
            report(write(tmp_path / "a.po", content))

    def test_the_header_may_have_a_code_of_three_letters(self, tmp_path: Path) -> None:
        text = HEADER.replace("Language: de", "Language: ger_AT") + 'msgid "one"\nmsgstr "eins"\n'
        path = write(tmp_path / "a.po", text)
        assert read(path, settings=EN_DE) == [("one", "eins")]
        assert read(path, settings=CorpusSettings(languages=("deu", "en"))) == [("eins", "one")]

    @pytest.mark.parametrize("language", ["sr@latin", "sr_RS@latin", "sr_RS"])
    def test_a_modifier_is_of_the_language(self, language: str, tmp_path: Path) -> None:
        text = HEADER.replace("UTF-8\\n", f"UTF-8\\nLanguage: {language}\\n") + 'msgid "a"\nmsgstr "b"\n'
        assert f"Language: {language}" in text
        path = write(tmp_path / "a.po", text)
        assert read(path, settings=CorpusSettings(languages=("en", "sr"))) == [("a", "b")]
        assert read(path, settings=CorpusSettings(languages=("sr", "en"))) == [("b", "a")]


class TestTables:
    def test_columns_by_name(self, tmp_path: Path) -> None:
        named = CorpusSettings.parse({"columns": "english,german"})
        table = write(tmp_path / "a.csv", 'id;German; English \n1;"Ja; ""klar""";Yes\n2;NA;null\n')
        assert read(table, settings=named) == [("Yes", 'Ja; "klar"'), ("null", "NA")]
        assert "semicolons are between the columns" in str(report(table, settings=named))
        tabs = write(tmp_path / "a.tsv", "german\tenglish\nJa\tYes\n")
        assert read(tabs, settings=named) == [("Yes", "Ja")]
        assert read(table, tabs, settings=named)[-1] == ("Yes", "Ja")
        several = CorpusSettings.parse({"columns": "id+english,german"})
        assert read(table, settings=several)[0] == ("1\tYes", 'Ja; "klar"')
        for path in (table, tabs):
            with pytest.raises(
                DataError, match=r"a\.[ct]sv:1: the column 'engl' is not there\n.*English|english"
            ):
                read(path, settings=CorpusSettings.parse({"columns": "engl,german"}))
        with pytest.raises(DataError, match=r"'german' is there several times.*columns 1 and 2"):
            read(write(tmp_path / "b.csv", "german,german,english\n"), settings=named)

    def test_a_delimiter_is_told_from_punctuation_in_few_rows(self, tmp_path: Path) -> None:
        for content in ("Yes, sure;Ja, klar\nNo, no;Nein, nein\n", '"Yes, sure","Ja, klar"\nNo,Nein\n'):
            assert read(write(tmp_path / "a.csv", content))[0] == ("Yes, sure", "Ja, klar")
        semicolons = write(tmp_path / "b.csv", 'Yes; sure,"Ja klar"\nNo; no,Nein\n')
        assert read(semicolons) == [("Yes; sure", "Ja klar"), ("No; no", "Nein")]

    def test_between_vertical_bars_nothing_is_quoted(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", 'LJ1|"Well," he said, 3; 4|Well he said\nLJ2|No, no|No\n')
        chosen = CorpusSettings(columns=((1,), 2))
        assert read(path, settings=chosen) == [("LJ1", '"Well," he said, 3; 4'), ("LJ2", "No, no")]
        assert "vertical bars are between the columns" in str(report(path, settings=chosen))

    def test_bars_are_told_from_commas_in_texts(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", 'LJ1|YES, "said"\nLJ2|No, "he" said\n')
        assert read(path) == [("LJ1", 'YES, "said"'), ("LJ2", 'No, "he" said')]
        with pytest.raises(DataError, match=r"a\.txt:1: .*looks like CSV \(vertical bars.*\n.*a\.csv"):
            read(write(tmp_path / "a.txt", "one|two\nthree|four\nfive|six\n"))

    def test_a_directory_says_what_is_in_it(self, tmp_path: Path) -> None:
        for names, meant in (((), "Parquet"), (("z.tsv", "metadata.csv"), "metadata.csv")):
            for name in names:
                write(tmp_path / "set" / name, "a\tb\n")
            (tmp_path / "set").mkdir(exist_ok=True)
            with pytest.raises(DataError, match=rf"a directory'\)\n.*{meant}"):
                list(read_lines(tmp_path / "set"))

    def test_spaces_before_quotes_are_no_part_of_cells(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", '"one", "eins, eine"\n"two", "zwei"\n')
        assert read(path) == [("one", "eins, eine"), ("two", "zwei")]

    def test_a_header_that_is_used_is_told(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", "english,german\nYes,Ja\n")
        assert "looks like a header, which is used as a pair; to leave it out, choose columns by" in str(
            report(path)
        )

    def test_columns_by_number(self, tmp_path: Path) -> None:
        table = write(tmp_path / "a.csv", '1,one,"eins, eine"\n2,two,zwei\n')
        assert read(table, settings=CorpusSettings(columns=((3,), 2))) == [
            ("eins, eine", "one"),
            ("zwei", "two"),
        ]
        with pytest.raises(DataError, match=r"a\.csv:1: the row has 3 cells.*\n.*--columns"):
            read(table)

    def test_a_delimiter_is_told_from_what_stands_in_cells(self, tmp_path: Path) -> None:
        rows = [f'{n},"der ""Hund""\t{n}","the ""dog"" {n}"' for n in range(5)]
        table = write(tmp_path / "a.csv", "\n".join(["id,gloss,en", *rows]) + "\n")
        with pytest.raises(DataError, match=r"a\.csv:1: the row has 3 cells .*\n.*--columns 1,2"):
            read(table)
        settings = CorpusSettings(columns=("gloss", "en"))
        assert read(table, settings=settings)[0] == ('der "Hund" 0', 'the "dog" 0')

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_the_delimiter_is_found(self, delimiter: str, tmp_path: Path) -> None:
        pairs = [("Yes, sure; fine", "Ja, klar; gut"), ("No", "Nein"), ("Well, no", "Also, nein")] * 40
        rows = io.StringIO(newline="")
        csv.writer(rows, delimiter=delimiter).writerows(pairs)
        path = write(tmp_path / "a.csv", rows.getvalue())
        assert read(path) == pairs
        announced = write(tmp_path / "b.csv", f"sep={delimiter}\r\n{rows.getvalue()}")
        assert read(announced) == pairs

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('a,b\n"c\nd",e\nf\n', r"a\.csv:4: the row has one cell"),
            ('a,b\n"c,d\ne,f\n', r"a\.csv:2: the row is not as CSV has it.*end of data"),
            ('a,b\n"c"x,d\n', r"a\.csv:2: the row is not as CSV has it"),
            ("a,b\nc\rd,e\n", r"a\.csv:2: .*new-line.*\n.*line end in it"),
            ("a:b\nc:d\n", r"a\.csv:1: the row has one cell.*\n.*Commas, semicolons, tabs or vertical bars"),
            ("a,b\nc,\n", r"a\.csv:2: the target is empty"),
            ("a,b\n\nc,d\n", r"a\.csv:2: the line is empty"),
            ('a,b\n"' + "c" * 200_000 + '",d\n', r"a\.csv:2: .*field limit"),
            ("", r"a\.csv: there are no pairs"),
        ],
    )
    def test_mistakes_are_placed(self, content: str, message: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=message):
            report(write(tmp_path / "a.csv", content))

    def test_names_and_numbers_are_not_mixed_and_kept(self) -> None:
        with pytest.raises(ConfigurationError, match=r"columns.*all numbers"):
            CorpusSettings.parse({"columns": "1,german"})
        for columns in ("1,2", "1+3,2", "a,b", [["a+b"], "c"], [["a", "b,c"], "d"]):
            parsed = CorpusSettings.parse({"columns": columns})
            assert CorpusSettings.parse(parsed.model_dump(mode="json", exclude_none=True)) == parsed


class TestArchives:
    def test_languages_choose_the_files(self, tmp_path: Path) -> None:
        path = as_zip([("one", "eins")], tmp_path)
        assert read(path, settings=CorpusSettings(languages=("de", "en"))) == [("eins", "one")]
        assert "Talks.en-de.en + Talks.en-de.de" in str(report(path))
        with pytest.raises(DataError, match=r"no parallel files .*en \(1\), de \(1\).*\n.*--languages"):
            read(path, settings=CorpusSettings(languages=("fr", "en")))
        unnamed = zip_of(tmp_path / "a.zip", {"x/train.de_DE": "eins\n", "x/train.en_GB": "one\n"})
        assert read(unnamed, settings=EN_DE) == [("one", "eins")]
        with pytest.raises(DataError, match="not clear which file is the source"):
            read(unnamed)

    def test_codes_of_three_letters_choose_the_files(self, tmp_path: Path) -> None:
        path = zip_of(tmp_path / "a.zip", {"T.eng-deu.eng": "one\n", "T.eng-deu.deu": "eins\n"})
        assert read(path) == read(path, settings=EN_DE) == [("one", "eins")]

    def test_codes_with_countries_say_the_direction(self, tmp_path: Path) -> None:
        for code in ("pt-BR", "pt_br", "zh-Hans-CN"):
            path = zip_of(tmp_path / "a.zip", {f"T.en-{code}.en": "one\n", f"T.en-{code}.{code}": "um\n"})
            assert read(path) == [("one", "um")]
            path = zip_of(tmp_path / "b.zip", {f"T.{code}-en.en": "one\n", f"T.{code}-en.{code}": "um\n"})
            assert read(path) == [("um", "one")]

    @pytest.mark.parametrize("roles", [("src", "trg"), ("src", "tgt"), ("source", "target")])
    def test_suffixes_may_say_source_and_target(self, roles: tuple[str, str], tmp_path: Path) -> None:
        source, target = roles
        members = {
            f"my-data/train.{target}": "eins\n",
            f"my-data/train.{source}": "one\n",
            "my-data/train.id": "1\n",
        }
        path = zip_of(tmp_path / "a.zip", dict(members))
        assert read(path) == read(path, settings=EN_DE) == [("one", "eins")]
        said = zip_of(
            tmp_path / "b.zip", {name.replace("my-data", "eng-deu"): text for name, text in members.items()}
        )
        assert read(said, settings=EN_DE) == [("one", "eins")]
        assert read(said, settings=CorpusSettings(languages=("de", "en"))) == [("eins", "one")]

    @pytest.mark.parametrize("suffix", ["", ".txt"])
    def test_a_package_of_argos_says_its_direction(self, suffix: str, tmp_path: Path) -> None:
        members = {f"data-en_de/source{suffix}": "one\ntwo\n", f"data-en_de/target{suffix}": "eins\nzwei\n"}
        about = {"data-en_de/metadata.json": '{"from_code": "en", "to_code": "de"}', "data-en_de/README": "x"}
        path = zip_of(tmp_path / "a.argosdata", {**about, **members})
        assert read(path) == read(path, settings=EN_DE) == [("one", "eins"), ("two", "zwei")]
        assert read(path, settings=CorpusSettings(languages=("de", "en")))[0] == ("eins", "one")
        with pytest.raises(DataError, match=r"no parallel files .*en and de.*\n.*--languages en de"):
            read(path, settings=CorpusSettings(languages=("fr", "en")))
        for without in ({}, {"data-en_de/metadata.json": "[]"}):
            unsaid = zip_of(tmp_path / "b.zip", {**without, **members})
            assert read(unsaid, settings=EN_DE)[0] == ("one", "eins")

    def test_unequal_files(self, tmp_path: Path) -> None:
        path = zip_of(tmp_path / "a.zip", {"T.en-de.en": "a\nb\nc\n", "T.en-de.de": "a\nb\n"})
        with pytest.raises(DataError, match=r"unequal numbers .*3 lines in T\.en-de\.en, 2 in T\.en-de\.de"):
            report(path)

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"a.tsv": "a\tb\n", "b.tmx": tmx("")}, r"several files of pairs .*a\.tsv, b\.tmx"),
            (
                {"A.en-de.en": "a\n", "A.en-de.de": "b\n", "B.en-de.en": "a\n", "B.en-de.de": "b\n"},
                "several files",
            ),
            ({"README": "x", "a.png": "x"}, r"no file of pairs in it .*a\.png"),
            ({}, "no file of pairs"),
            ({"a.tsv": "a\tb\nc\n"}, r"a\.zip \(a\.tsv\):2: the line has no tab"),
            ({"../../a.tsv": b"\xff\tb\n"}, r"\(\.\./\.\./a\.tsv\):1: the line is not UTF-8"),
            ({"a.parquet": "PAR1"}, "cannot be read inside of an archive"),
        ],
    )
    def test_mistakes(self, members: dict[str, str | bytes], message: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=message):
            report(zip_of(tmp_path / "a.zip", members), settings=CorpusSettings(on_empty="skip"))
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]

    def test_an_archive_made_to_burst_is_not_held(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("interlingua.data.reading.MAX_LINE_BYTES", 1 << 20)
        path = zip_of(tmp_path / "a.zip", {"a.tsv": b"\0" * (1 << 26)})
        tracemalloc.start()
        with pytest.raises(DataError, match="longer than 1 MiB"):
            report(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
        tracemalloc.stop()

    def test_damaged_and_encrypted_ones(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"a\.zip: the zip archive is damaged"):
            read(write(tmp_path / "a.zip", b"PK\x03\x04 and no more"))
        path = zip_of(tmp_path / "a.zip", {"a.tsv": "a\tb\n"})
        whole = bytearray(path.read_bytes())
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            whole[whole.index(mark) + offset] |= 1
        with pytest.raises(DataError, match=r"cannot be read .*encrypted"):
            read(write(path, bytes(whole)))


class TestDatasets:
    def test_languages_choose_among_columns_called_so(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        for more in ({}, {"id": ["x"]}):
            pyarrow.parquet.write_table(pyarrow.table({"en": ["one"], "de_DE": ["eins"], **more}), path)
            assert read(path, settings=EN_DE) == [("one", "eins")]
            assert read(path, settings=CorpusSettings(languages=("de", "en"))) == [("eins", "one")]

    def test_columns_and_languages(self, tmp_path: Path) -> None:
        table = pyarrow.table(
            {"id": [1, 2], "English": ["one", "two"], "de": ["eins", None], "n": ["a", "b"]}
        )
        path = tmp_path / "a.parquet"
        pyarrow.parquet.write_table(table, path)
        skip = CorpusSettings.parse({"columns": "english,de", "on_empty": "skip"})
        assert read(path, settings=skip) == [("one", "eins")]
        assert report(path, settings=skip).left_out == {"a side is empty": 1}
        with pytest.raises(DataError, match=r"a\.parquet, row 2: the target is empty"):
            read(path, settings=CorpusSettings.parse({"columns": "2,3"}))
        with pytest.raises(DataError, match="'id' holds no texts but int64"):
            read(path, settings=CorpusSettings.parse({"columns": "id,de"}))
        with pytest.raises(DataError, match=r"'fr' is not there\n.*English"):
            read(path, settings=CorpusSettings.parse({"columns": "English,fr"}))
        with pytest.raises(DataError, match=r"not clear which columns .*id, English, de"):
            read(path)
        saved = as_translation([("one", "eins")], tmp_path)
        assert read(saved, settings=CorpusSettings(languages=("de", "en"))) == [("eins", "one")]
        assert read(saved, settings=CorpusSettings.parse({"columns": "de,en"})) == [("eins", "one")]
        with pytest.raises(DataError, match=r"not clear which texts .*en, de"):
            read(saved, settings=CorpusSettings(languages=("en", "fr")))

    def test_directories(self, tmp_path: Path) -> None:
        for number in range(3):
            pairs = [(f"one {number}", f"eins {number}")]
            as_parquet(pairs, tmp_path).rename(tmp_path / f"train-{number:05}-of-00003.parquet")
        assert [source for source, _ in read(tmp_path)] == ["one 0", "one 1", "one 2"]
        whole = Corpus([str(tmp_path)], DEFAULTS).digest()
        (tmp_path / "train-00001-of-00003.parquet").unlink()
        with pytest.raises(DataError, match=r"is missing .*number 1 of 3"):
            read(tmp_path)
        as_parquet([("one", "eins")], tmp_path).rename(tmp_path / "test-00000-of-00001.parquet")
        with pytest.raises(DataError, match=r"several splits .*train \(2\), test \(1\)"):
            read(tmp_path)
        assert len(whole) == 32

    def test_saved_directories(self, tmp_path: Path) -> None:
        saved = as_translation([("one", "eins")], tmp_path)
        both = tmp_path / "both"
        both.mkdir()
        saved.rename(both / "train")
        with pytest.raises(DataError, match=r"one directory deeper .*train"):
            read(both)
        shutil.copytree(both / "train", both / "test")
        write(both / "dataset_dict.json", '{"splits": ["train", "test"]}')
        assert not is_experiment(both)  # a file of pairs, for `train`
        with pytest.raises(DataError, match=rf"several splits .*test, train.*\n.*{both / 'test'}"):
            list(Corpus([str(both)], DEFAULTS))
        (both / "train" / "data-00000-of-00001.arrow").unlink()
        with pytest.raises(DataError, match="a file of the data set is missing"):
            read(both / "train")
        (both / "train" / "state.json").write_text("{}")
        with pytest.raises(DataError, match="damaged"):
            read(both / "train")

    def test_damage_reads_no_other_memory(self, tmp_path: Path) -> None:
        saved = as_translation([(f"one {i}", f"eins {i}") for i in range(4)], tmp_path)
        file = saved / "data-00000-of-00001.arrow"
        whole = file.read_bytes()
        for position in range(0, len(whole), 4):
            file.write_bytes(whole[:position] + b"\xff\xff\xff\x7f" + whole[position + 4 :])
            with contextlib.suppress(DataError):
                report(saved, settings=CorpusSettings(on_empty="skip"))

    def test_memory_is_flat(self, tmp_path: Path) -> None:
        def peak(rows: int) -> int:
            path = tmp_path / f"{rows}.parquet"
            columns = {side: [f"{side} of row {i}" for i in range(rows)] for side in ("source", "target")}
            pyarrow.parquet.write_table(pyarrow.table(columns), path)
            tracemalloc.start()
            assert sum(1 for _ in Corpus([str(path)], DEFAULTS)) == rows
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

        assert peak(100_000) < peak(5_000) + 1_000_000


@pytest.mark.parametrize("name", ["a.tsv", "a.tmx", "a.po", "a.csv", "a.parquet", "a.jsonl"])
def test_pointers_of_git_are_told(name: str, tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 298000000\n"
    with pytest.raises(DataError, match=r"a pointer of Git LFS, not the file itself\n.*git lfs pull"):
        report(write(tmp_path / name, pointer))


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = as_parquet([("one", "eins")], tmp_path)
    packed = write(tmp_path / "a.tsv.zst", zstandard.compress(b"one\teins\n"))
    for name in ("pyarrow", "zstandard", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    for path, extra in ((parquet, "parquet"), (packed, "zstd")):
        with pytest.raises(
            ConfigurationError, match=rf"{path.name}: .*not installed.*\n.*interlingua\[{extra}\]"
        ):
            read(path)


@pytest.mark.parametrize("change", [{"languages": ("de", "en")}, {"columns": ((2,), 1)}])
def test_prepared_data_goes_by_what_chooses_sides(change: dict[str, Any], tmp_path: Path) -> None:
    pairs = [(f"The dog number {i} runs.", f"Der Hund Nummer {i} läuft.") for i in range(40)]
    file = as_tmx(pairs, tmp_path) if "languages" in change else as_parquet(pairs, tmp_path)
    tokenizers = TokenizerSettings(source="characters", target="characters")
    texts = []
    for values in ({}, change):
        prepared = prepare(CorpusSettings(train=(str(file),), **values), tokenizers, tmp_path / "cache")
        texts.append(prepared.train.source_text(0)[:3])
    assert texts == ["The", "Der"]
    same = [prepare(CorpusSettings(train=(str(as_tsv(pairs, tmp_path)),), languages=languages), tokenizers,
                    tmp_path / "other") for languages in (None, ("en", "de"))]  # fmt: skip
    assert len({prepared.train.directory for prepared in same}) == 1


def test_corpora_may_have_languages_of_their_own(tmp_path: Path) -> None:
    memory = write(tmp_path / "a.tmx", tmx(unit(("en", "one"), ("de", "eins"), ("fr", "un"))))
    tables = [{"files": [str(memory)], "tag": code, "languages": f"en,{code}"} for code in ("de", "fr")]
    data = CorpusSettings.parse({"corpora": tables})
    assert [tuple(pair) for pair in Corpus.of(data.train_files, data)] == [
        ("de\tone", "eins"),
        ("fr\tone", "un"),
    ]
