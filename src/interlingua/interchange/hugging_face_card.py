"""The model card of an exported directory, as Hugging Face's hub reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlingua.inference.bundle import Bundle
from interlingua.interchange.comparison import Comparison
from interlingua.interchange.options import ExportOptions, read_languages

__all__ = ["write_card"]

METRICS = {"BLEU": "bleu", "chrF": "chrf", "WER": "wer", "CER": "cer"}
"""Ours that the hub knows, by its names."""


def write_card(bundle: Bundle, out: Path, options: ExportOptions, comparison: Comparison) -> None:
    """Writes README.md: what the model is, how good, how to use it; no sentence of the data."""
    import yaml

    languages = read_languages(bundle, options)
    between = f"{languages[0]} to {languages[1]}" if languages else "source to target"
    parts = ["---", yaml.safe_dump(_front(bundle, options, comparison), sort_keys=False).rstrip(), "---", ""]
    text = f"""# {options.name}

A sequence-to-sequence model, {between}, trained with [interlingua](https://pypi.org/project/interlingua/)
{comparison.interlingua} and exported for Transformers.

```python
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{options.name}")
model = AutoModelForSeq2SeqLM.from_pretrained("{options.name}")
inputs = tokenizer(["..."], return_tensors="pt", padding=True)
print(tokenizer.batch_decode(model.generate(**inputs), skip_special_tokens=True))
```

The model takes single sentences as it was trained on them; texts are not split here.

## Compared with the original

{comparison.describe()}
"""
    (out / "README.md").write_text("\n".join(parts) + text, encoding="utf-8")


def _front(bundle: Bundle, options: ExportOptions, comparison: Comparison) -> dict[str, Any]:
    """What the hub sorts models by."""
    languages = read_languages(bundle, options)
    front: dict[str, Any] = {}
    if languages:
        front["language"] = list(dict.fromkeys(languages))
    if options.license:
        front["license"] = options.license
    front |= {
        "library_name": "transformers",
        "pipeline_tag": "translation",
        "tags": ["translation", "interlingua"],
    }
    if comparison.metric is None or comparison.exported_score is None:
        return front
    metric = METRICS.get(comparison.metric, comparison.metric)
    measured = {"type": metric, "name": comparison.metric, "value": round(comparison.exported_score, 2)}
    task = {"type": "translation", "name": "Translation"}
    dataset = {"type": "private", "name": comparison.pairs_from}
    results = [{"task": task, "dataset": dataset, "metrics": [measured]}]
    return front | {"metrics": [metric], "model-index": [{"name": options.name, "results": results}]}
