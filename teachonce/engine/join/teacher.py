"""`CachedTeacher`: in a training loop of one's own, the teacher that does not run."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from teachonce.cache import Store, open_store
from teachonce.engine.datacheck import tell_unproven
from teachonce.engine.device import pick_device
from teachonce.engine.join.dataset import JoinedDataset
from teachonce.engine.join.found import find_files, marks
from teachonce.engine.join.identities import Identified, Way, Ways, identify
from teachonce.engine.join.index import Rows
from teachonce.engine.join.memo import Memo
from teachonce.engine.join.rows import StoreRows
from teachonce.engine.join.signals import Signals, to_device
from teachonce.engine.join.values import as_names, as_number, as_path, as_rows
from teachonce.engine.join.view import Picture, as_pixels, draw, refuse_other, resized, teacher_input
from teachonce.engine.stage_one.views import stored_rule
from teachonce.errors import CorruptError, DataError, InputError
from teachonce.events import SILENT, Events
from teachonce.types import ArraySpec, Resizing

Missing = Literal["raise", "drop"]


class CachedTeacher:
    """The outputs of a teacher that ran once, for a training loop of your own. Rows are found by content alone.

    A signal's key is the array's name, `image_embedding` or `logits`; of several targets, `TARGET/ARRAY`, such as
    `rdm-10000/image_embedding`. A teacher pickles as its arguments, the absolute path and the
    digests of what is sealed there, so loaders' workers open the store themselves, and refuse one that took its place.

    Args:
        store: Folder of the store, or an opened one.
        targets: A sealed target, or several.
        arrays: Only these arrays, by name or key; None: all.
        device: Where targets are wanted: `cpu`, `cuda`, `cuda:1`; None: the GPU where there is one.
        events: Who watches long work.

    Raises:
        StoreMissingError: There is no such store, target or array.
        UnsealedError: The samples or a target are not complete; says how far.
        CorruptError: Its documents contradict the format, or bytes are not what was sealed.
        InputError: There is no such device; or an argument is of another type.
    """

    def __init__(
        self,
        store: str | Path | Store,
        *,
        targets: str | Sequence[str] = "teacher",
        arrays: Collection[str] | None = None,
        device: str | torch.device | None = None,
        events: Events = SILENT,
    ) -> None:
        # the absolute path: files are opened later, too, when the working directory may be another
        opened = store if isinstance(store, Store) else open_store(as_path(store, "the store"))
        self.store = Store(opened.path.absolute(), opened.spec)
        self.targets = as_names(targets, "targets")
        self.device = pick_device(None if device is None else str(device))
        self._arrays = None if arrays is None else as_names(arrays, "arrays")
        self._events = events
        self._signals = Signals(self.store, self.targets, self._arrays)
        self._seals = (self.store.samples_seal["journal"], *self._signals.seals)
        self._rows = StoreRows(self.store, self.targets)
        tell_unproven(self.store, self.targets, events)

    def __repr__(self) -> str:
        return f"CachedTeacher({str(self.store.path)!r}, targets={self.targets}, device={str(self.device)!r})"

    def __reduce__(self) -> tuple[Callable[..., "CachedTeacher"], tuple[Any, ...]]:
        return _reopen, (self.store.path, self.targets, self._arrays, str(self.device), self._seals)

    @property
    def signals(self) -> dict[str, ArraySpec]:
        """Key -> shape (rows, views, length) and stored dtype."""
        return dict(self._signals.specs)

    @property
    def rows(self) -> int:
        """How many rows the store has, failed ones among them."""
        return self.store.spec.rows

    @property
    def views(self) -> int:
        """How many views of each row there are."""
        return self.store.spec.views

    def __call__(self, rows: Any, view: Any = 0) -> dict[str, Tensor]:
        """The targets of rows, on the device.

        Args:
            rows: Whole numbers (B,): a tensor, an array or a list, in any order, repeats allowed.
            view: One for all rows, or (B,).

        Returns:
            Key -> (B, length) in the stored dtype.

        Raises:
            InputError: There is no such row or view, or it is no whole number.
            FailedSamplesError: A row has no targets, because it failed when the teacher ran; says why.
            CorruptError: Bytes that are read are not what was sealed.
        """
        numbers = as_rows(rows, "row")
        views = as_rows(view, "view")
        if len(views) not in (1, len(numbers)):
            raise InputError(f"expected one view, or one of each of {len(numbers)} rows, got {len(views)}")
        signals = self._signals.read(numbers, int(views[0]) if len(views) == 1 else views)
        self._rows.refuse_failed(numbers)
        return to_device(signals, self.device)

    def rows_of(
        self,
        *,
        files: Sequence[Any] | None = None,
        digests: Sequence[int] | None = None,
        keys: Sequence[object] | None = None,
        arrays: Sequence[Any] | None = None,
        texts: Sequence[str] | None = None,
    ) -> Rows:
        """The rows of samples, found by their content; give one of these, in any order.

        Args:
            files: Paths of image files, or their bytes.
            digests: Identities, unsigned 64-bit numbers; int64 arrays and tensors hold the same bits.
            keys: Values of the key column.
            arrays: 8-bit images as they were embedded: arrays, tensors or PIL images.
            texts: Texts.

        Returns:
            int64 (n,). Of rows with the same bytes it is the first that did not fail.

        Raises:
            InputError: None, several, or one that does not fit what the store identifies rows by.
            MismatchError: Samples are not in the store: the first are named, and how many; or a key is that of
                several rows.
            FailedSamplesError: They are, but failed when the teacher ran.
        """
        ways = Ways(files=files, digests=digests, keys=keys, arrays=arrays, texts=texts)
        rows, report = self._rows.match(self._identify(ways, None, None, self._events))
        if error := report.error():
            raise error
        return rows

    def dataset(  # noqa: PLR0913 - one parameter an option
        self,
        dataset: Any,
        *,
        files: Way[Any] | None = None,
        digests: Way[int] | None = None,
        keys: Way[object] | None = None,
        arrays: Way[Any] | None = None,
        texts: Way[str] | None = None,
        view: int = 0,
        missing: Missing = "raise",
        events: Events | None = None,
    ) -> JoinedDataset:
        """A dataset with the targets of each item beside it: `(item, targets)`, see `JoinedDataset`.

        The way to the identities is one of `files`, `digests`, `keys`, `arrays` and `texts` (see `rows_of`): a
        function of (dataset, index), or one value an item. It is found for torchvision's `ImageFolder` and
        `DatasetFolder`, a `datasets.Dataset` with one column of images, and torch's `Subset` of these; a subclass with
        its own `__getitem__` has to name it.

        Args:
            dataset: Map-style: `__len__` and `__getitem__`; whatever its items are.
            files: Paths of image files, or their bytes.
            digests: Identities.
            keys: Values of the key column.
            arrays: 8-bit images as they were embedded.
            texts: Texts.
            view: The view whose targets are read.
            missing: What becomes of items that have no targets: `raise`, or `drop`, which leaves them out and warns.
            events: Who watches the hashing of files; None: as for the teacher.

        Raises:
            InputError: There is no way to the identities, it does not fit the store, or there is no such view; a
                Subset asks for an item that there is not.
            MismatchError: Items are not in the store: the first are named, and how many.
            FailedSamplesError: They are, but failed when the teacher ran.
            DataError: No item is left.
            CorruptError: Bytes of the targets are not what was sealed; all of them are checked here, up to 4 GiB.
        """
        view, count = self._check_options(dataset, view, missing)
        ways, watch = Ways(files=files, digests=digests, keys=keys, arrays=arrays, texts=texts), events or self._events
        is_found = ways.given() is None and self.store.spec.identity == "encoded"
        ways = Ways(files=find_files(dataset)) if is_found else ways
        rows, report = self._rows.match(self._identify(ways, dataset, count, watch))
        error = report.error()
        if error is not None and missing == "raise":
            raise error
        (watch.info if error is None else watch.warn)(str(report))
        items = np.setdiff1d(np.arange(len(rows)), report.left_out)
        if not len(items):
            raise DataError(f"no item is left: {report}", "Use the data that the store was made from")
        self._signals.check(watch)
        listed = marks(dataset, items) if is_found else None
        return JoinedDataset(
            dataset, self._signals, items=items, rows=rows[items], view=view, report=report, marks=listed
        )

    def view(
        self,
        image: Picture,
        row: int,
        view: int = 0,
        *,
        size: int | tuple[int, int] | None = None,
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
    ) -> Tensor:
        """What the teacher saw of an image, at the student's size, pixel for pixel as `embed` draws it.

        Args:
            image: The row's image: the bytes of its file, a PIL image as it was opened, or uint8 (H, W, 3).
            row: Its row in the store.
            view: Which view.
            size: Pixels, or (height, width); None: the teacher's.
            mean: Of the three channels, from 0 to 1; None: the teacher's.
            std: The same.

        Returns:
            float32 (3, height, width) on the host, normalised by mean and std.

        Raises:
            InputError: There is no such row, view or size, or it is no whole number; mean or std are no three finite
                numbers, or std is not positive.
            FailedSamplesError: The row failed when the teacher ran.
            MismatchError: The image is another, where that can be told.
            DataError: It is no image of 8 bits a channel.
        """
        row, view = as_number(row, "row"), as_number(view, "view")  # of a collated tensor, too
        if not 0 <= row < self.rows or not 0 <= view < self.views:
            raise InputError(
                f"there is no view {view} of row {row}: the store has {self.rows} rows, {self.views} views"
            )
        self._rows.refuse_failed(np.array([row]))
        refuse_other(image, self.store, row, int(self._rows.digests[row]))
        spec = resized(self._input, size, mean=mean, std=std)
        return draw(as_pixels(image, self.store.spec.identity), self._params[row, view], spec, self._rule)

    @cached_property
    def _params(self) -> Any:
        _refuse_replaced(self.store.path, self._seals[:1], (self.store.samples_seal["journal"],))
        return self.store.view_params()

    @cached_property
    def _input(self) -> Any:
        return teacher_input(self.store, self.targets)

    @cached_property
    def _rule(self) -> Resizing:
        return stored_rule(self.store)

    def _check_options(self, dataset: Any, view: Any, missing: Any) -> tuple[int, int]:
        """The view, and how many items there are."""
        if not isinstance(missing, str) or missing not in ("raise", "drop"):
            raise InputError(f"expected missing to be raise or drop, got {missing!r}")
        number = as_number(view, "view")
        if not 0 <= number < self.views:
            raise InputError(f"there is no view {number}: the store has {self.views}, counted from 0")
        if hasattr(dataset, "__getitem__"):
            with suppress(TypeError):
                return number, len(dataset)
        mend = "Find the rows of its samples with rows_of, and their targets with teacher(rows)"
        raise InputError(f"expected a map-style dataset, got {type(dataset).__name__}", mend)

    def _identify(self, ways: Ways, dataset: Any, count: int | None, events: Events) -> Identified:
        identity = self.store.spec.identity
        return identify(ways, identity, dataset=dataset, count=count, memo=lambda: Memo(self.store.path), events=events)


def _reopen(
    path: Path, targets: tuple[str, ...], arrays: Collection[str] | None, device: str, seals: tuple[str, ...]
) -> CachedTeacher:
    teacher = CachedTeacher(path, targets=targets, arrays=arrays, device=device)
    _refuse_replaced(path, seals, teacher._seals)
    return teacher


def _refuse_replaced(path: Path, expected: tuple[str, ...], got: tuple[str, ...]) -> None:
    """Refuse a store whose rows or targets are others than those that were opened first: row numbers mean others.

    Raises:
        CorruptError: They are.
    """
    if got != expected:
        raise CorruptError(f"{path} was replaced after it was opened: its rows differ", "Open the store again")
