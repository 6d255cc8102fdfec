"""From what was probed to seconds and bytes of a whole pass, also for other views and dtypes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from teachonce.benchmarks.estimate.disk import BlockSize, DiskProbe, block_size
from teachonce.benchmarks.estimate.passes import PassProbe
from teachonce.benchmarks.estimate.records import Cost, Limit
from teachonce.cache.begin import Beginning
from teachonce.cache.layout import sample_grids
from teachonce.cache.size import sealed_bytes
from teachonce.cache.targets import full_arrays, target_grids
from teachonce.engine.stage_one.job import Job
from teachonce.engine.stage_one.output import teacher_head
from teachonce.types import StoredDtype

_AUGMENT = "crop=0.35,flip"  # for views beyond the one without an augmentation; a few bytes of the store tell of it
_COPIES = 4  # of a block: its parts, the whole, the one before on its way to the disk, and the chunks of that


@dataclass(frozen=True, kw_only=True)
class Costing:
    """What a pass costs, from its probes."""

    job: Job
    settings: Mapping[str, Any]
    """Of the target: batch size and compute dtype."""
    info: Mapping[str, Any]
    """What the target records of its teacher; see `teacher_attributes`."""
    found: PassProbe
    disk: DiskProbe

    def of(self, job: Job, rows: int) -> Cost:
        """Of a pass whose views and dtype may be other ones.

        The pass and the disk work side by side, so that the slower one decides; the last block and the seal come
        after it, and where there is one block only, the making of the store.

        Args:
            job: The pass.
            rows: That are left to run.
        """
        commit_s = self.disk.block_seconds(size_of_block(job))
        blocks = -(-rows // job.spec.block_rows)
        begin_s = 0.0 if job.record is not None else self.disk.begin_s
        pass_s = rows * self.found.row_seconds(job.spec.views)
        beside_s = begin_s + (blocks - 1) * commit_s if blocks > 1 else 0.0
        after_s = commit_s + blocks * self.disk.seal_s + (begin_s if blocks == 1 else 0.0)
        return Cost(
            views=job.spec.views,
            dtype=job.options.dtype,
            store_bytes=store_bytes(job, self.settings, self.info),
            seconds=self.found.start_s + max(pass_s, beside_s) + after_s if rows else 0.0,
            limit=self._limit(job, commit_s / min(job.spec.block_rows, job.spec.rows)),
        )

    def _limit(self, job: Job, disk_s: float) -> Limit:
        times: dict[Limit, float] = {
            "teacher": job.spec.views * self.found.teacher_s,
            "decode": self.found.decode_s,
            "disk": disk_s,
        }
        return max(times, key=lambda name: times[name])

    def table(self, views: tuple[int, ...], dtypes: tuple[StoredDtype, ...]) -> list[Cost]:
        """The costs of new stores over all rows."""
        jobs = [changed(self.job, count, dtype) for count in views for dtype in dtypes]
        return [self.of(job, job.samples.rows) for job in jobs]


def changed(job: Job, views: int, dtype: StoredDtype) -> Job:
    """The same pass into a new store of another kind."""
    augment = job.options.augment or (_AUGMENT if views > 1 else None)
    options = replace(job.options, views=views, dtype=dtype, augment=augment)
    return replace(job, options=options, store=None)


def size_of_block(job: Job) -> BlockSize:
    """What a block of the job puts on the disk."""
    spec = job.spec
    samples = sample_grids(spec.rows, spec.views, spec.block_rows)
    return block_size((*samples, *target_grids(job.options.name, full_arrays(job.arrays, job.spec), spec.block_rows)))


def buffered_bytes(job: Job) -> int:
    """The most memory that blocks take on their way to the disk."""
    return _COPIES * size_of_block(job).bytes


def store_bytes(job: Job, settings: Mapping[str, Any], info: Mapping[str, Any]) -> int:
    """All files of the job's store, sealed, with this target alone; exact where no row fails."""
    target = Beginning(
        root=job.path,
        name=job.options.name,
        kind=job.teacher.info.kind,
        fingerprint=job.fingerprint,
        settings=settings,
        info=info,
        arrays=full_arrays(job.arrays, job.spec),
        head=teacher_head(job.teacher),
        weights=None,
        block_rows=job.spec.block_rows,
    )
    classes = None if job.samples.labels is None else job.samples.classes
    return sealed_bytes(job.spec, target, classes=classes, per_class=job.options.per_class)
