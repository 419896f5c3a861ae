"""Texts whose languages were detected, so that each may need another model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlingua.serving.models.catalogue import ServedModel
from interlingua.serving.routes.drafts import OnProgress
from interlingua.serving.routes.service import Service, TranslatedText, TranslationOptions

__all__ = ["names_of", "translate_each"]


def names_of(models: Sequence[ServedModel]) -> str:
    """The names of the models that take part, for the log."""
    return ",".join(dict.fromkeys(served.name for served in models))


async def translate_each(
    service: Service, texts: Sequence[str], models: Sequence[ServedModel], options: TranslationOptions,
    terms: Mapping[str, str] | None = None, on_progress: OnProgress | None = None,
) -> list[TranslatedText]:  # fmt: skip
    """Translates each text by its own model; those of one model together.

    Args:
        service: translates.
        texts: of a request.
        models: of each text.
        options: of the request; the glossary is each model's.
        terms: of the request.
        on_progress: called with the numbers of the texts.

    Raises:
        RefusalError: too much is waiting already, the deadline has passed, or decoding failed.
    """
    groups: dict[str, list[int]] = {}
    for number, served in enumerate(models):
        groups.setdefault(served.name, []).append(number)
    done: dict[int, TranslatedText] = {}
    for numbers in groups.values():
        served = models[numbers[0]]
        own = options
        if not options.search.get("sample"):  # a draw at random cannot be made to hold terms
            own = options._replace(glossary=service.glossaries.choose(served, terms))
        tell = None if on_progress is None else _renumbered(on_progress, numbers)
        translated = await service.translate([texts[number] for number in numbers], served, own, tell)
        done |= zip(numbers, translated, strict=True)
    return [done[number] for number in range(len(texts))]


def _renumbered(on_progress: OnProgress, numbers: Sequence[int]) -> OnProgress:
    return lambda number, text: on_progress(numbers[number], text)
