"""Answers of the workers that are kept for texts that come again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from cachetools import LRUCache

from interlingua.documents.document import Part

__all__ = ["AnswerCache", "cache_key"]


class AnswerCache:
    """Answers by model, text, search and terms, in memory; none outlives the workers that gave it.

    A new worker has read the model anew, which may be another one by then.

    Args:
        max_bytes: of all answers, about; those not asked for longest go first.
    """

    def __init__(self, max_bytes: int) -> None:
        self._answers: LRUCache[str, tuple[int, dict[str, Any]]] = LRUCache(
            max_bytes, getsizeof=lambda sized: sized[0]
        )
        self._workers: frozenset[int] = frozenset()

    def get(self, key: str | None, workers: Collection[int]) -> dict[str, Any] | None:
        """The answer, if these are still the workers."""
        self._see(workers)
        _, answer = self._answers.get(key, (0, None)) if key else (0, None)
        return answer

    def put(self, key: str | None, answer: dict[str, Any], workers: Collection[int]) -> None:
        """Keeps an answer if these are the workers that could have given it."""
        if key is None or frozenset(workers) != self._workers:
            return
        size = len(key) + len(json.dumps(answer))
        if size <= self._answers.maxsize:
            self._answers[key] = size, answer

    def _see(self, workers: Collection[int]) -> None:
        if frozenset(workers) != self._workers:
            self._answers.clear()
            self._workers = frozenset(workers)


def cache_key(model: str, part: Part, search: Mapping[str, Any], *, detail: bool) -> str | None:
    """What an answer depends on; None for one that is not to be kept: drawn at random, or very large."""
    if search.get("sample") or search.get("attention"):
        return None
    return json.dumps([model, part.text, part.terms, search, detail], sort_keys=True)
