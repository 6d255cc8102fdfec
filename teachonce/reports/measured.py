"""The cases of `bench live`, and the settings in which they differ."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from teachonce.reports.gather import Material

MOST = 6
"""At most this many figures of a kind; a sweep shows all cases in one figure."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The result of a case of `bench live` for one method."""

    case: Mapping[str, Any]
    method: str
    setting: str
    """The settings in which the case differs from the others: `l32-32, batch 8, bf16, compiled`."""

    @property
    def title(self) -> str:
        """The title of its figures."""
        return f"{self.method}, {self.setting}" if self.setting else self.method

    @property
    def found(self) -> Mapping[str, Any]:
        """The method's part of the case."""
        found: Mapping[str, Any] = self.case["methods"][self.method]
        return found

    @property
    def is_too_fast(self) -> bool:
        """Whether the live arm was faster than its parts, beyond the tolerance, which other work must have caused."""
        check = self.found.get("live_check") or {"ratio": 1.0, "limit": 1.0}
        return not check.get("within", True) and not self.is_too_slow

    @property
    def is_too_slow(self) -> bool:
        """Whether the live arm took longer than its parts: its ratio to the cache is overestimated."""
        check = self.found.get("live_check") or {"ratio": 1.0, "limit": 1.0}
        return bool(check["ratio"] > check["limit"])


def measurements(material: Material) -> list[Measured]:
    """Every method of every case of `bench live`, in order; duplicates in several files count once."""
    return measured_in(bench.result for bench in material.of("bench-live"))


def measured_in(results: Iterable[Mapping[str, Any]]) -> list[Measured]:
    """The same for results of `bench live` as JSON objects."""
    found = (case for result in results for case in _cases(result))
    cases = list({json.dumps([_words(case), case["methods"]], sort_keys=True): case for case in found}.values())
    words = [_words(case) for case in cases]
    varying = [len(set(column)) > 1 for column in zip(*words, strict=True)]
    settings = [", ".join(w for w, varies in zip(line, varying, strict=True) if w and varies) for line in words]
    return [
        Measured(case=case, method=method, setting=setting)
        for case, setting in zip(cases, settings, strict=True)
        for method in case["methods"]
    ]


def _words(case: Mapping[str, Any]) -> tuple[str, ...]:
    name = case.get("case") or f"{case['teacher']} to {case['student']}"
    compiled = "compiled" if case.get("compile") else ""
    return str(name), f"batch {case['batch_size']}", str(case["precision"]), compiled, f"on {case.get('device')}"


def _cases(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each with the settings that a sweep stores once."""
    common = {key: value for key, value in result.items() if key != "cases"}
    return [{**common, **case} for case in result["cases"]] if "cases" in result else [result]
