"""The verbs as one command line, and how it ends.

Exit codes: 0 done, 2 a mistake that the message says how to put right, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import interlingua
from interlingua.cli.cache import cache
from interlingua.cli.evaluate import evaluate
from interlingua.cli.info import info
from interlingua.cli.look import look
from interlingua.cli.quickstart import quickstart
from interlingua.cli.report import report
from interlingua.cli.score import score
from interlingua.cli.serve import serve
from interlingua.cli.train import train
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
for verb in (quickstart, train, translate, evaluate, score, info, look, report, serve, cache):
    app.command()(verb)


def main() -> None:
    """Runs the command line; a user's mistake ends with its message and exit code 2, without traceback."""
    try:
        app()
    except InterlinguaError as error:
        print(f"interlingua: {error}", file=sys.stderr)
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
