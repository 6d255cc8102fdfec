"""`bench live`: does the cache pay? Live against cached, each arm in a process of its own, case after case."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import torch

from teachonce.benchmarks.live.armspecs import STORE, arm_specs
from teachonce.benchmarks.live.cases import Combination, Request
from teachonce.benchmarks.live.conduct import conduct
from teachonce.benchmarks.live.outfile import OutFile
from teachonce.benchmarks.live.records import CaseResult, Frame, SweepResult
from teachonce.benchmarks.live.request import request_of
from teachonce.benchmarks.live.result import CaseMeasured
from teachonce.benchmarks.live.stage_one import StageOne, StageSpec, measure_stage_one
from teachonce.benchmarks.origin import device_name, origin
from teachonce.errors import CutShortError, DiskError, TeachonceError
from teachonce.events import SILENT, Events, WarnOnce
from teachonce.options.live import LiveOptions
from teachonce.options.verb import verb


@verb(LiveOptions, own_threads=True)
def bench_live(options: LiveOptions, events: Events) -> CaseResult | SweepResult:
    """Measure what a training from the cache saves against the live teacher, and when break-even is reached.

    For each method four arms make steps of the same training, in turns: `student-only` (method ce), `constant` (the
    method's targets are one batch's, on the device already), `cached` and `live`. A store is made first, by the stages
    themselves, and what that took is counted. Lists make a sweep: each case at each batch size, precision and compile
    setting.

    Raises:
        InputError: A setting that cannot be used.
        MismatchError: `out` holds other settings.
        CutShortError: A disk was full after something had been measured: its `result` is that, as it would be returned.
        TeachonceError: As `embed`, `rdm` and `train`; or a process ended, mostly because the memory was full.
    """
    return _Sweep(request_of(options), options.out, events).run()


class _Sweep:
    """All combinations of a request; a store is kept as long as the next combination reads it too."""

    def __init__(self, request: Request, out: Path | None, events: Events) -> None:
        device = torch.device(request.device)
        self.request, self.events = request, WarnOnce(events)  # the arms of all starts warn of the same
        self.combinations = request.combinations()
        self.several = len(self.combinations) > 1
        source = origin(Frame.kind, device)
        frame = Frame(preset=request.preset, device=device_name(device), **vars(source))
        self.file = OutFile(path=out, request=request, frame=frame)
        self._folder = ExitStack()
        self._stage: tuple[Combination, Path, StageOne] | None = None

    def run(self) -> CaseResult | SweepResult:
        """What is missing, then all of it."""
        self.file.load(self.combinations)
        missing = [found for found in self.combinations if found.label not in self.file.cases]
        done = len(self.combinations) - len(missing)
        if done:
            left = "it resumes" if missing else "they are reused"
            self.events.info(f"{self.file.path} has {done} of {len(self.combinations)} cases: {left}")
        for combination in self.combinations:
            if combination not in missing:
                self._warn(combination, self.file.cases[combination.label])
        if self.file.anew:
            self.events.warn(
                f"{self.file.path} has {', '.join(self.file.anew)} with a float32 teacher, to be measured anew and "
                "written over: the teacher's dtype is now that of the precision; --teacher-dtype float32 keeps it"
            )
        watch = self.events if self.several and missing else SILENT
        try:
            with self._folder, watch.task("bench live", total=len(self.combinations), done=done, unit="cases") as task:
                for combination in missing:
                    self._measure(combination)
                    task.advance()
        except DiskError as error:
            if self.file.cases:
                raise CutShortError(error, self.file.result()) from error
            raise
        return self.file.result()

    def _measure(self, combination: Combination) -> None:
        if self.several:
            self.events.info(f"now {combination.label}")
        try:
            folder, stage = self._stage_one(combination)
            specs = arm_specs(self.request, combination, stage, folder)
            found = conduct(
                specs,
                rounds=self.request.rounds,
                starts=self.request.starts,
                steps=self.request.steps,
                events=self.events,
            )
        except TeachonceError as error:
            if not self._goes_on(combination, error):
                raise
            return
        measured = CaseMeasured(request=self.request, combination=combination, stage=stage, found=found)
        case = measured.result(self.file.frame)
        self.file.add(combination.label, case)
        self._warn(combination, case)

    def _warn(self, combination: Combination, case: CaseResult) -> None:
        """The warnings of a case; a sweep says of which."""
        for text in case.warnings:
            self.events.warn(f"{combination.label}: {text}" if self.several else text)

    def _goes_on(self, combination: Combination, error: TeachonceError) -> bool:
        """Whether a sweep leaves this one out: a process had too little memory, and others may need less."""
        is_last = combination is self.combinations[-1]
        if not self.several or type(error) is not TeachonceError or (is_last and not self.file.cases):
            return False
        self.file.left_out[combination.label] = error.message
        self.events.warn(f"{combination.label} is left out: {error.message}")
        return True

    def _stage_one(self, combination: Combination) -> tuple[Path, StageOne]:
        """A folder with the store in it, and what making that took."""
        if self._stage is not None and self._stage[0].store_of == combination.store_of:
            return self._stage[1:]
        self._folder.close()
        self._stage = None
        folder = Path(self._folder.enter_context(tempfile.TemporaryDirectory(prefix="teachonce-bench-")))
        request, case = self.request, combination.case
        spec = StageSpec(
            teacher=case.teacher,
            data=request.data,
            rows=request.rows,
            store=folder / STORE,
            device=request.device,
            precision=combination.precision,
            teacher_dtype=combination.teacher_dtype,
            tf32=request.tf32,
            distortion_weight=request.distortion_weight if request.with_rdms else (),
            rdm_preset=case.rdm_preset,
            threads=request.threads,
            workers=request.workers,
            trust_remote_code=request.trust_remote_code,
        )
        self._stage = combination, folder, measure_stage_one(spec, self.events)
        return self._stage[1:]
