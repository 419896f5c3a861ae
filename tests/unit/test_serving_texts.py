"""Properties of taking texts, HTML and files apart and putting them together again; no model is needed."""

from __future__ import annotations

import asyncio
import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlingua.documents.html import Segment, cut, render
from interlingua.documents.passage import take_apart
from interlingua.documents.projection import Projection, project
from interlingua.documents.protect import changed, needs_alignment, restore
from interlingua.documents.subtitles import translate_document
from interlingua.text.sentences import split_long
from interlingua.text.symbols import ByteTokenizer

BYTES = ByteTokenizer("NFC")
TEXT = st.text(alphabet="ab. \n\r\t\u2028\u00a0!é")
TAGS = [
    "<b>", "</b>", "<p>", "</p>", "<a href='x'>", "</a>", "<br/>", "<img src=1>", "<!-- c -->", "<script>",
    "</script>", "<![if", "<x id=1/>", "&amp;", "&lt;", "<", ">", "a", " b ", "\n", "<i translate=no>",
    "</i>", "<!doctype html>", "<?x?>", "</", "<b", "&#0;",
]  # fmt: skip


def identical(source: str) -> Projection:
    """What comes of a model that copies."""
    tokens = source.split()
    return project(
        source,
        {"text": source, "tokens": tokens, "source_tokens": tokens,
         "alignment": [(i, i) for i in range(len(tokens))]},
    )  # fmt: skip


def mapped(source: str, target: str, alignment: list[tuple[int, int]]) -> Projection:
    return project(
        source,
        {"text": target, "tokens": target.split(), "source_tokens": source.split(), "alignment": alignment},
    )


@given(TEXT, st.integers(3, 12))
def test_a_passage_filled_with_its_parts_keeps_lines_and_surrounding_space(text, limit):
    passage = take_apart(text, BYTES, limit)
    filled = passage.fill(passage.parts)
    assert len(passage.frame) == len(passage.parts) + 1
    assert all(part and part == part.strip() for part in passage.parts)
    for part, start in zip(passage.parts, passage.starts, strict=True):
        assert text[start : start + len(part)] == part
    breaks = re.compile("[\r\n\u2028]+")
    assert breaks.findall(filled) == breaks.findall(text)
    if not passage.split:
        assert filled == text


def test_a_long_line_is_cut_at_sentence_ends():
    passage = take_apart("  ab ab. cd cd!  ef\n", BYTES, 8)
    assert passage.parts == ["ab ab.", "cd cd!", "ef"]
    assert passage.split
    assert passage.fill(["1", "2"]) == "  1 2 "


@given(st.lists(st.sampled_from(TAGS), max_size=12).map("".join))
def test_html_is_cut_without_loss_however_wrong_it_is(document):
    pieces = cut(document)
    inert = [piece for piece in pieces if isinstance(piece, str)]
    segments = [piece for piece in pieces if isinstance(piece, Segment)]
    for segment in segments:
        assert segment.plain.strip()
        out = render(segment, identical(segment.plain))
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
        piece if isinstance(piece, str) else render(piece, identical(piece.plain)) for piece in cut(document)
    )
    assert out == document.replace('<img src="x.png"> three', '<img src="x.png">three')


def test_inline_tags_follow_their_words():
    (segment,) = [p for p in cut("The <b>black dog</b> <i>runs</i>.") if isinstance(p, Segment)]
    assert segment.plain == "The black dog runs."
    moved = mapped(segment.plain, "runs. the dog black", [(3, 0), (0, 1), (2, 2), (1, 3)])
    assert render(segment, moved) == "<i>runs</i>. the <b>dog black</b>"


def test_tags_are_nested_properly_when_their_words_are_scattered():
    (segment,) = [p for p in cut("<b>one two</b> <i>three <u>four</u></i>") if isinstance(p, Segment)]
    for order in ([0, 2, 1, 3], [3, 0, 2, 1], [2, 3, 0, 1]):
        words = ["one", "two", "three", "four"]
        target = " ".join(words[i] for i in order)
        out = render(segment, mapped(segment.plain, target, [(s, t) for t, s in enumerate(order)]))
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
    pieces = cut("a <span translate=no>b <i>c</i></span> d <code class=notranslate>e</code>")
    (segment,) = [piece for piece in pieces if isinstance(piece, Segment)]
    assert segment.plain == "a d"
    assert render(segment, identical("a d")).count("b <i>c</i>") == 1


