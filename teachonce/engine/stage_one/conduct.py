"""The course of one call: find out what is missing, run it, seal, and record the run."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from teachonce.cache import open_store
from teachonce.cache.mark import clear_mark, mark_entries, write_mark
from teachonce.cache.verify import check_parts
from teachonce.engine.outputs import tell_unused
from teachonce.engine.stage_one.batches import find_batch_size
from teachonce.engine.stage_one.feed import Feed
from teachonce.engine.stage_one.forward import Forward
from teachonce.engine.stage_one.job import Job
from teachonce.engine.stage_one.output import Output, missing_blocks, require_room, seal_rule
from teachonce.engine.stage_one.passes import Filling, Pass
from teachonce.engine.stage_one.remarks import tell_differences, tell_treated
from teachonce.engine.stage_one.resizing import RuleCheck, rule_check
from teachonce.engine.stage_one.runs import GivenOptions, record_run
from teachonce.engine.stage_one.stored import check_digests, stored_block
from teachonce.errors import DiskError, TeachonceError
from teachonce.events import Events
from teachonce.types import JsonObject


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a call did."""

    blocks_run: int
    rows_run: int
    failed: int
    """Rows of the whole target that gave no image."""
    is_sealed: bool
    seconds: float
    """From the first row read to the seal."""


def conduct(job: Job, events: Events, given: JsonObject) -> Done:
    """Run what is missing, and seal where everything is there.

    Args:
        job: Checked.
        events: Who watches.
        given: What `embed` was given, as JSON; for the run record.

    Raises:
        TeachonceError: See `embed`.
    """
    tell_unused(job.teacher.info, events)
    if job.store is not None:
        check_digests(job.data, events)
        tell_differences(job, events)
    if is_complete(job) and not job.options.repair:
        _require_whole(job)
        with suppress(DiskError):
            clear_mark(job.path)
        return Done(blocks_run=0, rows_run=0, failed=_failed(job), is_sealed=True, seconds=0.0)
    require_room(job)
    forward, check = forward_of(job), rule_check(job)
    settings = pass_settings(job, forward, events)
    start = time.perf_counter()
    with Output(job, settings) as output:
        missing = output.missing()
        outcome = "failed"
        try:
            again = output.missing_samples()
            if job.options.repair:
                _tell_repair(job, set(missing) - set(again), again, events)
            if again:
                _decode_again(output, _feed(job, output, settings["batch_size"], check), again)
                missing = output.missing()
            if missing:
                _run(job, output, forward, missing, _feed(job, output, settings["batch_size"], check), events)
            is_sealed = output.seal(events)
            own = output.is_own
            outcome = "sealed" if is_sealed else "filled"
        except TeachonceError as error:
            outcome = error.kind
            raise
        except KeyboardInterrupt:
            outcome = "interrupted"
            raise
        finally:
            seconds = time.perf_counter() - start
            facts = {"options": GivenOptions(others=given), "outcome": outcome, "seconds": round(seconds, 3)}
            _record(job, output, events, {**facts, "others": settings})
        failed = len(output.failed())
    if is_sealed and missing and own:
        _mark(job, events)
    if not is_sealed:
        events.info(f"{job.path} waits for blocks of other processes; the process that writes the last block seals it")
    return Done(
        blocks_run=len(missing), rows_run=job.rows(missing), failed=failed, is_sealed=is_sealed, seconds=seconds
    )


def forward_of(job: Job) -> Forward:
    """The teacher's forward pass as a job makes it."""
    return Forward(
        job.teacher,
        device=job.device,
        dtype=job.options.dtype,
        compute_dtype=job.compute_dtype,
        rule=job.views.spec.resizing,
    )


def is_complete(job: Job) -> bool:
    """Whether nothing is left to write: the target is sealed, with the class means that are asked for."""
    if job.store is None or job.record is None or not (job.record.sealed and job.store.samples_sealed):
        return False
    return all(job.record.seal[key] == value for key, value in seal_rule(job).items())


def _require_whole(job: Job) -> None:
    """A look at every record, at the sizes of all chunks and at what is small, since nothing will be written.

    Raises:
        CorruptError: Some are missing, or not what was sealed.
    """
    assert job.store is not None
    assert job.record is not None
    for journal in (job.store.journal, job.record.journal):
        if missing := journal.missing():
            raise missing_blocks(journal, missing)
    check_parts(job.record)


def _failed(job: Job) -> int:
    return 0 if job.record is None else job.record.failed


def pass_settings(job: Job, forward: Forward, events: Events) -> dict[str, Any]:
    """Batch size and compute dtype: those of the target that is there, else as asked for or found."""
    if job.record is not None:
        return dict(job.record.settings)
    size = job.options.batch_size
    if size is None:
        size = find_batch_size(forward, job.teacher.info.input, device=job.device, most=job.block_rows)
        events.info(f"the batch size of the teacher is {size} images")
    settings = {"batch_size": size, "compute_dtype": job.compute_dtype}
    return {**settings, "tf32": True} if job.options.tf32 else settings


def _feed(job: Job, output: Output, batch_size: int, check: RuleCheck | None) -> Feed:
    store = output.store
    return Feed(
        samples=job.samples,
        plan=job.views,
        block_range=job.block_range,
        stored=lambda block: None if store is None else stored_block(store, block),
        batch_size=batch_size,
        workers=job.options.workers,
        pin=job.device.type == "cuda",
        check=check,
    )


def _run(job: Job, output: Output, forward: Forward, missing: Sequence[int], feed: Feed, events: Events) -> None:
    views = job.spec.views
    total = job.rows(job.blocks) * views
    done = total - job.rows(missing) * views
    unit = "rows" if views == 1 else "views"
    with events.task(f"run the teacher over {job.path.name}", total=total, done=done, unit=unit) as task:
        Pass(forward=forward, arrays=job.arrays, commit=output.commit, task=task).run(feed.batches(missing))
    tell_treated(feed.treated, events)


def _tell_repair(job: Job, targets: Collection[int], samples: Collection[int], events: Events) -> None:
    """Say which blocks are made again."""
    for name, blocks in ((job.options.name, targets), ("samples", samples)):
        if blocks:
            shown = ", ".join(map(str, sorted(blocks)[:10])) + (", ..." if len(blocks) > 10 else "")
            events.info(f"{len(blocks)} blocks of {name} are computed again: {shown}")
    if not targets and not samples:
        events.info("no block has to be computed again")


def _decode_again(output: Output, feed: Feed, blocks: Sequence[int]) -> None:
    """Write samples whose targets are there already: the teacher has nothing to do."""
    filling = Filling(arrays={})
    for batch in feed.batches(blocks):
        filling.add(batch, [])
        if batch.is_last:
            output.commit_samples(filling.filled())
            filling = Filling(arrays={})


def _mark(job: Job, events: Events) -> None:
    """Every byte has just been written and hashed by this process: no reader has to do it again."""
    store = open_store(job.path)
    try:
        write_mark(store, mark_entries(store, [job.options.name], samples=job.store is None))
    except DiskError as error:
        events.warn(error.message)


def _record(job: Job, output: Output, events: Events, facts: Mapping[str, Any]) -> None:
    if output.store is not None:  # else nothing was written, so nothing is left behind
        record_run(job.path, events, target=job.options.name, device=str(job.device), **facts)
