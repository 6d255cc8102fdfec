"""Errors a user can act on: each says what was expected, what was got, and the mend, in one line."""

from typing import Any, ClassVar


class TeachonceError(Exception):
    """Base of every error this package raises on purpose.

    Attributes:
        kind: A short, stable word for scripts (`--json` prints it).
        message: Expected and got, one line.
        mend: What to do about it, one line; may be empty.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message, mend)
        self.message = " ".join(message.split())
        self.mend = " ".join(mend.split())

    def __str__(self) -> str:
        return f"{self.message}. {self.mend}" if self.mend else self.message


class InputError(TeachonceError, ValueError):
    """An option, a setting or a recipe that cannot be used."""

    kind = "input"


class DataError(TeachonceError, ValueError):
    """A dataset, split, column or label that cannot be used."""

    kind = "data"


class ModelError(TeachonceError, ValueError):
    """A teacher or a student that cannot be found, loaded or built."""

    kind = "model"


class NonFiniteError(TeachonceError, ArithmeticError):
    """NaN or infinity in teacher outputs, in the stored dtype, or in training."""

    kind = "nonfinite"


class DiskError(TeachonceError, OSError):
    """The disk is full, read-only or failing; or there is too little space to begin."""

    kind = "disk"


class CutShortError(DiskError):
    """A disk error that came after something long had been measured, which is not lost.

    Attributes:
        result: What was measured until then.
    """

    def __init__(self, error: DiskError, result: dict[str, Any]) -> None:
        super().__init__(error.message, error.mend)
        self.result = result


class StoreError(TeachonceError):
    """A store that cannot be used."""

    kind = "store"


class StoreMissingError(StoreError, FileNotFoundError):
    """No store, or no such target or array in it."""

    kind = "missing"


class MismatchError(StoreError, ValueError):
    """The store was made from other things than the ones at hand."""

    kind = "mismatch"


class UnsealedError(StoreError):
    """The target is not finished."""

    kind = "unsealed"


class CorruptError(StoreError):
    """Bytes on disk are not what the journal says they are."""

    kind = "corrupt"


class BusyError(StoreError):
    """Another process writes the same blocks."""

    kind = "busy"


class FailedSamplesError(StoreError):
    """More samples failed than allowed, so the seal is refused."""

    kind = "failed-samples"
