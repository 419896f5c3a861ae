"""An exported model beside ours on the same pairs: what shows that the export gives the same answers."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

from interlingua.engine.eager import EagerEngine
from interlingua.errors import ExportError
from interlingua.evaluation.metrics import task_metrics
from interlingua.evaluation.scores import compare, evaluate
from interlingua.inference.bundle import Bundle
from interlingua.inference.scoring import score_encoded
from interlingua.inference.translation import Translation
from interlingua.inference.translator import Translator
from interlingua.kinds import SPECIALS
from interlingua.version import __version__

__all__ = ["Comparison", "ExportedModel", "Sample", "compare_with_ours", "lost_points", "random_sample",
           "refuse_difference", "sample_pairs"]  # fmt: skip

MAX_PAIRS, MAX_TOKENS = 200, 12_000
"""What is compared at most, so that it takes seconds: pairs, and tokens of both their sides."""
RANDOM_PAIRS, RANDOM_LENGTH = 40, 16
WORST_DIFFERENCE = 1e-3
"""Of log-probabilities, in single precision."""
MOST_LOST, CHANCE = 0.5, 0.05
"""Points of the metric that rounded weights may lose; from how little probable on a loss is no chance."""


class ExportedModel(Protocol):
    """A model in another program, as its users run it."""

    runs_with: str
    """The program and its version."""
    searches: str
    """How it translates, in words."""
    search: Mapping[str, Any]
    """Settings with which ours searches about alike."""

    def count_cut_otherwise(self, texts: Sequence[str], ids: Sequence[list[int]]) -> int:
        """How many sources get other ids there than ours, which are given."""

    def log_probs(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[list[float]]:
        """The natural log-probability of each id of the targets and of the end after them; ids as ours."""

    def translate(self, texts: Sequence[str], most_tokens: int, *, greedy: bool = False) -> list[str]:
        """Texts in, texts out, by the search that its users get, or by the most probable token every time."""


class Sample(NamedTuple):
    """What both models are tried on."""

    pairs: list[tuple[str, str]]
    of: int
    """How many there were to choose from."""
    what: str
    """Where they come from, in words; never their file's name or texts."""
    judged: bool
    """Whether the targets are right, so that a metric can be computed."""


