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

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by what it holds: subclasses may be made of other things."""
        return type(self).__new__, (type(self), self.message, self.mend), self.__dict__

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

    def __init__(self, error: DiskError, result: object) -> None:
        super().__init__(error.message, error.mend)
        self.result = result


class MemoryFullError(TeachonceError):
    """The memory of the host or of a device does not suffice."""

    kind = "memory"


class ProcessEndedError(TeachonceError):
    """A process that we started was killed, or left without a result."""


class UnexpectedError(TeachonceError):
    """An error that nobody foresaw, in a process of its own."""

    kind = "unexpected"


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


_OUT_OF_MEMORY = (
    "out of memory",  # of torch's allocator, and of the CUDA runtime, which it does not stand before
    "STATUS_ALLOC_FAILED",  # of cuBLAS, cuDNN and cuSPARSE: a handle or a workspace
    "CUBLAS_STATUS_NOT_INITIALIZED",  # what cuBLAS says where its handle finds no memory
    "CUDNN_STATUS_NOT_SUPPORTED",  # what cuDNN says where no algorithm's workspace fits
    "unable to find an engine to execute this computation",  # the same, by its newer interface
    "not enough memory",  # of torch's allocator for the CPU, as the next
    "can't allocate memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice, of the host or of a device, whichever library noticed it.

    torch's own classes are known by their names, bases and texts: torch is not imported here.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)
