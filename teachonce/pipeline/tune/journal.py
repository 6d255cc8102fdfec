"""Optuna's journal of a search: one file that only grows, opened so that what a kill left behind does no harm."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from teachonce.errors import CorruptError
from teachonce.fsio import disk_errors


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's warnings (of what is experimental there) and its log from the user."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)


def open_journal(path: Path) -> JournalStorage:
    """Open a journal, or begin one. Nobody else may have it open.

    A last line that a kill cut short is removed (whoever writes next would write on behind it), and so is the lock.

    Raises:
        CorruptError: It is no journal of Optuna's.
        DiskError: It cannot be read or written.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        _cut(path)
        try:
            with quiet():
                return JournalStorage(JournalFileBackend(str(path)))
        except OSError:
            raise
        except Exception as error:
            mend = f"Remove the folder {path.parent}: the search begins anew"
            message = f"{path} is no journal of a search: {type(error).__name__}: {error}"
            raise CorruptError(message, mend) from error


def _cut(path: Path) -> None:
    with suppress(FileNotFoundError), path.open("r+b") as file:
        data = file.read()
        if not data.endswith(b"\n"):
            file.truncate(data.rfind(b"\n") + 1)
