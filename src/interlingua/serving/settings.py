"""What a service is told at its start."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from interlingua.engine.cpus import available_cpus
from interlingua.settings import Settings

__all__ = ["ServeSettings"]


def _split(value: Any) -> Any:
    """As `--set` gives several values: a,b."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _host(host: str) -> str:
    host = host.strip()
    if host.startswith("[") and host.endswith("]"):  # an IPv6 address as in a URL
        host = host[1:-1]
    if not host:
        raise ValueError("is empty; 0.0.0.0 listens on all addresses, 127.0.0.1 on this machine only")
    return host


def _host_name(name: str) -> str:
    try:
        name = name.lower() if name.startswith("*") else name.encode("idna").decode().lower()
    except UnicodeError:
        raise ValueError("is no name of a host") from None
    if not re.fullmatch(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
        raise ValueError("is a name alone, such as translate.example.org or *.example.org; * accepts all")
    return name


def _network(address: str) -> str:
    if address != "*":
        try:
            ipaddress.ip_network(address)
        except ValueError:
            raise ValueError("is an address such as 10.0.0.1, a network such as 10.0.0.0/8, or *") from None
    return address


def _device(name: str) -> str:
    if not re.fullmatch(r"cpu|mps|cuda(:[0-9]+)?", name):
        raise ValueError("is cpu, cuda, cuda:0, cuda:1 and so on, or mps")
    return name


def _root_path(path: str) -> str:
    path = path.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path):
        raise ValueError("begins with / and holds letters, digits and .-_~, such as /translate")
    return path


HostName = Annotated[str, AfterValidator(_host_name)]
Device = Annotated[str, AfterValidator(_device)]
Network = Annotated[str, AfterValidator(_network)]


