"""Whether runs and benchmarks say all that a page needs: half written or edited files are refused by name."""

from teachonce.errors import CorruptError
from teachonce.plots.runs import Run
from teachonce.reports.accuracy import accuracy_section
from teachonce.reports.benches import estimate_section, parts_section
from teachonce.reports.break_even import break_even_section
from teachonce.reports.costs import costs_section
from teachonce.reports.gather import Bench, Material
from teachonce.reports.live import arms_section
from teachonce.reports.provenance import provenance_section
from teachonce.reports.sweeps import sweep_section
from teachonce.reports.tiles import tiles
from teachonce.reports.verdict import judge

_RUN = (accuracy_section, provenance_section, tiles)
_BENCH = (
    *(judge, tiles, arms_section, break_even_section, sweep_section),
    *(costs_section, estimate_section, parts_section, provenance_section),
)
_MEND = "Make it again, restore it from a copy, or leave it out"


def check_whole(material: Material) -> None:
    """Read each run and each benchmark alone, so that what is missing is told with the file that lacks it.

    Raises:
        CorruptError: The first that lacks something, or has something else in its place.
    """
    for run in material.runs:
        _check(run)
    for bench in material.benches:
        _check(bench)


def _check(one: Run | Bench) -> None:
    is_run = isinstance(one, Run)
    alone = Material(runs=(one,)) if isinstance(one, Run) else Material(benches=(one,))
    try:
        for part in _RUN if is_run else _BENCH:
            part(alone)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        place = one.folder if isinstance(one, Run) else one.path
        lacks = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        if isinstance(error, TypeError | AttributeError):
            lacks = f"a value is of another kind than expected: {lacks}"
        raise CorruptError(f"{place} is not whole: {lacks}", _MEND) from error
