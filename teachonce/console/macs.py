"""What `teachonce bench macs` says: networks, schemes beside the paper, and why they differ."""

from typing import Any

from rich.table import Table
from rich.text import Text

from teachonce.console.plots import macs_text
from teachonce.console.tables import Parts, Result, columns, pairs

_PARTS = ("teacher", "assistants", "rdm", "student")


def macs_parts(result: Result) -> Parts:
    """Settings, networks, schemes, what the paper has on its way, and the reasons."""
    changed = f"; not the preset's: {', '.join(result['changed'])}" if result["changed"] else ""
    settings = ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in result["settings"].items())
    equal = f"{result['cifd_over_kd_at_equal_epochs']:.3f}"
    facts = [("preset", result["preset"]), ("settings", settings + changed), ("CIFD over KD at equal epochs", equal)]
    quantities: Parts = [_quantities(result), ""] if result["quantities"] else []
    reasons = pairs((scheme["label"], scheme["why"]) for scheme in result["schemes"])
    counting = Text(f"MACs: {result['counting']}", style="dim")
    return [pairs(facts), "", _networks(result), "", _schemes(result), "", *quantities, reasons, "", counting]


def _networks(result: Result) -> Table:
    table = columns("network", "role", right=("MACs", "the paper's"))
    for network in result["networks"]:
        table.add_row(Text(network["name"]), network["role"], macs_text(network["macs"]), _macs(network["paper"]))
    return table


def _schemes(result: Result) -> Table:
    names = {scheme["name"]: scheme["label"] for scheme in result["schemes"]}
    over = f"x {names[result['reference']]}"
    right = (*(f"{part}s" if part == "rdm" else part for part in _PARTS), "MACs", over, "by the paper's constants", "")
    table = columns("scheme", right=right[:-1])
    table.add_column("the paper says")
    for scheme in result["schemes"]:
        by = scheme["by_paper_constants"]
        table.add_row(
            Text(scheme["label"]),
            *(macs_text(scheme["parts"][part]) if scheme["parts"][part] else "-" for part in _PARTS),
            macs_text(scheme["macs"]),
            f"{scheme['ratio']:.3f}",
            "-" if by is None else f"{macs_text(by['macs'])}, {by['ratio']:.3f}",
            scheme["paper"]["text"] if scheme["paper"] else "-",
        )
    return table


def _quantities(result: Result) -> Table:
    table = columns("on the way", "formula", right=("MACs", "the paper's"))
    table.add_column("why they differ")
    for line in result["quantities"]:
        table.add_row(line["name"], line["formula"], macs_text(line["macs"]), _macs(line["paper"]), line["why"])
    return table


def _macs(value: float | None) -> str:
    return "-" if value is None else macs_text(round(value))


def _value(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else f"{value:,}"
