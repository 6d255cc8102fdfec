"""teachonce: run the teacher once, cache its outputs, train every student from the cache.

The names below are the whole public interface; each is imported when it is first used, so that
`import teachonce` stays light (torch and transformers are not imported).
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
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
    "EmbedOptions": "teachonce.options.embed",
    "EstimateOptions": "teachonce.options.estimate",
    "EvaluateOptions": "teachonce.options.evaluate",
    "RdmOptions": "teachonce.options.rdm",
    "ReportOptions": "teachonce.options.runs",
    "RunOptions": "teachonce.options.runs",
    "TrainOptions": "teachonce.options.train",
    "TuneOptions": "teachonce.options.runs",
    "VerifyOptions": "teachonce.options.verify",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "losses":
        return import_module("teachonce.losses")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "losses"])
