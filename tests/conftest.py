"""Shapes in annotations are checked while unit tests run (jaxtyping with beartype), and only then.

System tests call the same functions with the same shapes, for a quarter more of the time.

Hypothesis tries the same examples at every run, however long they take: tests fail for what was changed, and
for nothing else. `pytest --hypothesis-profile=search` looks for others.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import jaxtyping
from jaxtyping import install_import_hook

CHECKED = [
    "interlingua.model",
    "interlingua.search",
    "interlingua.terms.constraints",
    "interlingua.training.ctc",
    "interlingua.training.objective",
    "interlingua.data.batch",
    "interlingua.sound.features",
    "interlingua.sound.augmentation",
]

# Before CTranslate2 is imported: without VNNI, sums of 8-bit products overflow in what it has for AMD.
os.environ.setdefault("CT2_USE_MKL", "1")

# Before any test imports them.
install_import_hook(CHECKED, "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Checks shapes in unit tests and in what is set up for them."""
    jaxtyping.config.update("jaxtyping_disable", "unit" not in item.path.parent.parts)
    return (yield)


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", PATIENT, derandomize=False)
settings.register_profile("same", PATIENT, derandomize=True, database=None)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("INTERLINGUA_CACHE", str(cache))
