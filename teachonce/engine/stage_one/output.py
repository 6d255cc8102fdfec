"""The writing side of one call: a store is made with its first block, so that what fails at once leaves nothing."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from teachonce.cache import SamplesWriter, Store, TargetWriter, create_or_open
from teachonce.cache.begin import Head
from teachonce.cache.journal import Journal
from teachonce.cache.layout import Grid, sample_grids
from teachonce.cache.repair import RepairRule
from teachonce.cache.targets import full_arrays, target_grids
from teachonce.engine.failed import tell_failed
from teachonce.engine.stage_one.contents import teacher_attributes
from teachonce.engine.stage_one.job import Job
from teachonce.engine.stage_one.passes import FilledBlock
from teachonce.errors import CorruptError, FailedSamplesError
from teachonce.events import Events
from teachonce.models import Teacher
from teachonce.places import require_space, require_writable

_RECORD_BYTES = 4096  # of a block's journal records, generously


class Output:
    """The writers of samples and target; opened at once where there is a store, else with the first block.

    Args:
        job: What is asked for.
        settings: What a run that goes on must share: batch size and compute dtype.
    """

    def __init__(self, job: Job, settings: dict[str, Any]) -> None:
        self._job, self._settings = job, settings
        # before threads start: both run the teacher
        self._info, self._head = teacher_attributes(job.teacher), teacher_head(job.teacher)
        self._writers: tuple[SamplesWriter, TargetWriter] | None = None
        self.store: Store | None = job.store
        if job.store is not None:
            self.open()

    def open(self) -> tuple[SamplesWriter, TargetWriter]:
        """Make or open the store, and begin or go on with the target.

        Raises:
            MismatchError: Another process has begun them in another way.
            BusyError: Another process writes these blocks.
            DiskError: The disk is full or read-only.
        """
        if self._writers is None:
            self.store = create_or_open(self._job.path, self._job.spec)
            samples = SamplesWriter(self.store, self._job.blocks)
            try:
                self._writers = samples, self._begin(self.store)
            except BaseException:
                samples.close()
                raise
        return self._writers

    def _begin(self, store: Store) -> TargetWriter:
        job = self._job
        return TargetWriter(
            store,
            job.options.name,
            kind=job.teacher.info.kind,
            fingerprint=job.fingerprint,
            settings=self._settings,
            info=self._info,
            arrays=job.arrays,
            head=self._head,
            blocks=job.blocks,
            repair=RepairRule(**seal_rule(job)) if job.options.repair else None,
        )

    @property
    def blocks(self) -> int:
        """How many blocks the store has."""
        return self.open()[1].journal.blocks

    def missing_samples(self) -> list[int]:
        """The blocks of the job whose samples alone are not committed, and will be sealed only as they were before.

        Without an earlier seal nothing proves that they are the samples that the target's blocks are of.
        """
        if self._writers is None or not self._writers[0].reopened:
            return []
        samples, target = self._writers
        done = target.done() - samples.done()
        return [block for block in self._job.blocks if block in done]

    def missing(self) -> list[int]:
        """The blocks of the job that are not committed."""
        if self._writers is None:
            return list(self._job.blocks)
        samples, target = self._writers
        done = samples.done() & target.done()
        return [block for block in self._job.blocks if block not in done]

    def commit(self, filled: FilledBlock) -> None:
        """Write a block: the samples where they are new, then the target."""
        self.commit_samples(filled)
        self.open()[1].commit(filled.index, filled.arrays, filled.status, filled.failed)

    def commit_samples(self, filled: FilledBlock) -> None:
        """Write the samples of a block, where they are new."""
        samples, _ = self.open()
        if filled.is_new:
            samples.drop_targets(filled.index)
            start, stop = self._job.block_range(filled.index)
            labels = self._job.samples.labels
            label = np.full(stop - start, -1, np.int32) if labels is None else labels[start:stop].astype(np.int32)
            samples.commit(filled.index, filled.digest, label, filled.status, filled.params, filled.failed)

    def failed(self) -> dict[int, str]:
        """Row -> reason code, over all committed blocks of the target."""
        return self.open()[1].failed()

    def seal(self, events: Events) -> bool:
        """Seal samples and target where every block of the store is there; says whether it did.

        Raises:
            FailedSamplesError: More samples failed than allowed; names the first ten, by file where they have one.
            CorruptError: What is sealed lacks blocks, or a chunk is not what was committed.
        """
        samples, target = self.open()
        for writer in (samples, target):
            missing = writer.journal.missing()
            if missing and writer.sealed:
                raise missing_blocks(writer.journal, missing)
            if missing:
                return False
        labels: NDArray[np.int32] | None = self._job.samples.labels
        options = self._job.options
        samples.seal(events)
        try:
            target.seal(labels=labels, **seal_rule(self._job), max_failed=options.max_failed, events=events)
        except FailedSamplesError as error:
            failed = target.failed()
            message = f"{len(failed)} samples failed, {options.max_failed} are allowed"
            raise FailedSamplesError(f"{message}: {tell_failed(self._job.samples, failed)}", error.mend) from None
        return True

    @property
    def is_own(self) -> bool:
        """Whether this process committed every block of the target, and no chunk has changed since."""
        samples, target = self.open()
        return target.is_own and (self._job.store is not None or samples.is_own)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers or ():
            writer.close()


def missing_blocks(journal: Journal, missing: Sequence[int]) -> CorruptError:
    """The error for what is sealed although blocks of it are missing or cut."""
    blocks = ", ".join(map(str, missing[:10]))
    message = f"{journal.name} of {journal.root} is sealed, but blocks are missing or truncated: {blocks}"
    return CorruptError(message, "Run the same command with --repair: it runs these blocks again")


def seal_rule(job: Job) -> dict[str, int | None]:
    """What the seal says of the class means: classes, and rows of each; both None without labels.

    A repair keeps what the seal says.
    """
    if job.options.repair and job.record is not None and job.record.rule is not None:
        return job.record.rule
    labelled = job.samples.labels is not None
    return {
        "classes": job.samples.classes if labelled else None,
        "per_class": job.options.per_class if labelled else None,
    }


def teacher_head(teacher: Teacher) -> Head | None:
    """The teacher's linear head as float32 (C, D) and (C,) on the host; None where it has none."""
    head = teacher.head()
    if head is None:
        return None
    weight, bias = (None if part is None else part.detach().float().cpu().numpy() for part in head)
    return None if weight is None else (weight, bias)


