"""What a GPU computes is what the CPU computes, and how fast it trains.

    python benchmarks/devices.py [--device cuda]

Prints, for every architecture and kind of source, the worst difference of logits in fp32; of models of text,
of sound and of pictures that were trained on the device, how many outputs differ from the CPU's; what a
stopped and resumed run comes to beside an undisturbed one; and updates a second in fp32 and bf16. Needs no
data and no network.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import traceback
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import interlingua
from interlingua.cli.scenes import draw_scene, render_scene, write_caption
from interlingua.data.tensors import read_tensors
from interlingua.kinds import Source
from interlingua.model.architectures import build_model
from interlingua.model.presets import PRESETS
from interlingua.runs.run import resume, start
from interlingua.settings import merge

ARCHITECTURES = ("tiny", "letters", "small", "rnn", "gru", "lstm", "speech-small", "mini")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
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
        report("sound", lambda: transcribe(place / "sound", options))
        report("pictures to text", lambda: describe(place / "pictures", options))
        report("text to pictures", lambda: paint(place / "pictures", options))
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
    kind: Any = "sound" if preset.startswith("speech") else "picture" if preset == "mini" else "text"
    size = {"sound": 80, "picture": 48, "text": 40}[kind]
    settings = PRESETS[preset].model_copy(update={"dropout": 0.0})
    model = build_model(settings, size, 40, shared=False, source_kind=kind).eval()
    mask = torch.arange(64) < torch.tensor([[64], [64 if kind == "picture" else 37], [64]])
    values = torch.randint(4, 40, (3, 64)) if kind == "text" else torch.randn(3, 64, size)
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
    took = timed(values(pairs, preset, options, max_steps=options.steps, precision=precision), out)
    words = [word for word, _ in read(pairs)[:400]]
    on_device = interlingua.load(out, device=options.device)
    on_cpu = interlingua.load(out, device="cpu")
    outputs = [[each.text for each in model.translate(words)] for model in (on_device, on_cpu)]
    drawn = on_device.translate(words[:8], sample=True, n_best=2, seed=1)
    assert all(len(each.alternatives) == 1 for each in drawn)
    on_device.translate(words[:4], attention=True, alignment=True)
    reversed_words = [word[::-1] for word in words]
    return f"{compare(outputs, reversed_words)}; {options.steps / took:.1f} updates/s in all"


def transcribe(place: Path, options: argparse.Namespace) -> str:
    """Trains on sounds of digits, a tone each, and transcribes on the device and on the CPU."""
    place.mkdir()
    chance, time_s = random.Random(0), np.arange(1600) / 16_000
    lines = []
    for i in range(600):
        digits = chance.choices("0123456789", k=chance.randint(1, 6))
        tones = [np.sin(2 * np.pi * (300 + 350 * int(digit)) * time_s) * np.hanning(1600) for digit in digits]
        with wave.open(str(place / f"{i}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((12_000 * np.concatenate(tones)).astype("<i2").tobytes())
        lines.append(f"{place / str(i)}.wav\t{' '.join(digits)}\n")
    (place / "pairs.tsv").write_text("".join(lines))
    experiment = values(place / "pairs.tsv", "speech-tiny", options, max_steps=options.steps)
    took = timed(experiment, place / "model")
    names, digits = zip(*read(place / "pairs.tsv")[:100], strict=True)
    outputs = [
        [each.text for each in interlingua.load(place / "model", device=device).translate(list(names))]
        for device in (options.device, "cpu")
    ]
    return f"{compare(outputs, list(digits))}; {options.steps / took:.1f} updates/s in all"


def write_scenes(place: Path) -> Path:
    """Pictures of coloured shapes and their captions."""
    if not place.exists():
        place.mkdir()
        draw, lines = np.random.default_rng(0), []
        for i in range(3000):
            scene = draw_scene(draw)
            Image.fromarray(render_scene(scene)).save(place / f"{i}.png")
            lines.append(f"{place / str(i)}.png\t{write_caption(scene, draw)}\n")
        (place / "pairs.tsv").write_text("".join(lines))
    return place / "pairs.tsv"


def describe(place: Path, options: argparse.Namespace) -> str:
    """Trains on pictures and captions, and describes on the device and on the CPU."""
    pairs = write_scenes(place)
    took = timed(values(pairs, "mini", options, max_steps=options.steps), place / "captioner")
    names, captions = zip(*read(pairs), strict=True)
    outputs = [
        [
            each.text
            for each in interlingua.load(place / "captioner", device=device).translate(list(names[:100]))
        ]
        for device in (options.device, "cpu")
    ]
    return f"{compare(outputs, list(captions[:100]))}; {options.steps / took:.1f} updates/s in all"


def paint(place: Path, options: argparse.Namespace) -> str:
    """Trains on captions and pictures, and paints on the device and on the CPU, with the same seeds."""
    pairs = write_scenes(place)
    experiment = values(pairs, "mini", options, max_steps=options.steps)
    experiment["data"]["columns"] = "2,1"
    took = timed(experiment, place / "painter")
    captions = [caption for _, caption in read(pairs)[:50]]
    pixels = [
        np.stack(
            [
                each.pixels
                for (each,) in interlingua.load(place / "painter", device=device).paint(
                    captions, seed=range(50)
                )
            ]
        )
        for device in (options.device, "cpu")
    ]
    alike = int((pixels[0] == pixels[1]).all(axis=(1, 2, 3)).sum())
    return f"{alike} of 50 pictures as on the CPU; {options.steps / took:.1f} updates/s in all"


def read(pairs: Path) -> list[list[str]]:
    """The columns of every line."""
    return [line.split("\t") for line in pairs.read_text("utf-8").split("\n") if line]


def timed(experiment: dict[str, Any], out: Path) -> float:
    """Trains, and returns the seconds it took."""
    began = time.monotonic()
    list(start(experiment, out))
    return time.monotonic() - began


def compare(outputs: list[list[str]], expected: list[str]) -> str:
    """How many of the first outputs are right, and how many differ from the second ones."""
    right = sum(a == b for a, b in zip(outputs[0], expected, strict=True))
    differ = sum(a != b for a, b in zip(*outputs, strict=True))
    return f"{right} of {len(expected)} right, {differ} differ from the CPU's"


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