class ServeSettings(Settings):
    """How a service listens, what it allows, and how it shares out the work."""

    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    """The address to listen on; by default only this machine can connect."""
    port: Annotated[int, Field(ge=0, le=65535)] = 5000
    """The port; 0 takes a free one."""
    uds: Path | None = None
    """A Unix socket to listen on instead of a port, for a proxy on this machine."""
    allowed_host: Annotated[tuple[HostName, ...], BeforeValidator(_split)] = ()
    """Names that requests may call the service by, beside its addresses, localhost and, where other machines
    can connect, this machine's name; * accepts all."""
    forwarded_allow_ips: Annotated[tuple[Network, ...], BeforeValidator(_split)] | None = None
    """Addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; by default those of the
    environment variable of that name, else 127.0.0.1; on a Unix socket everybody."""
    root_path: Annotated[str, AfterValidator(_root_path)] = ""
    """The path below which a proxy shows the service, such as /translate; the proxy may cut it off or not."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that translate, each with one thread; 0 means one for each processor core, or for each device
    if others are given."""
    device: Annotated[tuple[Device, ...], BeforeValidator(_split), Field(min_length=1)] = ("cpu",)
    """Where to compute: cpu, or GPUs such as cuda, cuda:1 or mps; workers are shared out among several."""
    precision: Literal["auto", "fp32", "bf16", "int8"] = "fp32"
    """What to compute in."""
    engine: Literal["interlingua", "ctranslate2"] = "interlingua"
    """What computes: this package, or CTranslate2, for models from text to text."""
    beam: Annotated[int | None, Field(ge=1, le=50)] = None
    """Hypotheses kept a sentence, unless a request says otherwise; by default the model's."""
    batch: Annotated[int, Field(ge=1, le=1024)] = 64
    """The most sentences that are decoded together."""
    wait_ms: Annotated[float, Field(ge=0, le=1000)] = 5
    """How long a sentence may wait for others to be decoded with while a worker is free."""
    draft_ms: Annotated[float, Field(ge=0, le=10_000)] = 80
    """The least time between two drafts of a translation while it is decoded."""
    queue: Annotated[int, Field(ge=1, lt=2**31)] = 1000
    """How many sentences may wait; beyond it requests are refused with 503."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30
    """A request that takes longer is ended with 503."""
    body_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 15
    """How long a client may take to send a request."""
    max_characters: Annotated[int, Field(ge=1, lt=2**31)] = 10_000
    """The most characters of a text; all texts of a request together are bounded by max_body_bytes."""
    max_texts: Annotated[int, Field(ge=1, lt=2**31)] = 128
    """The most texts of a request."""
    max_file_characters: Annotated[int, Field(ge=1, lt=2**31)] = 100_000
    """The most characters of a file."""
    max_body_bytes: Annotated[int, Field(ge=1, lt=2**63)] = 1 << 20
    """The largest request, in bytes."""
    max_alternatives: Annotated[int, Field(ge=0, le=20)] = 5
    """The most alternatives of a translation that may be asked for."""
    max_sound_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600
    """The longest sound."""
    max_sound_bytes: Annotated[int, Field(ge=1, lt=2**31)] = 25 << 20
    """The largest file of a sound."""
    sound_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 300
    """A request with a sound that takes longer is ended with 503."""
    queue_seconds: Annotated[float, Field(gt=0, le=10_000_000)] = 3600
    """How many seconds of sound may wait or be transcribed; beyond it sounds are refused with 503."""
    max_caption_characters: Annotated[int, Field(ge=1, lt=2**31)] = 1000
    """The most characters of a caption that is painted."""
    max_pictures: Annotated[int, Field(ge=1, le=256)] = 16
    """The most pictures that a request may have painted."""
    max_picture_bytes: Annotated[int, Field(ge=1, lt=2**31)] = 10 << 20
    """The largest file of a picture."""
    max_picture_pixels: Annotated[int, Field(ge=1, le=64_000_000)] = 25_000_000
    """The most pixels of such a file; each takes up to 32 bytes while it is read."""
    picture_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 120
    """A request that has pictures painted or described and takes longer is ended with 503."""
    max_connections: Annotated[int, Field(ge=1, lt=2**31)] = 1000
    """The most connections at a time."""
    requests_per_minute: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """The most requests a minute of each API key, or else of each address; 0 sets no limit."""
    api_keys: Path | None = None
    """A file with the SHA-256 of a key at the start of each line; requests must then name a key."""
    glossary: tuple[str, ...] = ()
    """Files of terms to be translated in a given way: FILE, or MODEL=FILE when there are several models."""
    max_terms: Annotated[int, Field(ge=1, lt=2**31)] = 200
    """The most terms of a request's own glossary."""
    max_term_characters: Annotated[int, Field(ge=1, lt=2**31)] = 100
    """The most characters of such a term and of its translation."""
    cache_bytes: Annotated[int, Field(ge=0, lt=2**63)] = 16 << 20
    """How much memory translations are kept in, for texts that come again; 0 keeps none."""
    pivot: bool = True
    """Whether a pair of languages without a model is translated through a third language."""
    corrections: Path | None = None
    """A directory to save corrected translations in, one file for each model; by default none are saved."""
    documents: Path | None = None
    """A directory to keep large files in that are translated as jobs; by default there are no such jobs."""
    max_document_bytes: Annotated[int, Field(ge=1, lt=2**63)] = 10 << 20
    """The largest of these files."""
    max_documents: Annotated[int, Field(ge=1, lt=2**31)] = 100
    """How many of them are kept at a time, waiting or done."""
    documents_bytes: Annotated[int, Field(ge=1, lt=2**63)] = 1 << 30
    """How much they and their translations may take on the disk."""
    document_hours: Annotated[float, Field(gt=0, le=1_000_000)] = 24
    """How long they are kept after they were translated."""
    cors: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """The web sites (origins) whose pages may use this service; * stands for all."""
    file_minutes: Annotated[float, Field(gt=0, le=1_000_000)] = 15
    """How long a translated file can be downloaded."""
    log_texts: bool = False
    """Whether the log holds the texts of the users; they are written nowhere else."""

    def worker_devices(self) -> list[str]:
        """The device of each process that translates."""
        count = self.workers or len(self.device)
        if not self.workers and self.device == ("cpu",):
            count = available_cpus()
        return [self.device[number % len(self.device)] for number in range(count)]
