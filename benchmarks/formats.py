"""A million pairs in each format, read once: seconds of one CPU, and how much memory the reading takes.

    python benchmarks/formats.py [--pairs 1000000]

Each file is read in a process of its own. Its peak resident set, as the kernel reports it, is set beside that
of a file of 1,000 pairs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from interlingua.data.corpus import CorpusSettings, read_pairs

LEAST = 1_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=1_000_000)
    arguments.add_argument("--read", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.read:
        print(json.dumps(measure(options.read)))
        return
    print("| format | MB | pairs | CPU seconds | pairs/s | peak RSS, MB | of 1,000 pairs, MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, write in WRITERS.items():
        with tempfile.TemporaryDirectory(prefix="formats-") as directory:
            rows = []
            for pairs in (LEAST, options.pairs):
                path = Path(directory) / f"{pairs}{name}"
                write(path, pairs)
                command = [sys.executable, __file__, "--read", str(path)]
                rows.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
            small, large = rows
            size, seconds = path.stat().st_size / 1e6, large["seconds"]
            speed = f"{large['pairs']:,} | {seconds:.1f} | {large['pairs'] / seconds:,.0f}"
            memory = f"{large['peak_mb']:.0f} | {small['peak_mb']:.0f}"
            print(f"| {name} | {size:,.0f} | {speed} | {memory} |", flush=True)


def measure(path: str) -> dict[str, float]:
    started = time.process_time()
    pairs = sum(1 for _ in read_pairs(path, CorpusSettings()))
    seconds = time.process_time() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"pairs": pairs, "seconds": seconds, "peak_mb": peak_mb}


def texts(number: int) -> tuple[str, str]:
    return (
        f"The translation memory holds unit {number}, which somebody once translated with care.",
        f"Das Übersetzungsarchiv enthält die Einheit {number}, die jemand einst sorgfältig übersetzte.",
    )


def write_lines(path: Path, pairs: int, line: str, before: str = "", after: str = "") -> None:
    opening = gzip.open if path.suffix == ".gz" else open
    with opening(path, "wt", encoding="utf-8") as file:
        file.write(before)
        for number in range(pairs):
            source, target = texts(number)
            file.write(line.format(source, target))
        file.write(after)


def write_tsv(path: Path, pairs: int) -> None:
    write_lines(path, pairs, "{}\t{}\n")


def write_csv(path: Path, pairs: int) -> None:
    write_lines(path, pairs, '"{}","{}"\n')


def write_tmx(path: Path, pairs: int) -> None:
    tuv = '<tuv xml:lang="{}"><seg>{}</seg></tuv>'
    line = f"<tu>{tuv.format('en', '{}')}{tuv.format('de', '{}')}</tu>\n"
    write_lines(path, pairs, line, '<tmx version="1.4"><header srclang="en"/><body>\n', "</body></tmx>\n")


def write_xliff(path: Path, pairs: int) -> None:
    before = '<xliff version="1.2"><file source-language="en" target-language="de"><body>\n'
    line = '<trans-unit id="1"><source>{}</source><target>{}</target></trans-unit>\n'
    write_lines(path, pairs, line, before, "</body></file></xliff>\n")


def write_po(path: Path, pairs: int) -> None:
    write_lines(path, pairs, 'msgid "{}"\nmsgstr "{}"\n\n')


def write_zip(path: Path, pairs: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for side, code in enumerate(("en", "de")):
            with archive.open(f"Units.en-de.{code}", "w") as member:
                for number in range(pairs):
                    member.write(f"{texts(number)[side]}\n".encode())


def write_parquet(path: Path, pairs: int) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([("source", pyarrow.string()), ("target", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, pairs, 100_000):
            columns = zip(*map(texts, range(first, min(pairs, first + 100_000))), strict=True)
            writer.write_table(pyarrow.table([*map(list, columns)], schema=schema))


WRITERS: dict[str, Callable[[Path, int], None]] = {
    ".tsv": write_tsv, ".csv": write_csv, ".tmx": write_tmx, ".tmx.gz": write_tmx, ".xliff": write_xliff,
    ".po": write_po, ".zip": write_zip, ".parquet": write_parquet,
}  # fmt: skip

if __name__ == "__main__":
    main()