@dataclass(frozen=True)
class Comparison:
    """What came of it: figures only."""

    format: str
    interlingua: str
    runs_with: str
    pairs: int
    pairs_from: str
    tokens: int
    worst_log_prob_difference: float
    mean_log_prob: float
    """Of a target token, in nats, by our model."""
    exported_mean_log_prob: float
    sources_cut_otherwise: int
    equal_greedy_outputs: tuple[int, int]
    """By the most probable token every time: how many are equal, of how many. Outputs that our length limit
    cut off are not counted: it depends on the source, which other programs' do not."""
    equal_outputs: tuple[int, int]
    """The same by each program's own search."""
    searches: str
    quantization: str | None = None
    metric: str | None = None
    score: float | None = None
    exported_score: float | None = None
    usual_score: float | None = None
    """Our model's by its usual search, where that is another."""
    higher_is_better: bool = True
    p_value: float | None = None
    """How probable so large a difference of the scores is by chance."""

    def describe(self) -> str:
        """The figures for people, in lines."""
        greedy, outputs = map(self._describe_equal, (self.equal_greedy_outputs, self.equal_outputs))
        rounded = f", weights in {self.quantization}" if self.quantization else ""
        lines = [
            f"- {self.pairs_from}, through {self.runs_with}{rounded}",
            f"- log-probabilities of {self.tokens:,} target tokens: worst difference "
            f"{self.worst_log_prob_difference:.2g}; mean {self.mean_log_prob:.4f} here, "
            f"{self.exported_mean_log_prob:.4f} there",
            f"- equal outputs of greedy search: {greedy}",
            f"- equal outputs of each one's own search: {outputs} ({self.searches})",
        ]
        if self.sources_cut_otherwise:
            lines.append(
                f"- sources that are cut otherwise there, where texts are not normalised: "
                f"{self.sources_cut_otherwise:,} of {self.pairs:,}"
            )
        if self.metric is not None:
            usual = "" if self.usual_score is None else f"; {self.usual_score:.2f} here by the usual search"
            lines.append(f"- {self.metric}: {self.score:.2f} here, {self.exported_score:.2f} there{usual}")
        else:
            lines.append("- no metric: there were no pairs with right targets (--valid FILE names some)")
        return "\n".join(lines)

    def _describe_equal(self, outputs: tuple[int, int]) -> str:
        equal, of = outputs
        if not of:
            return f"not compared, since our length limit cut off all {self.pairs:,}"
        cut = f", {self.pairs - of:,} more cut off by our length limit" if of < self.pairs else ""
        return f"{equal:,} of {of:,}{cut}"

    def as_json(self) -> str:
        """The figures as a file holds them."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def sample_pairs(bundle: Bundle, pairs: list[tuple[str, str]], what: str) -> Sample:
    """Some of the pairs, always the same ones: those whose sources the model takes as a whole.

    Args:
        bundle: the model.
        pairs: sources and targets.
        what: where they come from, in words.
    """
    numbers = list(range(len(pairs)))
    random.Random(0).shuffle(numbers)
    chosen: list[int] = []
    tokens = 0
    for number in numbers:
        source, target = (
            len(tokenizer.encode(text))
            for tokenizer, text in zip(bundle.tokenizers, pairs[number], strict=True)
        )
        if not 0 < source <= bundle.lengths.max_source_length or target >= bundle.lengths.limit(source):
            continue
        tokens += source + target
        if len(chosen) == MAX_PAIRS or (chosen and tokens > MAX_TOKENS):
            break
        chosen.append(number)
    return Sample([pairs[i] for i in sorted(chosen)], len(pairs), what, judged=True)


def random_sample(bundle: Bundle) -> Sample:
    """Texts of random tokens, for a model whose pairs are gone."""
    numbers = random.Random(0)
    known = [
        [i for i in range(len(SPECIALS), len(tokenizer)) if _is_text(tokenizer.pieces([i])[0])]
        or range(len(SPECIALS), len(tokenizer))
        for tokenizer in bundle.tokenizers
    ]
    longest = max(1, min(RANDOM_LENGTH, bundle.lengths.max_source_length // 2))
    pairs = []
    for _ in range(RANDOM_PAIRS):
        sides = [
            tokenizer.decode(numbers.choices(ids, k=numbers.randint(1, longest)))
            for tokenizer, ids in zip(bundle.tokenizers, known, strict=True)
        ]
        if sides[0].strip():
            pairs.append((sides[0], sides[1]))
    return Sample(pairs, len(pairs), "random tokens", judged=False)


def compare_with_ours(
    bundle: Bundle, exported: ExportedModel, sample: Sample, *, to: str, quantization: str | None = None
) -> Comparison:
    """Runs the pairs through both models.

    Args:
        bundle: ours.
        exported: the other.
        sample: what to try them on.
        to: the format's name.
        quantization: how weights were rounded, if they were.
    """
    sources = [source for source, _ in sample.pairs]
    source_ids, target_ids = (
        tokenizer.encode_batch(texts)
        for tokenizer, texts in zip(bundle.tokenizers, zip(*sample.pairs, strict=True), strict=True)
    )
    engine = EagerEngine(bundle.model, "cpu")
    own = [value for found in score_encoded(engine, bundle.tokenizers, source_ids, target_ids)
           for value in found.log_probs]  # fmt: skip
    theirs = [value for row in exported.log_probs(source_ids, target_ids) for value in row]
    assert len(own) == len(theirs)
    translator = Translator(engine, bundle.tokenizers, settings=bundle.search, **bundle.lengths._asdict(),
                            facts=bundle.facts)  # fmt: skip
    most_tokens = max(bundle.lengths.limit(len(ids)) for ids in source_ids)
    outputs = translator.translate(sources, whole=True, n_best=1, sample=False, **exported.search)
    greedy = translator.translate(sources, whole=True, beam=1, n_best=1, sample=False)
    usual = outputs
    if exported.search.items() - bundle.search.model_dump().items():
        usual = translator.translate(sources, whole=True, n_best=1, sample=False)
    others = exported.translate(sources, most_tokens)
    greedy_others = exported.translate(sources, most_tokens, greedy=True)
    return Comparison(
        format=to, interlingua=__version__, runs_with=exported.runs_with, pairs=len(sources),
        pairs_from=f"{len(sources):,} of {sample.of:,} {sample.what}", tokens=len(own),
        worst_log_prob_difference=max(map(_difference, own, theirs), default=0.0),
        mean_log_prob=math.fsum(own) / len(own), exported_mean_log_prob=math.fsum(theirs) / len(theirs),
        sources_cut_otherwise=exported.count_cut_otherwise(sources, source_ids),
        equal_greedy_outputs=_count_equal(greedy, greedy_others), equal_outputs=_count_equal(outputs, others),
        searches=exported.searches, quantization=quantization,
        **_scores(bundle, sample, outputs, others, usual),
    )  # fmt: skip


def refuse_difference(comparison: Comparison) -> None:
    """Raises an ExportError where the export does not give the same answers.

    In single precision each log-probability must be the same, and what is searched otherwise is no fault.
    Rounded weights may lose a little of the metric; more than that counts where it is no chance.
    """
    worst = comparison.worst_log_prob_difference
    rounded = comparison.quantization not in (None, "float32")
    if not rounded and not worst <= WORST_DIFFERENCE:
        raise ExportError(
            "the exported model does not give the same answers, and was not kept",
            where=f"--to {comparison.format}",
            found=f"log-probabilities differ by up to {worst:.3g} of {comparison.pairs_from}",
            accepted=f"At most {WORST_DIFFERENCE:g}. Please report this, with the model's config.toml.",
        )  # fmt: skip
    if not math.isfinite(worst):
        raise ExportError("the exported model gives probabilities that are no numbers, and was not kept",
                          where=f"--to {comparison.format}")  # fmt: skip
    if rounded and lost_points(comparison) > MOST_LOST and (comparison.p_value or 0) < CHANCE:
        raise ExportError(
            "the exported model is worse, and was not kept", where=f"--to {comparison.format}",
            found=f"{comparison.metric} {comparison.exported_score:.2f} instead of {comparison.score:.2f}, "
            f"{comparison.pairs_from}",
            accepted=f"At most {MOST_LOST:g} may be lost. Without --quantization nothing is rounded.\n"
            f"  Measured through {comparison.runs_with}.",
        )  # fmt: skip


def lost_points(comparison: Comparison) -> float:
    """By how much the exported model's score is worse; 0 where there is none."""
    if comparison.score is None or comparison.exported_score is None:
        return 0.0
    lost = comparison.score - comparison.exported_score
    return lost if comparison.higher_is_better else -lost


