"""What all tests share."""

import signal
from pathlib import Path

import pytest
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(ALONE):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """What a test draws does not depend on the tests before it."""
    torch.manual_seed(0)
