"""What is counted, in Prometheus' form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

__all__ = ["Metrics"]

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SENTENCES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of one service.

    Args:
        engine: what computes.
    """

    def __init__(self, engine: str = "interlingua") -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        counter = partial(Counter, namespace="interlingua", registry=self.registry)
        gauge = partial(Gauge, namespace="interlingua", registry=self.registry)
        histogram = partial(Histogram, namespace="interlingua", registry=self.registry)
        self.requests = counter("requests", "Requests by route and status.", ["route", "status"])
        self.latency = histogram(
            "request_seconds", "From the first byte to the last.", ["route"], buckets=_SECONDS
        )
        self.refused = counter("refused", "Requests turned down to stay healthy.", ["reason"])
        self.sentences = counter("sentences", "Sentences translated.")
        self.sounds = counter("sounds", "Sounds transcribed.")
        self.sound_seconds = counter("sound_seconds", "Seconds of sound transcribed.")
        self.painted = counter("pictures_painted", "Pictures painted.")
        self.described = counter("pictures_described", "Pictures described.")
        self.tokens = counter("tokens", "Target tokens generated; their rate is tokens a second.")
        self.batches = histogram("batch_sentences", "Sentences decoded together.", buckets=_SENTENCES)
        self.decoding = histogram("decode_seconds", "Time that a worker takes for a batch.", buckets=_SECONDS)
        self.restarts = counter("worker_restarts", "Workers replaced because they died.")
        self._queue = gauge("queue_sentences", "Sentences that wait.")
        self.kept_seconds = gauge("queue_sound_seconds", "Seconds of sound that wait or are transcribed.")
        self._workers = gauge("workers", "Workers that are up.")
        gauge("engine", "1 for what computes.", ["engine"]).labels(engine).set(1)

    def watch(self, queue: Callable[[], int], workers: Callable[[], int]) -> None:
        """Says where the present values come from."""
        self._queue.set_function(queue)
        self._workers.set_function(workers)

    def decoded(self, sentences: int, tokens: int, seconds: float) -> None:
        """Counts a batch."""
        self.sentences.inc(sentences)
        self.tokens.inc(tokens)
        self.batches.observe(sentences)
        self.decoding.observe(seconds)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
