"""The cases of `bench live`, and the settings in which they differ."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from teachonce.benchmarks.live.records import CaseResult, LiveCheck, MethodResult, SweepResult
from teachonce.records import as_json
from teachonce.reports.gather import Material

MOST = 6
"""At most this many figures of a kind; a sweep shows all cases in one figure."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The result of a case of `bench live` for one method."""

    case: CaseResult
    method: str
    setting: str
    """The settings in which the case differs from the others: `l32-32, batch 8, bf16, compiled`."""

    @property
    def title(self) -> str:
        """The title of its figures."""
        return f"{self.method}, {self.setting}" if self.setting else self.method

    @property
    def found(self) -> MethodResult:
        """The method's part of the case."""
        return self.case.methods[self.method]

    @property
    def check(self) -> LiveCheck:
        """Of the live arm; one that holds where there is none."""
        return self.found.live_check or LiveCheck(ratio=1.0, limit=1.0)


def measurements(material: Material) -> list[Measured]:
    """Every method of every case of `bench live`, in order; duplicates in several files count once."""
    return measured_in(material.live)


def measured_in(results: Iterable[CaseResult | SweepResult]) -> list[Measured]:
    """The same for results of `bench live`."""
    found = [case for result in results for case in result.each]
    cases = list({json.dumps([_words(case), as_json(case.methods)], sort_keys=True): case for case in found}.values())
    words = [_words(case) for case in cases]
    varying = [len(set(column)) > 1 for column in zip(*words, strict=True)]
    settings = [", ".join(w for w, varies in zip(line, varying, strict=True) if w and varies) for line in words]
    return [
        Measured(case=case, method=method, setting=setting)
        for case, setting in zip(cases, settings, strict=True)
        for method in case.methods
    ]


def _words(case: CaseResult) -> tuple[str, ...]:
    compiled = "compiled" if case.compile else ""
    return case.title, f"batch {case.batch_size}", case.precision, compiled, f"on {case.device}"
