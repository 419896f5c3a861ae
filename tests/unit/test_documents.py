"""Properties of splitting texts, HTML and files and putting them together again; no model is needed."""

from __future__ import annotations

import html
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import interlingua.documents
import interlingua.text
from interlingua.documents.document import Document, Format
from interlingua.documents.file_formats import SUFFIXES, read_file
from interlingua.documents.html import Segment, render_segment, split_html
from interlingua.documents.passage import split_passage
from interlingua.documents.projection import Projection, TranslatedPart, project
from interlingua.documents.protect import find_missing, has_placeholders, restore
from interlingua.text.sentences import split_long
from interlingua.text.symbols import ByteTokenizer

BYTES = ByteTokenizer("NFC")
TEXT = st.text(alphabet="ab. \n\r\t\u2028\u00a0!é")
TAGS = [
    "<b>", "</b>", "<p>", "</p>", "<a href='x'>", "</a>", "<br/>", "<img src=1>", "<!-- c -->", "<script>",
    "</script>", "<![if", "<x id=1/>", "&amp;", "&lt;", "<", ">", "a", " b ", "\n", "<i translate=no>",
    "</i>", "<!doctype html>", "<?x?>", "</", "<b", "&#0;",
]  # fmt: skip


def copy(source: str) -> TranslatedPart:
    """What comes of a model that copies."""
    tokens = source.split()
    return align(source, source, [(i, i) for i in range(len(tokens))])


def align(source: str, target: str, alignment: list[tuple[int, int]]) -> TranslatedPart:
    return TranslatedPart(target, alignment=alignment, tokens=target.split(), source_tokens=source.split())


def identical(source: str) -> Projection:
    return project(source, copy(source))


def mapped(source: str, target: str, alignment: list[tuple[int, int]]) -> Projection:
    return project(source, align(source, target, alignment))


@given(TEXT, st.integers(3, 12))
def test_a_passage_filled_with_its_parts_keeps_lines_and_surrounding_space(text, limit):
    passage = split_passage(text, BYTES, limit)
    filled = passage.fill(passage.parts)
    assert len(passage.gaps) == len(passage.parts) + 1
    assert all(part and part == part.strip() for part in passage.parts)
    for part, start in zip(passage.parts, passage.offsets, strict=True):
        assert text[start : start + len(part)] == part
    breaks = re.compile("[\r\n\u2028]+")
    assert breaks.findall(filled) == breaks.findall(text)
    if not passage.has_long_line:
        assert filled == text


def test_a_long_line_is_cut_at_sentence_ends():
    passage = split_passage("  ab ab. cd cd!  ef\n", BYTES, 8)
    assert passage.parts == ["ab ab.", "cd cd!", "ef"]
    assert passage.has_long_line
    assert passage.fill(["1", "2"]) == "  1 2  "


@given(st.lists(st.sampled_from(TAGS), max_size=12).map("".join))
def test_html_is_cut_without_loss_however_wrong_it_is(document):
    pieces = split_html(document)
    inert = [piece for piece in pieces if isinstance(piece, str)]
    segments = [piece for piece in pieces if isinstance(piece, Segment)]
    for segment in segments:
        assert segment.plain.strip()
        out = render_segment(segment, identical(segment.plain))
        assert html.unescape(re.sub("<[^<>]*>", "", out)).replace("<", "").count("a") <= document.count("a")
    if not segments:
        assert "".join(inert) == document


def test_html_copied_by_the_model_comes_out_as_it_went_in():
    document = (
        "<!doctype html><html><head><title>A dog</title><style>p > a {x: y}</style></head>\n"
        '<body><p class="x">A <b>black dog</b> runs &amp; <a href="/?a=1&b=2">jumps <i>high</i></a>.</p>\n'
        '  <ul>\n  <li>One</li><li>Two <img src="x.png"> three</li></ul><script>if (a < b) c("<p>")</script>'
        "<!-- no --><pre>as  is</pre></body></html>\n"
    )
    out = "".join(
        piece if isinstance(piece, str) else render_segment(piece, identical(piece.plain))
        for piece in split_html(document)
    )
    assert out == document.replace('<img src="x.png"> three', '<img src="x.png">three')


def test_inline_tags_follow_their_words():
    (segment,) = [p for p in split_html("The <b>black dog</b> <i>runs</i>.") if isinstance(p, Segment)]
    assert segment.plain == "The black dog runs."
    moved = mapped(segment.plain, "runs. the dog black", [(3, 0), (0, 1), (2, 2), (1, 3)])
    assert render_segment(segment, moved) == "<i>runs</i>. the <b>dog black</b>"


