"""Is a store what it was sealed as, and is it of this data and this teacher?"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from teachonce.cache import Store, open_store
from teachonce.cache.audit import find_problems
from teachonce.cache.layout import is_name
from teachonce.cache.mark import mark_entries, remove_mark, write_mark
from teachonce.cache.problems import Problem
from teachonce.cache.targets import target_names
from teachonce.cache.verify import Checked
from teachonce.data.memory import available_memory
from teachonce.data.open import opened_samples
from teachonce.data.samples import Samples
from teachonce.engine.datacheck import DataCheck
from teachonce.engine.device import pick_device
from teachonce.engine.stage_one.again import TeacherCheck, refuse_rdm, run_again
from teachonce.engine.stage_one.contents import teacher_dtype
from teachonce.errors import (
    CorruptError,
    DiskError,
    InputError,
    MismatchError,
    StoreError,
    StoreMissingError,
    UnsealedError,
)
from teachonce.events import Events
from teachonce.models import Teacher, load_teacher
from teachonce.options.verb import verb
from teachonce.options.verify import VerifyOptions


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """What `verify` found."""

    store: str
    ok: bool
    """Whether nothing is wrong."""
    targets: list[str]
    """That were looked at."""
    problems: list[dict[str, Any]]
    """kind, target (or `samples`), block, file, message of each; see `cache.problems.Problem`."""
    bad_blocks: dict[str, list[int]]
    """Target (or `samples`) -> its blocks with a problem."""
    files: int
    """That were read, each once."""
    bytes: int
    """Of those files."""
    seconds: float
    """Of reading and checking the store."""
    unproven: list[str]
    """Targets that an earlier version sealed: nothing proves that they belong to the samples beside them."""
    data: str | None
    """`ok`, or the first difference from the data; None where no data was given."""
    teacher: TeacherCheck | None
    """None where no teacher was given."""


@verb(VerifyOptions)
def verify(options: VerifyOptions, events: Events) -> VerifyResult:
    """Read every byte of a store and compare it with journal and seals; nothing of the store is changed.

    Where nothing is wrong, a mark beside the store (`NAME.zarr.verified.json`) says when that was, until a file
    changes: stores that are larger than memory are then trained from without another check. Where something is
    damaged, the mark is removed.

    Raises:
        StoreMissingError: There is no store, or no such target.
        InputError: A teacher without data; an RDM's target.
        DataError: Data that cannot be used.
        ModelError: A teacher that cannot be used.
    """
    if options.teacher is not None and options.data is None:
        raise InputError(
            "--teacher needs the images that it ran on, got no --data", "Add --data with the value that embed had"
        )
    path, targets, checked = options.store, options.targets, Checked()
    _check_names(path, targets, options.target if options.teacher is not None else None)
    before = _entries(path, targets)
    began = time.perf_counter()
    found = list(find_problems(path, names=targets, checked=checked, events=events, zeros=not options.allow_zeros))
    seconds = time.perf_counter() - began
    if any(problem.kind not in ("unsealed", "zeros") for problem in found):
        _unmark(path, events)
    elif not found and before is not None:
        _mark(open_store(path), before, events)
    samples = None if options.data is None else opened_samples(options, events)
    differs, again = None, None
    bad = {problem.target for problem in found}
    if samples is not None and not bad & {None, "samples"}:
        kept = open_store(path)
        differs = _difference(kept, samples, events)
        if options.teacher is not None and differs == "ok" and options.target not in bad:
            again = _run_again(kept, samples, options, events)
    return VerifyResult(
        store=str(path),
        ok=not found and differs in (None, "ok") and (again is None or again.ok),
        targets=[name for name in checked.blocks if name != "samples"],
        problems=[problem.to_json() for problem in found],
        bad_blocks=_bad_blocks(found),
        files=checked.files,
        bytes=checked.bytes,
        seconds=seconds,
        unproven=_unproven(path, [name for name in checked.blocks if name not in bad]),
        data=differs,
        teacher=again,
    )


def _run_again(store: Store, samples: Samples, options: VerifyOptions, events: Events) -> TeacherCheck:
    device = pick_device(options.device)
    return run_again(
        store,
        options.target,
        _loaded(store, samples, options, device),
        samples,
        count=options.sample,
        seed=options.seed,
        device=device,
        workers=options.workers,
        events=events,
    )


def _unproven(path: Path, names: Sequence[str]) -> list[str]:
    """Those of journals without a problem whose seals prove less than those of this version."""
    if "samples" not in names:
        return []
    store = open_store(path)
    old = {name for name in names if name != "samples" and store.record(name).samples is None}
    return sorted(old if "document" in store.samples_seal else old | {"samples"})


def _check_names(path: Path, targets: Sequence[str] | None, target: str | None) -> None:
    """Refuse names before anything is read; what is damaged is left to the check.

    Raises:
        StoreMissingError: There is no store, or nothing of a target of that name.
        InputError: The teacher is to be compared with an RDM's target.
    """
    there = target_names(path)
    for name in (*(targets or ()), *(() if target is None else (target,))):
        if not is_name(name) or not (name in there or (path / "journal" / name).is_dir()):
            raise StoreMissingError(f"{path} has no target {name!r}: it has {', '.join(there) or 'none'}", "Choose one")
    if target is not None:
        with suppress(CorruptError, MismatchError, UnsealedError):
            refuse_rdm(open_store(path).sealed(target))


def _entries(path: Path, targets: Sequence[str] | None) -> dict[str, dict[str, str]] | None:
    """What a mark would say of the files as they are before they are read; None where there can be none."""
    try:
        store = open_store(path)
        names = [name for name, record in store.targets().items() if record.sealed]
        return mark_entries(store, [name for name in names if targets is None or name in targets], samples=True)
    except (StoreError, OSError):
        return None


def _mark(store: Store, entries: dict[str, dict[str, str]], events: Events) -> None:
    try:
        write_mark(store, entries)
    except DiskError as error:
        events.warn(f"the mark that the store was verified was not written: {error.message}")


def _unmark(path: Path, events: Events) -> None:
    """Damage that changes neither size, time nor inode of a file leaves a mark as it is."""
    try:
        remove_mark(path)
    except DiskError as error:
        events.warn(f"the mark of an earlier verification could not be removed: {error.message}")


def _difference(store: Store, samples: Samples, events: Events) -> str:
    try:
        check = DataCheck(store, samples, failed=True)
        check.check_start(every=True, events=events)
        check.check_labels()
    except MismatchError as error:
        return error.message
    return "ok"


def _loaded(store: Store, samples: Samples, options: VerifyOptions, device: torch.device) -> Teacher:
    """The teacher on its device, in the dtype and with the embedding that made the target."""
    if isinstance(options.teacher, Teacher):
        return options.teacher.to(device)
    record = store.sealed(options.target)
    return load_teacher(
        str(options.teacher),
        device=device,
        dtype=teacher_dtype(record),
        device_map=options.teacher_device_map,
        memory=available_memory(),
        embedding=str(record.attributes.get("embedding", "auto")),
        trust_remote_code=options.trust_remote_code,
        revision=options.revision,
        image_size=options.image_size,
        classes=samples.classes,
        seed=options.seed,
    )


def _bad_blocks(problems: Sequence[Problem]) -> dict[str, list[int]]:
    bad: dict[str, set[int]] = {}
    for problem in problems:
        if problem.block is not None and problem.target is not None:
            bad.setdefault(problem.target, set()).add(problem.block)
    return {name: sorted(blocks) for name, blocks in sorted(bad.items())}
