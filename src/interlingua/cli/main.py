"""The verbs as one command line, and how it ends.

Exit codes: 0 done, 2 a mistake that the message says how to put right, 130 stopped with Ctrl-C, 1 or 141 when
whoever reads the output has had enough.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import interlingua
from interlingua.cli.cache import cache
from interlingua.cli.evaluate import evaluate
from interlingua.cli.export import export
from interlingua.cli.import_model import import_model
from interlingua.cli.improve import improve
from interlingua.cli.info import info
from interlingua.cli.look import look
from interlingua.cli.paint import paint
from interlingua.cli.quickstart import quickstart
from interlingua.cli.report import report
from interlingua.cli.score import score
from interlingua.cli.serve import serve
from interlingua.cli.streams import discard_output, flush_output, prepare_streams
from interlingua.cli.train import train
from interlingua.cli.transcribe import transcribe
from interlingua.cli.translate import translate
from interlingua.errors import InterlinguaError

__all__ = ["app", "main"]

app = typer.Typer(
    name="interlingua",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (
    quickstart,
    train,
    translate,
    transcribe,
    paint,
    evaluate,
    export,
    score,
    info,
    look,
    report,
    serve,
    improve,
    cache,
):
    app.command()(verb)
app.command("import")(import_model)  # Python keeps the word for itself


def main() -> None:
    """Runs the command line; a user's mistake ends with its message and exit code 2, without traceback."""
    prepare_streams()
    try:
        try:
            app()
        finally:
            flush_output()
    except InterlinguaError as error:
        _fail(error)
    except BrokenPipeError:
        discard_output()
        sys.exit(141)
    except OSError as error:
        discard_output()
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        _fail(f"{place}{error.strerror or error}")


def _fail(message: object) -> None:
    print(f"interlingua: {message}", file=sys.stderr)
    sys.exit(2)


def _version(requested: bool) -> None:
    if requested:
        print(interlingua.__version__)
        raise typer.Exit


@app.callback()
def _overview(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Train your own sequence-to-sequence model from a file of pairs, and use it.

    New here? `interlingua quickstart` trains and shows a small model in about five minutes.
    """
