"""`interlingua translate`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from interlingua.cli.describe import check_pictures, describe, name_chunks
from interlingua.cli.lines import (
    STANDARD_INPUT,
    check_input,
    check_output,
    count_lines,
    line_chunks,
    open_output,
    refuse_same_file,
)
from interlingua.cli.models import find_model, load_model, source_kind
from interlingua.cli.options import (
    Beam,
    Device,
    Engine,
    Json,
    Precision,
    Seed,
    Tag,
    Threads,
    refuse_options,
)
from interlingua.cli.texts import lines_of, name_symbols
from interlingua.cli.transcribe import transcribe
from interlingua.errors import ConfigurationError, DataError
from interlingua.flags import FLAGS
from interlingua.search.settings import SearchSettings
from interlingua.terms.reading import read_glossary
from interlingua.text.columns import add_tag, check_tag
from interlingua.text.normalise import is_blank

if TYPE_CHECKING:
    from interlingua.inference.translation import Translation
    from interlingua.inference.translator import Translator
    from interlingua.text.tokenizer import Tokenizer

__all__ = ["translate"]

SHOWN_SYMBOLS = 20
"""At most so many of what the vocabulary lacks are named at the end."""
CHUNK = 4096
"""Lines that are translated together where they come fast: enough for batches of nearly equal lengths."""


def translate(
    model: Annotated[Path, typer.Argument(help="A model directory.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts in quotes, instead of standard input."),
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option(help="Instead of standard input, which is also called -; may be .gz or .xz."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Instead of standard output; may be .gz or .xz.")
    ] = None,
    beam: Beam = None,
    n_best: Annotated[
        int | None, typer.Option(help="The n best translations, as one line of JSON a source.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw at random instead of searching.")] = False,
    temperature: Annotated[
        float | None, typer.Option(help="Of --sample: below 1 safer, above 1 wilder.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Of --sample: only from the k most probable tokens.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Of --sample: only from the most probable that sum up to p.")
    ] = None,
    min_p: Annotated[
        float | None,
        typer.Option(help="Of --sample: only from tokens this share as probable as the best."),
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="The score and a tab before each line.")] = False,
    json_lines: Json = False,
    alignment: Annotated[
        bool,
        typer.Option("--alignment", help="A tab and source-target token numbers (0-0 2-1) after each line."),
    ] = False,
    tag: Tag = None,
    glossary: Annotated[
        Path | None,
        typer.Option(help="Terms to be translated in a given way: source term, tab, target term a line."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    precision: Precision = None,
    engine: Engine = None,
    seed: Seed = None,
) -> None:
    """Translate lines: one out for each line in.

    Example: `interlingua translate runs/en-de "A dog runs."`

    Whole files: `interlingua translate runs/en-de < in.txt > out.txt`

    Lines that come slowly, such as from `tail -f`, are answered as they come.

    To the language or domain that a tag stands for: `interlingua translate runs/en-many --tag de < in.txt`

    As JSON, with alternatives: `echo "A dog runs." | interlingua translate runs/en-de --n-best 3`
    """
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    if sample and glossary is not None:
        raise ConfigurationError("a glossary does not go with sampling", where="--glossary, --sample")
    options = _search_options(sample, sampling, {"beam": beam, "n_best": n_best, "seed": seed})
    input, output = (None if path == Path("-") else path for path in (input, output))
    find_model(model)
    of_texts = {"--alignment": alignment, "--tag": tag, "--glossary": glossary}
    if source_kind(model) == "sound":
        refuse_options("sounds", {"--n-best": n_best, "--sample": sample, "--scores": scores, **of_texts,
                                  "--engine": engine})  # fmt: skip
        transcribe(model, texts, input, output, json_lines=json_lines, beam=beam, device=device,
                   threads=threads, precision=precision)  # fmt: skip
        return
    of_pictures = source_kind(model) == "picture"
    if of_pictures:
        refuse_options("pictures", of_texts)
    given_lines = texts or [] if of_pictures else lines_of(texts)
    if texts and input is not None:
        raise ConfigurationError("there are texts and a file of texts", where="--input", found=str(input),
                                 accepted="Give one of them.")  # fmt: skip
    pictures = map(Path, texts or []) if of_pictures else ()
    refuse_same_file([input, *filter(None, [glossary]), *model.iterdir(), *pictures], output)
    if not texts:
        check_input(input)
    check_output(output)
    if of_pictures:
        check_pictures(model, texts, input)
    if glossary is not None:
        options["glossary"] = read_glossary(glossary)

    use: Literal["picture", "text"] = "picture" if of_pictures else "text"
    translator = load_model(model, device, threads, precision, engine, of=use)
    from interlingua.inference.captioner import Captioner

    if tag is not None:
        check_tag(tag, translator.tokenizers.source, "--tag")
    if n_best is not None and beam is None and not sample:
        options["beam"] = max(translator.settings.beam, n_best)  # more ways do not change the first
    as_json = json_lines or n_best is not None
    detail: dict[str, Any] = {"alignment": alignment, "log_probs": as_json or scores}
    noticed = _Noticed()
    chunks = name_chunks if of_pictures else line_chunks
    listed_in = None if texts else input or STANDARD_INPUT
    line, fault = 1, None
    with open_output(output) as write, _progress(input, output) as advance:
        for sources in [given_lines] if texts else chunks(input, CHUNK):
            if isinstance(translator, Captioner):
                translations, fault = describe(translator, sources, listed_in, line, options)
            else:
                tagged = [source if is_blank(source) else add_tag(tag, source) for source in sources]
                readable, fault = _readable(tagged, translator, listed_in, line)
                translations = translator.translate(readable, **detail, **options)
            noticed.add(translations)
            written = [
                _as_json(source, translation, engine) if as_json else _as_text(translation, scores, alignment)
                for source, translation in zip(sources, translations, strict=fault is None)
            ]
            write("".join(text + "\n" for text in written))
            if fault is not None:
                noticed.report(translator.tokenizers.source)
                raise fault
            advance(len(sources))
            line += len(sources)
    noticed.report(translator.tokenizers.source)


def _search_options(sample: bool, sampling: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Those settings of the search that were given.

    Raises:
        ConfigurationError: one is not acceptable; told before PyTorch, which takes seconds, is loaded.
    """
    if not sample and any(value is not None for value in sampling.values()):
        raise ConfigurationError(
            "this only goes with --sample", where="--temperature, --top-k, --top-p, --min-p"
        )
    given = {**others, "sample": sample or None, **sampling}
    options = {key: value for key, value in given.items() if value is not None}
    wide = {"beam": options["n_best"]} if "n_best" in options and "beam" not in options else {}
    SearchSettings.parse({**options, **wide}, where="command line")
    return options


