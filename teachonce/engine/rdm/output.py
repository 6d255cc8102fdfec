"""What RDMs make of the stored embeddings, written into the store as targets."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from teachonce.cache.layout import Grid
from teachonce.cache.mark import mark_entries, write_mark
from teachonce.cache.repair import RepairRule, readable
from teachonce.cache.restore import restore_documents
from teachonce.cache.targets import TargetRecord, full_arrays, target_grids
from teachonce.cache.verify import read_weights
from teachonce.cache.writer import TargetWriter
from teachonce.digests import digest_hex
from teachonce.engine.background import Behind
from teachonce.engine.cached_target import as_tensor
from teachonce.engine.rdm.fit import Trained
from teachonce.engine.rdm.job import Job
from teachonce.engine.rdm.stored import KIND, places, rdm_bytes, rdm_head, rdm_of
from teachonce.engine.stage_one.contents import versions
from teachonce.engine.stage_one.forward import TORCH_DTYPES, as_stored
from teachonce.engine.stage_one.output import block_bytes
from teachonce.errors import CorruptError, DiskError
from teachonce.events import Events, Task
from teachonce.models.rdm import RdmStack
from teachonce.places import require_space, require_writable
from teachonce.types import DECODED, FAILED, ArraySpec

_BATCH = 1024  # rows at once, within a block
_KEPT = ("teacher", "embedding")  # of what the parent says of its teacher
Arrays = dict[str, NDArray[Any]]


def begin(job: Job, trained: Trained, top1: float | None) -> None:
    """Begin the targets that are not there yet, with their weights: from here on they need no training.

    Args:
        job: What is asked for.
        trained: The RDMs.
        top1: The teacher's own, on the validation rows.

    Raises:
        MismatchError: Another process has begun one in another way.
        DiskError: It could not be written; the same call may be made again.
    """
    there = job.known()
    for index, name in enumerate(trained.names):
        if name in job.names and name not in there:
            rdm = trained.stack.one(index)
            data = rdm_bytes(rdm)
            fields = {**job.fingerprint(job.names[name]), "weights": digest_hex(data)}
            info = _info(job, trained, name) | {"teacher_top1": top1}
            _writer(job, name, rdm, data, fields, info).close()


def _info(job: Job, trained: Trained, name: str) -> dict[str, Any]:
    curve, best = trained.curves[name], trained.best_epoch[name]
    chosen = curve[best - 1]
    known = job.learnt.class_names
    return {
        **{key: job.parent.attributes.get(key) for key in _KEPT},
        "class_names": None if known is None else list(known),
        "rdm_spec": job.spec.to_json(),
        "distortion_weight": job.names[name],
        "bits": chosen["bits"],
        "distortion": chosen["distortion"],
        "top1": chosen["val_top1"],
        "best_epoch": best,
        "macs": job.spec.macs,
        "curve": curve,
        "versions": versions(),
    }


def repair(job: Job, name: str, events: Events) -> None:
    """Write damaged documents of a target again and drop its bad blocks; `finish` then writes these by its weights.

    Raises:
        CorruptError: Its own document or its weights are damaged, so that it has to be trained anew.
        MismatchError: It was made from other things.
        BusyError: Another process writes it.
        DiskError: It cannot be written.
    """
    mend = f"Remove {places(name)} of the store, then run the same command: it trains {name} again"
    record = readable(job.store, name)
    if record is None:
        place = job.store.path / "targets" / name / "zarr.json"
        raise CorruptError(f"{place} is missing or damaged, and cannot be reconstructed", mend)
    job.compare(record, job.names[name])
    restore_documents(job.store.path, record.documents)
    try:
        rdm, data = rdm_of(record), read_weights(record)
    except CorruptError as error:
        raise CorruptError(error.message, mend) from error
    assert data is not None
    with _writer(job, name, rdm, data, record.fingerprint_fields, {}, RepairRule(**_rule(job, record))) as writer:
        if not writer.sealed:
            count = writer.journal.blocks - len(writer.done())
            events.info(f"{name} is repaired: {count} of its {writer.journal.blocks} blocks are written again")


def _rule(job: Job, record: TargetRecord) -> dict[str, int | None]:
    """Of the class means: as the target was sealed, at first as its parent is."""
    rule = record.rule or job.parent.rule
    assert rule is not None
    return rule


def _writer(
    job: Job,
    name: str,
    rdm: RdmStack,
    data: bytes,
    fields: Mapping[str, Any],
    info: Mapping[str, Any],
    repair: RepairRule | None = None,
) -> TargetWriter:
    return TargetWriter(
        job.store,
        name,
        kind=KIND,
        fingerprint=fields,
        settings={"batch_size": _BATCH, "compute_dtype": "float32"},
        info=info,
        arrays=arrays(job),
        head=rdm_head(rdm),
        weights=data,
        repair=repair,
    )


def arrays(job: Job) -> dict[str, ArraySpec]:
    """What an RDM's target holds, with the shape of one row of one view."""
    return {name: ArraySpec(shape=(width,), dtype=job.dtype) for name, width in job.spec.widths.items()}


