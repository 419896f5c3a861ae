"""A service from its start to its end.

    request ─ reception (body, limits, log) ─ libretranslate | native (fields, keys) ─ service (text -> parts)
                                            ─ openai | transcribe ─ transcription (sound -> pieces)
                                            ─ images | paint | describe ─ pictures (captions, files)
      ─ pool (queue, batches) ─ worker processes (models)

The service itself never loads PyTorch: it stays small, and starts while the workers load the models.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from interlingua.errors import ConfigurationError
from interlingua.serving import logs
from interlingua.serving.app import Sounds, build_app
from interlingua.serving.http.hosts import HostCheck
from interlingua.serving.http.listening import AcceptErrors, address_of, listen, reserve_file_handles
from interlingua.serving.http.protocol import bounded
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Catalogue, read_model, refuse_same_names
from interlingua.serving.models.corrections import Corrections
from interlingua.serving.models.documents import DocumentStore
from interlingua.serving.models.pictures import (
    ANY_PAINTER,
    PictureCatalogue,
    PictureModel,
    is_of_pictures,
    read_picture_model,
)
from interlingua.serving.models.reload import VersionWatch
from interlingua.serving.models.sounds import SoundCatalogue, is_of_sounds, read_sound_model
from interlingua.serving.pool.pool import Pool
from interlingua.serving.routes.pictures import Pictures
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
        InterlinguaError: a worker ended while it loaded them.
        DataError: a glossary is not one.
        OutputError: corrections or documents cannot be saved.
    """
    of_pictures = [read_picture_model(directory) for directory in directories if is_of_pictures(directory)]
    rest = [directory for directory in directories if not is_of_pictures(directory)]
    of_sounds = [read_sound_model(directory) for directory in rest if is_of_sounds(directory)]
    models = [read_model(directory) for directory in rest if not is_of_sounds(directory)]
    if settings.corrections and not models:
        found = ", ".join(path.name for path in directories)
        raise ConfigurationError(
            "corrections are of models from text to text", where="--corrections", found=found
        )
    catalogue = Catalogue(models, pivot=settings.pivot)
    names = [model.name for model in catalogue.models.values()]
    corrections = Corrections(settings.corrections, names) if settings.corrections else None
    documents = open_documents(settings)
    try:
        with logs.json_lines(), tempfile.TemporaryDirectory(prefix="interlingua-") as private:
            sounds = Sounds(SoundCatalogue(of_sounds, names), Path(private)) if of_sounds else None
            taken = [*names, *(model.name for model in of_sounds)]
            pictures = _pictures(of_pictures, taken, Path(private)) if of_pictures else None
            asyncio.run(_serve(catalogue, settings, corrections, documents, sounds, pictures, announce))
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


def _pictures(models: Sequence[PictureModel], taken: Sequence[str], directory: Path) -> Pictures:
    refuse_same_names(models, taken)
    painters = PictureCatalogue([model for model in models if model.paints], ANY_PAINTER)
    return Pictures(painters, PictureCatalogue([model for model in models if not model.paints]), directory)


async def _serve(
    catalogue: Catalogue, settings: ServeSettings, corrections: Corrections | None,
    documents: DocumentStore | None, sounds: Sounds | None, pictures: Pictures | None,
    announce: Callable[[str], None],
) -> None:  # fmt: skip
    metrics = Metrics(settings.engine)
    served = [
        *catalogue.models.values(), *(sounds.catalogue.models.values() if sounds else ()),
        *(pictures.models if pictures else ()),
    ]  # fmt: skip
    models = {model.name: str(model.directory.absolute()) for model in served}
    versions = VersionWatch(models)
    pool = Pool(models, settings, metrics)
    app = build_app(catalogue, pool, settings, metrics, corrections, documents, sounds, pictures)
    asyncio.get_running_loop().set_exception_handler(AcceptErrors())
    listener = listen(settings)
    server = uvicorn.Server(_configure(HostCheck(app, settings), settings, sounds, pictures))
    watching: asyncio.Task[None] | None = None
    try:
        await _load(pool, server)
        if server.should_exit:
            return
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        if server.started:
            address = address_of(listener)
            host, port = listener.getsockname()[:2] if settings.uds is None else (address, None)
            logs.log_event(log, "started", host=host, port=port, models=list(models), workers=pool.processes,
                           engine=settings.engine)  # fmt: skip
            announce(address)
        if settings.reload_s and not running.done():
            watching = asyncio.create_task(versions.watch(pool.reload, settings.reload_s))
        await running
    finally:
        if watching:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        listener.close()
        if settings.uds is not None:
            settings.uds.unlink(missing_ok=True)
        await pool.stop()
        logs.log_event(log, "stopped")


def _configure(
    app: ASGIApp, settings: ServeSettings, sounds: Sounds | None, pictures: Pictures | None
) -> uvicorn.Config:
    # Who can open a Unix socket is a proxy of this machine; it has no address to be known by.
    trusted = "*" if settings.uds is not None else None
    if settings.forwarded_allow_ips is not None:
        trusted = ",".join(settings.forwarded_allow_ips)
    longest_s = max(
        settings.timeout_s + settings.body_timeout_s, settings.sound_timeout_s if sounds else 0,
        settings.picture_timeout_s if pictures else 0,
    )  # fmt: skip
    return uvicorn.Config(
        app, http=bounded(reserve_file_handles(settings)), ws="none",
        lifespan="off", log_config=None, access_log=False, server_header=False, timeout_keep_alive=15,
        backlog=settings.max_connections, forwarded_allow_ips=trusted,
        timeout_graceful_shutdown=int(longest_s) + 1,
    )  # fmt: skip


async def _load(pool: Pool, server: uvicorn.Server) -> None:
    """Starts the workers, until a signal; from then on signals end the server.

    uvicorn raises a signal again once it has shut down; being asked to stop is no failure.
    """
    loop, loading = asyncio.get_running_loop(), asyncio.ensure_future(pool.start())

    def stop(*_: object) -> None:
        server.should_exit = True
        loop.call_soon_threadsafe(loading.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        await loading
    except asyncio.CancelledError:
        if not server.should_exit:
            raise
