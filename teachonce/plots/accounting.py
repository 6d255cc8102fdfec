"""Training costs by the accounting of CIFD's appendix D.2, as data: as counted, and as in the paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from teachonce.plots.macs import PARTS


@dataclass(frozen=True, kw_only=True)
class SchemeBar:
    """One scheme of training a student."""

    name: str
    label: str
    parts: Mapping[str, int]
    """Multiply-accumulates of each of PARTS."""
    macs: int
    ratio: float
    """To the reference of the accounting."""
    paper_macs: float | None
    """The paper's figure, or computed from its ratio; None: not given."""
    paper_ratio: float | None


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """All schemes, in drawing order."""

    preset: str
    reference: str
    """The label of the scheme that the ratios refer to."""
    bars: tuple[SchemeBar, ...]


def accounting(result: Mapping[str, Any]) -> Accounting:
    """The bars of a result of `scripts/bench_macs.py`.

    Args:
        result: As JSON has it.
    """
    schemes = result["schemes"]
    reference = next(scheme for scheme in schemes if scheme["name"] == result["reference"])
    return Accounting(
        preset=result["preset"],
        reference=reference["label"],
        bars=tuple(_bar(scheme, reference) for scheme in schemes),
    )


def _bar(scheme: Mapping[str, Any], reference: Mapping[str, Any]) -> SchemeBar:
    paper = scheme.get("paper") or {}
    ratio, macs = paper.get("ratio"), paper.get("macs")
    return SchemeBar(
        name=scheme["name"],
        label=scheme["label"],
        parts={part: scheme["parts"].get(part, 0) for part in PARTS},
        macs=scheme["macs"],
        ratio=scheme["macs"] / reference["macs"],
        paper_macs=macs if macs is not None or ratio is None else ratio * reference["macs"],
        paper_ratio=ratio,
    )
