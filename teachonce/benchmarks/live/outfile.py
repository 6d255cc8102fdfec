"""The file of a sweep: each finished case is there at once, and the same command goes on from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from teachonce.benchmarks.live.cases import Combination, Request
from teachonce.benchmarks.live.records import CaseResult, Frame, SweepResult, live_result
from teachonce.cache.identity import first_difference
from teachonce.errors import CorruptError, DiskError, InputError, MismatchError
from teachonce.fsio import disk_errors, read_json
from teachonce.places import require_writable
from teachonce.records import to_json, write

_ANEW = "Choose another --out, or remove the file to measure again"


@dataclass(kw_only=True)
class OutFile:
    """The cases that are measured, on disk where a path is given."""

    path: Path | None
    request: Request
    frame: Frame
    cases: dict[str, CaseResult] = field(default_factory=dict)
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
        known = self._read(path)
        if known is None:
            return
        measured = known.each
        found = first_difference(self._told(known), self._settings(), dotted=True)
        if found is not None:
            name, old, new = found
            raise MismatchError(f"{path} was measured with {name} {old}, got {new}", _ANEW)
        for combination in combinations:
            for case in filter(combination.is_of, measured):
                self.cases.setdefault(combination.label, replace(case, **vars(self.frame), settings=None))
            if combination.label not in self.cases and any(map(combination.is_of_another_teacher, measured)):
                self.anew.append(combination.label)

    def _read(self, path: Path) -> CaseResult | SweepResult | None:
        try:
            value = read_json(path, mend=_ANEW)
        except FileNotFoundError:
            return None
        if not isinstance(value, dict) or [value.get("kind"), value.get("format")] != [
            self.frame.kind,
            self.frame.format,
        ]:
            raise CorruptError(f"{path} is not from a `bench live` of this version of teachonce", _ANEW)
        known = live_result(value, str(path), mend=_ANEW)
        if known.settings is None:
            raise CorruptError(f"{path} is not whole: 'settings' is missing", _ANEW)
        return known

    def _told(self, known: CaseResult | SweepResult) -> dict[str, object]:
        """The settings of a file; before there was a choice of the teacher's dtype it was float32."""
        was_float32 = not any(case.teacher_dtype for case in known.each)
        given = {"teacher_dtype": "float32"} if was_float32 and self.request.teacher_dtype else {}
        return {**(known.settings or {}), **given}

    def add(self, label: str, case: CaseResult) -> None:
        """Keep a case, beside what another command has kept there meanwhile.

        Raises:
            DiskError: It cannot be written, or what is there now is of something else.
        """
        self.cases[label] = case
        if self.path is None:
            return
        try:
            self._take(self.path, self.request.combinations())
        except (CorruptError, MismatchError) as error:
            raise DiskError(
                f"{error.message}: another command has written it in the meantime", "Choose another --out"
            ) from error
        write(self.path, replace(self.result(), settings=self._settings()))

    def result(self) -> CaseResult | SweepResult:
        """One case as it is, several in a list, where a sweep says at which settings the paper's figures hold."""
        cases = tuple(self.cases.values())
        if len(self.request.combinations()) == 1:
            return cases[0]
        claims = None if self.request.preset != "clip-embed-kd" else claims_of(self.cases)
        return SweepResult(**vars(self.frame), cases=cases, left_out=self.left_out, claims=claims)

    def _settings(self) -> dict[str, object]:
        """What must be the same when it goes on."""
        settings = to_json(self.request)
        del settings["trust_remote_code"]
        return settings | {"device": self.frame.device}


def claims_of(cases: Mapping[str, CaseResult]) -> dict[str, tuple[str, ...]]:
    """At which settings the figures of the CLIP-Embed-KD paper hold; see `MethodResult.claims`.

    Args:
        cases: By label.

    Returns:
        Claim -> `LABEL, METHOD` of each case and method where it holds.
    """
    found = {
        f"{label}, {name}": method.claims for label, case in cases.items() for name, method in case.methods.items()
    }
    claims = dict.fromkeys(claim for holds in found.values() for claim in holds)
    return {claim: tuple(place for place, holds in found.items() if holds[claim]) for claim in claims}
