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
from interlingua.documents.protect import find_missing, has_placeholders, measure_numbers_copied, restore
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


def upper_html(source: str) -> str:
    """What comes of HTML with a model that turns it into capitals."""
    document = Document(source, "html", BYTES, 1000, can_align=True)
    copies = [copy(part.text) for part in document.parts]
    return document.finish([
        part._replace(text=part.text.upper(), tokens=[token.upper() for token in part.tokens])
        for part in copies
    ]).text  # fmt: skip


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
    assert out == document


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


def test_links_whose_words_became_the_same_words_share_them():
    (segment,) = [p for p in split_html("<a>one dog</a> and <i>two</i>") if isinstance(p, Segment)]
    between = mapped(segment.plain, "ein zwei Hund", [(0, 0), (3, 1), (1, 2)])
    assert render_segment(segment, between) == "<a>ein</a> <i>zwei</i> Hund"


def test_text_marked_as_fixed_is_not_translated():
    pieces = split_html("a <span translate=no>b <i>c</i></span> d <code class=notranslate>e</code>")
    (segment,) = [piece for piece in pieces if isinstance(piece, Segment)]
    assert segment.plain == "a d"
    assert render_segment(segment, identical("a d")).count("b <i>c</i>") == 1


def parts_of(source: str) -> list[str]:
    return [part.text for part in Document(source, "html", BYTES, 1000, can_align=True).parts]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<a>Home</a> <a>About us</a><a>Contact</a>", ["Home", "About us", "Contact"]),
        ("<span><a>One</a></span>\n<span><b><a>Two</a></b></span>", ["One", "Two"]),
        ("<a>English</a> | <a>Deutsch</a> &middot; <a>Eesti</a>", ["English", "Deutsch", "Eesti"]),
        ("See <a>this</a>, <a>that</a> or <a>those</a>.", ["See this, that or those."]),
        ("<button>Save</button><button>Do not save</button>", ["Save", "Do not save"]),
        ("<label>Name</label> <label>Age <input></label> years", ["Name", "Age", "years"]),
        ("<select><option>One<option>Two</select> of them", ["One", "Two", "of them"]),
        ("<tr><td>a</td><th>b</th></tr><li>c<li>d<dt>e<dd>f<h1>g</h1>h", list("abcdefgh")),
        ("<input type=radio> Yes <input type=radio> No", ["Yes", "No"]),
        ("<b>all</b> <i>one</i> sentence", ["all one sentence"]),
        ("<b>\u2014</b> &raquo; <i>|</i>", []),
    ],
)
def test_neighbouring_links_buttons_and_cells_are_texts_of_their_own(source, texts):
    assert parts_of(source) == texts
    assert copied(source, "html") == source


@pytest.mark.parametrize("name", ["code", "kbd", "samp", "var", "tt", "math", "svg"])
def test_code_is_left_alone_and_keeps_its_place_in_the_sentence(name):
    source = f"Use <{name} id='x'><b>git</b> push</{name}> to send."
    assert parts_of(source) == ["Use to send."]
    assert upper_html(source) == f"USE <{name} id='x'><b>git</b> push</{name}> TO SEND."