def test_subword_pieces_are_found_in_the_text():
    answer = {
        "text": "Ein grünes Haus", "tokens": ["▁Ein", "▁grün", "es", "<0xE2>", "▁Haus"],
        "source_tokens": ["▁A", "▁gre", "en", "▁house"],
        "alignment": [(0, 0), (1, 1), (2, 2), (3, 3), (3, 4)],
    }  # fmt: skip
    projection = project("A green house", answer)
    assert projection.find(2, 7) == (1, 2)
    assert projection.find(8, 13) == (2, 3)


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
    assert changed(source, "") == kept
    assert changed(source, source) == []


def test_a_garbled_address_is_put_back_where_it_came_from():
    source = "see https://a.org now"
    assert needs_alignment(source)
    assert not needs_alignment("see 2 dogs")
    garbled = mapped(source, "jetzt hppt//aa sehen", [(2, 0), (1, 1), (0, 2)])
    restored = restore(source, garbled)
    assert restored.text == "jetzt https://a.org sehen"
    assert [restored.text[a:b] for a, b in restored.units] == ["jetzt", "https://a.org", "sehen"]
    assert changed(source, restored.text) == []
    lost = restore(source, mapped(source, "jetzt sehen", [(2, 0), (0, 1)]))
    assert changed(source, lost.text) == ["https://a.org"]


async def translate(texts: list[str], html: bool) -> list[str]:
    return [text.upper() for text in texts]


def test_subtitles_keep_numbers_times_and_lines():
    source = (
        "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\nthis is a sentence\r\nbroken in two\r\n\r\n"
        "2\r\n00:00:03,000 --> 00:00:04,000\r\n- yes\r\n- no\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\nend"
    )
    out = asyncio.run(translate_document(".srt", source, translate))
    assert out == source.upper()


@given(st.text(alphabet="1ab\n:,->0 ", max_size=80))
def test_any_file_is_taken_for_subtitles(text):
    out = asyncio.run(translate_document(".srt", text, translate))
    assert out.count("-->") == text.count("-->")


async def copied(texts: list[str], is_html: bool) -> list[str]:
    """What the service makes of a model that copies: HTML in, HTML out."""
    if not is_html:
        return texts
    return [
        "".join(each if isinstance(each, str) else render(each, identical(each.plain)) for each in cut(text))
        for text in texts
    ]


@pytest.mark.parametrize(
    "spoken", ["<i>Tom & Jerry</i>", "- <i>yes</i>\n- no", "a < b &amp; <b>c</b>", "{\\an8}high"]
)
def test_speakers_tags_and_ampersands_of_subtitles_stay(spoken):
    cue = f"1\n00:00:01,000 --> 00:00:02,500\n{spoken}\n"
    assert asyncio.run(translate_document(".srt", cue, copied)) == cue


ENDLESS = ["a", ".", "{ ", "<a ", "<!--", '<a b="', "<!--x", "--", "</", "<script>", "<?", "%(", "www.", "a@"]


@pytest.mark.parametrize("piece", ENDLESS)
@pytest.mark.parametrize("end", ["", ">", " x"])
def test_no_text_takes_more_than_linear_time(piece, end):
    # Each of these took a minute or more where a search began anew at every character.
    text = piece * (100_000 // len(piece)) + end
    changed(text, text)
    assert "".join(a + b for a, b in split_long(text, len, 50_000)) == text
    assert cut(text)


def test_a_comment_that_never_ends_is_all_the_rest():
    pieces = cut("a <!-- b > c")
    assert [each.plain if isinstance(each, Segment) else each for each in pieces] == [
        "", "a", " ", "<!-- b > c"
    ]  # fmt: skip
