"""A service from its start to its end.

    request ─ reception (body, limits, log) ─ libretranslate | native (fields, keys) ─ service (text -> parts)
      ─ pool (queue, batches) ─ worker processes (models)

The service itself never loads PyTorch: it stays small, and starts while the workers load the models.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from interlingua.errors import ConfigurationError
from interlingua.serving import logs
from interlingua.serving.app import build_app
from interlingua.serving.http.protocol import bounded
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Catalogue, read_model
from interlingua.serving.models.corrections import Corrections
from interlingua.serving.models.documents import DocumentStore
from interlingua.serving.pool.pool import Pool
from interlingua.serving.settings import ServeSettings

__all__ = ["open_documents", "serve"]

log = logging.getLogger(__name__)


def serve(directories: Sequence[Path], settings: ServeSettings, announce: Callable[[str], None]) -> None:
    """Serves models until a SIGTERM or Ctrl-C; requests that are running then are finished first.

    Args:
        directories: of the models.
        settings: of the service.
        announce: called with the address once requests are answered.

    Raises:
        BundleError: a model cannot be loaded.
        ConfigurationError: a model has no languages, the keys cannot be read, or the port is taken.
        DataError: a glossary is not one.
        OutputError: corrections or documents cannot be saved.
    """
    models = [read_model(directory) for directory in directories]
    catalogue = Catalogue(models, pivot=settings.pivot)
    names = [model.name for model in catalogue.models.values()]
    corrections = Corrections(settings.corrections, names) if settings.corrections else None
    documents = open_documents(settings)
    try:
        with logs.json_lines():
            asyncio.run(_serve(catalogue, settings, corrections, documents, announce))
    finally:
        if corrections:
            corrections.close()
        if documents:
            documents.close()


def open_documents(settings: ServeSettings) -> DocumentStore | None:
    """The place for large files, if there is to be one.

    Raises:
        OutputError: it cannot be written, or another service uses it.
    """
    if settings.documents is None:
        return None
    keep_s = settings.document_hours * 3600
    return DocumentStore(settings.documents, settings.max_documents, settings.documents_bytes, keep_s)


async def _serve(
    catalogue: Catalogue, settings: ServeSettings, corrections: Corrections | None,
    documents: DocumentStore | None, announce: Callable[[str], None],
) -> None:  # fmt: skip
    metrics = Metrics()
    models = {model.name: str(model.directory.absolute()) for model in catalogue.models.values()}
    pool = Pool(models, settings, metrics)
    app = build_app(catalogue, pool, settings, metrics, corrections, documents)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, http=bounded(settings.max_connections), ws="none",
        lifespan="off", log_config=None, access_log=False, server_header=False, timeout_keep_alive=15,
        backlog=settings.max_connections,
        timeout_graceful_shutdown=int(settings.timeout_s + settings.body_timeout_s) + 1,
    )  # fmt: skip
    listener = _bind(settings)
    try:
        await pool.start()
        # uvicorn raises a signal again once it has shut down; being asked to stop is no failure.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        host, port = listener.getsockname()[:2]
        logs.log_event(log, "started", host=host, port=port, models=list(models), workers=pool.processes)
        announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        await running
        logs.log_event(log, "stopped")
    finally:
        listener.close()
        await pool.stop()


def _bind(settings: ServeSettings) -> socket.socket:
    """Takes the address; nobody can connect yet."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the address cannot be listened on: {error.strerror}", where="--host, --port",
            found=f"{settings.host}:{settings.port}", accepted="Is another service running there?",
        ) from None  # fmt: skip
    return listener