@pytest.mark.parametrize("name", ["pre", "script", "style", "textarea", "template", "canvas"])
def test_what_is_no_running_text_is_left_alone(name):
    source = f"<p>a</p><{name}>b  c</{name}>d"
    assert upper_html(source) == f"<p>A</p><{name}>b  c</{name}>D"


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('<img src="a dog" alt="a dog">', '<img src="a dog" alt="A DOG">'),
        ("a <a href='b' title='it\u2019s \"c\"'>d</a> e", "A <a href='b' title='IT\u2019S \"C\"'>D</a> E"),
        ("<p TITLE = x lang=en>", '<p TITLE = "X" lang=en>'),
        ("<input placeholder='a & b' value='c'>", "<input placeholder='A &amp; B' value='c'>"),
        ("<textarea placeholder='a'>b</textarea>", "<textarea placeholder='A'>b</textarea>"),
        ("<input type=SUBMIT value='a'><input type=reset value=b>",
         "<input type=SUBMIT value='A'><input type=reset value=\"B\">"),
        ("<button aria-label='a'>b</button>", "<button aria-label='A'>B</button>"),
        ("<meta name=description content='a'><meta property='og:title' content='b'>",
         "<meta name=description content='A'><meta property='og:title' content='B'>"),
        ("<meta name=viewport content='width=1'>", "<meta name=viewport content='width=1'>"),
        ("<link title='a'><i data-title='b'></i>", "<link title='a'><i data-title='b'></i>"),
        ("<option label='a'>b<optgroup label='c'>", "<option label='A'>B<optgroup label='C'>"),
        ("<img alt='a' translate=no><p translate='no' title='b'>c</p>",) * 2,
        ("<div class='x notranslate'><img alt='a'></div>",) * 2,
        ("<img alt=''><img alt='\u2192'>",) * 2,
    ],
)  # fmt: skip
def test_attributes_that_people_read_are_translated(source, wanted):
    assert upper_html(source) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "a <b>b</b>c<i> d</i> e", "a  <b> b </b>\n <i>c</i>, d", "a <img> b<img>c", "<b> a <i>b</i></b> c ",
        "a<b> </b>c", "H<sub>2</sub>O and m<sup>2</sup>", " <i><b>all</b></i>\n", "a <b> <i>b</i> c</b>d",
        "x<wbr>y", "a <b>&nbsp;c&nbsp;</b> d", "&nbsp;<i>a</i>&#160;b\u00a0", "<b>&amp;nbsp; a</b> b",
        "(<a>b</a>) \u201c<q>c</q>\u201d",
    ],
)  # fmt: skip
def test_space_around_inline_tags_stays_as_it_is(source):
    assert copied(source, "html") == source


def test_space_goes_with_the_words_where_they_move():
    (segment,) = [p for p in split_html("the  <b>black </b>dog") if isinstance(p, Segment)]
    assert render_segment(segment, mapped(segment.plain, "dog the black", [(2, 0), (0, 1), (1, 2)])) == (
        "dog the  <b>black</b>"
    )


def test_alternatives_go_with_html_and_keep_its_tags():
    document = Document(
        "<p>the <b>black dog</b></p><p title='x {y}'>z</p>", "html", BYTES, 100, can_align=True
    )
    assert [part.text for part in document.parts] == ["the black dog", "x {y}", "z"]
    first = align("the black dog", "der schwarze Hund", [(0, 0), (1, 1), (2, 2)])
    others = ["Hund schwarze der", "der schwarze K\u00f6ter"]
    parts = [first._replace(alternatives=others), TranslatedPart("X {y}", ["garbled"]), TranslatedPart("Z")]
    translated = document.finish(parts)
    assert translated.text == "<p>der <b>schwarze Hund</b></p><p title='X {y}'>Z</p>"
    assert translated.alternatives == ["<p>der <b>schwarze K\u00f6ter</b></p><p title='X {y}'>Z</p>"]


def count_steps(work: Callable[[], object]) -> int:
    """How many instructions of Python the work takes: a measure that no other program disturbs."""
    steps = 0

    def trace(frame, event, argument):
        nonlocal steps
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize(
    ("format", "piece"),
    [
        ("text", "some words "), ("html", "some <b>words</b> "), ("html", "a <img> "), ("text", "{name} x "),
        ("html", "<i>a "), ("html", "</i>a "), ("html", "<a>b</a> "), ("html", "<i title='a b'>c</i> "),
    ],
)  # fmt: skip
def test_putting_tags_and_placeholders_back_takes_linear_time(format, piece):
    def work(repeats: int) -> None:
        source = piece * repeats
        document = Document(source, format, BYTES, 1_000_000, can_align=True)
        garbled = (align(part.text, part.text.replace("{", ""), None) for part in document.parts)
        document.finish([
            part._replace(alignment=[(i, i) for i in range(len(part.tokens))]) for part in garbled
        ])  # fmt: skip

    work(3)
    once, fourfold = (count_steps(lambda: work(repeats)) for repeats in (50, 200))  # noqa: B023
    assert fourfold < 5 * once


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


