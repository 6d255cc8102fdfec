"""What one or several targets of a store hold of a row, under one key each."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from teachonce.cache import Store, TargetReader, TargetRecord
from teachonce.cache.mark import verified_at
from teachonce.engine.cached_target import EAGER, as_tensor
from teachonce.engine.join.values import Rows
from teachonce.errors import InputError, StoreMissingError
from teachonce.events import Events
from teachonce.types import ArraySpec


class Signals:
    """Reads rows of the arrays of sealed targets; pickles as the store's path.

    A key is the array's name, such as `image_embedding`; of several targets it is `TARGET/ARRAY`.

    Args:
        store: The store.
        targets: Names of sealed targets.
        arrays: Only arrays of these names, or of these keys; None: all.

    Attributes:
        specs: Key -> shape (rows, views, length) and stored dtype.

    Raises:
        StoreMissingError: There is no such target, or no such array.
        UnsealedError: A target is not complete.
        InputError: No target is named, or one twice.
    """

    def __init__(self, store: Store, targets: Sequence[str], arrays: Collection[str] | None) -> None:
        if not targets or len(set(targets)) < len(targets):
            raise InputError(f"expected targets, each once, got {list(targets)}", "Name one or several of the store's")
        records = {name: store.sealed(name) for name in targets}
        self._places = {
            (array if len(targets) == 1 else f"{name}/{array}"): (name, array)
            for name, record in records.items()
            for array in record.arrays
        }
        if arrays is not None:
            self._places = _chosen(self._places, arrays, store)
        large = [name for name, record in records.items() if _size(record, self._arrays(name)) > EAGER]
        marked = [name for name in large if verified_at(store, name) is not None]
        self._unmarked = [name for name in large if name not in marked]
        # mapped, not held in memory: loaders' workers share the pages of one file cache
        self._readers = {
            name: TargetReader(record, budget_bytes=0, check="marked" if name in marked else "first-touch")
            for name, record in records.items()
        }
        self.specs: dict[str, ArraySpec] = {
            key: self._readers[name].spec.arrays[array] for key, (name, array) in self._places.items()
        }

    def read(self, rows: Rows, view: int | Rows = 0) -> dict[str, Tensor]:
        """Key -> rows (B, length) on the host, in the stored dtype; rows that failed hold NaN.

        Args:
            rows: int64 (B,).
            view: One for all, or int64 (B,).

        Raises:
            InputError: A row or a view is out of range.
            CorruptError: Bytes that are read are not what was sealed.
        """
        return {
            key: as_tensor(self._readers[name].read(array, rows, view)) for key, (name, array) in self._places.items()
        }

    def check(self, events: Events) -> None:
        """Compare what is read with its digests now, once, before workers are forked that would each do so.

        Targets over 4 GiB are checked where they are touched, in each process, unless a verified mark holds.

        Raises:
            CorruptError: Bytes are not what was sealed.
        """
        for name, reader in self._readers.items():
            reader.open(self._arrays(name))
            while name not in self._unmarked and reader.check_next():
                pass
        if self._unmarked:
            events.warn(
                f"{', '.join(self._unmarked)}: over {EAGER / 1e9:.3g} GB and without a verified mark, so each process "
                "checks what it reads; `teachonce verify` makes this unnecessary"
            )

    @property
    def seals(self) -> tuple[str, ...]:
        """The digest of each target's journal: another one means that the target was made again."""
        return tuple(reader.record.seal["journal"] for reader in self._readers.values())

    def _arrays(self, name: str) -> list[str]:
        return [array for of, array in self._places.values() if of == name]


def _size(record: TargetRecord, arrays: Collection[str]) -> int:
    """Bytes of these arrays of a target, with their padding."""
    return sum(grid.file_bytes for grid in record.grids if grid.name in arrays)


def to_device(signals: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Tensors of the host on the device; through pinned memory where it is a GPU."""
    if device.type != "cuda":
        return {key: value.to(device) for key, value in signals.items()}
    return {key: value.pin_memory().to(device, non_blocking=True) for key, value in signals.items()}


def _chosen(places: dict[str, tuple[str, str]], arrays: Collection[str], store: Store) -> dict[str, tuple[str, str]]:
    names = (arrays,) if isinstance(arrays, str) else arrays
    chosen = {key: place for key, place in places.items() if key in names or place[1] in names}
    unknown = [name for name in names if not any(name in (key, place[1]) for key, place in places.items())]
    if unknown or not chosen:
        raise StoreMissingError(
            f"{store.path} has no {', '.join(unknown) or 'array'} in these targets, they have {', '.join(places)}",
            "Choose among these, or make the target with a teacher that has it",
        )
    return chosen
