"""Break-even: time over epochs with both kinds of targets, from benchmarks, else from runs."""

from teachonce.benchmarks.live.payoff import Costs
from teachonce.plots.draw.break_even import draw_break_even
from teachonce.reports.gather import Material
from teachonce.reports.measured import MOST, measurements
from teachonce.reports.page import Figure, Section, Table
from teachonce.reports.pairs import pairs
from teachonce.texts import count_text, duration_text, epochs_text


def break_even_section(material: Material) -> Section:
    """Time over epochs; empty if nothing was measured both ways, or the time of stage one was not recorded."""
    lines = [(one.title, one.case.costs(one.method)) for one in measurements(material)[:MOST]] or [
        (f"{pair.label}, {pair.student}", pair.costs) for pair in pairs(material)[:MOST] if pair.costs is not None
    ]
    blocks = [_line_figure(place, title, line) for place, (title, line) in enumerate(lines, 1)]
    lead = "Total time after each epoch. Stage one and RDM training count as time of the cache."
    return Section(name="break-even", title="Break-even", blocks=blocks, lead=lead)


def _line_figure(place: int, title: str, line: Costs) -> Figure:
    when = "never" if line.crossing is None else f"after {epochs_text(line.crossing)}"
    summary = f"Break-even: {when}; a student is trained for {line.epochs:,}."
    rows = (
        ("stage one", duration_text(line.stage_one_s)),
        *([("RDM training", duration_text(line.rdm_s))] if line.rdm_s else []),
        ("an epoch from the cache", duration_text(line.cached_epoch_s)),
        ("an epoch with the live teacher", duration_text(line.live_epoch_s)),
        (f"{count_text(line.epochs, 'epoch')} from the cache", duration_text(line.cached_s(line.epochs))),
        (f"{count_text(line.epochs, 'epoch')} with the live teacher", duration_text(line.live_s(line.epochs))),
        ("break-even", when),
    )
    return Figure(
        name=f"break-even-{place}",
        title=title,
        caption=summary,
        alt=f"Two lines, time over epochs, from the cache and live. {summary}",
        draw=lambda width: draw_break_even(line, width),
        table=Table(columns=("what", "time"), rows=rows),
    )
