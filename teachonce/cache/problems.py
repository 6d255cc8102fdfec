"""What may be wrong with a store, as `verify` reports it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.cache.layout import SAMPLES
from teachonce.errors import StoreError


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is not as it was committed or sealed."""

    kind: str
    """`missing`, `digest` (a chunk), `record`, `document`, `seal`, `fingerprint`, `samples` (a target of other
    samples), `unsealed`, `status`, `nonfinite` or `zeros`."""
    target: str | None
    """The target, or `samples`; None: the store itself."""
    block: int | None
    file: str
    """Relative to the store, with slashes."""
    error: StoreError

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        fields = {"kind": self.kind, "target": self.target, "block": self.block, "file": self.file}
        return {**fields, "message": self.error.message, "mend": self.error.mend}


def problem_of(
    error: StoreError, root: Path, file: Path, kind: str, target: str | None = SAMPLES, block: int | None = None
) -> Problem:
    """An error as a problem of the store at `root`."""
    place = file.relative_to(root).as_posix()
    return Problem(kind=kind, target=target, block=block, file="zarr.json" if place == "." else place, error=error)