def _readable(
    sources: list[str], translator: Translator, listed_in: Path | str | None, line: int
) -> tuple[list[str], DataError | None]:
    """The sources before one that has other columns than the model reads; and what is wrong with that one."""
    tokenizer = translator.tokenizers.source
    if tokenizer.kind == "columns":
        for number, source in enumerate(sources):
            try:
                tokenizer.normalise(source)
            except DataError as error:
                where = None if listed_in is None else f"{listed_in}:{line + number}"
                return sources[:number], DataError(error.what, where=where, found=error.found,
                                                   accepted=error.accepted)  # fmt: skip
    return sources, None


class _Noticed:
    """What was flagged in the translations, and which symbols the model did not know."""

    def __init__(self) -> None:
        self.flags: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def add(self, translations: Iterable[Translation]) -> None:
        for translation in translations:
            self.flags.update(translation.flags)
            self.unknown.update(translation.unknown)

    def report(self, tokenizer: Tokenizer) -> None:
        """Says on standard error how many lines were flagged with what.

        Args:
            tokenizer: of the sources.
        """
        for flag, what in FLAGS.items():
            if not self.flags[flag] or flag == "empty":
                continue
            lines = "1 line" if self.flags[flag] == 1 else f"{self.flags[flag]:,} lines"
            listed = f": {self._name_unknown()}" if flag == "unknown" and self.unknown else ""
            print(f"interlingua: {lines}: {what}{listed}", file=sys.stderr)
        if spaced := self._spaced(tokenizer):
            print(f"  The model reads symbols with spaces between them: {spaced}", file=sys.stderr)

    def _spaced(self, tokenizer: Tokenizer) -> str:
        """What is not known as a word, but as letters with spaces between, written so; else nothing."""
        if tokenizer.kind != "words":
            return ""
        spaced = (" ".join(word) for word in self.unknown if len(word) > 1)
        return next((each for each in spaced if not tokenizer.unknown(each)), "")

    def _name_unknown(self) -> str:
        return name_symbols([symbol for symbol, _ in self.unknown.most_common()], SHOWN_SYMBOLS)


@contextmanager
def _progress(input: Path | None, output: Path | None) -> Iterator[Callable[[int], object]]:
    """Counts lines, with a bar on standard error when that is a terminal and the output goes elsewhere."""
    if not sys.stderr.isatty() or (output is None and sys.stdout.isatty()):
        yield lambda lines: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), "lines", TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count_lines(input))
        yield lambda lines: bar.advance(task, lines)


def _as_text(translation: Translation, scores: bool, alignment: bool) -> str:
    text = f"{translation.score:.4f}\t{translation.text}" if scores else translation.text
    if alignment:
        text += "\t" + " ".join(f"{source}-{target}" for source, target in translation.alignment or ())
    return text


def _as_json(source: str, translation: Translation, engine: str | None) -> str:
    record = {"source": source, **_record(translation)}
    if engine is not None and translation.engine:
        record["engine"] = translation.engine  # what it cannot do is done by our own
    record["alternatives"] = [_record(other) for other in translation.alternatives]
    return json.dumps(record, ensure_ascii=False)


def _record(translation: Translation) -> dict[str, Any]:
    record: dict[str, Any] = {
        "text": translation.text,
        "score": round(translation.score, 4),
        "tokens": translation.tokens,
        "log_probs": [round(value, 4) for value in translation.log_probs],
    }
    if translation.flags:
        record["flags"] = translation.flags
    if translation.unknown:
        record["unknown"] = translation.unknown
    if translation.terms:
        record["terms"] = [term._asdict() for term in translation.terms]
    if translation.alignment is not None:
        record |= {"source_tokens": translation.source_tokens, "alignment": translation.alignment}
    return record
