"""A training killed at random moments with SIGKILL, and resumed each time, against one left alone.

    python benchmarks/kill_and_resume.py --data DIR [--kills 10] [--max-steps 600]

DIR holds Multi30k's train.tsv and valid.tsv. Both trainings have the same number of steps and the default
precision. Says whether the final weights and the whole final checkpoints are equal, bit for bit.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from interlingua.data.tensors import read_tensors

Command = list[object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--max-steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        alone, disturbed = Path(scratch) / "alone", Path(scratch) / "disturbed"
        pairs = ["--train", options.data / "train.tsv", "--valid", options.data / "valid.tsv"]
        budget = ["--max-steps", options.max_steps, "--set", "training.checkpoint_every_s=5"]
        started = time.monotonic()
        run(["train", *pairs, "--out", alone, *budget])
        seconds = time.monotonic() - started
        print(f"undisturbed: {options.max_steps} steps in {seconds:.0f} s\n")
        print("| kill | seconds after (re)start | newest checkpoint then |")
        print("|---:|---:|---|", flush=True)
        command: Command = ["train", *pairs, "--out", disturbed, *budget]
        for kill in range(1, options.kills + 1):
            wait_s = moments.uniform(1, 2 * seconds / options.kills)
            died = run(command, kill_after_s=wait_s)
            checkpoints = sorted(path.name for path in disturbed.rglob("step-*.safetensors"))
            newest = checkpoints[-1] if checkpoints else "none"
            print(f"| {kill} | {wait_s:.1f} | {newest}{'' if died else ' (had ended)'} |", flush=True)
            if (disturbed / "config.toml").exists():
                command = ["train", "--resume", disturbed]
            elif disturbed.exists():
                command = ["train", *pairs, "--out", disturbed, *budget, "--force"]
            if not died:
                break
        else:
            run(command)
        equal = same(alone / "model.safetensors", disturbed / "model.safetensors")
        state = same(newest_checkpoint(alone), newest_checkpoint(disturbed))
    print(f"\nfinal weights equal: {equal}; final checkpoints equal: {state}")


def run(arguments: Command, kill_after_s: float | None = None) -> bool:
    """Runs the command line; returns whether it was killed before it ended."""
    command = [sys.executable, "-m", "interlingua", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            process.wait(kill_after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        if process.returncode:
            assert process.stderr is not None
            sys.exit(process.stderr.read().decode())
    return False


def newest_checkpoint(directory: Path) -> Path:
    return max((directory / "training" / "checkpoints").glob("step-*.safetensors"))


def same(one: Path, other: Path) -> bool:
    (first, _), (second, _) = read_tensors(one), read_tensors(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


if __name__ == "__main__":
    main()
