"""A line ends at "\\n" and nowhere else, wherever lines are read."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from interlingua.cli.lines import line_chunks
from interlingua.cli.texts import name_symbols
from interlingua.errors import DataError
from interlingua.runs.events import Sample, Validated
from interlingua.runs.journal import Log
from interlingua.serving.http.limits import read_keys
from interlingua.views.history import read_history
from tests.tiny import resume_tiny, train_tiny

ROOT = Path(__file__).parents[2]
SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_wide_text_in_a_stream_is_called_so(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "A dog runs over there.\nTwo.\n".encode(encoding)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(DataError, match=rf"{encoding[:6].upper()}.*\n.*iconv -f {encoding[:6].upper()}"):
        list(line_chunks(None, 8))


def test_symbols_are_named_shortly() -> None:
    assert name_symbols(["a", "b" * 50, "c"], 2) == f"a {'b' * 39}… …"
    assert name_symbols(["a"], 2) == "a"


def validated(step: int) -> Validated:
    return Validated(step, 1.0, 1.0, 2.0, {"BLEU": 3.0}, "BLEU", True, [Sample("a", "b", f"ü{SEPARATORS}ü")])


@pytest.mark.parametrize("folder", ["src", "scripts", "benchmarks"])
def test_no_code_takes_other_characters_for_line_ends(folder: str) -> None:
    # str.splitlines ends lines at ten characters, a file that is read as text also at "\\r".
    suspicious = re.compile(r"\b(splitlines|readlines)\(|\bfor \w+ in .*\bopen\(")
    for path in (ROOT / folder).rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
            assert not suspicious.search(line), f"{path}:{number}: {line.strip()}"


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_log_keeps_all_whole_lines(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path, 0)
    for step in (5, 10, 15):
        log.write(validated(step))
    log.close()
    whole = path.read_bytes().split(b"\n")
    start = whole[2].index("ü".encode()) + cut  # inside of characters of two and of three bytes
    path.write_bytes(b"\n".join([*whole[:2], whole[2][:start]]))
    Log(path, 20).close()
    assert path.read_bytes() == b"\n".join([*whole[:2], b""])
    log = Log(path, 5)
    log.write(validated(6))
    log.close()
    assert [json.loads(line)["step"] for line in path.read_bytes().split(b"\n")[:-1]] == [5, 6]


def test_samples_with_separators_survive_resuming(tmp_path: Path) -> None:
    train = tmp_path / "pairs.tsv"
    # Every source is learnt to end in U+2028, as the targets do.
    pairs = [f"{a}{b}\u2028\t{b}{a}\u2028" for a in "abcdefghijklmn" for b in "abcdefghijklmn"]
    train.write_text("\n".join(pairs) + "\n", encoding="utf-8")
    out = tmp_path / "run"
    train_tiny(out, train, max_steps=4)
    resume_tiny(out, max_steps=8)
    lines = (out / "training" / "log.jsonl").read_bytes().decode().split("\n")[:-1]
    steps = [record["step"] for record in map(json.loads, lines) if record["event"] == "validated"]
    assert (steps[:2], steps[-1]) == ([2, 4], 8)
    assert [validation.step for validation in read_history(out, "run").validations] == steps
    assert any("\u2028" in line for line in lines)


def test_a_key_may_be_followed_by_anything(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(f"{'ab' * 32}  Anna\u2028Berta\r\n\r\n# none\x85\r\n{'cd' * 32}  -\n".encode())
    assert read_keys(path) == ["ab" * 32, "cd" * 32]
