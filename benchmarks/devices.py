"""What a GPU computes is what the CPU computes, and how fast it trains.

    python benchmarks/devices.py [--device cuda]

Prints, for every architecture and kind of source, the worst difference of logits in fp32; of a model that was
trained on the device, how many outputs differ from the CPU's; what a stopped and resumed run comes to beside
an undisturbed one; and target tokens a second in fp32 and bf16. Needs no data and no network.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import interlingua
from interlingua.data.tensors import read_tensors
from interlingua.kinds import Source
from interlingua.model.architectures import build_model
from interlingua.model.presets import PRESETS
from interlingua.runs.run import resume, start
from interlingua.settings import merge

ARCHITECTURES = ("tiny", "letters", "small", "rnn", "gru", "lstm", "speech-small")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device(options.device)
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if device.type == 'cuda' else device}")
    for name in ARCHITECTURES:
        report(f"logits of {name}", lambda name=name: compare_logits(name, device))
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        pairs = write_pairs(place / "pairs.tsv", 4000)
        for precision in ("fp32", "bf16"):
            for preset in ("letters", "lstm"):
                report(
                    f"{preset} in {precision}",
                    lambda preset=preset, precision=precision: train(
                        place / f"{preset}-{precision}", pairs, preset, precision, options
                    ),
                )
        report("resuming", lambda: compare_resumed(place, pairs, options))
        report("a race by time", lambda: race(place / "race", pairs, options))


def report(name: str, measure: Callable[[], str]) -> None:
    """Prints what was measured, or how it failed."""
    began = time.monotonic()
    try:
        found = measure()
    except Exception as error:
        traceback.print_exc()
        found = f"FAILED: {type(error).__name__}: {error}"
    print(f"{name}: {found} ({time.monotonic() - began:.1f} s)", flush=True)


def compare_logits(preset: str, device: torch.device) -> str:
    """The worst difference of teacher-forced logits between the CPU and a device."""
    torch.manual_seed(0)
    frames = preset.startswith("speech")
    settings = PRESETS[preset].model_copy(update={"dropout": 0.0})
    model = build_model(settings, 80 if frames else 40, 40, shared=False, frames=frames).eval()
    mask = torch.arange(60) < torch.tensor([[60], [37], [2]])
    values = torch.randn(3, 60, 80) if frames else torch.randint(4, 40, (3, 60)).masked_fill(~mask, 0)
    targets = torch.randint(4, 40, (3, 20))
    found = []
    for where in (torch.device("cpu"), device):
        model.to(where)
        with torch.inference_mode():
            memory = model.encode(Source(values.to(where), mask.to(where)))
            logits = [model.project(model.decode(memory, targets.to(where)))]
            ctc = model.ctc(memory)
            logits += [] if ctc is None else [ctc * memory.mask.unsqueeze(2)]
        found.append([each.float().cpu() for each in logits])
    return f"{max(float((a - b).abs().max()) for a, b in zip(*found, strict=True)):.2e}"


def write_pairs(path: Path, count: int) -> Path:
    """Words and their reversals."""
    chance = random.Random(0)
    words = {"".join(chance.choices("abcdefghij", k=chance.randint(2, 9))) for _ in range(count)}
    path.write_text("".join(f"{word}\t{word[::-1]}\n" for word in sorted(words)), encoding="utf-8")
    return path


def values(pairs: Path, preset: str, options: argparse.Namespace, **training: Any) -> dict[str, Any]:
    """A configuration."""
    return {
        "preset": preset, "data": {"train": str(pairs), "valid_share": 0.05},
        "training": {"device": options.device, "validations": 2, **training},
    }  # fmt: skip


def train(out: Path, pairs: Path, preset: str, precision: str, options: argparse.Namespace) -> str:
    """Trains, and translates on the device and on the CPU."""
    began = time.monotonic()
    list(start(values(pairs, preset, options, max_steps=options.steps, precision=precision), out))
    took = time.monotonic() - began
    words = [line.split("\t")[0] for line in pairs.read_text("utf-8").split("\n")[:400]]
    on_device = interlingua.load(out, device=options.device)
    on_cpu = interlingua.load(out, device="cpu")
    outputs = [[each.text for each in model.translate(words)] for model in (on_device, on_cpu)]
    differ = sum(a != b for a, b in zip(*outputs, strict=True))
    right = sum(output == word[::-1] for output, word in zip(outputs[0], words, strict=True))
    drawn = on_device.translate(words[:8], sample=True, n_best=2, seed=1)
    assert all(len(each.alternatives) == 1 for each in drawn)
    on_device.translate(words[:4], attention=True, alignment=True)
    differing = f"{differ} differ from the CPU's"
    return f"{right} of {len(words)} right, {differing}; {options.steps / took:.1f} steps/s in all"


def compare_resumed(place: Path, pairs: Path, options: argparse.Namespace) -> str:
    """The largest difference of weights between an undisturbed run and one that was stopped half-way."""
    experiment = values(pairs, "letters", options, max_steps=40, precision="fp32", checkpoint_every_s=1e-9)
    list(start(experiment, place / "whole"))
    events = start(experiment, place / "broken")
    for event in events:
        if getattr(event, "step", 0) >= 15:
            events.close()
            break
    list(resume(place / "broken", {}))
    one, other = (read_tensors(place / name / "model.safetensors")[0] for name in ("whole", "broken"))
    return f"weights differ by {max(float((one[key] - other[key]).abs().max()) for key in one):.1e} at most"


def race(out: Path, pairs: Path, options: argparse.Namespace) -> str:
    """A run whose time is measured, and that races."""
    experiment = merge(values(pairs, "", options, minutes=1.0), {})
    del experiment["preset"]
    told = [str(getattr(event, "text", "")) for event in start(experiment, out)]
    return "; ".join(line for line in told if line.startswith(("race", "preset"))) or "no race"


if __name__ == "__main__":
    main()
