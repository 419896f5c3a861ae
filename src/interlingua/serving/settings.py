"""What a service is told at its start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from interlingua.settings import Settings

__all__ = ["ServeSettings"]


class ServeSettings(Settings):
    """How a service listens, what it allows, and how it shares out the work."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """The address to listen on; by default only this machine can connect."""
    port: Annotated[int, Field(ge=0, le=65535)] = 5000
    """The port; 0 takes a free one."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that translate, each with one thread; 0 means one for each processor core."""
    precision: Literal["auto", "fp32", "bf16", "int8"] = "fp32"
    """What to compute in."""
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
    """The most characters of a request, all its texts together."""
    max_texts: Annotated[int, Field(ge=1, lt=2**31)] = 128
    """The most texts of a request."""
    max_file_characters: Annotated[int, Field(ge=1, lt=2**31)] = 100_000
    """The most characters of a file."""
    max_body_bytes: Annotated[int, Field(ge=1, lt=2**31)] = 1 << 20
    """The largest request, in bytes."""
    max_alternatives: Annotated[int, Field(ge=0, le=20)] = 5
    """The most alternatives of a translation that may be asked for."""
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
    corrections: Path | None = None
    """A directory to save corrected translations in, one file for each model; by default none are saved."""
    cors: tuple[str, ...] = ()
    """The web sites (origins) whose pages may use this service; * stands for all."""
    file_minutes: Annotated[float, Field(gt=0, le=1_000_000)] = 15
    """How long a translated file can be downloaded."""
    log_texts: bool = False
    """Whether the log holds the texts of the users; they are written nowhere else."""

    def worker_count(self) -> int:
        """How many processes translate."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.workers or cores or 1
