"""From a dataset's name to its splits: files, folders, saved datasets and the hub, by `datasets` and `folders`."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from teachonce.data.folders import list_folder
from teachonce.data.hub import fetch, offline
from teachonce.data.metadata import is_metadata
from teachonce.data.quiet import first_line, quiet
from teachonce.data.splits import split_named
from teachonce.data.tables import list_tables
from teachonce.errors import DataError
from teachonce.events import SILENT, Events
from teachonce.fsio import file_substitute, require_regular

# What `datasets` says of nothing; the last of a parquet file without rows.
_NO_ROWS = ("emptydataset", "corresponds to no data", "schemainferenceerror", "batchsize must be greater than 0")
BUILT_IN = ("digits", "scenes")
KINDS = ("parquet", "arrow", "folder", "disk", "hub")
_TABLES = (".parquet", ".arrow", ".json", ".jsonl", ".csv")
_MOST_TABLES = 1 << 12
_READ = "Check the format of the file; the forms are parquet:FILE, arrow:FILE, folder:DIR, disk:DIR, or a hub id"


def parse_spec(spec: str) -> tuple[str, str]:
    """A dataset's kind and its place: `parquet:FILE` as it says, a bare path by what lies there, else a hub id.

    The place of one of BUILT_IN is its options, which may be empty.

    Raises:
        DataError: Nothing is named, or a path that is not there.
    """
    kind, colon, place = spec.partition(":")
    if spec.strip() in BUILT_IN or (colon and kind in BUILT_IN):
        return kind.strip(), place.strip()
    if colon and kind in KINDS:
        if kind != "hub" and not (place.strip() and _exists(place)):
            raise DataError(f"expected data at {place!r}, got nothing: there is no such file or folder", _READ)
        return kind, place
    if spec.strip() and Path(spec).expanduser().exists():
        return _kind_of(Path(spec).expanduser()), spec
    if not spec.strip() or spec.startswith(("/", ".", "~")) or Path(spec).suffix in (".parquet", ".arrow"):
        raise DataError(f"expected a dataset, got {spec!r}: there is no such file or folder", _READ)
    return "hub", spec


def load_split(
    kind: str,
    place: str,
    split: str | None,
    prefer: str,
    cache_dir: str | None,
    label: str | None = None,
    events: Events = SILENT,
) -> tuple[Any, str]:
    """One split of a dataset, as `datasets.Dataset`, and its name.

    Args:
        kind: One of KINDS.
        place: A path, or a hub id, with a configuration after a colon where it needs one.
        split: The split's name; None: `prefer` where there is one of that name, else the only one.
        prefer: See `split`.
        cache_dir: Where `datasets` keeps what it fetches and converts; None: its own place.
        label: The column of labels, where one is named.
        events: Is told what of a folder is left out, and how it was read where it may be meant otherwise.

    Raises:
        DataError: It cannot be read or fetched, is empty, or has no such split.
    """
    splits: Mapping[str, Any]
    if kind == "folder":
        return _from_folder(place, split, prefer, events, labelled=label is not None)
    with quiet():
        if kind == "hub":
            splits = fetch(place, lambda names: choose_split(names, split, prefer, place), cache_dir)
        elif kind == "disk":
            splits = _saved(place)
        else:
            return _from_tables(kind, place, split, prefer, cache_dir, events)
    name = choose_split(splits, split, prefer, f"{kind}:{place}")
    return splits[name], name


def _from_folder(place: str, split: str | None, prefer: str, events: Events, *, labelled: bool) -> tuple[Any, str]:
    path = Path(place).expanduser()
    if path.is_file():
        raise DataError(f"expected a folder of images, got {place!r}: it is a file", _READ)
    folder = list_folder(path)
    name = choose_split(folder.names, split, prefer, f"folder:{place}")
    return folder.dataset(name, events, labelled=labelled), name


def choose_split(splits: Iterable[str], split: str | None, prefer: str, name: str) -> str:
    """The split to read, see `load_split`.

    Raises:
        DataError: No such split, or several and none is named.
    """
    names = list(splits)
    if split is None and (prefer in names or len(names) == 1):
        return prefer if prefer in names else names[0]
    split = None if split is None else split_named(split, names)
    if split is None or split not in names:
        got = f"got {split!r}" if split is not None else f"none of them is {prefer!r}"
        raise DataError(f"{name} has the splits {', '.join(names)}; {got}", "Name one of these with --split")
    return split


def _saved(place: str) -> Mapping[str, Any]:
    import datasets

    path = _regular(place)
    with _readable("disk", place):
        loaded = datasets.load_from_disk(str(path))
    return loaded if isinstance(loaded, dict) else {str(loaded.split or "train"): loaded}


def _from_tables(
    kind: str, place: str, split: str | None, prefer: str, cache_dir: str | None, events: Events
) -> tuple[Any, str]:
    import datasets

    files = list_tables(_regular(place), kind, events)
    name = choose_split(files, split, prefer, f"{kind}:{place}")
    with _readable(kind, place), offline():  # else `datasets` counts each use of local files at a server
        # under a name of ours: `datasets` takes no other than words
        loaded = datasets.load_dataset(kind, data_files={"train": files[name]}, split="train", cache_dir=cache_dir)
    return loaded, name


def _regular(place: str) -> Path:
    path = Path(place).expanduser()
    if path.exists() and not path.is_dir():
        require_regular(path, mend=_READ)
    return path


@contextmanager
def _readable(kind: str, place: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if _is_empty(error):
            raise DataError(f"expected samples in {place!r}, got none", "Choose data with rows") from error
        _refuse_substitute(Path(place).expanduser())
        raise DataError(f"could not read {place!r} as {kind}: {first_line(error)}", _READ) from error


def _refuse_substitute(path: Path) -> None:
    """Say where a table could not be read because its file, or one in its folder, is another in its place.

    Raises:
        DataError: It is.
    """
    tables = (file for file in path.rglob("*") if file.suffix in _TABLES) if path.is_dir() else (path,)
    for file in itertools.islice((file for file in tables if file.is_file()), _MOST_TABLES):
        if found := file_substitute(file):
            raise DataError(f"{file} is {found[0]}", found[1])


def _kind_of(path: Path) -> str:
    if path.is_file():
        return "arrow" if path.suffix == ".arrow" else "parquet"
    if any((path / name).exists() for name in ("dataset_dict.json", "dataset_info.json", "state.json")):
        return "disk"
    for kind in ("parquet", "arrow"):
        if any(not is_metadata(file.name) for file in (*path.glob(f"*.{kind}"), *path.glob(f"*/*.{kind}"))):
            return kind
    return "folder"


def _exists(place: str) -> bool:
    path = Path(place).expanduser()
    return path.exists() or any(path.parent.glob(path.name) if path.name else ())


def _is_empty(error: Exception) -> bool:
    if isinstance(error, IndexError):
        return True  # what a saved dataset without rows comes to
    text = f"{type(error).__name__} {error} {error.__cause__}".lower()
    return any(word in text for word in _NO_ROWS)
