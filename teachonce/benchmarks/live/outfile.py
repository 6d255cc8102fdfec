"""The file of a sweep: each finished case is there at once, and the same command goes on from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from teachonce.benchmarks.live.cases import Combination, Request
from teachonce.benchmarks.shapes import shape_of
from teachonce.engine.runfile import first_difference
from teachonce.engine.shapes import Shape
from teachonce.errors import CorruptError, DiskError, InputError, MismatchError
from teachonce.fsio import disk_errors, read_json, write_json
from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.places import require_writable
from teachonce.validation import require_type

KIND, FORMAT = "teachonce.bench-live", 1
_ANEW = "Choose another --out, or remove the file to measure again"
_CLAIMS = {
    "memory_9x": ("memory_ratio_at_epoch", MEMORY_CLAIM),
    "memory_9x_without_data": ("memory_ratio_without_data", MEMORY_CLAIM),
    "memory_9x_at_peak": ("peak_memory_ratio", MEMORY_CLAIM),
    "time_8x": ("speedup", TIME_CLAIM),
}
"""What the CLIP-Embed-KD paper says in one figure: so many times less memory and time.

Its memory is by all signs what is allocated between steps. As this engine trains, an epoch's images lie there too, and
they are the larger part: `memory_9x`. Without any data there, as where images are streamed, models and optimiser alone
are compared, which is what the paper's own code keeps: `memory_9x_without_data`. At the peak of a step activations are
in it: `memory_9x_at_peak`.
"""


class _File(Shape):
    """What of a file is looked at before its settings are compared."""

    settings: dict[str, Any]


@dataclass(kw_only=True)
class OutFile:
    """The cases that are measured, on disk where a path is given."""

    path: Path | None
    request: Request
    frame: Mapping[str, Any]
    """What is the same for all cases: device, machine, versions, command."""
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the combination's label."""
    anew: list[str] = field(default_factory=list)
    """Those that the file had with a teacher of another dtype; they will be written over."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Combinations of a sweep that could not be measured, and why; the next call tries them again."""

    def load(self, combinations: Sequence[Combination]) -> None:
        """Take what is there of the same settings.

        Raises:
            InputError: It is a folder, or a device.
            CorruptError: The file is something else.
            MismatchError: It is of other settings, or of another device; names the first difference.
            DiskError: It could not be written.
        """
        if self.path is None:
            return
        with disk_errors(self.path):  # a name may be too long
            is_other = self.path.exists() and not self.path.is_file()  # some devices are read without end
        if is_other:
            raise InputError(f"expected a file at {self.path}, got something else", "Choose another --out")
        require_writable(self.path, "--out")
        self._take(self.path, combinations)

    def _take(self, path: Path, combinations: Sequence[Combination]) -> None:
        known = _read(path)
        if known is None:
            return
        measured = known.get("cases", [known])
        found = first_difference(self._told(known["settings"], measured), self._settings())
        if found is not None:
            name, old, new = found
            raise MismatchError(f"{path} was measured with {name} {old}, got {new}", _ANEW)
        require_type(shape_of("bench-live", known), known, str(path), mend=_ANEW)
        shared = {*self._common(), "settings"}
        for combination in combinations:
            for case in filter(combination.is_of, measured):
                self.cases.setdefault(combination.label, {key: case[key] for key in case if key not in shared})
            if combination.label not in self.cases and any(map(combination.is_of_another_teacher, measured)):
                self.anew.append(combination.label)

    def _told(self, settings: dict[str, Any], measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The settings of a file; before there was a choice of the teacher's dtype it was float32."""
        was_float32 = not any("teacher_dtype" in case for case in measured)
        return settings | ({"teacher_dtype": "float32"} if was_float32 and self.request.teacher_dtype else {})

    def add(self, label: str, case: Mapping[str, Any]) -> None:
        """Keep a case, beside what another command has kept there meanwhile.

        Raises:
            DiskError: It cannot be written, or what is there now is of something else.
        """
        self.cases[label] = dict(case)
        if self.path is None:
            return
        try:
            self._take(self.path, self.request.combinations())
        except (CorruptError, MismatchError) as error:
            raise DiskError(
                f"{error.message}: another command has written it in the meantime", "Choose another --out"
            ) from error
        write_json(self.path, self.to_json() | {"settings": self._settings()})

    def to_json(self) -> dict[str, Any]:
        """One case as it is, several in a list, where a sweep says at which settings the paper's figures hold."""
        common = self._common()
        cases = [common | case for case in self.cases.values()]
        if len(self.request.combinations()) == 1 and cases:
            return cases[0]
        claims = {} if self.request.preset != "clip-embed-kd" else {"claims": claims_of(self.cases)}
        return {**common, "cases": cases, "left_out": self.left_out, **claims}

    def _common(self) -> dict[str, Any]:
        return {"kind": KIND, "format": FORMAT, "preset": self.request.preset, **self.frame}

    def _settings(self) -> dict[str, Any]:
        """What must be the same when it goes on."""
        settings: dict[str, Any] = json.loads(json.dumps(asdict(self.request)))
        del settings["trust_remote_code"]
        for name in ("tf32", "teacher_dtype"):
            if not settings[name]:
                del settings[name]  # files of before there was a choice have none
        return settings | {"device": self.frame["device"]}


def claims_of(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """At which settings the paper's 9 times less memory (between steps) and 8 times less time hold; see `_CLAIMS`.

    Args:
        cases: By label.

    Returns:
        Claim -> `LABEL, METHOD` of each case and method where it holds.
    """
    return {
        claim: [
            f"{label}, {name}"
            for label, case in cases.items()
            for name, method in case["methods"].items()
            if (method.get(ratio) or 0) >= least
        ]
        for claim, (ratio, least) in _CLAIMS.items()
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = read_json(path, mend=_ANEW)
    except FileNotFoundError:
        return None
    if not isinstance(value, dict) or (value.get("kind"), value.get("format")) != (KIND, FORMAT):
        raise CorruptError(f"{path} is not from a `bench live` of this version of teachonce", _ANEW)
    require_type(_File, value, str(path), mend=_ANEW)
    return value
