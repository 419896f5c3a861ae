"""The command line among other programs: pipes that pause, readers that leave, full disks, closed streams."""

from __future__ import annotations

import errno
import gzip
import lzma
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from interlingua.cli.lines import line_chunks, open_output
from interlingua.data.reading import read_lines
from interlingua.errors import DataError

from .conftest import call

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and shells of POSIX")

BUNDLE = Path(__file__).parent.parent / "bundles" / "transformer"
COMMAND = [sys.executable, "-m", "interlingua"]
LINES = b"abc\nhgfe\na\n"
TIMEOUT_S = 300


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(BUNDLE, tmp_path / "model")
    (tmp_path / "in.txt").write_bytes(LINES)
    (tmp_path / "pairs.tsv").write_text("abc\tcba\na\ta\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], int]]:
    """The reading end as a file, and the number of the writing end."""
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as file:
        yield file, write


def shell(script: str) -> tuple[int, str]:
    """The exit code, and what was printed, of a script in which $I is the command line."""
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "I": " ".join(COMMAND)}, capture_output=True, check=False,
        timeout=TIMEOUT_S,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode()


def answer(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], TIMEOUT_S)
    assert ready, "no answer while the input pauses"
    return process.stdout.readline()


def test_a_pause_is_answered_and_ctrl_c_keeps_what_was_done(here: Path) -> None:
    expected = call("translate", "model", stdin=LINES).out.encode().splitlines(keepends=True)
    process = subprocess.Popen(
        [*COMMAND, "translate", "model"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, bufsize=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells ignore it in the background
    )  # fmt: skip
    assert process.stdin is not None
    for sent, due in (
        (b"abc\n", expected[:1]),
        (b"hgfe\na\n", expected[1:]),
        (b"ab", []),
        (b"c\n", expected[:1]),
    ):
        process.stdin.write(sent)
        for line in due:
            assert answer(process) == line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def test_lines_go_together_where_they_come_fast(pipe: tuple[IO[bytes], int], monkeypatch) -> None:
    file, write = pipe
    monkeypatch.setattr(sys, "stdin", file)
    os.write(write, b"\xef\xbb\xbfa\r\nb\n" + b"c\n" * 18)
    chunks = line_chunks(None, 10)
    assert next(chunks) == ["a", "b", *"cccccccc"]
    assert next(chunks) == ["c"] * 10
    os.write(write, b"d\ne")
    assert next(chunks) == ["d"]  # what is half a line may become a whole one
    os.write(write, b"f\n\ng")
    os.close(write)
    assert [line for chunk in chunks for line in chunk] == ["ef", "", "g"]


def test_lines_before_a_mistake_come_first(pipe: tuple[IO[bytes], int], monkeypatch) -> None:
    file, write = pipe
    monkeypatch.setattr(sys, "stdin", file)
    os.write(write, b"a\nb\n\xff\nd\n")
    os.close(write)
    chunks = line_chunks(None, 10)
    assert next(chunks) == ["a", "b"]
    with pytest.raises(DataError, match="standard input:3: the line is not UTF-8"):
        next(chunks)


def test_named_pipes_and_files_give_the_same_lines(here: Path) -> None:
    os.mkfifo(here / "fifo")
    writer = subprocess.Popen(["cp", "in.txt", "fifo"])
    assert list(line_chunks(Path("fifo"), 10)) == [["abc", "hgfe", "a"]]
    writer.wait(timeout=TIMEOUT_S)
    assert list(line_chunks(Path("in.txt"), 2)) == [["abc", "hgfe"], ["a"]]


def test_compressed_output_is_compressed(here: Path) -> None:
    expected = call("translate", "model", stdin=LINES).out.encode()
    for name, opened in (("out.gz", gzip.open), ("out.xz", lzma.open), ("out.txt", open)):
        assert call("translate", "model", "--input", "in.txt", "--output", name).code == 0
        with opened(name, "rb") as file:
            assert file.read() == expected
    again = call("translate", "model", "--input", "out.gz")
    assert (again.code, again.out.count("\n")) == (0, 3)


@pytest.mark.parametrize("name", ["out.txt", "out.gz", "out.xz"])
def test_what_was_written_before_an_interruption_stays(tmp_path: Path, name: str) -> None:
    def write_and_be_interrupted() -> None:
        with open_output(tmp_path / name) as write:
            write("abc\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_be_interrupted()
    assert list(read_lines(tmp_path / name)) == ["abc"]


def test_a_dash_is_a_standard_stream(here: Path) -> None:
    result = call("translate", "model", "--input", "-", "--output", "-", stdin=LINES)
    assert (result.code, result.out.count("\n")) == (0, 3)
    assert not (here / "-").exists()


@pytest.mark.parametrize("other", ["link", "hard", "./in.txt", "model/config.toml", "terms.tsv"])
def test_output_over_something_that_is_read_is_refused(here: Path, other: str) -> None:
    (here / "link").symlink_to("in.txt")
    (here / "hard").hardlink_to(here / "in.txt")
    (here / "terms.tsv").write_text("a\tb\n")
    before = (here / other).read_bytes()
    result = call("translate", "model", "--input", "in.txt", "--glossary", "terms.tsv", "--output", other)
    assert result.code == 2
    assert "same file" in result.err
    assert (here / other).read_bytes() == before


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("$I translate model < in.txt --output in.txt", "same file"),
        ("$I translate model --input in.txt >> in.txt", "same file"),
        ("$I score model pairs.tsv >> pairs.tsv", "same file"),
        ("$I translate model < in.txt > in.txt", "emptied it already"),
        ("$I translate model <&-", "standard input: it is closed"),
        ("$I score model - <&-", "standard input: it is closed"),
        ("$I translate model < in.txt >&-", "standard output: it is closed"),
        ("$I info model >&-", "standard output: it is closed"),
        ("$I info model > /dev/full", "No space left on device"),
        ("$I --help > /dev/full", "No space left on device"),
        ("$I translate model < in.txt > /dev/full", "standard output: the disk is full"),
        ("$I look model abc --out /dev/full", "/dev/full: the disk is full"),
    ],
)
def test_streams_that_do_not_do_are_a_mistake_without_traceback(
    here: Path, script: str, message: str
) -> None:
    code, printed = shell(script)
    assert code == 2, printed
    assert message in printed
    assert "Traceback" not in printed
    assert "Exception ignored" not in printed
    if ">>" in script or "--output" in script:
        assert (here / "in.txt").read_bytes() == LINES


