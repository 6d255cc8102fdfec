"""What one call of `rdm` is about: the parent target, what can be learnt from it, and which targets are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from teachonce.cache.identity import canonical_json, first_difference, plain, short
from teachonce.cache.store import Store, open_store
from teachonce.cache.targets import TargetRecord, target_names
from teachonce.digests import digest_hex
from teachonce.engine.cached_target import has_targets
from teachonce.engine.datacheck import tell_unproven
from teachonce.engine.device import pick_device
from teachonce.engine.rdm.names import named
from teachonce.engine.rdm.parent import Learnt, learnt
from teachonce.engine.rdm.settings import check_rdm, loss_of, training_of
from teachonce.engine.rdm.stored import KIND, places
from teachonce.engine.rows import Division, divide
from teachonce.errors import DataError, InputError, MismatchError
from teachonce.events import Events
from teachonce.methods.rate_distortion import RdmLoss
from teachonce.methods.requirements import missing
from teachonce.models.rdm import RdmSpec
from teachonce.options.identity import with_defaults
from teachonce.options.rdm import RdmOptions
from teachonce.signals import needs
from teachonce.types import DECODED


@dataclass(frozen=True, kw_only=True)
class Job:
    """Settings, store, parent and layers of one call."""

    config: RdmOptions
    store: Store
    parent: TargetRecord
    learnt: Learnt
    spec: RdmSpec
    rows: Division
    device: torch.device

    @cached_property
    def names(self) -> dict[str, float]:
        """Target to its distortion weight, in the order given."""
        return named(self.config.distortion_weight)

    @cached_property
    def loss(self) -> RdmLoss:
        """The losses."""
        return loss_of(self.config)

    @property
    def dtype(self) -> str:
        """The stored dtype: the parent's unless another one was asked for."""
        return self.config.dtype or self.parent.arrays["image_embedding"].dtype

    @property
    def work(self) -> Path:
        """The folder of the training: beside the store, since a store holds nothing that is under way."""
        asked = {"names": sorted(self.names), **self.fingerprint(0.0)}
        return work_root(self.store) / f"rdm-{digest_hex(canonical_json(plain(asked)))[:16]}"

    def fingerprint(self, distortion_weight: float) -> dict[str, Any]:
        """What an RDM's target depends on, without its weights."""
        layers = {"preset": self.spec.preset, "hidden": self.spec.units, "activation": self.spec.activation}
        parent = {
            "name": self.parent.name,
            "fingerprint": self.parent.fingerprint,
            "content": self.parent.seal["journal"],
        }
        return {
            "rdm": {**layers, **training_of(self.config), "distortion_weight": distortion_weight},
            "parent": parent,
            "dtype": self.dtype,
        }

    def known(self) -> dict[str, TargetRecord]:
        """The targets of this call that were begun before, sealed or not.

        Raises:
            MismatchError: One was made from other things; names the first that differs.
        """
        there = set(target_names(self.store.path))
        found = {name: self.store.record(name) for name in self.names if name in there}
        for name, record in found.items():
            self.compare(record, self.names[name])
        return found

    def compare(self, record: TargetRecord, distortion_weight: float) -> None:
        """Refuse a target that was made from other things.

        Raises:
            MismatchError: Names the first that differs.
        """
        stored = {"kind": record.kind, **record.fingerprint_fields}
        stored.pop("weights", None)
        if "rdm" in stored:
            stored["rdm"] = with_defaults(RdmOptions, stored["rdm"])
        given = {"kind": KIND, **plain(self.fingerprint(distortion_weight))}
        parent = stored.get("parent", {}).get("name")
        difference = (
            first_difference(stored["kind"], given["kind"], "kind")
            or first_difference(parent, self.parent.name, "parent")
            or first_difference(stored, given)
        )
        if difference:
            name, expected, got = difference
            raise MismatchError(
                f"target {record.name!r} of {self.store.path} was made with another {name}: "
                f"expected {short(expected)}, got {short(got)}",
                _mend(record),
            )

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """int32 (N,), -1 where there is none."""
        return self.store.labels()

    @cached_property
    def failed(self) -> Mapping[int, str]:
        """Row of the parent that failed -> its reason code."""
        return self.parent.journal.failed()


def _mend(record: TargetRecord) -> str:
    same = "Use the same settings as before, another --distortion-weight, or another --store"
    return f"{same}; without {places(record.name)} it is made again" if record.kind == KIND else same


def work_root(store: Store) -> Path:
    """The folder of what is under way for a store: `NAME.zarr.work`, the same however the store is named."""
    place = store.path.resolve()
    return place.with_name(f"{place.name}.work")


def open_job(config: RdmOptions, events: Events) -> Job:
    """Check everything that can be wrong; nothing is written.

    Args:
        config: The settings.
        events: Is told what is not there to learn from, and which rows are left out.

    Raises:
        InputError: A setting that cannot be used, a parent that is an RDM's, or nothing to learn from.
        ModelError: Layers that cannot be.
        DataError: No rows to train on, or to validate on.
        StoreMissingError: No such store or target, or it has no embeddings.
        UnsealedError: The store or the target is not finished.
        MismatchError: The teacher's classes are not the labels'.
    """
    check_rdm(config)
    store, device = open_store(config.store), pick_device(config.device)
    parent = _parent(store, config.target)
    tell_unproven(store, [config.target], events)
    known = learnt(store, parent, config, events)
    spec = RdmSpec(
        preset=config.preset,
        embedding_dim=parent.arrays["image_embedding"].shape[-1],
        classes=known.classes,
        hidden=config.hidden,
        activation=config.activation,
    )
    rows = _rows(store, config, known)
    if rows.left_out:
        events.info(f"{rows.left_out} rows are left out: they failed, or have no label")
    return Job(config=config, store=store, parent=parent, learnt=known, spec=spec, rows=rows, device=device)


def _parent(store: Store, name: str) -> TargetRecord:
    parent = store.sealed(name)
    if parent.kind == KIND:
        parent_name = parent.fingerprint_fields["parent"]["name"]
        message = f"target {name!r} is an RDM's, and RDMs are trained on a teacher's embeddings"
        raise InputError(message, f"Use --target {parent_name}, which it was trained on")
    missing(needs("image_embedding"), parent.spec, method="an RDM", store=str(store.path))
    return parent


def _rows(store: Store, config: RdmOptions, known: Learnt) -> Division:
    usable = (store.sample_status() == DECODED) & has_targets(store, config.target)
    if known.ce:
        usable &= store.labels() >= 0
    fraction, size = config.val_fraction, config.batch_size
    rows = divide(store.digests(), usable, seed=config.seed, fraction=fraction, batch_size=size)
    if not len(rows.val):
        raise DataError("there are no validation rows to choose the best epoch", "Use a larger --val-fraction")
    return rows
