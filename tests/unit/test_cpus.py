"""A container's share of the processors is found, whatever the version of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interlingua.engine import cpus


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, [2]),
        ("0::/", {"cpu.max": "max 100000"}, []),
        ("0::/a/b", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, [3]),
        ("0::/of/the/host", {"cpu.max": "50000 100000"}, [1]),
        (
            "4:cpu,cpuacct:/a\n2:memory:/a",
            {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"},
            [4],
        ),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, []),
        ("4:cpuset:/", {}, []),
    ],
)
def test_quotas_of_control_groups(
    tmp_path: Path, own: str, files: dict[str, str], expected: list[int]
) -> None:
    for name, content in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(content + "\n")
    (tmp_path / "own").write_text(own + "\n")
    assert cpus._quotas(tmp_path / "own", tmp_path / "groups") == expected
    assert cpus._quotas(tmp_path / "none", tmp_path / "groups") == []


@pytest.mark.parametrize(
    ("asked", "expected"), [("", 4), ("2", 2), ("3,1", 3), ("64", 4), ("0", 4), ("x", 4)]
)
def test_a_thread_for_each_cpu_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, asked: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cpus, "_quotas", lambda: [4])
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert cpus.default_threads() == expected
