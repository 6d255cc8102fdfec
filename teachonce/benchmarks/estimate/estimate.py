"""Before the teacher runs: how long, how many bytes, what limits, and the break-even with a student."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from teachonce.benchmarks.estimate.found import probe, told
from teachonce.benchmarks.estimate.records import Estimate
from teachonce.benchmarks.estimate.steps import StudentPlan, measure_steps, measured_rows, student_cost
from teachonce.data.open import opened_samples
from teachonce.errors import InputError
from teachonce.events import Events
from teachonce.options.embed import EmbedOptions
from teachonce.options.estimate import EstimateOptions
from teachonce.options.methods import takes
from teachonce.options.opt import options_of
from teachonce.options.verb import verb
from teachonce.places import require_writable
from teachonce.stages.embed import open_job

_NOWHERE = ".teachonce-estimate.zarr"  # in the working folder, where no store is named; nothing is made of this name


@verb(EstimateOptions)
def estimate(options: EstimateOptions, events: Events) -> Estimate:
    """Tell what `embed` will take, from some batches through its real path and some blocks onto its real disk.

    The batches are spread over the data; decoding and teacher work side by side as they will, and what the first
    batches take to get going is told apart from the steady pace. A few blocks of the store's real size are written
    beside where it will be, and removed. The bytes of the store are computed from its format, not probed. With a
    student, its steps from the cache and with the live teacher are timed on two batches of the data that are resident.
    Nothing is left behind.

    Raises:
        InputError: A setting that cannot be used.
        TeachonceError: As `embed`; with a student as `train`.
    """
    plan = _plan(options, events)
    job = open_job(_of_pass(options), events)
    require_writable(job.path)
    with events.task("estimate", total=2 if plan is None else 3, unit="probes") as task:
        found = probe(job, workers=options.workers, seconds=options.seconds, events=events, task=task)
        if plan is None:
            return told(found, None, events)
        few = replace(options, limit=min(measured_rows(plan), job.samples.rows))
        task.note("steps from the cache and with the live teacher")
        step_ms = measure_steps(plan, opened_samples(few), options, options.seconds / 2)
        task.advance()
    return told(
        found, student_cost(plan, rows=job.samples.rows, stage_one_s=found.cost.seconds, step_ms=step_ms), events
    )


def _plan(options: EstimateOptions, events: Events) -> StudentPlan | None:
    """The training of the student; None without one.

    Raises:
        InputError: An option of a student, and no student.
    """
    own = {name: getattr(options, name) for name in ("method", "epochs", "batch_size")}
    if options.student is None:
        _refuse_without_student(
            {**own, "set": options.settings or None, "student_image_size": options.student_image_size}
        )
        return None
    given = {name: value for name, value in own.items() if value is not None}
    plan = StudentPlan(
        student=options.student, settings=options.settings, image_size=options.student_image_size, **given
    )
    _check_loadable(options)
    if takes(plan.method) is not None:
        why = "neither their losses nor their training are in the estimate; `teachonce bench live` has both"
        events.warn(f"{plan.method} is measured with the teacher's targets only, without RDMs: {why}")
    return plan


def _of_pass(options: EstimateOptions) -> EmbedOptions:
    """The pass that is estimated."""
    shared = {name: getattr(options, name) for name in options_of(EmbedOptions) if name in options_of(EstimateOptions)}
    store = Path(_NOWHERE) if options.store is None else options.store
    return EmbedOptions(**{**shared, "store": store, "batch_size": options.teacher_batch})


def _refuse_without_student(given: Mapping[str, object]) -> None:
    """Raise an InputError that names the first option that only a student has."""
    for name, value in given.items():
        if value is not None:
            mend = "Use teacher_batch for the teacher's" if name == "batch_size" else "Add --student S, or leave it out"
            raise InputError(f"{name} is the student's, and none was given", mend)


def _check_loadable(options: EstimateOptions) -> None:
    """Whether teacher and data can be opened again for the live arm.

    Raises:
        InputError: They are objects, or the teacher's image size is beside its name.
    """
    if not isinstance(options.teacher, str) or not isinstance(options.data, str):
        raise InputError("with a student, teacher and data are opened again", "Give their names, or leave student out")
    if options.image_size is not None:
        mend = "Name it in the teacher's spec (vit:...,size=224), or leave --student out"
        raise InputError(f"the live teacher has no image size beside its name, got {options.image_size}", mend)