def finish(job: Job, record: TargetRecord, events: Events) -> None:
    """Write what is missing of a target that was begun, by the weights that it holds, and seal it.

    Raises:
        NonFiniteError: An output cannot be stored; names the row.
        CorruptError: The parent's embeddings or the weights are damaged.
        BusyError: Another process writes it.
        DiskError: The disk is full, read-only or failing; the same call may be made again.
    """
    rdm, data = rdm_of(record), read_weights(record)
    assert data is not None
    store, views = job.store, job.store.spec.views
    with _writer(job, record.name, rdm, data, record.fingerprint_fields, {}) as writer:
        blocks = [block for block in range(store.blocks) if block not in writer.done()]
        done = sum(len(writer.journal.grids[0].rows(block)) for block in writer.done())
        rdm.to(job.device)
        with events.task(f"write {record.name}", total=store.spec.rows * views, done=done * views) as task:
            _fill(job, rdm, writer, blocks, task)
        classes, per_class = (_rule(job, record)[key] for key in ("classes", "per_class"))
        labels = None if classes is None else job.labels
        writer.seal(labels=labels, classes=classes, per_class=per_class, max_failed=len(job.failed))
        own = writer.is_own
    if own:
        with suppress(DiskError):  # without a mark the target is checked when it is read
            write_mark(store, mark_entries(store, [record.name], samples=False))


def _fill(job: Job, rdm: RdmStack, writer: TargetWriter, blocks: list[int], task: Task) -> None:
    """Run the RDM over blocks, while a thread writes the one before."""

    def commit(item: tuple[int, Arrays]) -> None:
        block, values = item
        start, stop = job.store.block_range(block)
        failed = {row: code for row, code in job.failed.items() if start <= row < stop}
        status = np.full(stop - start, DECODED, np.uint8)
        status[[row - start for row in failed]] = FAILED
        writer.commit(block, values, status, failed)

    with Behind(commit, depth=1) as behind:
        for block in blocks:
            values = _block(job, rdm, block)
            behind.submit((block, values))
            task.advance(sum(len(array) for array in values.values()) // len(values) * job.store.spec.views)


def _block(job: Job, rdm: RdmStack, block: int) -> Arrays:
    """The outputs for a block, (rows, views, length) as stored; those of failed rows are NaN."""
    grid = job.parent.journal.named["image_embedding"]
    views = [apply(rdm, _read(job, grid, block, view), job.dtype) for view in range(job.store.spec.views)]
    return {name: np.stack([view[name] for view in views], axis=1) for name in views[0]}


def _read(job: Job, grid: Grid, block: int, view: int) -> torch.Tensor:
    return as_tensor(job.parent.chunks.block(grid, block, view)).to(job.device)


@torch.inference_mode()
def apply(rdm: RdmStack, embedding: torch.Tensor, dtype: str) -> Arrays:
    """What one RDM makes of embeddings (n, D): each array (n, length) in the stored dtype."""
    parts: dict[str, list[torch.Tensor]] = {}
    for batch in torch.split(embedding, _BATCH):
        for name, value in rdm.outputs(batch).items():
            parts.setdefault(name, []).append(value[0].to(TORCH_DTYPES[dtype]).cpu())
    return {name: as_stored(torch.cat(values)) for name, values in parts.items()}


def require_room(job: Job, missing: int) -> None:
    """Refuse to begin where the store cannot be written, or `missing` targets do not fit on the disk.

    Raises:
        DiskError: The place cannot be written, or has too little space.
    """
    spec = job.store.spec
    target = job.store.blocks * block_bytes(target_grids("rdm", full_arrays(arrays(job), spec), spec.block_rows))
    parameters = sum(p.numel() for p in RdmStack(job.spec).parameters())
    training = 2 * 4 * 4 * parameters  # weights, the best, two moments; a checkpoint and the one before it
    require_writable(job.store.path)
    needed = missing * (target + 4 * parameters + training)
    require_space(job.store.path.absolute(), needed, "fewer RDMs, or a smaller --hidden or --dtype")