def test_only_line_ends_end_a_line_of_subtitles():
    times = "00:00:01,000 --> 00:00:02,500"
    source = f"1\r{times}\rone\u2028more\r\r2\r{times}\rtwo\x85three\x0b!"
    seen = []
    out = translate_file(".srt", source, lambda text, format: seen.append(text) or text.upper())
    assert out == source.upper()
    assert seen == ["one\u2028more", "two\x85three\x0b!"]


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


TIMES = "00:00:01,000 --> 00:00:02,500"


@pytest.mark.parametrize(
    ("spoken", "texts"),
    [
        (r"{\an8}high", ["high"]),
        ("{\\an8}{\\i1}high{\\i0} up\n", ["<x-0>high</x-0> up"]),
        ('<font color="#ff 00">red dog</font>', ["<x-0>red dog</x-0>"]),
        ("a <c.yellow.bg_blue>red</c> dog", ["a <x-0>red</x-0> dog"]),
        ("<v Roger Bingham>We are in New York", ["We are in New York"]),
        ("<00:00:01.100>one <00:00:01.300>two", ["one <x-0/>two"]),
        ("\u266a la la la \u266a", ["la la la"]),
        ("\u266a la la\nla la \u266b", ["la la la la"]),
        ("\u266a la la \u266a\n\u266a lo lo \u266a", ["la la", "lo lo"]),
        ("- Yes.\n- No.", ["Yes.", "No."]),
        ("-Yes, I think\nit is.\n\u2013 No.", ["Yes, I think it is.", "No."]),
        ("Yes.\n<i>- No.</i>", ["Yes.", "<i><x-0/>No.</i>"]),
        ("- a dog\n  barks ", ["a dog barks"]),
        ("it was -5 degrees\n-10 at night", ["it was -5 degrees -10 at night"]),
        ("\u266a\n...", []),
        ("{\\an8}\nhigh", ["high"]),
        ("a < b & c", ["a < b & c"]),
    ],
)
def test_codes_signs_and_dashes_of_subtitles_stay_and_are_not_translated(spoken, texts):
    cue = f"1\n{TIMES}\n{spoken}\n"
    file = read_file(".srt", cue)
    assert [text for found in file.texts.values() for text in found] == texts
    assert " ".join(translate_file(".srt", cue, copied).split()) == " ".join(cue.split())


def test_codes_of_subtitles_move_with_their_words():
    file = read_file(".srt", f'1\n{TIMES}\nthe <font color="a b">black dog</font>\nbarks\n')
    (source,) = file.texts["html"]
    document = Document(source, "html", BYTES, 100, can_align=True)
    (part,) = document.parts
    moved = align(part.text, "barks dog black the", [(3, 0), (2, 1), (1, 2), (0, 3)])
    translated = file.fill({"html": [document.finish([moved]).text]})
    assert translated == f'1\n{TIMES}\nbarks <font color="a b">dog\nblack</font> the\n'


def test_cues_without_empty_lines_between_them():
    cues = f"1\n{TIMES}\nyes\n2\n{TIMES}\n12\n3\n{TIMES}\n4\n{TIMES}\nno\n\nand\n\n5\n{TIMES}\nso"
    assert read_file(".srt", cues).texts == {"text": ["yes", "12", "no", "and", "so"]}
    assert translate_file(".srt", cues, upper) == cues.upper()
    assert read_file(".srt", f"{TIMES}\n7\n{TIMES}\n8\n").texts == {"text": ["7", "8"]}


VTT = (
    "\ufeffWEBVTT - a title\r\nKind: captions\r\n\r\nSTYLE\r\n::cue {{ color: red }}\r\n\r\n"
    "REGION\r\nid:fred\r\n\r\n"
    "NOTE a remark\r\n00:01.000 --> 00:02.000\r\nnot shown\r\n\r\nintro-1\r\n"
    "00:01.000 --> 00:02.000 align:start line:0%\r\n<v Ann>{}</v>\r\n{}\r\n\r\n"
    "01:00:01.000 --> 01:00:02.000\r\n{}"
)


