"""How many processors there are."""

import os


def cores() -> int:
    """How many processors this process may use."""
    # macOS has no affinity
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
