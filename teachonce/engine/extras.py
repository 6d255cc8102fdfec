"""Targets that are read beside the main one: RDMs and assistants, found in the store and held against it."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord, target_names
from teachonce.engine.rdm.stored import KIND, is_of, places
from teachonce.engine.records import Extras, TargetContent
from teachonce.errors import MismatchError, StoreMissingError, UnsealedError
from teachonce.options.train import TrainOptions

_WEIGHT = re.compile(r"rdm-(\d+(\.\d+)?)")


def extra_records(store: Store, config: TrainOptions) -> dict[str, TargetRecord]:
    """The records of the extras of a training, in order.

    Raises:
        StoreMissingError: One is not there; the mend has the command that makes it.
        UnsealedError: One is not finished.
        MismatchError: An RDM's name is another kind of target's, or the RDM is of another target than the main one.
    """
    found = {name: _record(store, name, _making(store, config, name)) for name in config.extras}
    for name in config.rdm:
        _check_parent(store, config, found[name])
    return found


def identify_extras(store: Store, config: TrainOptions) -> Extras | None:
    """What a run is compared by: its extras in order, with their fingerprints and contents; None without.

    Raises:
        StoreError: See `extra_records`.
    """
    records = extra_records(store, config)
    if not records:
        return None
    targets = {
        name: TargetContent(target=each.fingerprint, content=each.seal["journal"]) for name, each in records.items()
    }
    logits = None if config.assistants else config.rdm_logits
    return Extras(names=",".join(records), logits=logits, targets=targets)


def _record(store: Store, name: str, command: str) -> TargetRecord:
    names = target_names(store.path)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        there = f"it has {', '.join(names)}" if names else "it has none"
        raise StoreMissingError(f"{store.path} has no target {name!r}: {there}", f"{hint}Make it: `{command}`")
    record = store.record(name)
    if not record.sealed:
        done = f"{record.blocks_done} of {record.blocks} blocks are done"
        raise UnsealedError(f"target {name!r} of {store.path} is not sealed: {done}", f"Finish it: `{command}`")
    return record


def _check_parent(store: Store, config: TrainOptions, record: TargetRecord) -> None:
    """An RDM repeats what one target has, and no other."""
    command = _making(store, config, "")  # of another R: the name of this one is taken
    if record.kind != KIND:
        message = f"target {record.name!r} of {store.path} is not an RDM: its kind is {record.kind!r}"
        raise MismatchError(message, f"Train one: `{command}`")
    if not is_of(record, store.sealed(config.target)):
        parent: Mapping[str, Any] = record.fingerprint_fields.get("parent", {})
        message = f"{record.name} was trained on target {parent.get('name')!r}, and this training's is"
        if parent.get("name") == config.target:
            again = _making(store, config, record.name)
            mend = f"Train it again: remove {places(record.name)} of the store, then `{again}`"
            raise MismatchError(f"{message} another of that name", mend)
        mend = f"Use --target {parent.get('name')}, or train RDMs of it with other R: `{command}`"
        raise MismatchError(f"{message} {config.target!r}", mend)


def _making(store: Store, config: TrainOptions, name: str) -> str:
    """The command that makes an extra."""
    if name in config.assistants:
        return f"teachonce embed --teacher RUN --data D --store {store.path} --name {name}"
    weight = _WEIGHT.fullmatch(name)
    target = "" if config.target == "teacher" else f" --target {config.target}"
    return f"teachonce rdm --store {store.path}{target} --distortion-weight {weight[1] if weight else 'R'}"
