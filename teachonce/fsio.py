"""Files: reading only what is a regular file of a known size; writing that survives a kill; disk errors in one line.

Whatever is read may come from elsewhere: a pipe would be waited for without end, a device or a link to one would fill
the memory. So everything is opened through here, or looked at here first.
"""

import errno
import functools
import itertools
import json
import math
import os
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from teachonce.errors import CorruptError, DiskError
from teachonce.substitutes import HEAD_BYTES, POINTER, POINTER_BYTES, substitute

DOCUMENT_BYTES = 64 << 20
"""The largest document that is read: JSON, TOML, a journal of lines. The largest that is written has some MiB."""
COPY = "Restore it from a copy"

TEMPORARY = ".teachonce-tmp-"

_NUMBERS = itertools.count()  # keeps the temporaries of two threads of one process apart

_MENDS = {
    errno.ENOSPC: "Free some space, then run the same command again: it resumes where it stopped",
    errno.EDQUOT: "Free some of the quota, then run the same command again: it resumes where it stopped",
    errno.EROFS: "The file system is read-only: choose another place",
    errno.EACCES: "Choose a place you may write to",
    errno.EPERM: "Choose a place you may write to",
}


def require_regular(path: Path, *, most: int | None = None, mend: str = COPY, pointer: bool = False) -> int:
    """The size in bytes of a file that something else is about to open; links are followed.

    Args:
        path: The file.
        most: The largest size; None: any.
        mend: What to do where it is something else.
        pointer: Whether it may be the pointer that git-lfs leaves in a file's place.

    Raises:
        FileNotFoundError: There is none.
        CorruptError: It is no regular file, it cannot be looked at, it is larger than `most`, or a git-lfs pointer.
    """
    try:
        size = _checked(path, path.stat(), most, mend)
        if not pointer and size <= POINTER_BYTES:
            with os.fdopen(open_regular(path), "rb") as file:
                _refuse_pointer(path, file.read(HEAD_BYTES))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CorruptError(f"{path} cannot be read: {error.strerror or error}", mend) from error
    return size


def _checked(path: Path, found: os.stat_result, most: int | None, mend: str) -> int:
    if not stat.S_ISREG(found.st_mode):
        raise CorruptError(f"{path}: expected a regular file, got {_KINDS.get(stat.S_IFMT(found.st_mode))}", mend)
    if most is not None and found.st_size > most:
        raise CorruptError(f"{path}: expected at most {most} bytes, got {found.st_size}", mend)
    return found.st_size


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def file_substitute(path: Path) -> tuple[str, str] | None:
    """What a regular file is, where it is known to be in another's place, and what to do; see `substitute`.

    Raises:
        OSError: It is missing, or cannot be opened.
        CorruptError: It is no regular file.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return substitute(file.read(HEAD_BYTES))


def read_file(path: Path, *, most: int = DOCUMENT_BYTES, mend: str = COPY) -> bytes:
    """The bytes of a regular file; as many as it has when it is opened.

    Args:
        path: The file.
        most: The largest size in bytes.
        mend: What to do where it cannot be read.

    Raises:
        FileNotFoundError: There is none.
        CorruptError: It is no regular file, is larger, cannot be read, or is a git-lfs pointer.
    """
    require_regular(path, most=most, mend=mend, pointer=True)  # the bytes are looked at below, read once
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            data = file.read(_checked(path, os.fstat(file.fileno()), most, mend))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CorruptError(f"{path} cannot be read: {error.strerror or error}", mend) from error
    _refuse_pointer(path, data[:HEAD_BYTES])
    return data


def _refuse_pointer(path: Path, data: bytes) -> None:
    if substitute(data) == POINTER:
        raise CorruptError(f"{path} is {POINTER[0]}", POINTER[1])


def read_text(path: Path, *, most: int = DOCUMENT_BYTES, mend: str = COPY) -> str:
    """The text of a regular file; see `read_file` and `decode_text`.

    Raises:
        FileNotFoundError: There is none.
        CorruptError: It is no regular file, is larger, cannot be read, or is no such text.
    """
    return decode_text(read_file(path, most=most, mend=mend), str(path), mend=mend)


def decode_text(data: bytes, name: str, *, mend: str = COPY) -> str:
    """A text in UTF-8, or in UTF-16 with a byte-order mark, as some editors save it; the mark is left out.

    Raises:
        CorruptError: It is in another encoding.
    """
    try:
        return data.decode("utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorruptError(f"{name} is no text in UTF-8: {error}", mend) from error


def read_json(path: Path, *, most: int = DOCUMENT_BYTES, mend: str = COPY) -> Any:
    """The value in a JSON file; see `read_file` and `parse_json`.

    Raises:
        FileNotFoundError: There is none.
        CorruptError: It cannot be read as JSON.
    """
    return parse_json(read_text(path, most=most, mend=mend), str(path), mend=mend)


def parse_json(text: str | bytes, name: str, *, mend: str = COPY) -> Any:
    """A value of JSON as RFC 8259 has it: no NaN, no infinity (also not as 1e999), no half of a surrogate pair.

    Args:
        text: UTF-8.
        name: What it is called in an error.
        mend: What to do where it is no JSON.

    Raises:
        CorruptError: It is no JSON.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if "\\ud" in text or "\\uD" in text:  # what no file and no terminal could be given
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise not_json(name, text, error, mend) from error
    return value


