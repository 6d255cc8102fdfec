"""What one call of `embed` is about, compared with the store that is there, before anything is written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from teachonce.cache import Store, StoreSpec, TargetRecord, default_block_rows, open_store
from teachonce.cache.dtypes import stored
from teachonce.cache.identity import first_difference, short
from teachonce.cache.repair import readable, repair_samples
from teachonce.cache.restore import restore_root
from teachonce.cache.store import read_store
from teachonce.cache.targets import target_names
from teachonce.data.rules import RULES
from teachonce.data.samples import Samples
from teachonce.engine.datacheck import DataCheck
from teachonce.engine.stage_one.contents import data_attributes, fingerprint, fingerprint_difference
from teachonce.engine.stage_one.forward import array_specs
from teachonce.engine.stage_one.options import parse_blocks
from teachonce.engine.stage_one.stored import check_attributes
from teachonce.engine.stage_one.views import ViewPlan, kept_views, new_views
from teachonce.errors import MismatchError, StoreError, StoreMissingError
from teachonce.fsio import TEMPORARY
from teachonce.models import Teacher
from teachonce.options.embed import EmbedOptions
from teachonce.options.identity import chosen_of
from teachonce.records import to_json
from teachonce.types import EARLY, ArraySpec


@dataclass(frozen=True, kw_only=True)
class Job:
    """Settings, data, teacher and place of one pass."""

    options: EmbedOptions
    samples: Samples
    teacher: Teacher
    device: torch.device
    compute_dtype: str
    """See `pick_compute_dtype`."""
    store: Store | None = field(default=None)
    """The store that is there already."""

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return self.options.store

    @cached_property
    def data(self) -> DataCheck:
        """The data beside the store that is there.

        Raises:
            MismatchError: Another number of rows, or another kind of identity.
        """
        assert self.store is not None
        return DataCheck(self.store, self.samples, failed=True)

    @cached_property
    def views(self) -> ViewPlan:
        """The store's views, or those of a new one.

        Raises:
            InputError: Several views without an augmentation.
            MismatchError: The store was made with others.
        """
        if self.store is None:
            return new_views(self.options, self.teacher.info.view)
        return kept_views(self.store, self.options)

    @cached_property
    def block_rows(self) -> int:
        """Rows of a block.

        Raises:
            MismatchError: The store has another number of them.
        """
        asked = self.options.block_rows
        if self.store is None:
            return asked or self._default_block_rows()
        if asked not in (None, self.store.spec.block_rows):
            raise MismatchError(
                f"{self.path} has blocks of {self.store.spec.block_rows} rows, got --block-rows {asked}",
                "Leave --block-rows out, or use another --store",
            )
        return self.store.spec.block_rows

    def _default_block_rows(self) -> int:
        """Of a new store; the padding of data that is smaller than a block is kept below its own size."""
        itemsize = stored(self.options.dtype).numpy.itemsize
        enough = 1 << max(6, (self.samples.rows - 1).bit_length())
        return min(default_block_rows(self.teacher.info.embedding_dim, itemsize), enough)

    @cached_property
    def spec(self) -> StoreSpec:
        """The store's, or that of a new one."""
        if self.store is not None:
            return self.store.spec
        return StoreSpec(
            rows=self.samples.rows,
            views=self.views.views,
            block_rows=self.block_rows,
            identity=self.samples.identity,
            data=data_attributes(self.samples),
            views_spec=to_json(self.views.spec),
        )

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What the target depends on."""
        teacher = self.teacher.info.fingerprint()
        spec, chosen = self.spec, chosen_of(self.options)
        return ({"options": chosen} if chosen else {}) | fingerprint(
            teacher=teacher,
            samples=self.samples,
            views=spec.views,
            views_spec=spec.views_spec,
            dtype=self.options.dtype,
        )

    @cached_property
    def arrays(self) -> dict[str, ArraySpec]:
        """The arrays of the target, with the shape of one row of one view."""
        return array_specs(self.teacher, self.options.dtype)

    @cached_property
    def blocks(self) -> range:
        """The blocks this call works on.

        Raises:
            InputError: Not blocks of this store.
        """
        return parse_blocks(self.options.blocks, -(-self.spec.rows // self.spec.block_rows))

    def block_range(self, block: int) -> tuple[int, int]:
        """The first row of a block, and the row after its last."""
        start = block * self.spec.block_rows
        return start, min(start + self.spec.block_rows, self.spec.rows)

    def rows(self, blocks: Iterable[int]) -> int:
        """How many rows some blocks have."""
        return sum(stop - start for start, stop in map(self.block_range, blocks))

    @cached_property
    def record(self) -> TargetRecord | None:
        """The target as it is there already, if it is.

        Raises:
            MismatchError: It was made from other things; names the first that differs, in words.
        """
        if self.store is None or self.options.name not in target_names(self.store.path):
            return None
        repair = self.options.repair
        record = readable(self.store, self.options.name) if repair else self.store.record(self.options.name)
        if record is None:
            return None  # its document is written again with the rest
        found = fingerprint_difference(record.fingerprint_fields, self.fingerprint)
        if not found and (repair or not record.sealed):
            found = first_difference({"tf32": False, **record.settings}, {**record.settings, **self.given_settings()})
        if found:
            raise MismatchError(
                f"target {record.name!r} of {self.path} differs in {found[0]}: "
                f"expected {short(found[1])}, got {short(found[2])}",
                "Use the same as before, another --name, or another --store",
            )
        return record

    def given_settings(self) -> dict[str, Any]:
        """The settings of the pass that were asked for, by the names that a target keeps them under."""
        given: dict[str, Any] = {"compute_dtype": self.compute_dtype, "tf32": self.options.tf32}
        return given if self.options.batch_size is None else {**given, "batch_size": self.options.batch_size}

    def check(self) -> None:
        """Compare everything with the store that is there.

        Raises:
            InputError: Settings that do not go together.
            MismatchError: The store, or its target, was made from other things.
        """
        if self.store is not None:
            check_attributes(self.data)
        _ = self.views, self.block_rows, self.blocks, self.record


def repaired_store(fresh: Job) -> Store | None:
    """The store at the path of a job, its documents mended and the bad blocks of its samples dropped.

    Args:
        fresh: The job, as if no store were there: its root is that of a store of these settings.

    Raises:
        StoreMissingError: Nothing is there.
        CorruptError: The root's document is damaged, and cannot be made again from these settings.
        StoreError: Something else is there.
        DiskError: It cannot be written.
    """
    begun = (fresh.path / "zarr.json").exists()
    if not begun and not any((fresh.path / "journal").glob("*/*.json")):
        if fresh.path.exists():
            return store_at(fresh.path)  # empty, or its creation was killed
        raise StoreMissingError(f"there is no store at {fresh.path} to repair", "Check --store, or leave --repair out")
    restore_root(fresh.path, *_as_each_version(fresh))
    repair_samples(read_store(fresh.path))
    return open_store(fresh.path)


def _as_each_version(fresh: Job) -> Iterator[StoreSpec]:
    """What a new store would say of itself under each rule of resizing; before there were rules, not how it decodes."""
    for rule in RULES:
        views = to_json(replace(fresh.views.spec, resizing=rule))
        data = {key: value for key, value in fresh.spec.data.items() if rule != EARLY or key != "decoding"}
        yield replace(fresh.spec, views_spec=views, data=data)


def store_at(path: Path) -> Store | None:
    """The store at a path; None where there is nothing, or an empty folder, or one whose creation was interrupted.

    Raises:
        StoreError: Something else is there, or a store of a newer format.
    """
    if (path / "zarr.json").exists():
        return open_store(path)
    mend = "Choose another --store; a new store needs a path that does not exist"
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path} is a file, not a store", mend)
    strange = [place.name for place in path.glob("*") if not _is_ours(place.name)]
    if strange:
        raise StoreError(f"{path} is not empty and not a store: it has {min(strange)}", mend)
    return None


def _is_ours(name: str) -> bool:
    return name in ("journal", "samples", "views", "targets", "classes") or name.startswith(TEMPORARY)
