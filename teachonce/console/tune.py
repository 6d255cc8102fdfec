"""The variants of a search, and what was found."""

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from teachonce.console.runs import done_table, steps_table
from teachonce.console.tables import Parts, columns
from teachonce.texts import score_text, setting_text, settings_text

if TYPE_CHECKING:
    from teachonce.pipeline.tune.results import TuneResult


def tune_parts(result: "TuneResult") -> Parts:
    """Before a search its spaces; after it one row a variant, and where the tuned recipe is."""
    steps = steps_table if result.tuned is None else done_table
    parts: Parts = [steps(result.steps), ""] if result.steps else []
    if result.tuned is None:
        return [*parts, _spaces(result)]
    mend = Text(f"teachonce run {result.tuned}", style="bold")
    return [*parts, _found(result), "", Text(f"all values are in {result.best}; to train with the best:"), mend]


def _spaces(result: "TuneResult") -> Table:
    table = columns("variant", "setting", "searched in", right=("the recipe's own", "trials"))
    for variant in result.variants:
        for number, (name, dim) in enumerate(variant.space.items()):
            first = (variant.name, str(result.trials)) if number == 0 else ("", "")
            table.add_row(Text(first[0]), name, Text(_dim(dim)), setting_text(variant.own[name]), first[1])
    return table


def _found(result: "TuneResult") -> Table:
    metric = result.metric.replace("_", " ")
    table = columns("variant", right=("trials", "pruned", "failed", "epochs", f"own {metric}", f"best {metric}"))
    table.add_column("trial", justify="right")
    table.add_column("best values", overflow="fold")
    for variant in result.variants:
        table.add_row(
            Text(variant.name),
            *(str(getattr(variant, key)) for key in ("trials", "pruned", "failed", "epochs")),
            *(score_text(result.metric, getattr(variant, key)) for key in ("own_value", "best_value")),
            "-" if variant.best_trial is None else str(variant.best_trial),
            Text(settings_text(variant.values or {})),
        )
    return table


def _dim(dim: Any) -> str:
    if isinstance(dim, list):
        return ", ".join(map(setting_text, dim))
    return f"{setting_text(dim['low'])} to {setting_text(dim['high'])}{', log' if dim['log'] else ''}"
