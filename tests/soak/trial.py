"""What a fault is to the runner: a list of jobs, each of which tries it once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.forks import Ended


@dataclass(frozen=True)
class Trial:
    """One try of a fault."""

    what: str
    """So that it can be found again: the work, the place, the seed."""
    outcome: str
    """In few words, the same for all that ended alike."""
    harm: str = ""
    """What must not happen and did; empty: no harm."""


Job = Callable[[Path], Trial]
"""Takes an empty folder that is removed afterwards."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    trials: Callable[[int, int, Path], list[Job]]
    """(seed, count, folder for sound things) -> jobs: `count` of them, or all where there are fewer."""
    full: int
    """Tries of `make soak`; a fault that can be tried at every place is, where this is large."""
    part: int
    """Tries of the test suite."""


Faults = Mapping[str, Fault]


def refusal(ended: Ended) -> str:
    """What is wrong with how a command ended that may end with one of our errors; empty: nothing."""
    if ended.hung:
        return "it hangs"
    if ended.status < 0:
        return f"it died by signal {-ended.status}"
    if ended.kind and (ended.kind[0].isupper() or "\n" in ended.message):
        return f"not one line of ours: {ended.kind}: {ended.message}"
    return ""
