"""`bench live`: does the cache pay? Live against cached, each arm in a process of its own, case after case."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from teachonce.benchmarks.live.armspecs import STORE, arm_specs
from teachonce.benchmarks.live.cases import Combination, Request
from teachonce.benchmarks.live.conduct import conduct
from teachonce.benchmarks.live.outfile import OutFile
from teachonce.benchmarks.live.request import RDM_EPOCHS, Options, listed
from teachonce.benchmarks.live.result import CaseResult
from teachonce.benchmarks.live.stage_one import StageOne, StageSpec, measure_stage_one
from teachonce.benchmarks.origin import origin
from teachonce.errors import CutShortError, DiskError, TeachonceError
from teachonce.events import SILENT, Events, WarnOnce


def bench_live(  # noqa: PLR0913 - one parameter an option
    *,
    preset: str | None = None,
    cases: str | Sequence[str] = (),
    teacher: str | None = None,
    data: str | None = None,
    student: str | None = None,
    methods: str | Sequence[str] = (),
    batch_size: int | Sequence[int] = (),
    precision: str | Sequence[str] = (),
    teacher_dtype: str | None = None,
    compile: bool | Sequence[bool] = (),
    image_size: int | None = None,
    distortion_weight: float | Sequence[float] = (),
    rdm_epochs: int = RDM_EPOCHS,
    rounds: int = 9,
    starts: int = 3,
    steps: int | None = None,
    rows: int | None = None,
    epoch_rows: int | None = None,
    epochs: int | None = None,
    split: str | None = None,
    label_column: str | None = None,
    device: str | None = None,
    tf32: bool = False,
    threads: int | None = None,
    workers: int | None = None,
    seed: int = 0,
    trust_remote_code: bool = False,
    out: str | Path | None = None,
    events: Events = SILENT,
) -> dict[str, Any]:
    """Measure what a training from the cache saves against the live teacher, and when the cache has paid.

    For each method four arms make steps of the same training, in turns: `student-only` (method ce), `constant` (the
    method's targets are one batch's, on the device already), `cached` and `live`. A store is made first, by the stages
    themselves, and what that took is counted. Lists make a sweep: each case at each batch size, precision and compile
    setting.

    Args:
        preset: `clip-embed-kd` or `cifd-imagenet`: random weights, random images, nothing is downloaded.
        cases: Of the preset, or `all`; none: its first.
        teacher: See `load_teacher`; in place of a preset, with `student` and `data`.
        data: See `open_samples`.
        student: See `build_student`.
        methods: That need a teacher; none: the preset's, or kd. The live rival of clip-embed-kd is clip-teacher-kd.
        batch_size: Rows of a step; none: 64 on a GPU, 8 on a CPU.
        precision: float32, bf16 or auto; none: auto.
        teacher_dtype: See `embed`; None: that of the precision, since a float32 teacher under autocast is cast in every
            step and takes twice the memory, which would flatter the cache.
        compile: Whether students are compiled; none: not.
        image_size: Pixels a side that the student sees.
        distortion_weight: For cifd: an RDM for each; none: the preset's, or no RDMs.
        rdm_epochs: Epochs of RDMs to multiply out to.
        rounds: Rounds that count, of all starts together.
        starts: Times that all arms are started, each for its share of the rounds: a process has luck of its own.
        steps: Steps of an arm's turn; None: so many that it takes a quarter of a second, 1 to 20.
        rows: Rows of the benchmark's own store; None: see `default_rows`.
        epoch_rows: Samples of an epoch to multiply out to; None: the preset's, or those of the data.
        epochs: Of one student; None: the preset's, or 10.
        split: Which split of the data.
        label_column: The column of labels; None: found by its type.
        device: See `embed`.
        tf32: See `embed`; of stage one and of all arms.
        threads: CPU threads of each process.
        workers: Workers that decode.
        seed: Of students, order and random images.
        trust_remote_code: See `train`.
        out: A file that each finished case is written to at once; the same call goes on after what is there.
        events: Who watches.

    Returns:
        JSON. Of one case: kind, format, preset, case, device, machine, versions, command, teacher, student, ...,
        stage_one, methods {METHOD: {arms {ARM: {step_ms, spread, ...}}, speedup, memory_ratio, ..., verdict}} and
        warnings. Of several: what they share, and cases; with preset clip-embed-kd also claims: at which settings the
        paper's 9 times less memory and 8 times less time hold; of memory also `_without_data`.

        What is allocated between steps contains images and cached targets as far as they are kept on the device, and
        grows with the rows. `memory_ratio` and `memory_overhead_cache` are of the benchmark's own rows;
        `..._at_epoch` of `epoch_rows`, where the engine would keep them there (see `epoch`), and it is these that the
        verdict and the claims are about; `memory_ratio_without_data` has none of either. Students are compiled where
        that is asked for, teachers never.

    Raises:
        InputError: A setting that cannot be used.
        MismatchError: `out` holds other settings.
        CutShortError: A disk was full after something had been measured: its `result` is that, as it would be returned.
        TeachonceError: As `embed`, `rdm` and `train`; or a process ended, mostly because the memory was full.
    """
    options = Options(
        preset=preset,
        cases=listed(cases),
        teacher=teacher,
        data=data,
        student=student,
        methods=listed(methods),
        batch_size=listed(batch_size),
        precision=listed(precision),
        teacher_dtype=teacher_dtype,
        compile=listed(compile),
        image_size=image_size,
        distortion_weight=listed(distortion_weight),
        rdm_epochs=rdm_epochs,
        rounds=rounds,
        starts=starts,
        steps=steps,
        rows=rows,
        epoch_rows=epoch_rows,
        epochs=epochs,
        split=split,
        label_column=label_column,
        device=device,
        tf32=tf32,
        threads=threads,
        workers=workers,
        seed=seed,
        trust_remote_code=trust_remote_code,
    )
    return _Sweep(options.request(), None if out is None else Path(out), events).run()


class _Sweep:
    """All combinations of a request; a store is kept as long as the next combination reads it too."""

    def __init__(self, request: Request, out: Path | None, events: Events) -> None:
        source = origin(torch.device(request.device))
        gpus = source["machine"]["gpus"]
        self.request, self.events = request, WarnOnce(events)  # the arms of all starts warn of the same
        self.combinations = request.combinations()
        self.several = len(self.combinations) > 1
        frame = {"device": gpus[0] if gpus else "cpu", **source}
        self.file = OutFile(path=out, request=request, frame=frame)
        self._folder = ExitStack()
        self._stage: tuple[Combination, Path, StageOne] | None = None

    def run(self) -> dict[str, Any]:
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
                raise CutShortError(error, self.file.to_json()) from error
            raise
        return self.file.to_json()

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
        case = CaseResult(request=self.request, combination=combination, stage=stage, found=found).to_json()
        self.file.add(combination.label, case)
        self._warn(combination, case)

    def _warn(self, combination: Combination, case: Mapping[str, Any]) -> None:
        """The warnings of a case; a sweep says of which."""
        for text in case["warnings"]:
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
