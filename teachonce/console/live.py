"""What `teachonce bench live` found, as people read it: one case whole, a sweep a line a method."""

from rich.text import Text

from teachonce.benchmarks.live.records import ArmResult, CaseResult, MethodResult, SweepResult
from teachonce.console.folding import Folding
from teachonce.console.tables import Parts, pairs
from teachonce.console.texts import duration_text, rate_text, size_text
from teachonce.plots.arms import STEP_PARTS
from teachonce.texts import count_text, epochs_text

_CLAIMS = {
    "memory_9x": "9 times less memory between steps",
    "memory_9x_without_data": "... without images and targets",
    "memory_9x_at_peak": "... at the peak of a step",
    "time_8x": "8 times less time",
}
_METERS = {
    "tensors": "bytes of tensors; `process` is the peak resident memory of the process",
    "cuda allocator": "of the GPU, by torch's allocator; `process` is the host's",
}


def live_parts(result: CaseResult | SweepResult) -> Parts:
    """The verdict first; then of one case all that it rests on, of several a table."""
    return _sweep_parts(result) if isinstance(result, SweepResult) else _case_parts(result)


def _case_parts(case: CaseResult) -> Parts:
    parts: Parts = [Text(f"{name}: {method.verdict}", style="bold") for name, method in case.methods.items()]
    parts += ["", pairs(_facts(case))]
    for name, method in case.methods.items():
        rival = "" if method.live_method == name else f", its live rival is {method.live_method}"
        arms = method.arms.each
        parts += ["", Text(f"method {name}{rival}", style="bold"), _arms(arms), "", _steps(arms), ""]
        parts += [pairs(_ratios(method, case.epochs))]
    return parts


def _facts(case: CaseResult) -> list[tuple[str, str]]:
    stage = case.stage_one
    assert stage is not None, "this version writes it"
    how = f"{case.precision}, {'compiled' if case.compile else 'eager'}, {case.device}"
    name = f"{case.case}, " if case.case else ""
    return [
        ("case", f"{name}batch {case.batch_size}, {how}, {count_text(case.threads or 0, 'thread')}"),
        ("teacher", f"{case.teacher} at {case.teacher_image_size} px"),
        ("student", f"{case.student} at {case.image_size} px"),
        ("data", f"{case.data}; {stage.rows:,} rows are used"),
        (
            "measured",
            f"{count_text(case.rounds, 'round')} in turns, {_steps_text(case)} each, over "
            f"{count_text(case.starts, 'start')} of all arms; medians (quartiles)",
        ),
        (
            "stage one",
            f"{stage.rows:,} rows in {duration_text(stage.seconds)}, {rate_text(stage.samples_per_s)} rows/s",
        ),
        ("an epoch", f"{case.epoch_rows:,} samples; a student has {count_text(case.epochs, 'epoch')}"),
        ("memory", _METERS[case.memory_meter or "tensors"]),
    ]


def _steps_text(case: CaseResult) -> str:
    """`5 steps`, or `2 to 12 steps` where arms differ."""
    counts = [arm.steps or case.steps for method in case.methods.values() for arm in method.arms.each.values()]
    return count_text(min(counts), "step") if min(counts) == max(counts) else f"{min(counts)} to {max(counts)} steps"


def _arms(arms: dict[str, ArmResult]) -> Folding:
    energy = any(arm.energy_j is not None for arm in arms.values())
    right = ("ms per step", "quartiles", "samples/s", "an epoch", "memory between steps", "at peak", "process")
    table = Folding(left=("arm",), right=(*right, *(("J a step",) if energy else ())))
    for name, arm in arms.items():
        table.add_row(
            name,
            _ms(arm.step_ms),
            f"{_ms(arm.spread.low)} - {_ms(arm.spread.high)}" if arm.spread else "-",
            rate_text(arm.samples_per_s),
            duration_text(arm.epoch_s),
            size_text(arm.allocated_bytes),
            size_text(arm.peak_memory_bytes),
            size_text(arm.host_memory_bytes),
            *((_joules(arm.energy_j),) if energy else ()),
        )
    return table


def _steps(arms: dict[str, ArmResult]) -> Folding:
    """The parts of a step."""
    table = Folding(left=("of a step, ms",), right=list(STEP_PARTS.values()))
    for name, arm in arms.items():
        table.add_row(name, *(_ms(ms) if (ms := arm.parts_ms.get(part)) else "-" for part in STEP_PARTS))
    return table


