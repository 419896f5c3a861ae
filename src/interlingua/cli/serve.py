"""`interlingua serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interlingua.cli.models import find_model
from interlingua.cli.options import Engine
from interlingua.errors import ConfigurationError

__all__ = ["serve"]


def serve(
    models: Annotated[
        list[Path],
        typer.Argument(help="Model directories: one for each pair of languages, any of sounds and pictures."),
    ],
    host: Annotated[str | None, typer.Option(help="Where to listen; by default only this machine.")] = None,
    port: Annotated[int | None, typer.Option(help="5000 when not given; 0 takes a free one.")] = None,
    uds: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Listen on a Unix socket instead of a port.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name that browsers may call this by, such as mt.example.org."),
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(
            "--root-path", "--url-prefix", metavar="PATH", help="The path below which a proxy shows this."
        ),
    ] = None,
    forwarded_allow_ips: Annotated[
        str | None,
        typer.Option(metavar="ADDRESSES", help="Proxies whose X-Forwarded-For is believed: a,b; 127.0.0.1."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes of one thread each; one for each core when not given.")
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="cpu, or GPUs such as cuda:0, each with a worker of its own.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32, bf16 or int8.")] = None,
    engine: Engine = None,
    beam: Annotated[
        int | None, typer.Option(help="Hypotheses kept a sentence; 1 is fastest. By default the model's.")
    ] = None,
    api_keys: Annotated[
        Path | None, typer.Option(help="Ask for API keys: a file of their SHA-256, one a line.")
    ] = None,
    glossary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MODEL=]FILE",
            help="Terms to be translated in a given way: source term, tab, target term a line. With several "
            "models, such as en-de=FILE.",
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(help="Let users save better translations: a directory for files to train --from on."),
    ] = None,
    cors: Annotated[
        list[str] | None, typer.Option(help="A web site whose pages may use this, such as https://a.org.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="The most of each key, or else of each address.")
    ] = None,
    max_characters: Annotated[
        int | None, typer.Option(help="The most of each text; 10,000 by default.")
    ] = None,
    queue: Annotated[
        int | None,
        typer.Option(help="Sentences that may wait before requests are refused; 1,000 by default."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds until a request is given up; 30 by default.")
    ] = None,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Write users' texts to the log.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any other setting of the service, such as batch=32."
        ),
    ] = None,
) -> None:
    """Serve models over HTTP: LibreTranslate's API, and one that tells all.

    Example: `interlingua serve runs/en-de runs/de-en`

    `curl localhost:5000/translate -d q="A dog runs." -d source=en -d target=de`
    """
    for model in models:
        find_model(model)
    given: dict[str, Any] = {
        "host": host, "port": port, "uds": uds, "root_path": root_path,
        "allowed_host": tuple(allowed_host) if allowed_host else None,
        "device": tuple(device) if device else None,
        "forwarded_allow_ips": forwarded_allow_ips,
        "workers": workers, "precision": precision, "engine": engine, "beam": beam,
        "api_keys": api_keys, "cors": tuple(cors) if cors else None, "queue": queue, "timeout_s": timeout,
        "requests_per_minute": requests_per_minute, "max_characters": max_characters,
        "log_texts": log_texts or None, "glossary": tuple(glossary) if glossary else None,
        "corrections": corrections,
    }  # fmt: skip
    for item in set_ or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigurationError("a setting is KEY=VALUE", where="--set", found=item)
        given[key] = value
    try:
        from interlingua.serving.run import serve as run
        from interlingua.serving.settings import ServeSettings
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the packages for serving are not installed", where="serve", found=error.name,
            accepted="pip install 'interlingua[serve]'",
        ) from None  # fmt: skip
    values = {key: value for key, value in given.items() if value is not None}
    settings = ServeSettings.parse(values, where="serve")
    run(models, settings, lambda address: print(f"Serving at {address}", flush=True))
