"""`interlingua score`."""

from __future__ import annotations

import json
from itertools import tee
from pathlib import Path
from typing import Annotated

import typer

from interlingua.cli.lines import check_output, open_output, refuse_same_file
from interlingua.cli.models import find_model, load_model, read_as_trained, read_pairs_of
from interlingua.cli.options import (
    Columns,
    Device,
    Engine,
    Json,
    Keys,
    Languages,
    OnEmpty,
    Precision,
    Tag,
    Threads,
    pair_options,
    refuse_unread,
)
from interlingua.cli.streams import require_input, show_reading
from interlingua.text.columns import add_tag, check_tag

__all__ = ["score"]


def score(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    pairs: Annotated[
        str, typer.Argument(help="A file of pairs: .tsv, .jsonl, .tmx, …; - is standard input.")
    ],
    tag: Tag = None,
    with_pairs: Annotated[
        bool, typer.Option("--with-pairs", help="After the scores, with tabs, the source and the target.")
    ] = False,
    json_lines: Json = False,
    columns: Columns = None,
    keys: Keys = None,
    languages: Languages = None,
    on_empty: OnEmpty = None,
    device: Device = "auto",
    threads: Threads = None,
    precision: Precision = None,
    engine: Engine = None,
) -> None:
    """Say how probable given targets are: for each pair its log-probability, a tab, and that per token.

    Example: `interlingua score runs/en-de pairs.tsv`

    The most improbable pairs: `interlingua score runs/en-de pairs.tsv --with-pairs | sort -g -k2,2 | head`
    """
    find_model(model)
    if pairs == "-":
        require_input()
    check_output(None)
    refuse_same_file([None if pairs == "-" else Path(pairs)], None)
    from interlingua.data.corpus import Corpus, CorpusSettings

    refuse_unread([pairs], columns, keys)
    reading = read_as_trained(model, pair_options(columns, keys, on_empty, languages=languages))
    settings = CorpusSettings.parse(reading, where="command line")
    corpus = Corpus([pairs], settings)
    # A mistake in the last line is reported before the first is scored.
    show_reading(corpus.report())
    usable = read_pairs_of(pairs, corpus) if any(settings.names_files) else corpus
    translator = load_model(model, device, threads, precision, engine, of=None)
    if tag is not None:
        check_tag(tag, translator.tokenizers.source, "--tag")
    scored, shown = tee(usable)  # holds only the pairs whose scores are being computed
    with open_output(None) as write:
        tagged = ((add_tag(tag, source), target) for source, target in scored)
        for found, pair in zip(translator.score_pairs(tagged), shown, strict=True):
            per_token = found.log_prob / len(found.log_probs)
            if json_lines:
                record = {
                    "source": pair.source, "target": pair.target, "log_prob": round(found.log_prob, 4),
                    "log_prob_per_token": round(per_token, 4), "tokens": found.tokens,
                    "log_probs": [round(value, 4) for value in found.log_probs],
                }  # fmt: skip
                write(json.dumps(record, ensure_ascii=False) + "\n")
            else:
                texts = f"\t{pair.source}\t{pair.target}" if with_pairs else ""
                write(f"{found.log_prob:.4f}\t{per_token:.4f}{texts}\n")