def _ratios(found: MethodResult, epochs: int) -> list[tuple[str, str]]:
    def spread(name: str, value: float | None) -> str:
        low, high = found.spread[name]
        return f"{value:.3g} ({low:.3g} - {high:.3g})"

    def of_free(share: float | None, ceiling: float | None) -> str:
        return f"{100 * (share or 0):.0f} % of the {ceiling:.3g} that a free cache would give"

    check = found.live_check
    assert check is not None, "this version writes it"
    good = "" if check.within else ": outside the limit"
    between = of_free(found.share_of_memory_limit, found.memory_ceiling)
    peak = of_free(found.share_of_peak_memory_limit, found.peak_memory_ceiling)
    in_cache = f"{spread('overhead_cache', found.overhead_cache)} of time, {found.memory_overhead_cache:.3f} of memory"
    return [
        ("speed-up", f"{spread('speedup', found.speedup)}, {of_free(found.share_of_limit, found.time_ceiling)}"),
        ("memory between steps", f"{found.memory_ratio:.3g} times less, {between}"),
        ("  with an epoch's data", _at_epoch(found)),
        ("  with no data", f"{found.memory_ratio_without_data:.3g} times less"),
        ("memory at peak", f"{found.peak_memory_ratio:.3g} times less, {peak}"),
        ("cached / constant", in_cache),
        ("constant / student-only", f"{spread('overhead_loss', found.overhead_loss)} of time"),
        ("live / (teacher + student)", f"{check.ratio:.3f}, at most {check.limit:g}{good}"),
        ("before the first epoch", _before(found)),
        ("break-even", _paid(found, epochs)),
    ]


def _at_epoch(found: MethodResult) -> str:
    cached = found.arms.cached
    kept = {"images": cached.images_at_epoch, "targets": cached.targets_at_epoch}
    places = ", ".join(f"{what} {placed.where}" for what, placed in kept.items() if placed)
    ratio = f"{found.memory_ratio_at_epoch:.3g} times less of {found.memory_ceiling_at_epoch:.3g}"
    return f"{ratio}; cached / constant {found.memory_overhead_cache_at_epoch:.3f} ({places})"


def _before(found: MethodResult) -> str:
    rdms = f", RDMs {duration_text(found.rdm_s)}" if found.rdm else ""
    return f"stage one {duration_text(found.stage_one_s)}{rdms}, {size_text(round(found.store_bytes))} on disk"


def _paid(found: MethodResult, epochs: int) -> str:
    even, students = found.break_even_epochs, found.break_even_students
    if even is None:
        return "never: a live step takes no longer"
    return f"after {epochs_text(even)}, or {students:,.2g} students of {count_text(epochs, 'epoch')}"


def _sweep_parts(result: SweepResult) -> Parts:
    from teachonce.reports.verdict import judge_live  # here: it brings matplotlib with it

    right = ("batch", "ms cached", "ms live", "speed-up", "of its limit", "memory", "at peak")
    table = Folding(left=("case", "setting", "method"), right=(*right, "cached / constant", "pays after"))
    methods = [(case, name, method) for case in result.cases for name, method in case.methods.items()]
    for each in methods:
        table.add_row(*_line(*each))
    rivals = {name: method.live_method for _, name, method in methods}
    facts = [
        ("preset", result.preset or "-"),
        *((f"live rival of {name}", str(rival)) for name, rival in rivals.items() if rival != name),
        ("device", str(result.device)),
        ("memory", "live / cached, between steps with an epoch's data, and at peak"),
        *((_CLAIMS[claim], "; ".join(where) or "nowhere here") for claim, where in (result.claims or {}).items()),
        *((f"left out: {label}", why) for label, why in result.left_out.items()),
    ]
    return [Text(judge_live(result), style="bold"), "", table, "", pairs(facts)]


def _line(case: CaseResult, name: str, found: MethodResult) -> tuple[str | Text, ...]:
    return (
        Text(case.case or case.student),
        f"{case.precision}, {'compiled' if case.compile else 'eager'}",
        name,
        f"{case.batch_size}",
        _ms(found.arms.cached.step_ms),
        _ms(found.arms.live.step_ms),
        f"{found.speedup:.3g}",
        f"{100 * (found.share_of_limit or 0):.0f} %",
        f"{found.memory_ratio_at_epoch:.3g}",
        f"{found.peak_memory_ratio:.3g}",
        f"{found.overhead_cache:.3f}",
        epochs_text(found.break_even_epochs),
    )


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _joules(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
