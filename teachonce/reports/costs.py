"""Training cost as counted by `scripts/bench.py macs`, with the figures of the paper."""

from collections.abc import Iterator, Mapping
from typing import Any

from teachonce.plots.accounting import Accounting, accounting
from teachonce.plots.draw.accounting import draw_accounting, short
from teachonce.reports.gather import Material
from teachonce.reports.page import Block, Figure, Section, Table, Text


def costs_section(material: Material) -> Section | None:
    """Training cost in multiply-accumulates, with the paper's; None without a result of `bench.py macs`."""
    blocks = [
        block for place, bench in enumerate(material.of("bench-macs"), 1) for block in _costs(place, bench.result)
    ]
    lead = "Forward multiply-accumulates on the real networks, counted as in appendix D.2 of the CIFD paper."
    return Section(name="training-cost", title="Training cost", blocks=tuple(blocks), lead=lead) if blocks else None


def _costs(place: int, result: Mapping[str, Any]) -> Iterator[Block]:
    data = accounting(result)
    summary = "; ".join(f"{bar.label} {bar.ratio:.3g}" for bar in data.bars)
    yield Figure(
        name=f"training-cost-{place}",
        title=f"{data.preset}: cost of a student",
        caption=f"{result['counting'].capitalize()}. Next to the bars: the figures of the paper.",
        alt=f"Bars of the training cost, relative to {data.reference}: {summary}.",
        draw=lambda width: draw_accounting(data, width),
        table=_cost_table(data, result),
    )
    yield _networks(result)
    summary = ", ".join(f"{name.replace('_', ' ')} {_setting(value)}" for name, value in result["settings"].items())
    yield Text(text=f"Settings: {summary}.")


def _setting(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else f"{value:,}"


def _cost_table(data: Accounting, result: Mapping[str, Any]) -> Table:
    return Table(
        columns=("scheme", "counted", f"over {data.reference}", "with the paper's numbers", "in the paper", "reason"),
        rows=tuple(
            (bar.label, short(bar.macs), f"{bar.ratio:.3f}", _printed(scheme), _said(scheme), scheme.get("why") or "-")
            for bar, scheme in zip(data.bars, result["schemes"], strict=True)
        ),
        numeric=(False, True, True, True, False, False),
    )


def _printed(scheme: Mapping[str, Any]) -> str:
    """The same calculation with the paper's own numbers for its networks."""
    printed = scheme.get("by_paper_constants")
    return short(printed["macs"]) if printed else "-"


def _said(scheme: Mapping[str, Any]) -> str:
    return (scheme.get("paper") or {}).get("text") or "-"


def _networks(result: Mapping[str, Any]) -> Table:
    return Table(
        columns=("network", "role", "counted", "in the paper"),
        rows=tuple(
            (one["name"], one["role"], short(one["macs"]), short(one["paper"]) if one.get("paper") else "-")
            for one in result["networks"]
        ),
        numeric=(False, False, True, True),
        caption="Multiply-accumulates of one sample",
    )
