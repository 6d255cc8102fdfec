"""What a store and a target say about themselves: the data, the views, the fingerprint, the teacher.

The attributes `data` of a store are {"description", "class_names", "labels", "decoding"}: where the data came from, the
names of its classes (or null), the xxh3-128 of its labels as little-endian int32 (or null), and how images become RGB.
The attributes `views_spec` are {"augment", "seed", "view", "resizing"}: see `views.ViewsSpec`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.identity import canonical_json, first_difference, plain
from teachonce.cache.targets import TargetRecord
from teachonce.data.samples import Samples
from teachonce.digests import digest_hex
from teachonce.engine.versions import versions_of
from teachonce.models import Teacher
from teachonce.models.macs import count_macs
from teachonce.models.precision import parse_teacher_dtype
from teachonce.records import to_json
from teachonce.types import TeacherDtype

DECODING = {"transparency": "on white", "grey_above_8_bits": "scaled to 8 bits"}
"""How images become RGB where pipelines differ: a store's description says it once."""


def data_attributes(samples: Samples) -> dict[str, Any]:
    """The attributes `data` of a store."""
    names = None if samples.class_names is None else list(samples.class_names)
    return {
        "description": dict(samples.description),
        "class_names": names,
        "labels": labels_digest(samples.labels),
        "decoding": DECODING,
    }


def labels_digest(labels: NDArray[np.int32] | None) -> str | None:
    """The xxh3-128 of labels as little-endian int32; None where there are none."""
    return None if labels is None else digest_hex(np.ascontiguousarray(labels, "<i4").view(np.uint8).data)


def fingerprint(
    *, teacher: Mapping[str, Any], samples: Samples, views: int, views_spec: Mapping[str, Any], dtype: str
) -> dict[str, Any]:
    """What a target depends on, as nested JSON that is compared field by field.

    Args:
        teacher: `TeacherInfo.fingerprint()`.
        samples: The data.
        views: How many of each sample.
        views_spec: The attributes of the store.
        dtype: The stored dtype.
    """
    names = samples.class_names
    data = {
        "rows": samples.rows,
        "identity": samples.identity,
        "labels": labels_digest(samples.labels),
        "class_names": None if names is None else digest_hex(canonical_json(list(names))),
    }
    return {"teacher": dict(teacher), "data": data, "views": {"count": views, **views_spec}, "dtype": dtype}


def fingerprint_difference(stored: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The field in which two fingerprints differ that says most: (its name in words, stored, given).

    The dtype of the teacher comes before its weights, which are others in another dtype, the weights before its other
    fields, and the configuration last: it follows from the others.
    """
    stored, given = _with_dtype(stored), _with_dtype(given)
    of_teacher = (("teacher", "dtype"), ("teacher", "weights"), ("teacher", "processor"), ("teacher",))
    for path in (("dtype",), ("data",), ("views",), *of_teacher):
        before, now = plain(stored), plain(given)
        for key in path:
            before, now = before.get(key, {}), now.get(key, {})
        if found := first_difference(before, now, " ".join(path)):
            return found
    return first_difference(plain(stored), plain(given))


def _with_dtype(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A fingerprint that also says where the teacher's dtype is float32."""
    teacher = fields.get("teacher")
    return {**fields, "teacher": {"dtype": "float32", **teacher}} if isinstance(teacher, Mapping) else dict(fields)


def teacher_dtype(record: TargetRecord) -> TeacherDtype:
    """The dtype of the teacher that made a target."""
    return parse_teacher_dtype(_with_dtype(record.fingerprint_fields).get("teacher", {}).get("dtype", "float32"))


def teacher_attributes(teacher: Teacher) -> dict[str, Any]:
    """What a target records of its teacher beside the fingerprint.

    `class_names` are in the order of the logits; `macs` are the multiply-accumulates of a forward pass of one sample.
    """
    info = teacher.info
    local = Path(info.name)
    return {
        "teacher": local.name if local.exists() else info.name,  # where a folder lies is no property of the bytes
        **({} if info.dtype == "float32" else {"teacher_dtype": info.dtype}),
        "embedding": info.embedding,
        "input": to_json(info.input),
        "view": to_json(info.view),
        "processor": dict(info.processor),
        "config": dict(info.config),
        "macs": count_macs(teacher, info.input),
        "class_names": None if info.class_names is None else list(info.class_names),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of what the bytes may depend on."""
    return versions_of("teachonce", "torch", "transformers", "datasets", "pillow", "numpy", "zarr")
