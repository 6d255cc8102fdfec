"""evaluation.json of a run: what was measured, of which weights and on which data."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachonce.data.samples import Samples
from teachonce.digests import digest_hex
from teachonce.engine.machine import now
from teachonce.engine.records import DataContent, Evaluated, EvaluateRunResult, Evaluation, RunRecord
from teachonce.engine.stage_one.contents import labels_digest
from teachonce.errors import CorruptError
from teachonce.fsio import read_file
from teachonce.records import read, write

NAME = "evaluation.json"
_WEIGHTS = Path("best") / "model.safetensors"
_MOST = 1 << 40  # bytes: weights may have any size
_MEND = "Evaluate the run again, restore the file from a copy, or remove it"


def data_content(samples: Samples, digests: NDArray[np.uint64]) -> DataContent:
    """What tells this data from other data.

    Args:
        samples: The data.
        digests: (N,) uint64, the identities of the rows.
    """
    return DataContent(rows=samples.rows, identities=_rows_digest(digests), labels=labels_digest(samples.labels))


def was_trained_on(known: RunRecord, samples: Samples, digests: NDArray[np.uint64]) -> bool:
    """Whether a run was trained on this data (a share of which validated), on its first rows, or on more of its split.

    Args:
        known: Its run.json.
        samples: The data.
        digests: (N,) uint64, the identities of the rows.
    """
    trained, origin = known.settings.data, samples.description
    if samples.rows >= trained.rows:
        return trained.identities == _rows_digest(digests[: trained.rows])
    return all(known.data.get(key) == origin.get(key) is not None for key in ("source", "split"))


def _rows_digest(digests: NDArray[np.uint64]) -> str:
    return digest_hex(np.ascontiguousarray(digests, "<u8").tobytes())


def write_evaluation(run: Path, data: DataContent, result: EvaluateRunResult) -> None:
    """Keep the result of an evaluation of a run's best weights on data, and the command that asked for it.

    Raises:
        DiskError: It cannot be written.
    """
    of = Evaluated(weights=weights_digest(run), data=data)
    write(run / NAME, Evaluation(of=of, result=result, time=now(), command=tuple(sys.argv)))


def read_kept(run: Path) -> Evaluation | None:
    """The evaluation.json of a run; None where there is none.

    Raises:
        CorruptError: It is damaged.
    """
    try:
        return read(Evaluation, run / NAME, mend=_MEND)
    except FileNotFoundError:
        return None


def read_evaluation(run: Path, data: DataContent) -> EvaluateRunResult | None:
    """The result of an evaluation of the same weights on the same data; None where there is none that can be read."""
    try:
        kept = read_kept(run)
    except CorruptError:  # it is measured again, and written anew
        return None
    return kept.result if kept and kept.of == Evaluated(weights=weights_digest(run), data=data) else None


def weights_digest(run: Path) -> str | None:
    """The digest of the file of a run's best weights; None where there is none.

    Raises:
        CorruptError: It is no regular file.
    """
    try:
        return digest_hex(read_file(run / _WEIGHTS, most=_MOST))
    except FileNotFoundError:
        return None
