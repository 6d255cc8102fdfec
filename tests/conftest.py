"""What all tests share."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Tests run beside others: threads that spin while they wait for work would take most of the processor's time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

# A shell starts background work deaf to SIGINT, and children inherit that: the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ALONE = (
    "benchmarks/",
    "cli/test_interrupts.py",
    "cli/test_tune_command.py",
    "data/test_workers.py",
    "engine/test_device.py",
    "engine/test_join_loaders.py",
    "pipeline/test_jobs.py",
    "pipeline/test_together.py",
    "soak/test_soak.py",
    "test_heap.py",
)
"""What measures time or memory, or sends signals at a moment of its own: no other test runs beside it."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of which no test is chosen are not imported."""
    place, chosen = collection_path.relative_to(Path(__file__).parent).as_posix(), config.option.markexpr
    is_left_out = collection_path.is_file() and place.startswith(ALONE) != (chosen == "alone")
    return True if is_left_out and chosen in ("alone", "not alone") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(ALONE):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """What a test draws does not depend on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def each_map_is_computed_once() -> Iterator[None]:
    """t-SNE of the same values is the same map, and most reports of the tests are of the same small stores."""
    module: Any = sys.modules.get("teachonce.plots.tsne")
    with pytest.MonkeyPatch.context() as patch:
        if module is not None:
            compute, known = module._map, {}

            def once(values: Any, perplexity: float, seed: int) -> Any:
                key = (values.tobytes(), values.shape, perplexity, seed)
                if key not in known:
                    known[key] = compute(values, perplexity, seed)
                xy, kl = known[key]
                return xy.copy(), kl

            patch.setattr(module, "_map", once)
        yield
