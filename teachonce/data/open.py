"""The one way from a dataset's name to Samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from teachonce.data.arrow import ArrowSamples
from teachonce.data.columns import image_column as find_image
from teachonce.data.columns import key_column as find_key
from teachonce.data.columns import label_column as find_label
from teachonce.data.columns import read_labels
from teachonce.data.samples import Samples
from teachonce.data.sources import BUILT_IN, load_split, parse_spec
from teachonce.data.walk import shown
from teachonce.errors import DataError, InputError
from teachonce.events import SILENT, Events
from teachonce.options.opt import Opened


def open_samples(  # noqa: PLR0913 - one parameter an option
    spec: str,
    *,
    split: str | None = None,
    prefer: str = "train",
    image_column: str | None = None,
    label_column: str | None = None,
    key_column: str | None = None,
    text_columns: Sequence[str] = (),
    limit: int | None = None,
    cache_dir: str | Path | None = None,
    events: Events = SILENT,
) -> Samples:
    """Open a dataset.

    Args:
        spec: `digits`, `scenes` or `scenes:size=32`, `parquet:FILE`, `arrow:FILE` (or a folder of such files),
            `folder:DIR` (images, in folders by split and class), `disk:DIR` (saved by `datasets`), a path to one of
            these, or a hub id, its configuration after a colon where it has several.
        split: The split's name; None: `prefer` where there is one of that name, else the only one.
        prefer: See `split`.
        image_column: The column of images; None: the only one of that type.
        label_column: The column of labels; None: the only one of that type, or one called so; `none`: no labels.
        key_column: A column that identifies the rows in place of the images' bytes.
        text_columns: Columns of texts, or of lists of texts, which become the captions; none: no captions but those of
            `scenes`.
        limit: At most so many rows, from the first.
        cache_dir: Where `datasets` keeps what it fetches and converts.
        events: Is told what is left out, and how names were read where they may be meant otherwise.

    Raises:
        DataError: The dataset, split or column cannot be used.
        InputError: The limit is less than 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 row, got {limit}", "Leave --limit out to use all rows")
    kind, place = parse_spec(spec)
    if kind in BUILT_IN:
        if text_columns:
            raise DataError(f"{kind!r} has no columns of texts, got {', '.join(text_columns)}", "Name none")
        return _built_in(kind, place, split or prefer, limit)
    dataset, name = load_split(
        kind, place, split, prefer, None if cache_dir is None else str(cache_dir), label_column, events
    )
    if not len(dataset):
        raise DataError(f"expected samples in split {name!r} of {spec!r}, got none", "Choose data with rows")
    label = find_label(dataset.features, label_column)
    source = place if kind == "hub" else f"{kind}:{shown(Path(place).name)}"
    return from_dataset(
        dataset,
        image=find_image(dataset.features, image_column),
        label=label,
        key=None if key_column is None else find_key(dataset.features, key_column),
        texts=text_columns,
        limit=limit,
        description={"source": source, "split": name},
        events=events,
    )


def _built_in(kind: str, options: str, split: str, limit: int | None) -> Samples:
    if kind == "scenes":
        from teachonce.data.scenes import load_scenes

        return load_scenes(options, split, limit)
    from teachonce.data.digits import load_digits

    if options:
        raise DataError(f"digits has no options, got {options!r}", "Name them as digits alone")
    return load_digits(split, limit)


class DataOptions(Protocol):
    """Options that name data, as those of `embed` and `train` do."""

    @property
    def data(self) -> str | Opened | None:
        """What `open_samples` opens, or opened samples; then the others are not looked at."""

    @property
    def split(self) -> str | None:
        """Which split."""

    @property
    def image_column(self) -> str | None:
        """The column of images."""

    @property
    def label_column(self) -> str | None:
        """The column of labels."""

    @property
    def key_column(self) -> str | None:
        """A column that identifies the rows."""

    @property
    def limit(self) -> int | None:
        """The first so many rows."""


def opened_samples(options: DataOptions, events: Events = SILENT, *, prefer: str = "train") -> Samples:
    """The data of a stage's options.

    Raises:
        DataError: It cannot be used.
        InputError: The limit is less than 1, or the data is neither a name nor samples.
    """
    if not isinstance(options.data, str):
        if not hasattr(options.data, "digest"):
            raise InputError(f"expected the name of data, or samples, got {options.data!r}", "See `open_samples`")
        return cast("Samples", options.data)
    return open_samples(
        options.data,
        split=options.split,
        prefer=prefer,
        image_column=options.image_column,
        label_column=options.label_column,
        key_column=options.key_column,
        limit=options.limit,
        events=events,
    )


def from_dataset(
    dataset: Any,
    *,
    image: str,
    label: str | None,
    key: str | None,
    texts: Sequence[str] = (),
    limit: int | None,
    description: dict[str, Any],
    events: Events = SILENT,
) -> ArrowSamples:
    """Samples of a `datasets.Dataset` whose columns are known.

    Raises:
        DataError: The labels or the texts cannot be used.
    """
    from datasets import Image

    if dataset._indices is not None:  # a selection or shuffle: the table's rows are in another order
        dataset = dataset.flatten_indices()
    dataset = dataset.select(range(min(limit or len(dataset), len(dataset))))
    labels, names = None, None
    if label is not None:
        labels, names = read_labels(_column(dataset, label), dataset.features[label], label, events)
    keys = None if key is None else [str(value) for value in _column(dataset, key).to_pylist()]
    images = dataset.select_columns([image]).cast_column(image, Image(decode=False))
    rows = {"rows": len(dataset)}
    captions = None
    if texts:
        from teachonce.data.textcolumns import ColumnCaptions  # pyarrow.compute takes 40 ms to import

        captions = ColumnCaptions(dataset, texts, description | rows, events)
    columns = {"image_column": image, "label_column": label, "key_column": key}
    return ArrowSamples(
        images,
        image,
        labels=labels,
        class_names=names,
        keys=keys,
        captions=captions,
        description=description | columns | rows,
    )


def _column(dataset: Any, name: str) -> pa.ChunkedArray:
    values: pa.ChunkedArray = dataset.data.column(name)
    return values
