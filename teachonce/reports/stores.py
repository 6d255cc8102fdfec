"""The contents of a store, its teacher, and the time it took."""

import math
from collections.abc import Mapping, Sequence

from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.engine.rdm.stored import KIND
from teachonce.engine.stage_one.runs import RunLine, run_lines
from teachonce.reports.gather import Material
from teachonce.reports.page import Facts, Section, Table
from teachonce.texts import duration_text, rate_text, share_text, size_text
from teachonce.types import JsonObject

_COLUMNS = ("target", "source", "arrays", "dtype", "size", "state", "time", "rows/s")


def store_section(material: Material) -> Section:
    """Facts and targets of each store; empty without one."""
    blocks = [make(store) for store in material.stores for make in (_facts, _table)]
    return Section(name="store", title="The cache", blocks=blocks)


def stage_one_seconds(store: Store, target: str) -> float | None:
    """Seconds to make a target, interrupted calls included; None if they were not recorded."""
    lines = [line for line in run_lines(store.path) if line.target == target and line.seconds is not None]
    ends = [place for place, line in enumerate(lines) if line.outcome == "sealed"]
    if not ends:
        return None
    start = ends[-2] + 1 if len(ends) > 1 else 0
    return sum(line.seconds or 0.0 for line in lines[start : ends[-1] + 1])


def rdm_seconds(store: Store, rdms: Sequence[str]) -> float | None:
    """Seconds to train some RDMs; RDMs that were trained together count once. None if one was not recorded."""
    lines = run_lines(store.path)
    made = {name: _last(lines, name) for name in rdms}
    if any(place is None for place in made.values()):
        return None
    return sum(lines[place].seconds or 0.0 for place in set(made.values()) if place is not None)


def _last(lines: Sequence[RunLine], rdm: str) -> int | None:
    """The index of the last record of an RDM's training."""
    places = [place for place, line in enumerate(lines) if rdm in (line.targets or ()) and line.seconds is not None]
    return places[-1] if places else None


def target_bytes(record: TargetRecord) -> int:
    """Of its arrays, without padding."""
    return sum(math.prod(grid.shape) * grid.numpy.itemsize for grid in record.grids)


def _facts(store: Store) -> Facts:
    spec, seal = store.spec, store.samples_seal
    data = data_description(store)
    source = ", ".join(str(data[key]) for key in ("source", "split") if data.get(key))
    return Facts(
        title=str(store.path),
        pairs=(
            ("data", source or "not recorded"),
            ("rows", f"{spec.rows:,}, of which {seal.get('failed', 0):,} failed" if seal else f"{spec.rows:,}"),
            ("views", f"{spec.views}, {_views(spec.views_spec)}"),
            ("size", size_text(sum(map(target_bytes, store.targets().values())))),
            ("samples", "sealed" if seal else "not sealed"),
        ),
    )


def data_description(store: Store) -> JsonObject:
    """The store's description of its data; empty if it is not an object."""
    description = store.spec.data.get("description")
    return description if isinstance(description, Mapping) else {}


def _views(views: JsonObject) -> str:
    return f"augmentation {views['augment']}" if views.get("augment") else "the evaluation view"


def _table(store: Store) -> Table:
    rows = [_row(store, record) for record in sorted(store.targets().values(), key=_order)]
    return Table(columns=_COLUMNS, rows=rows, texts=(0, 1, 2, 3, 5), caption=f"Targets of {store.path.name}")


def _order(record: TargetRecord) -> tuple[bool, bool, str]:
    return record.kind == KIND, record.name != "teacher", record.name


def _row(store: Store, record: TargetRecord) -> tuple[str, ...]:
    is_rdm = record.kind == KIND
    seconds = rdm_seconds(store, [record.name]) if is_rdm else stage_one_seconds(store, record.name)
    rows = store.spec.rows * store.spec.views
    return (
        record.name,
        _maker(record),
        ", ".join(f"{name} {spec.shape[-1]:,} wide" for name, spec in sorted(record.arrays.items())),
        _joined([spec.dtype for spec in record.arrays.values()]),
        size_text(target_bytes(record)),
        "sealed" if record.sealed else f"{record.blocks_done} of {record.blocks} blocks",
        duration_text(seconds),
        rate_text(rows / seconds if seconds and not is_rdm else None),
    )


def _maker(record: TargetRecord) -> str:
    """The teacher's name; for an RDM its parent, and its accuracy on validation rows."""
    if record.kind != KIND:
        return str(record.attributes.get("teacher", record.kind))
    parent = record.fingerprint_fields["parent"]["name"]
    return f"RDM of {parent}, top-1 {share_text(record.attributes.get('top1'))}"


def _joined(words: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(words))
