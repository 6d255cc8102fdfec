"""What `inspect` shows of a store."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from teachonce.console.tables import Parts, Result, columns, pairs
from teachonce.console.texts import share_text, size_text


def inspect_parts(result: Result) -> Parts:
    """The store, then each of its targets with its arrays."""
    size = round(result["bytes_per_sample"] * result["rows"])
    rows = [
        ("format", str(result["format"])),
        ("data", _data(result.get("data", {}))),
        ("rows identified by", str(result.get("identity"))),
        ("rows", f"{result['rows']:,} in blocks of {result['block_rows']:,}"),
        ("views", f"{result['views']:,} ({_words(result.get('views_spec', {}))})"),
        ("samples", _samples(result.get("samples", {}))),
        ("bytes a sample", f"{result['bytes_per_sample']:,}, {size_text(size)} in all"),
    ]
    parts: Parts = [pairs(rows)]
    for name, target in result["targets"].items():
        parts += ["", Text(f"target {name}", style="bold"), pairs(_target(target)), _arrays(target["arrays"])]
    if "failed_samples" in result:
        parts += ["", *_failed(result["failed_samples"])]
    return parts


def _failed(failed: list[Mapping[str, Any]]) -> Parts:
    """The rows that failed, by name where they have one."""
    if not failed:
        return [Text("no row failed")]
    table = columns("failed row", "reason", "where", "content", "file")
    for entry in failed:
        cells = (entry["reason"], entry["where"], entry["content"] or "no bytes", entry["name"] or "-")
        table.add_row(f"{entry['row']:,}", *map(Text, cells))
    return [table]


def _data(data: Mapping[str, Any]) -> str:
    names = data.get("class_names")
    return _words(data.get("description", {})) + (f", {len(names)} classes" if names else "")


def _samples(samples: Mapping[str, Any]) -> str:
    return f"sealed, {samples.get('failed') or 0:,} failed" if samples.get("sealed") else "not sealed"


def _target(target: Mapping[str, Any]) -> list[tuple[str, str]]:
    attributes = target.get("attributes", {})
    keys = ("teacher", "teacher_dtype", "embedding", "batch_size", "compute_dtype", "tf32")
    known = [(key, attributes[key]) for key in keys if key in attributes]
    head = " with its linear head" if target.get("head") else ""
    weights = f", {target['weights_bytes']:,} bytes of weights" if target.get("weights_bytes") else ""
    return [
        ("  state", _state(target)),
        ("  verified", target.get("verified") or "not since its files last changed: teachonce verify"),
        ("  kind", f"{target['kind']}{head}{weights}"),
        *(_rdm(target) if target["kind"] == "rdm" else ()),
        *((f"  {key.replace('_', ' ')}", value if isinstance(value, str) else _words(value)) for key, value in known),
        ("  fingerprint", target["fingerprint"]),
    ]


def _rdm(target: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an RDM is of, and how it did on the validation rows."""
    told, fields = target.get("attributes", {}), target.get("fingerprint_fields", {})
    distortion = told.get("distortion")
    layers = told.get("rdm_spec", {}).get("preset"), fields.get("rdm", {}).get("hidden")
    return [
        ("  made from", f"target {fields.get('parent', {}).get('name')}"),
        ("  distortion weight", f"{told.get('distortion_weight', 0):g}"),
        ("  layers", f"{layers[0]}, {layers[1]:,} units, {told.get('macs', 0):,} MACs"),
        ("  rate", f"{told.get('bits', 0):.1f} bits a sample"),
        ("  distortion", "-" if distortion is None else f"{distortion:.4g} a sample"),
        ("  top-1", f"{share_text(told.get('top1'))} (teacher {share_text(told.get('teacher_top1'))})"),
        ("  best epoch", f"{told.get('best_epoch')} of {len(told.get('curve', ()))}"),
    ]


def _state(target: Mapping[str, Any]) -> str:
    failed = f", {target['failed']:,} rows failed" if target.get("failed") else ""
    if target["sealed"]:
        return f"sealed{failed}"
    command = "rdm" if target["kind"] == "rdm" else "embed"
    done = f"{target['blocks_done']:,} of {target['blocks']:,} blocks"
    return f"not sealed: {done}{failed}; the same {command} command resumes it"


def _arrays(arrays: Mapping[str, Any]) -> Table:
    table = columns("  array", "shape", "dtype")
    for name, spec in arrays.items():
        table.add_row(Text(f"  {name}"), " x ".join(f"{n:,}" for n in spec["shape"]), spec["dtype"])
    return table


def _words(value: Any) -> str:
    """A small JSON value in one line: `split train, rows 1437`; long lists are counted."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list):
        return " x ".join(map(str, value)) if len(value) <= 3 else f"({len(value)})"
    return str(value)
