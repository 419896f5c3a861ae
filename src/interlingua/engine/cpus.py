"""How many processors this process may use; without torch."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_cpus", "default_threads"]


def available_cpus() -> int:
    """The CPUs that this process may run on, but no more than a container's quota is worth."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cpus, *_quotas()]))


def default_threads() -> int:
    """A thread for each CPU, but no more than OMP_NUM_THREADS."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # a list is for nested regions
    cpus = available_cpus()
    return min(cpus, int(asked)) if asked.isdecimal() and int(asked) else cpus


def _quotas(own: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """The CPUs that the process's control groups allow, those above them included; none where none is set."""
    try:
        groups = own.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except OSError:
        return []
    quotas = []
    for line in groups:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            root, files = mounted, ["cpu.max"]  # version 2: "quota period", or "max period"
        elif "cpu" in controllers.split(","):
            root, files = mounted / "cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        group = root / name.strip("/")
        # In a container the name may be that outside of it; its own group is then mounted as the root.
        for directory in (group, *group.parents):
            quotas += _quota(directory, files)
            if directory == root:
                break
    return quotas


def _quota(directory: Path, files: list[str]) -> list[int]:
    try:
        words = [word for file in files for word in (directory / file).read_text(encoding="utf-8").split()]
        quota, period = map(int, words)
    except (OSError, ValueError):
        return []  # not there, or "max"
    return [-(-quota // period)] if quota > 0 else []  # rounded up: half a CPU is one thread