def test_web_subtitles_keep_all_but_what_is_said():
    said = ["Tom &amp; <c.x>Jerry</c>", "run after it", "- yes &lt;3"]
    out = translate_file(".vtt", VTT.format(*said), copied)
    assert out == VTT.format(*said)
    file = read_file(".vtt", VTT.format("one", "two", "three"))
    texts = [text for found in file.texts.values() for text in found]
    assert sorted(texts) == ["<x-0>one</x-0> two", "three"]


ASS = (
    "\ufeff[Script Info]\r\nTitle: Dialogue: a\r\n\r\n"
    "[V4+ Styles]\r\nFormat: Name, Fontname\r\nStyle: Default,Arial\r\n\r\n"
    "[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
    "Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,not shown\r\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,Ann,0,0,0,,{}\r\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{{\\p1}}m 0 0 l 100 0{{\\p0}}\r\n"
)


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        (r"{\an8\fs20}a dog, a\Ncat & a <cow>", ["a dog, a cat & a <cow>"]),
        (r"{\i1}all{\i0} is {\b1}well{\b0}", ["<x-0>all</x-0> is <x-1>well</x-1>"]),
        (r"{\i1}Hello{\i0} <x-9> world", ["<x-0>Hello</x-0> &lt;x-9&gt; world"]),
        (r"{\i1}Hello{\i0} <x-0> world", ["<x-0>Hello</x-0> &lt;x-0&gt; world"]),
        (r"- Yes.\N- No.", ["Yes.", "No."]),
        (r"a{a remark}\nb", ["a<x-0/> b"]),
        (r"\u266a la\hla \u266a".replace(r"\u266a", "\u266a"), ["la\u00a0la"]),
    ],
)
def test_substation_files_keep_all_but_what_is_said(said, texts):
    content = ASS.format(said)
    file = read_file(".ass", content)
    assert [text for found in file.texts.values() for text in found] == texts
    assert translate_file(".ssa", content, copied) == content


def test_the_columns_of_a_substation_file_may_stand_in_another_order():
    content = "[Events]\nFormat: Start, Text, End\nDialogue: 1,a b,2\nDialogue: 1\n[Fonts]\nDialogue: 1,a,2\n"
    assert translate_file(".ass", content, upper) == content.replace("a b", "A B")


def test_line_ends_of_other_systems_are_no_line_ends_of_subtitles():
    cue = f"1\r{TIMES}\ra\u2028b\x0bc\r\r2\r{TIMES}\rd"
    assert translate_file(".srt", cue, upper) == cue.upper()


ENDLESS = [
    "a",
    "&nbsp;",
    "a<i>&nbsp;",
    ".",
    "{ ",
    "<a ",
    "<!--",
    '<a b="',
    "<!--x",
    "--",
    "</",
    "<script>",
    "<?",
    "%(",
    "www.",
    "a@",
]


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


def test_whether_a_task_copies_numbers_is_measured_on_its_pairs():
    copied = [(f"{i} dogs", f"{i} Hunde") for i in range(30)]
    rewritten = [(f"{i}/5/2020 {{x}}", f"May {i}") for i in range(10)]
    assert measure_numbers_copied(copied) == 1
    assert measure_numbers_copied([*copied, *rewritten, ("no number", "keine 5")]) == 0.75
    assert measure_numbers_copied(copied[:9]) is None
    document = Document("5/5/2020 {x}", "text", BYTES, 100, check_numbers=False)
    assert document.finish([TranslatedPart("May 5")]).not_kept == ["{x}"]


def test_documents_and_text_are_without_torch():
    names = [
        module.name
        for package in (interlingua.documents, interlingua.text)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    assert len(names) > 10
    program = f"import {', '.join(names)}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
