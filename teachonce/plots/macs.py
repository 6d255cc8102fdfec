"""Training cost in forward multiply-accumulates, from the cache and with everything live.

Counted as in CIFD's appendix D.2 (Saidutta et al., NeurIPS 2024): forward passes, each once, without a factor for the
backward passes; training rows only. Not counted: validation, densities, projectors, and the training of the
teacher. The training of assistants and RDMs is counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from teachonce.cache.store import Store, open_store
from teachonce.cache.targets import TargetRecord
from teachonce.engine.cached_target import has_targets
from teachonce.engine.split import split_rows
from teachonce.errors import MismatchError, StoreMissingError
from teachonce.events import Events
from teachonce.models.rdm import RdmSpec
from teachonce.plots.runs import Run

PARTS = ("teacher", "assistants", "rdm", "student")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Multiply-accumulates of a run and of its targets, by part (`PARTS`)."""

    cached: Mapping[str, int]
    """Each target computed once over the stored rows and views, training of RDMs and assistants, and the student."""
    live: Mapping[str, int]
    """The same with teacher, assistants and RDMs run again for each sample of each epoch."""


@dataclass
class CostCounter:
    """Computes the costs of runs; stores are opened once.

    Args:
        runs: All known runs, among which the runs of assistants are searched for.
        store: Replaces the stores that the runs name; None: those.
        events: Receives a warning for what cannot be counted.
    """

    runs: Sequence[Run]
    store: Path | None
    events: Events
    _stores: dict[Path, Store] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    def cost(self, run: Run) -> Cost:
        """The cost of a run.

        Raises:
            StoreMissingError: Its store or target does not exist, or has no cost recorded.
            MismatchError: The target is not the one it was trained on.
        """
        cached, live = Counter(dict.fromkeys(PARTS, 0)), Counter(dict.fromkeys(PARTS, 0))
        targets: dict[str, TargetRecord] = {}
        for one in self._with_assistants(run, {}).values():
            part = "student" if one is run else "assistants"
            cached[part] += one.macs * one.samples_seen
            live[part] += one.macs * one.samples_seen
            for name, record in self._with_parents(self._targets(one)).items():
                targets[name] = record
                live[self._kind(record, one)] += self._macs(record) * one.samples_seen
        for record in targets.values():
            cached[self._kind(record, run)] += self._macs(record) * self._pass(record)
        rdms = [record for record in targets.values() if record.kind == "rdm"]
        for record in rdms:
            trained = self._macs(record) * self._rdm_samples(record)
            cached["rdm"] += trained
            live["rdm"] += trained
        if rdms:  # they are trained together, with one pass of the teacher for all
            live["teacher"] += self._macs(self._parent(rdms[0])) * max(self._rdm_samples(record) for record in rdms)
        return Cost(cached=dict(cached), live=dict(live))

    def _with_assistants(self, run: Run, found: dict[str, Run]) -> dict[str, Run]:
        """A run and the runs of its assistants, by folder."""
        found[str(run.folder)] = run
        for record in self._targets(run).values():
            maker = self._maker(record)
            if maker is not None and str(maker.folder) not in found:
                self._with_assistants(maker, found)
            elif maker is None and record.name in run.extras["assistants"]:
                self._warn(f"the training of {record.name} is not counted: its run is not among those given")
        return found

    def _with_parents(self, targets: Mapping[str, TargetRecord]) -> dict[str, TargetRecord]:
        """Targets, and the parents of the RDMs among them."""
        parents = (self._parent(record) for record in targets.values() if record.kind == "rdm")
        return {**{parent.name: parent for parent in parents}, **targets}

    def _maker(self, record: TargetRecord) -> Run | None:
        """The distilled run whose student made a target; None for a teacher that was trained on labels."""
        digest = record.fingerprint_fields.get("teacher", {}).get("weights")
        candidates = (run for run in self.runs if run.needs_teacher and run.macs == record.attributes.get("macs"))
        return next((run for run in candidates if run.weights == digest), None)

    def _targets(self, run: Run) -> dict[str, TargetRecord]:
        """The targets of a run, by name."""
        if run.target is None:
            return {}
        store, known = self._open(run), run.settings.store
        names = {run.target: known.target if known else None}
        for extras in (known.rdm, known.assistants) if known else ():
            names |= {name: extras.targets[name].target for name in extras.each} if extras else {}
        return {name: self._record(store, name, fingerprint, run) for name, fingerprint in names.items()}

    def _record(self, store: Store, name: str, fingerprint: str | None, run: Run) -> TargetRecord:
        record = store.sealed(name)
        live = run.record.teacher if name == run.target else None
        same = live is None or live.weights == record.fingerprint_fields["teacher"]["weights"]
        if fingerprint not in (None, record.fingerprint) or not same:
            message = f"target {name!r} of {store.path} is not the one that {run.folder} was trained on"
            raise MismatchError(message, "Give the store it was trained on with --store, or leave the run out")
        return record

    def _open(self, run: Run) -> Store:
        assert run.record.store is not None
        path = self.store or Path(run.record.store.path)
        if path not in self._stores:
            try:
                self._stores[path] = open_store(path)
            except StoreMissingError as error:
                message = f"the store of {run.folder} is not at {path}"
                raise StoreMissingError(message, "Say where it is with --store") from error
        return self._stores[path]

    def _parent(self, record: TargetRecord) -> TargetRecord:
        return self._stores_of(record).sealed(record.fingerprint_fields["parent"]["name"])

    def _stores_of(self, record: TargetRecord) -> Store:
        return self._stores.get(record.root) or open_store(record.root)

    def _kind(self, record: TargetRecord, run: Run) -> str:
        """The part that a target belongs to."""
        if record.kind == "rdm":
            return "rdm"
        is_assistant = record.name in run.extras["assistants"] or self._maker(record) is not None
        return "assistants" if is_assistant else "teacher"

    def _macs(self, record: TargetRecord) -> int:
        """Per sample, of the network that made a target."""
        if record.kind == "rdm":
            return RdmSpec.from_json(dict(record.attributes["rdm_spec"])).macs
        macs: int | None = record.attributes.get("macs")
        if macs is None:
            message = f"target {record.name!r} of {record.root} has no recorded cost of its teacher"
            raise StoreMissingError(message, "It is of an older version: embed again, into another store")
        return macs

    def _pass(self, record: TargetRecord) -> int:
        """The samples that made a target: decoded rows times views."""
        return (record.spec.rows - record.failed) * record.spec.views

    def _rdm_samples(self, record: TargetRecord) -> int:
        """Samples of all epochs of an RDM's training; the last, incomplete batch of each is dropped."""
        settings, store = record.fingerprint_fields["rdm"], self._stores_of(record)
        rows = split_rows(store.digests(), settings["seed"], settings["val_fraction"])[0]
        labels, usable = store.labels(), has_targets(store, record.name)
        if settings["ce_weight"] > 0 and (labels >= 0).any():
            usable &= labels >= 0
        count = int(usable[rows].sum())
        return int(settings["epochs"]) * (count - count % int(settings["batch_size"]))

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self.events.warn(text)
