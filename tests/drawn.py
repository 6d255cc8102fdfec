"""Cases of tests: all of them in `make soak`, else some by a seed."""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

Case = TypeVar("Case")
WHOLE = "TEACHONCE_SOAK" in os.environ


def some(cases: Sequence[Case], count: int, seed: str) -> list[Case]:
    """`count` of them, others for each seed, in their order; with TEACHONCE_SOAK all."""
    chosen = range(len(cases)) if WHOLE else sorted(random.Random(seed).sample(range(len(cases)), count))
    return [cases[number] for number in chosen]
