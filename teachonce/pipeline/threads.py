"""How processes share the processors."""

import os

from teachonce.data.workers import count_processors


def share(jobs: int, threads: int | None) -> dict[str, str]:
    """The environment in which each of several processes has its share of the processors.

    Args:
        jobs: How many processes; what is alone has them all.
        threads: CPU threads of each; None: a fair share, unless the user has chosen.
    """
    if threads is None and (jobs == 1 or "OMP_NUM_THREADS" in os.environ):
        return {}
    return {"OMP_NUM_THREADS": str(threads or max(1, count_processors() // jobs))}
