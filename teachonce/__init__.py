"""teachonce: run the teacher once, cache its outputs, train every student from the cache.

The names below are the whole public interface; each is imported when it is first used, so that
`import teachonce` stays light (torch and transformers are not imported).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from teachonce.benchmarks.estimate.estimate import estimate
    from teachonce.cache.store import open_store
    from teachonce.engine.join.teacher import CachedTeacher
    from teachonce.heap import keep_freed
    from teachonce.models.students import load_student
    from teachonce.pipeline.run import run
    from teachonce.pipeline.tune.tune import tune
    from teachonce.reports.make import report
    from teachonce.stages.embed import embed
    from teachonce.stages.evaluate import evaluate
    from teachonce.stages.rdm import rdm
    from teachonce.stages.train import train
    from teachonce.stages.verify import verify

__version__ = "0.1.0"
__all__ = [
    "CachedTeacher", "embed", "estimate", "evaluate", "keep_freed", "load_student", "open_store",
    "rdm", "report", "run", "train", "tune", "verify",
]  # fmt: skip

_HOMES = {
    "CachedTeacher": "teachonce.engine.join.teacher",
    "embed": "teachonce.stages.embed",
    "estimate": "teachonce.benchmarks.estimate.estimate",
    "evaluate": "teachonce.stages.evaluate",
    "keep_freed": "teachonce.heap",
    "load_student": "teachonce.models.students",
    "open_store": "teachonce.cache.store",
    "rdm": "teachonce.stages.rdm",
    "report": "teachonce.reports.make",
    "run": "teachonce.pipeline.run",
    "train": "teachonce.stages.train",
    "tune": "teachonce.pipeline.tune.tune",
    "verify": "teachonce.stages.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
