"""One model of several languages, told apart by tags, against a model for each.

    python benchmarks/languages.py DATA --work DIR --languages fre hun ice --minutes 5

DATA has a directory for each language, with train.tsv, valid.tsv and test.tsv. The models of one language are
trained for so many minutes, that of all for as many as these together, by the defaults. The share of wrong
test sequences is printed, and how often chance alone would make the difference (paired bootstrap). What is
done is kept in --work and not done again; --only trains some of the models. --cpu-time: see any_data.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from any_data import Task, read
from any_data import interlingua as run

from interlingua.evaluation.metrics import metric_named
from interlingua.evaluation.references import choose_repeated
from interlingua.evaluation.scores import compare, evaluate

ALL = "all"
FORMAT = Task("")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--languages", nargs="+", required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--only", nargs="+", help=f"of these, one language each, or {ALL}")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.only or [*options.languages, ALL]:
        train(name, options)
    print("| language | a model of its own | one model of all | p |")
    print("|---|---:|---:|---:|")
    for language in options.languages:
        outputs = [options.work / f"{name}-{language}.txt" for name in (language, ALL)]
        if all(place.exists() for place in outputs):
            print(f"| {language} | {' | '.join(judge(language, outputs, options.data))} |")


def train(name: str, options: argparse.Namespace) -> None:
    """Trains a model, and keeps what it answers to the test sets that it is for."""
    languages = options.languages if name == ALL else [name]
    if all((options.work / f"{name}-{language}.txt").exists() for language in languages):
        return
    model, experiment = options.work / name, options.work / f"{name}.toml"
    experiment.write_text("".join(corpus(options.data / language, name == ALL) for language in languages))
    with (options.work / f"{name}.log").open("w") as log:
        run(["train", experiment, "--out", model, "--minutes", options.minutes * len(languages), "--seed",
             options.seed, "--threads", options.threads, "--force"], log, options.cpu_time)  # fmt: skip
        for language in languages:
            sources = options.work / "sources.txt"
            pairs = read(options.data / language / "test.tsv", FORMAT)
            sources.write_text("".join(f"{pair.source}\n" for pair in pairs))
            tag = ["--tag", language] if name == ALL else []
            outputs = run(["translate", model, "--input", sources, *tag], log)
            (options.work / f"{name}-{language}.txt").write_text(outputs)


def corpus(directory: Path, tagged: bool) -> str:
    """The table of an experiment file."""
    train, valid = (str((directory / f"{part}.tsv").resolve()) for part in ("train", "valid"))
    tag = f'tag = "{directory.name}"\n' if tagged else ""
    return f'[[data.corpora]]\nfiles = ["{train}"]\nvalid = ["{valid}"]\n{tag}\n'


def judge(language: str, places: list[Path], data: Path) -> list[str]:
    """The errors of both, in percent, and p."""
    pairs = read(data / language / "test.tsv", FORMAT)
    outputs = [place.read_text().split("\n")[:-1] for place in places]
    metrics, repeated = [metric_named("sequence_error", "words")], choose_repeated(pairs)
    errors = [evaluate(each, pairs, metrics=metrics, repeated=repeated, n_bootstrap=0)[0].score
              for each in outputs]  # fmt: skip
    (compared,) = compare(*outputs, pairs, metrics=metrics, repeated=repeated)
    return [*(f"{error:.2f}%" for error in errors), f"{compared.p_value:.3f}"]


if __name__ == "__main__":
    main()
