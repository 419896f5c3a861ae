"""The paper's architecture learns: words are reversed after a small, fixed number of steps."""

from __future__ import annotations

from pathlib import Path

import interlingua
from tests.tiny import train_tiny, write_reversals

STEPS = 900


def test_the_papers_architecture_learns_to_reverse(tmp_path: Path) -> None:
    pairs = write_reversals(tmp_path / "pairs.tsv", 4000, letters="abcdefghij", longest=8)
    model = {
        "dim": 64,
        "heads": 4,
        "feed_forward": 128,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "norm": "post",
        "dropout": 0.1,
    }
    train_tiny(
        tmp_path / "run", pairs, more={"model": model, "training": {"patience": 0}},
        max_steps=STEPS, max_tokens=1024, learning_rate=3e-3, precision="fp32", validations=1,
    )  # fmt: skip
    unseen = write_reversals(tmp_path / "test.tsv", 4600, seed=1, letters="abcdefghij", longest=8)
    known = {line.split("\t")[0] for line in pairs.read_text().splitlines()}
    test = [line.split("\t") for line in unseen.read_text().splitlines()]
    test = [(word, answer) for word, answer in test if word not in known][:500]
    model_ = interlingua.load(tmp_path / "run", threads=1)
    outputs = model_.translate([word for word, _ in test], beam=1)
    right = sum(output.text == answer for output, (_, answer) in zip(outputs, test, strict=True))
    assert len(test) == 500
    assert right >= 0.99 * len(test)
