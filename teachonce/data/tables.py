"""The files of a folder of parquet or arrow tables, by split: all of them, whatever they are called."""

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path

from teachonce.data.splits import Parts, Splits, find_splits, names_split
from teachonce.data.walk import listed, parts_of, walk
from teachonce.errors import DataError
from teachonce.events import Events

_WHOLE = "train"
_ENDINGS = {"parquet": (".parquet", ".pq", ".parq"), "arrow": (".arrow",)}
_SHARD = re.compile(r"-\d{5}-of-\d{5}.*$")


def list_tables(path: Path, kind: str, events: Events) -> Mapping[str, list[str]]:
    """Split -> files. One file, or the files of a pattern, are the split `train`.

    In a folder, the names of folders and files are read as `splits` has it, the numbers of shards
    (`-00000-of-00002`) left out; shards of several names are splits of these names.

    Args:
        path: A file, a folder, or a pattern such as `x/*.parquet`.
        kind: `parquet` or `arrow`.
        events: Is told how names were read where they may be meant otherwise.

    Raises:
        DataError: The folder cannot be listed, or has no such file.
    """
    if not path.is_dir():
        return {_WHOLE: [glob.escape(str(path)) if path.exists() else str(path)]}
    found = walk(path)
    files = [file for file in found.files if file.lower().endswith(_ENDINGS[kind])]
    if not files:
        raise DataError(f"expected {kind} files in {str(path)!r}, got none", f"Choose a folder with {kind} files")
    names = {file: _parts(file) for file in files}
    splits = _shards(names) or find_splits(list(names.values()))
    if splits is None and (like := [file for file in files if any(map(names_split, names[file]))]) and len(files) > 1:
        events.warn(f"all {len(files)} {kind} files are read as one split, {listed(like)} with the others")
    elif splits is not None and splits.unsure:
        events.warn(f"{kind} files are read as splits: {splits.unsure}")
    sorted_out: dict[str, list[str]] = {}
    left: list[str] = []
    for file, parts in names.items():
        split = _WHOLE if splits is None else splits.of(parts)
        if split is None:
            left.append(file)
        else:
            sorted_out.setdefault(split, []).append(glob.escape(os.path.join(found.root, file)))  # noqa: PTH118
    if left:
        events.warn(f"{len(left)} {kind} files are left out, in none of the splits: {listed(left)}")
    return sorted_out


def _parts(file: str) -> Parts:
    *folders, name = parts_of(file)
    return (*folders, _SHARD.sub("", name) if _SHARD.search(name) else name.rpartition(".")[0])


def _shards(names: Mapping[str, Parts]) -> Splits | None:
    """Where all files are numbered shards, of several names, these are the splits."""
    levels = {len(parts) for parts in names.values()}
    stems = {parts[-1] for parts in names.values()}
    if len(levels) > 1 or len(stems) < 2 or not all(_SHARD.search(file) for file in names):
        return None
    found = Splits(level=levels.pop() - 1, names={stem: stem for stem in stems})
    return found if any(map(names_split, stems)) else None