def test_a_reader_that_leaves_is_no_mistake(here: Path) -> None:
    for script in (
        "$I info model | true",
        "yes abc | head -9000 | $I translate model 2> err | head -1; cat err",
    ):
        code, printed = shell(f"set -o pipefail; {script}; exit ${{PIPESTATUS[0]}}")
        assert code in (0, 1, 141), printed
        assert "rror" not in printed
        assert "Traceback" not in printed


def test_streams_that_are_not_needed_may_be_closed(here: Path) -> None:
    code, printed = shell("$I translate model --input in.txt --output out.txt <&- >&- 2>&-")
    assert (code, printed) == (0, "")
    assert (here / "out.txt").read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("out", ["gone/out", ".", "in.txt/out"])
def test_where_nothing_can_be_written_is_said_before_the_work(here: Path, out: str) -> None:
    for arguments in (
        ["translate", "model", "--output"],
        ["look", "model", "abc", "--out"],
        ["report", "model", "--out"],
    ):
        result = call(*arguments, out, stdin=LINES)
        assert result.code == 2
        assert f"{out}: the file cannot be written" in result.err
        assert "translating" not in result.err


IN_ONE_PROCESS = """
import sys
from interlingua.cli.main import main

for command in sys.argv[1].split(";"):
    sys.argv = ["interlingua", *command.split()]
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    assert code == EXPECTED, command
"""


def test_no_locale_is_too_small_for_what_is_printed(here: Path) -> None:
    (here / "pairs.tsv").write_text("abc\tcba\na\tа́ı\n", encoding="utf-8")
    pairs = "".join(f"{'abcdefgh'[i % 8] * (i // 8 + 1)}ß\t✓{'µб'[i % 2]}\n" for i in range(64))
    (here / "train.tsv").write_text(pairs, encoding="utf-8")
    commands = [
        "--help", "info model", "info model --json",
        "evaluate model pairs.tsv", "evaluate model pairs.tsv --json",
        "score model pairs.tsv --json", "look model aб --json",
        "train --train train.tsv --out бß --max-steps 1 --preset tiny --threads 1", "info бß",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS.replace("EXPECTED", "0"), ";".join(commands)],
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
        capture_output=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "а́ı".encode() in done.stdout, "JSON is UTF-8 whatever the locale"


def test_wrong_commands_are_answered_before_pytorch_is_loaded(here: Path) -> None:
    commands = [
        "translate gone", "evaluate gone pairs.tsv", "evaluate model gone.tsv", "score gone pairs.tsv",
        "score model gone", "look gone abc", "report gone", "info gone", "translate model --beam x",
        "translate model --beam 0", "translate model --device gpu", "translate model --precision half",
        "translate model --n-best 9 --beam 2", "translate model --input gone",
        "translate model --output gone/x",
        "translate model --glossary gone", "train --train pairs.tsv", "train --train gone --out x",
        "train --resume gone", "train gone.toml", "serve gone", "trnslate model",
    ]  # fmt: skip
    forbid = 'import sys\nsys.modules["torch"] = None\n'  # whoever imports it fails
    done = subprocess.run(
        [sys.executable, "-c", forbid + IN_ONE_PROCESS.replace("EXPECTED", "2"), ";".join(commands)],
        capture_output=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_user_without_a_home_is_told_where_data_could_be_kept(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("INTERLINGUA_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    result = call("train", "--train", "pairs.tsv", "--out", "new", "--max-steps", 1)
    assert (result.code, "INTERLINGUA_CACHE" in result.err) == (2, True)
    assert not (here / "new").exists()
    assert call("info", "model").code == 0


def test_standard_input_that_finds_no_room_leaves_nothing_behind(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (here / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(here / "tmp"))
    monkeypatch.setattr(shutil, "copyfileobj", full)
    result = call("score", "model", "-", stdin=b"a\ta\n")
    assert (result.code, "the disk is full" in result.err, "TMPDIR" in result.err) == (2, True, True)
    assert not list((here / "tmp").iterdir())
