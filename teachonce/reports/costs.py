"""Training cost as counted by `scripts/bench.py macs`, with the figures of the paper."""

from collections.abc import Iterator

from teachonce.benchmarks.parts import MacsBench, MacsSaid
from teachonce.plots.draw.accounting import draw_accounting, short
from teachonce.reports.gather import Material
from teachonce.reports.page import Block, Figure, Section, Table, Text


def costs_section(material: Material) -> Section:
    """Training cost in multiply-accumulates, with the paper's; empty without a result of `bench.py macs`."""
    blocks = [block for place, result in enumerate(material.of(MacsBench), 1) for block in _costs(place, result)]
    lead = "Forward multiply-accumulates on the real networks, counted as in appendix D.2 of the CIFD paper."
    return Section(name="training-cost", title="Training cost", blocks=blocks, lead=lead)


def _costs(place: int, result: MacsBench) -> Iterator[Block]:
    base = result.base
    summary = "; ".join(f"{scheme.label} {scheme.macs / base.macs:.3g}" for scheme in result.schemes)
    yield Figure(
        name=f"training-cost-{place}",
        title=f"{result.preset}: cost of a student",
        caption=f"{result.counting.capitalize()}. Next to the bars: the figures of the paper.",
        alt=f"Bars of the training cost, relative to {base.label}: {summary}.",
        draw=lambda width: draw_accounting(result, width),
        table=_cost_table(result),
    )
    yield _networks(result)
    summary = ", ".join(f"{name.replace('_', ' ')} {_setting(value)}" for name, value in result.settings.items())
    yield Text(text=f"Settings: {summary}.")


def _setting(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else f"{value:,}"


def _cost_table(result: MacsBench) -> Table:
    base = result.base
    return Table(
        columns=("scheme", "counted", f"over {base.label}", "with the paper's numbers", "in the paper", "reason"),
        rows=[
            (
                scheme.label,
                short(scheme.macs),
                f"{scheme.macs / base.macs:.3f}",
                short(scheme.by_paper_constants.macs) if scheme.by_paper_constants else "-",
                (scheme.paper or MacsSaid()).text or "-",
                scheme.why or "-",
            )
            for scheme in result.schemes
        ],
        texts=(0, 4, 5),
    )


def _networks(result: MacsBench) -> Table:
    return Table(
        columns=("network", "role", "counted", "in the paper"),
        rows=[(one.name, one.role, short(one.macs), short(one.paper) if one.paper else "-") for one in result.networks],
        texts=(0, 1),
        caption="Multiply-accumulates of one sample",
    )