def test_tags_are_nested_properly_when_their_words_are_scattered():
    (segment,) = [p for p in split_html("<b>one two</b> <i>three <u>four</u></i>") if isinstance(p, Segment)]
    for order in ([0, 2, 1, 3], [3, 0, 2, 1], [2, 3, 0, 1]):
        words = ["one", "two", "three", "four"]
        target = " ".join(words[i] for i in order)
        out = render_segment(segment, mapped(segment.plain, target, [(s, t) for t, s in enumerate(order)]))
        assert re.sub("<[^>]+>", "", out) == target
        open_tags = []
        for closing, name in re.findall(r"<(/?)(\w)>", out):
            if closing:
                assert open_tags.pop() == name
            else:
                open_tags.append(name)
        assert not open_tags
        assert sorted(re.findall("<[^>]+>", out)) == sorted(["<b>", "</b>", "<i>", "</i>", "<u>", "</u>"])


def test_text_marked_as_fixed_is_not_translated():
    pieces = split_html("a <span translate=no>b <i>c</i></span> d <code class=notranslate>e</code>")
    (segment,) = [piece for piece in pieces if isinstance(piece, Segment)]
    assert segment.plain == "a d"
    assert render_segment(segment, identical("a d")).count("b <i>c</i>") == 1


def test_subword_pieces_are_found_in_the_text():
    translation = TranslatedPart(
        "Ein grünes Haus", tokens=["▁Ein", "▁grün", "es", "<0xE2>", "▁Haus"],
        source_tokens=["▁A", "▁gre", "en", "▁house"],
        alignment=[(0, 0), (1, 1), (2, 2), (3, 3), (3, 4)],
    )  # fmt: skip
    projection = project("A green house", translation)
    assert projection.find_words(2, 7) == (1, 2)
    assert projection.find_words(8, 13) == (2, 3)


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("See https://a.org/b?c=d, or a@b.org.", ["https://a.org/b?c=d", "a@b.org"]),
        ("Hi {name}, {{ x.y }} ${z} {0}", ["{name}", "{{ x.y }}", "${z}", "{0}"]),
        ("%s has %d of %1$s and %(n)s, 100%", ["%s", "%d", "%1$s", "%(n)s", "100"]),
        ('a <x id="1"/> b </g>', ['<x id="1"/>', "</g>"]),
        ("1,234.5 at 12:30", ["1,234.5", "12:30"]),
        ("3 < 4 and 5 > 2", ["3", "4", "5", "2"]),
    ],
)
def test_what_must_be_kept_is_recognised(source, kept):
    assert find_missing(source, "") == kept
    assert find_missing(source, source) == []


def test_a_garbled_address_is_put_back_where_it_came_from():
    source = "see https://a.org now"
    assert has_placeholders(source)
    assert not has_placeholders("see 2 dogs")
    garbled = mapped(source, "jetzt hppt//aa sehen", [(2, 0), (1, 1), (0, 2)])
    restored = restore(source, garbled)
    assert restored.text == "jetzt https://a.org sehen"
    assert [restored.text[a:b] for a, b in restored.words] == ["jetzt", "https://a.org", "sehen"]
    assert find_missing(source, restored.text) == []
    lost = restore(source, mapped(source, "jetzt sehen", [(2, 0), (0, 1)]))
    assert find_missing(source, lost.text) == ["https://a.org"]


def translate_file(suffix: str, content: str, translate: Callable[[str, Format], str]) -> str:
    file = read_file(suffix, content)
    return file.fill({
        format: [translate(text, format) for text in texts] for format, texts in file.texts.items()
    })  # fmt: skip


def upper(text: str, format: Format) -> str:
    return text.upper()


def test_subtitles_keep_numbers_times_and_lines():
    source = (
        "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\nthis is a sentence\r\nbroken in two\r\n\r\n"
        "2\r\n00:00:03,000 --> 00:00:04,000\r\n- yes\r\n- no\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\nend"
    )
    out = translate_file(".srt", source, upper)
    assert out == source.upper()


@given(st.text(alphabet="1ab\n:,->0 ", max_size=80))
def test_any_file_is_taken_for_subtitles(text):
    out = translate_file(".srt", text, upper)
    assert out.count("-->") == text.count("-->")


def copied(text: str, format: Format) -> str:
    """What comes of a text with a model that copies: HTML in, HTML out."""
    document = Document(text, format, BYTES, 1000, can_align=True)
    return document.finish([copy(part.text) for part in document.parts]).text


@pytest.mark.parametrize(
    "spoken", ["<i>Tom & Jerry</i>", "- <i>yes</i>\n- no", "a < b &amp; <b>c</b>", "{\\an8}high"]
)
def test_speakers_tags_and_ampersands_of_subtitles_stay(spoken):
    cue = f"1\n00:00:01,000 --> 00:00:02,500\n{spoken}\n"
    assert translate_file(".srt", cue, copied) == cue


