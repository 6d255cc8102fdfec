"""evaluation.json of a run: what was measured, of which weights and on which data."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.data.samples import Samples
from teachonce.digests import digest_hex
from teachonce.engine.machine import now
from teachonce.engine.shapes import EvaluationJson
from teachonce.engine.stage_one.contents import labels_digest
from teachonce.errors import CorruptError
from teachonce.fsio import read_file, read_json, write_json
from teachonce.validation import require_type

NAME = "evaluation.json"
_WEIGHTS = Path("best") / "model.safetensors"
_MOST = 1 << 40  # bytes: weights may have any size
_MEND = "Evaluate the run again, restore the file from a copy, or remove it"


def data_identity(samples: Samples, digests: NDArray[np.uint64]) -> dict[str, Any]:
    """What tells this data from other data, as JSON: rows, their identities, their labels.

    Args:
        samples: The data.
        digests: (N,) uint64, the identities of the rows.
    """
    return {
        "rows": samples.rows,
        "identities": _rows_digest(digests),
        "labels": labels_digest(samples.labels),
    }


def was_trained_on(description: Mapping[str, Any], samples: Samples, digests: NDArray[np.uint64]) -> bool:
    """Whether a run was trained on this data (a share of which validated), on its first rows, or on more of its split.

    Args:
        description: Its run.json.
        samples: The data.
        digests: (N,) uint64, the identities of the rows.
    """
    trained, known, origin = description["settings"]["data"], description["data"], samples.description
    if samples.rows >= trained["rows"]:
        return bool(trained["identities"] == _rows_digest(digests[: trained["rows"]]))
    return all(known.get(key) == origin.get(key) is not None for key in ("source", "split"))


def _rows_digest(digests: NDArray[np.uint64]) -> str:
    return digest_hex(np.ascontiguousarray(digests, "<u8").tobytes())


def write_evaluation(run: Path, data: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Keep the result of an evaluation of a run's best weights on data, and the command that asked for it.

    Raises:
        DiskError: It cannot be written.
    """
    told = {"time": now(), "command": list(sys.argv)}
    write_json(run / NAME, {"of": _identity(run, data), "result": dict(result), **told})


def read_kept(run: Path) -> Mapping[str, Any] | None:
    """The evaluation.json of a run: `of` what, and the `result`; None where there is none.

    Raises:
        CorruptError: It is damaged.
    """
    try:
        kept: Mapping[str, Any] = read_json(run / NAME, mend=_MEND)
    except FileNotFoundError:
        return None
    require_type(EvaluationJson, kept, str(run), mend=_MEND, within=NAME)
    return kept


def read_evaluation(run: Path, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of an evaluation of the same weights on the same data; None where there is none that can be read."""
    try:
        kept = read_kept(run)
    except CorruptError:  # it is measured again, and written anew
        return None
    return dict(kept["result"]) if kept is not None and kept["of"] == _identity(run, data) else None


def weights_digest(run: Path) -> str | None:
    """The digest of the file of a run's best weights; None where there is none.

    Raises:
        CorruptError: It is no regular file.
    """
    try:
        return digest_hex(read_file(run / _WEIGHTS, most=_MOST))
    except FileNotFoundError:
        return None


def _identity(run: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"weights": weights_digest(run), "data": dict(data)}
