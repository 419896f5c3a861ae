"""What is written has the permissions of any other file; what cannot be read or written says why."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch

from interlingua.data.tensors import read_tensors, write_tensors
from interlingua.errors import BundleError, CheckpointError, OutputError
from interlingua.files import write_directory, write_text
from interlingua.inference.bundle import load_bundle
from interlingua.runs.checkpoint import load_newest
from interlingua.runs.directory import locked

BUNDLE = Path(__file__).parent.parent / "bundles" / "transformer"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_umask_decides_who_may_read(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_tensors(tmp_path / "model.safetensors", {"a": torch.ones(3)}, {})
        write_text(tmp_path / "text", "a")
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path


def test_what_was_read_does_not_change_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(100_000)}, {})
    tensors, _ = read_tensors(path)
    with path.open("rb+") as file:
        file.write(bytes(path.stat().st_size))
    assert tensors["a"].eq(1).all()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("name", ["config.toml", "source.json", "model.safetensors"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(BUNDLE, tmp_path / "model")
    forbid_reading(monkeypatch, tmp_path / "model" / name)
    with pytest.raises(BundleError, match=r"cannot be read.*Permission denied") as raised:
        load_bundle(tmp_path / "model")
    assert str(raised.value.where) == str(tmp_path / "model" / name)


def test_a_checkpoint_that_may_not_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        write_tensors(tmp_path / f"step-{step:09d}.safetensors", {"a": torch.ones(3)}, {})
    newest = tmp_path / "step-000000002.safetensors"
    forbid_reading(monkeypatch, newest)
    with pytest.raises(CheckpointError, match=r"cannot be read.*Permission denied"):
        load_newest(tmp_path)


def test_an_error_of_what_is_done_in_a_locked_directory_keeps_its_cause(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), locked(tmp_path):
        raise ConnectionResetError(errno.ECONNRESET, "of something else")
    with locked(tmp_path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), locked(tmp_path / "file"):
        pass


def test_only_a_full_disk_is_called_full(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    for place in (tmp_path / "directory", tmp_path / "gone" / "text", BUNDLE / "config.toml" / "text"):
        with pytest.raises(OutputError) as raised:
            write_text(place, "a")
        assert raised.value.what == "the file cannot be written"
    if Path("/dev/full").exists():
        with pytest.raises(OutputError, match="the disk is full"):
            write_text(Path("/dev/full"), "a")
        assert Path("/dev/full").is_char_device()


def forbid_reading(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """As permissions do; but tests may run as root, who may read all."""
    open_any = Path.open

    def open_allowed(self: Path, *arguments: object, **options: object) -> object:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return open_any(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", open_allowed)


class TestWriteDirectory:
    def write(self, out: Path, *names: str, force: bool = False) -> None:
        def fill(aside: Path) -> None:
            (aside / "mark.json").write_text("{}")
            for name in names:
                (aside / name).parent.mkdir(exist_ok=True)
                (aside / name).write_text(f"made as {names}")

        write_directory(out, fill, mark="mark.json", force=force)

    def files(self, out: Path) -> set[str]:
        return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}

    def test_files_of_others_stay_where_an_earlier_one_is_replaced(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        self.write(out, "model", "parts/a")
        (out / ".git" / "refs").mkdir(parents=True)
        (out / ".git" / "HEAD").write_text("ref")
        (out / "parts" / "mine").write_text("mine")
        (out / "link").symlink_to("nowhere")
        self.write(out, "model", "other", force=True)
        assert self.files(out) == {"mark.json", "model", "other", ".git/HEAD", "parts/mine"}
        assert (out / ".git" / "refs").is_dir()
        assert (out / "link").is_symlink()
        self.write(out, "model", force=True)  # what the second one wrote goes
        assert self.files(out) == {"mark.json", "model", ".git/HEAD", "parts/mine"}
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_what_was_changed_or_is_in_the_way_is_not_lost(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        self.write(out, "model", "card")
        (out / "card").write_text("edited")
        with pytest.raises(OutputError, match=r"card: a file was changed since"):
            self.write(out, "model", "card", force=True)
        (out / "card").unlink()
        (out / "notes").write_text("mine")
        with pytest.raises(OutputError, match=r"notes: a file is in the way"):
            self.write(out, "model", "notes", force=True)
        assert (out / "notes").read_text() == "mine"
        assert self.files(out) == {"mark.json", "model", "notes"}

    def test_a_stop_at_the_last_moment_loses_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "out"
        self.write(out, "model")
        (out / "mine").write_text("mine")
        rename = Path.rename

        def stopped(path: Path, target: Path) -> Path:
            if path.name == "new":
                raise KeyboardInterrupt
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", stopped)
        with pytest.raises(KeyboardInterrupt):
            self.write(out, "model", "other", force=True)
        assert self.files(out) == {"mark.json", "model", "mine"}
        assert (out / "model").read_text() == "made as ('model',)"
