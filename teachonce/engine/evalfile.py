"""evaluation.json of a run: what was measured, of which weights and on which data."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.data.samples import Samples
from teachonce.digests import digest_hex
from teachonce.engine.machine import now
from teachonce.engine.stage_one.contents import labels_digest
from teachonce.fsio import write_json

NAME = "evaluation.json"
_WEIGHTS = Path("best") / "model.safetensors"


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


def read_evaluation(run: Path, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of an evaluation of the same weights on the same data; None where there is none."""
    try:
        kept = json.loads((run / NAME).read_text(encoding="utf-8"))
        if kept["of"] == _identity(run, data):
            result: dict[str, Any] = kept["result"]
            return result
    except (OSError, ValueError, KeyError, TypeError):  # nothing usable: it is measured again
        return None
    return None


def _identity(run: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"weights": digest_hex((run / _WEIGHTS).read_bytes()), "data": dict(data)}