ENDLESS = ["a", ".", "{ ", "<a ", "<!--", '<a b="', "<!--x", "--", "</", "<script>", "<?", "%(", "www.", "a@"]


@pytest.mark.parametrize("piece", ENDLESS)
@pytest.mark.parametrize("end", ["", ">", " x"])
def test_no_text_takes_more_than_linear_time(piece, end):
    # Each of these took a minute or more where a search began anew at every character.
    text = piece * (100_000 // len(piece)) + end
    find_missing(text, text)
    assert "".join(a + b for a, b in split_long(text, len, 50_000)) == text
    assert split_html(text)


def test_a_comment_that_never_ends_is_all_the_rest():
    pieces = split_html("a <!-- b > c")
    assert [each.plain if isinstance(each, Segment) else each for each in pieces] == [
        "", "a", " ", "<!-- b > c"
    ]  # fmt: skip


def test_a_repeated_sentence_of_subtitles_is_translated_once():
    cue = "1\n00:00:01,000 --> 00:00:02,500\n{}\n\n"
    file = read_file(".srt", cue.format("no") * 2 + cue.format("<i>no</i>") + cue.format("{x} & yes"))
    assert file.texts == {"text": ["no", "{x} & yes"], "html": ["<i>no</i>"]}
    filled = file.fill({"text": ["a", "b"], "html": ["<i>c &amp; d</i>"]})
    assert filled == cue.format("a") * 2 + cue.format("<i>c & d</i>") + cue.format("b")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", ["", "\n", "a\n"])
def test_a_file_without_text_stays(suffix, content):
    assert translate_file(suffix, content, copied) == content


@given(TEXT, st.integers(3, 12))
def test_a_document_copied_by_the_model_comes_out_as_its_passage(text, max_tokens):
    document = Document(text, "text", BYTES, max_tokens)
    passage = split_passage(text, BYTES, max_tokens)
    assert [part.text for part in document.parts] == passage.parts
    assert not any(part.align for part in document.parts)
    translated = document.finish([copy(part) for part in passage.parts])
    assert translated.text == passage.fill(passage.parts) == document.fill(passage.parts)
    assert translated.flags == (["split"] if passage.has_long_line else [])
    assert (translated.alternatives, translated.not_kept) == ([], [])


@given(st.lists(st.sampled_from(TAGS), max_size=12).map("".join))
def test_any_html_becomes_a_document(text):
    document = Document(text, "html", BYTES, 1000)
    assert [part.num_tokens for part in document.parts] == [
        len(BYTES.encode(part.text)) for part in document.parts
    ]
    kept = document.finish([copy(part.text) for part in document.parts])
    assert kept.not_kept == kept.alternatives == kept.flags == []


@pytest.mark.parametrize(
    ("text", "format", "aligned"),
    [("a\n{x}\n2", "text", [False, True, False]), ("a <b>b</b><p>c<p>{x}", "html", [True, False, True])],
)
def test_parts_with_tags_or_placeholders_need_an_alignment(text, format, aligned):
    parts = Document(text, format, BYTES, 100, can_align=True).parts
    assert [part.align for part in parts] == aligned
    assert not any(part.align for part in Document(text, format, BYTES, 100).parts)


def test_alternatives_of_a_document_are_those_of_its_parts_that_keep_placeholders():
    document = Document("a {x}\nb", "text", BYTES, 100, can_align=True)
    first = TranslatedPart("1 {x}", ["2 {x}", "3 x", "4 {x}"], ["limit"])
    translated = document.finish([first, TranslatedPart("one", ["two"], ["limit", "control"])])
    assert translated.text == "1 {x}\none"
    assert translated.alternatives == ["2 {x}\ntwo", "4 {x}\none"]
    assert translated.flags == ["limit", "control"]


def test_parts_know_the_terms_in_them():
    document = Document(
        "<p>a b</p><p>b</p>", "html", BYTES, 100,
        find_terms=lambda text: [(word, word.upper()) for word in text.split()],
    )  # fmt: skip
    assert [part.terms for part in document.parts] == [(("a", "A"), ("b", "B")), (("b", "B"),)]


def test_numbers_that_became_words_are_told_but_spoil_no_alternative():
    document = Document("2 dogs", "text", BYTES, 100)
    translated = document.finish([TranslatedPart("zwei Hunde", ["zwei Köter"])])
    assert translated.not_kept == ["2"]
    assert translated.alternatives == ["zwei Köter"]


def test_documents_and_text_are_without_torch():
    names = [
        module.name
        for package in (interlingua.documents, interlingua.text)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    assert len(names) > 10
    program = f"import {', '.join(names)}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