def require_room(job: Job) -> None:
    """Refuse to begin where the store cannot be written, or what is missing of it does not fit on the disk.

    Raises:
        DiskError: The place cannot be written, or has too little space.
    """
    require_writable(job.path)
    require_space(Path(job.path).absolute(), _missing_bytes(job))


def _missing_bytes(job: Job) -> int:
    spec, name, full = job.spec, job.options.name, full_arrays(job.arrays, job.spec)
    samples = set(job.blocks) - (set() if job.store is None else set(job.store.journal.present()))
    target = set(job.blocks) - (set() if job.record is None else set(job.record.journal.present()))
    classes = 4 * (job.samples.classes or 0) * job.teacher.info.embedding_dim
    head = 4 * (job.teacher.info.classes or 0) * (job.teacher.info.embedding_dim + 1)
    per_sample_block = block_bytes(sample_grids(spec.rows, spec.views, spec.block_rows))
    per_target_block = block_bytes(target_grids(name, full, spec.block_rows))
    return len(samples) * per_sample_block + len(target) * per_target_block + classes + head


def block_bytes(grids: tuple[Grid, ...]) -> int:
    """What a block of these arrays takes on the disk, with its record."""
    return _RECORD_BYTES + sum(grid.columns * grid.chunk_bytes for grid in grids)