def not_json(name: str, text: str | bytes, error: Exception, mend: str = COPY) -> CorruptError:
    """The error where a text is no JSON, which says so where it is known what it is instead."""
    found = substitute(text[:HEAD_BYTES].encode(errors="replace") if isinstance(text, str) else text)
    if found is not None:
        return CorruptError(f"{name} cannot be read as JSON: it is {found[0]}", found[1])
    return CorruptError(f"{name} cannot be read as JSON: {error}", mend)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the body into a DiskError that names `path` and the mend.

    Raises:
        DiskError: In the place of any OSError that is not a DiskError already.
    """
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        mend = _MENDS.get(error.errno or 0, "Check the disk, then run the same command again")
        raise DiskError(f"could not write {path}: {error.strerror or error}", mend) from error


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file so that after a crash it holds the old content or the new, never a part.

    Raises:
        DiskError: The disk is full, read-only or failing; no temporary file is left.
    """
    write_files([(path, data)], tops=[path.parent])


def write_files(files: Sequence[tuple[Path, bytes | memoryview]], *, tops: Iterable[Path]) -> None:
    """Write several files, each atomically, and return when they and their names are durable.

    All temporaries are written before the first rename, so a full disk leaves every old content in place.

    Args:
        files: Paths, whose folders need not exist yet, and their contents.
        tops: The uppermost folders whose names are made durable; each file lies below one of them.

    Raises:
        DiskError: The disk is full, read-only or failing; no temporary file is left, and no folder that was made.
    """
    staged: list[tuple[Path, Path]] = []
    made: list[Path] = []
    try:
        for path, data in files:
            with disk_errors(path):
                made[:0] = _missing_folders(path.parent)
                staged.append((_stage(path, data), path))
        for temporary, path in staged:
            with disk_errors(path):
                temporary.replace(path)
    except BaseException:
        for temporary, _ in staged:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # somebody else's file may be in it by now
                folder.rmdir()
        raise
    for folder in {**dict.fromkeys(_folders([path for path, _ in files], tops)), **dict.fromkeys(_above(made))}:
        with disk_errors(folder):
            sync_folder(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, and return when their names are durable.

    Raises:
        DiskError: It cannot be made.
    """
    with disk_errors(folder):
        made = _missing_folders(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for place in _above(made):
            sync_folder(place)


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file, durably; where that fails, the file is as before.

    Raises:
        DiskError: It cannot be written.
    """
    with disk_errors(path):
        is_new = not path.exists()
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                _write_all(file.fileno(), line)
                os.fsync(file.fileno())
            except BaseException:
                with suppress(OSError):
                    file.truncate(size)
                raise
        if is_new:
            sync_folder(path.parent)


def _above(made: Iterable[Path]) -> list[Path]:
    """The folders in which new ones were made."""
    return [folder.parent for folder in made]


def _missing_folders(folder: Path) -> list[Path]:
    """Those that writing into a folder makes, the deepest first."""
    return list(itertools.takewhile(lambda place: not place.exists(), (folder, *folder.parents)))


def _stage(path: Path, data: bytes | memoryview) -> Path:
    """Write `data` durably beside `path`; nothing is left where that fails."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{next(_NUMBERS)}-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb", buffering=0) as file:
            _write_all(file.fileno(), data)
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    left = memoryview(data).cast("B") if len(data) else memoryview(b"")
    while left:
        left = left[os.write(descriptor, left) :]


def _folders(paths: Sequence[Path], tops: Iterable[Path]) -> list[Path]:
    """The folders from each file up to its top, each once, the deepest first."""
    folders = set(tops)
    for path in paths:
        folder = path.parent
        while folder not in folders and folder != folder.parent:
            folders.add(folder)
            folder = folder.parent
    return sorted(folders, key=lambda folder: len(folder.parts), reverse=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: sorted keys, two spaces, one newline at the end; the same value gives the same bytes."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """The bytes that `write_json` writes; a file's name that is no text, in a command, say, has `?` in it."""
    return _indented(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False))


@functools.lru_cache(maxsize=64)
def _indented(text: str) -> bytes:
    """JSON with indents. Python is slow to give them, and wants those of a sealed document at each of its readings."""
    return f"{json.dumps(json.loads(text), indent=2, ensure_ascii=False)}\n".encode(errors="replace")


def open_regular(path: Path) -> int:
    """Open a file for reading, after a look at what it is: a pipe would wait for ever, a device never end.

    Returns:
        Its descriptor; the caller closes it.

    Raises:
        OSError: It is missing, or cannot be opened.
        CorruptError: It is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # non-blocking: it may be a pipe
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise CorruptError(f"{path}: expected a regular file, got a folder, a pipe or a device", "Remove it")


def file_stamp(path: Path) -> str:
    """Size, times and inode of a file: another one as soon as it is written, replaced or touched.

    Raises:
        OSError: It is missing.
    """
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems sync files only
            raise
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path, *, of: Container[str] | None = None, deep: bool = True) -> None:
    """Remove what killed writers left in a folder.

    Args:
        folder: May be missing.
        of: Only the temporaries of files of these names; None: all.
        deep: Also below the folder; only where nobody else writes there.
    """
    pattern = f"{TEMPORARY}*"
    for path in folder.rglob(pattern) if deep else folder.glob(pattern):
        if of is None or path.name.removeprefix(TEMPORARY).split("-", 2)[-1] in of:  # process, number, name
            path.unlink(missing_ok=True)
