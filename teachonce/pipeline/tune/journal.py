"""Optuna's journal of a search: one file that only grows, opened so that what a kill left behind does no harm."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from teachonce.errors import CorruptError
from teachonce.fsio import disk_errors, parse_json, require_regular
from teachonce.processwide import silent

_MOST = 1 << 30  # bytes: millions of trials


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's warnings (of what is experimental there) and its log from the user."""
    optuna.logging.get_verbosity()  # sets its logger up, which is then silenced
    with silent("optuna"):
        yield


def open_journal(path: Path) -> JournalStorage:
    """Open a journal, or begin one. Nobody else may have it open.

    A last line that a kill cut short is removed (whoever writes next would write on behind it), and so is the lock.

    Raises:
        CorruptError: It is no journal of Optuna's.
        DiskError: It cannot be read or written.
    """
    mend = f"Remove the folder {path.parent}: the search begins anew"
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        path.touch()
        require_regular(path, most=_MOST, mend=mend)
        with path.open("r+b") as file:
            data = file.read()
            whole = data.rfind(b"\n") + 1
            file.truncate(whole)
        try:
            for line in data[:whole].splitlines():
                parse_json(line, str(path))  # Optuna itself lets a last line pass that it cannot read
            return JournalStorage(JournalFileBackend(str(path)))
        except OSError:
            raise
        except Exception as error:
            message = f"{path} is not a journal of a search: {type(error).__name__}: {error}"
            raise CorruptError(message, mend) from error
