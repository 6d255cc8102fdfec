"""The results of single commands as tables for people; `--json` prints the same results for programs."""

import io
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from teachonce.console.terminal import Terminal
from teachonce.console.texts import duration_text, memory_text, rate_text, share_text, source_text
from teachonce.intervals import wilson
from teachonce.options.methods import METHODS
from teachonce.options.words import setting_text
from teachonce.texts import range_text

if TYPE_CHECKING:
    from teachonce.engine.records import EvaluateRunResult, TrainResult
    from teachonce.stages.embed import EmbedResult
    from teachonce.stages.evaluate import EvaluateStoreResult
    from teachonce.stages.export import ExportResult
    from teachonce.stages.methods import MethodFound, MethodsResult
    from teachonce.stages.rdm import RdmResult

Result = Mapping[str, Any]
Parts = list[RenderableType]


def show(*parts: RenderableType) -> None:
    """Print tables and lines on stdout; where that is a file, lines are not broken, and end where their text does."""
    console = Terminal()
    if console.is_terminal:
        console.print(*parts, sep="\n")
        return
    wide = Terminal(width=240, file=io.StringIO())
    with wide.capture() as captured:
        wide.print(*parts, sep="\n")
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Two columns without a frame: what, and its value."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def columns(*left: str, right: Iterable[str] = ()) -> Table:
    """A table with a header and no frame; numbers stand to the right, and what is too wide is broken, never cut."""
    table = Table(box=None, pad_edge=False)
    for title in left:
        table.add_column(title, overflow="fold")
    for title in right:
        table.add_column(title, justify="right", overflow="fold")
    return table


def embed_parts(result: "EmbedResult") -> Parts:
    """What a teacher pass did."""
    rows = [
        ("store", f"{result.store}, target {result.target}"),
        ("rows", f"{result.rows:,}, of which {result.failed:,} failed"),
        ("reused", f"{result.reused_blocks:,} blocks"),
        ("time", _embed_time(result)),
        ("state", "sealed" if result.sealed else "waiting for the blocks of other processes"),
    ]
    if result.teacher_top1 is not None:
        rows.append(("teacher's top-1", share_text(result.teacher_top1)))
    return [pairs(rows)]


def _embed_time(result: "EmbedResult") -> str:
    if not result.samples_per_s:
        return "-, nothing was left to run"
    return f"{duration_text(result.seconds)}, {rate_text(result.samples_per_s)} rows/s"


def train_parts(result: "TrainResult") -> Parts:
    """What a training did."""
    rows = [
        ("run", str(result.run)),
        ("method", result.method),
        ("targets", source_text(result.method, result.source)),
        ("epochs", f"{result.epochs:,}"),
    ]
    if result.step_ms:
        rows.append(("speed", f"{result.step_ms:.3g} ms per step, {rate_text(result.samples_per_s)} samples/s"))
    rows += [
        ("peak memory", memory_text(result.peak_memory_bytes, result.host_memory_bytes)),
        ("validation top-1", share_text(result.val_top1)),
    ]
    return [pairs(rows)]


def rdm_parts(result: "RdmResult") -> Parts:
    """What became of each RDM."""
    rows = [
        ("store", f"{result.store}, target {result.target}"),
        ("rows", f"{result.rows:,} train, {result.val_rows:,} validate"),
        ("epochs", f"{result.epochs:,}"),
        ("time", _rdm_time(result)),
        ("teacher's top-1", share_text(result.teacher_top1)),
    ]
    table = columns("target", right=("R", "bits a sample", "distortion", "top-1", "best epoch", ""))
    for rdm in result.rdms:
        distortion = "-" if rdm.distortion is None else f"{rdm.distortion:.4g}"
        table.add_row(
            Text(rdm.name),
            f"{rdm.distortion_weight:g}",
            f"{rdm.bits:.1f}",
            distortion,
            share_text(rdm.top1),
            f"{rdm.best_epoch:,}",
            "reused" if rdm.reused else "",
        )
    return [pairs(rows), "", table]


def _rdm_time(result: "RdmResult") -> str:
    if not result.seconds:
        return "-, nothing was left to train"
    return f"{duration_text(result.seconds)}, {rate_text(result.samples_per_s)} rows/s"


def evaluate_parts(result: "EvaluateRunResult | EvaluateStoreResult") -> Parts:
    """The accuracy of a run, with its classes; or what the embeddings of a store are worth."""
    from teachonce.stages.evaluate import EvaluateStoreResult  # imports torch, as the command has done by now

    if isinstance(result, EvaluateStoreResult):
        worth = [
            ("nearest neighbours", _top1(result.knn_top1, result.rows)),
            ("linear probe", _top1(result.linear_top1, result.rows)),
        ]
        held_out = f"{result.rows:,} held out of {result.rows + result.train_rows:,}"
        return [pairs([("rows", held_out), *worth])]
    rows = [
        ("rows", f"{result.rows:,}"),
        ("top-1", _top1(result.top1, result.rows)),
        ("top-5", share_text(result.top5)),
        ("loss", f"{result.loss:.4f} nats (cross-entropy)"),
    ]
    classes = columns("class", right=("rows", "top-1"))
    for entry in result.per_class:
        classes.add_row(Text(str(entry.name)), f"{entry.rows:,}", share_text(entry.top1))
    return [pairs(rows), "", classes]


def _top1(share: float, rows: int) -> str:
    """`96.39 % (95 % interval 93.92 - 97.88 %)`."""
    return f"{share_text(share)} (95 % interval {range_text(*wilson(share * rows, rows))})"


def export_parts(result: "ExportResult") -> Parts:
    """Where the arrays went."""
    return [Text(f"{result.store} is now {result.out} ({result.format})")]


def methods_parts(result: "MethodsResult") -> Parts:
    """The methods; of those that were asked for by name also their settings."""
    bytes_of = [] if result.store is None else ["bytes a sample"]
    table = columns("method", "needs", "also takes", "what it is", right=bytes_of)
    for one in result.methods:
        cells = [one.name, ", ".join(one.needs) or "-", one.takes or "-", one.text]
        size = [] if result.store is None else ["-" if one.sample_bytes is None else f"{one.sample_bytes:,}"]
        table.add_row(*map(Text, [*cells, *size]))
    if len(result.methods) == len(METHODS):
        return [table, Text("\nThe settings of one: teachonce methods METHOD")]
    return [table, *(part for one in result.methods for part in ("", _settings_table(one)))]


def _settings_table(one: "MethodFound") -> Table:
    table = columns("setting", "default", "values", "")
    for name, setting in one.settings.items():
        default = f"{setting.default:.6g}" if isinstance(setting.default, float) else setting_text(setting.default)
        cells = (f"{one.name}.{name}", "-" if setting.default is None else default, setting.kind, setting.help)
        table.add_row(*map(Text, cells))
    return table