def _is_text(piece: str) -> bool:
    """Whether a piece is something else than a byte, which is no text by itself, or half a character."""
    return not piece.startswith("<0x") and piece == piece.encode(errors="replace").decode()


def _difference(one: float, other: float) -> float:
    """Infinite where one of them is no number."""
    return abs(one - other) if math.isfinite(one) and math.isfinite(other) else math.inf


def _count_equal(ours: Sequence[Translation], others: Sequence[str]) -> tuple[int, int]:
    ended = [one.text == other for one, other in zip(ours, others, strict=True) if "limit" not in one.flags]
    return sum(ended), len(ended)


def _scores(
    bundle: Bundle, sample: Sample, ours: Sequence[Translation], others: Sequence[str],
    usual: Sequence[Translation],
) -> dict[str, Any]:  # fmt: skip
    """The metric of both, and of ours by its usual search if that is another."""
    if not sample.judged:
        return {}
    metric = task_metrics([target for _, target in sample.pairs], bundle.tokenizers, bundle.facts)[:1]
    outputs = [found.text for found in ours]
    (compared,) = compare(outputs, others, sample.pairs, metrics=metric)
    found = {"metric": compared.name, "score": compared.baseline, "exported_score": compared.score,
             "higher_is_better": compared.higher_is_better, "p_value": compared.p_value}  # fmt: skip
    if usual is not ours:
        texts = [translation.text for translation in usual]
        (score,) = evaluate(texts, sample.pairs, metrics=metric, n_bootstrap=0)
        found["usual_score"] = score.score
    return found
