"""The GPU page: tables of what the parts measured, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from teachonce.benchmarks.live.records import CaseResult, MethodResult
from teachonce.benchmarks.parts import EmbedBench, RdmBench
from teachonce.benchmarks.rounds import Ratio
from teachonce.reports.gather import bench_result
from teachonce.texts import duration_text, epochs_text, rate_text, ratio_text, size_text, step_text

Parts = Mapping[str, Mapping[str, Any]]
Result = TypeVar("Result")


def page(found: Mapping[str, Any], file: str) -> str:
    """The page of a file of the GPU page.

    Args:
        found: The file.
        file: Its name; the page lies beside it.
    """
    sections = (_head(found, file), _live(found["parts"]), _stage(found["parts"]), _rdms(found["parts"]))
    more = (_loader(found["parts"]), _left_out(found["left_out"]))
    return "\n".join(line for section in (*sections, *more) for line in section).rstrip() + "\n"


def _head(found: Mapping[str, Any], file: str) -> Iterator[str]:
    machine, versions = found["machine"], found["versions"]
    gpus = ", ".join(machine["gpus"]) or "a CPU"
    yield f"# Live against cached on {gpus}"
    yield ""
    if found["form"] == "small":
        yield "**The small form**: tiny networks, one round. It shows that all parts work; its numbers have no meaning."
        yield ""
    yield (
        f"Measured on {gpus}, with {machine['cores']} cores of {machine['processor']} and "
        f"{size_text(machine['memory_bytes'])} of memory; torch {versions['torch']} (CUDA {versions.get('cuda')}), "
        f"Python {versions['python']}, teachonce {versions['teachonce']}. Weights and images are random. "
        "What is measured and how: [benchmarks.md](../benchmarks.md); the command: [gpu.md](../gpu.md); "
        f"all numbers: [{file}]({file})."
    )
    yield ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _of(parts: Parts, kind: type[Result]) -> list[Result]:
    """The results of a kind."""
    results = (bench_result(part["result"], name) for name, part in parts.items() if "kind" in part["result"])
    return [result for result in results if isinstance(result, kind)]


def _live(parts: Parts) -> Iterator[str]:
    cases = [(case, name, found) for case in _of(parts, CaseResult) for name, found in case.methods.items()]
    if not cases:
        return
    batches = ", ".join(dict.fromkeys(str(case.batch_size) for case, *_ in cases))
    yield from ("## Time", "", f"Milliseconds per step, batch {batches}; quartiles of the rounds in brackets.", "")
    columns = ("case", "method", "live", "cached", "constant", "student only", "live/cached", "of its ceiling")
    yield from _table((*columns, "cached/constant", "live check", "break-even"), (_time(*each) for each in cases))
    warnings = dict.fromkeys(f"- {_name(case)}: {note}" for case, *_ in cases for note in case.warnings)
    yield from (*warnings, *([""] if warnings else []))
    yield from ("## Memory and energy", "")
    yield "Of the device. Ratios are live over cached, with and without an epoch's images and targets; J per step."
    yield ""
    columns = ("case", "method", "live", "cached", "ratio", "without data", "live at peak", "cached at peak", "ratio")
    yield from _table((*columns, "live, J", "cached, J"), (_memory(*each) for each in cases))


def _name(case: CaseResult) -> str:
    """The case, and what is set: teacher and student are in the file."""
    teacher = case.teacher_dtype or case.precision
    words = [f"`{case.title}`", case.precision]
    words += ["TF32"] if case.tf32 else []
    words += [f"{teacher} teacher"] if teacher != case.precision else []
    return ", ".join([*words, "compiled" if case.compile else "eager"])


def _spread(value: float | None, spread: tuple[float, float]) -> str:
    return f"{value:.3g} ({spread[0]:.3g} - {spread[1]:.3g})"


def _time(case: CaseResult, method: str, found: MethodResult) -> list[str]:
    arms, check = found.arms.each, found.live_check
    assert check is not None, "this version writes it"
    return [
        _name(case),
        f"`{method}`",
        *(step_text(arms[arm].step_ms) for arm in ("live", "cached", "constant", "student-only")),
        _spread(found.speedup, found.speedup_spread),
        f"{found.share_of_limit:.3f} of {found.time_ceiling:.3g}",
        _spread(found.overhead_cache, found.spread["overhead_cache"]),
        f"{check.ratio:.2f}{'' if check.within else ' (outside)'}",
        epochs_text(found.break_even_epochs),
    ]


def _memory(case: CaseResult, method: str, found: MethodResult) -> list[str]:
    both = found.arms.live, found.arms.cached
    return [
        _name(case),
        f"`{method}`",
        *(size_text(arm.allocated_bytes) for arm in both),
        ratio_text(found.memory_ratio_at_epoch),
        ratio_text(found.memory_ratio_without_data),
        *(size_text(arm.peak_memory_bytes) for arm in both),
        ratio_text(found.peak_memory_ratio),
        *("-" if arm.energy_j is None else f"{arm.energy_j:.3g}" for arm in both),
    ]


def _quartiles(ratio: Ratio) -> str:
    return f"{ratio.median:.3f} ({ratio.low:.3f} - {ratio.high:.3f})"


def _stage(parts: Parts) -> Iterator[str]:
    found = _of(parts, EmbedBench)
    if not found:
        return
    yield from ("## Stage one", "", "Images in memory, from the first row read to the seal.", "")
    columns = ("teacher", "computed in", "batch", "rows", "rows/s", "bare forward, rows/s", "decoding, rows/s", "share")
    yield from _table(
        columns,
        (
            [
                f"`{one.teacher}`",
                f"{one.compute_dtype}, weights {one.teacher_dtype or 'float32'}",
                str(one.batch_size),
                f"{one.rows:,}",
                *map(rate_text, (one.stage_samples_per_s, one.forward_samples_per_s, one.decode_samples_per_s)),
                _quartiles(one.ratio),
            ]
            for one in found
        ),
    )


def _rdms(parts: Parts) -> Iterator[str]:
    found = _of(parts, RdmBench)
    if not found:
        return
    yield from ("## RDMs together", "", "A step of K RDMs, and their cost relative to one pass of the teacher.", "")
    columns = (
        "teacher",
        "K",
        "step",
        "K together over one",
        "over K times one",
        "all epochs",
        "over the teacher's pass",
    )
    yield from _table(
        columns,
        (
            [
                f"`{one.teacher}`, {one.precision}",
                str(one.count),
                f"{step_text(one.arms['together'].step_ms)} ms",
                *map(_quartiles, (one.together_over_one, one.together_over_separate)),
                duration_text(one.rdm_s),
                _quartiles(one.rdm_over_teacher),
            ]
            for one in found
        ),
    )


def _loader(parts: Parts) -> Iterator[str]:
    found = [part["result"] for part in parts.values() if "workers" in part["result"]]
    if not found:
        return
    yield from ("## The store read by a DataLoader", "")
    yield "An epoch of images with their targets from the store, compared with one with the targets in memory."
    yield ""
    columns = (
        "rows",
        "batch",
        "targets",
        "workers",
        "from the store, rows/s",
        "in memory, rows/s",
        "time, store/memory",
    )
    yield from _table(
        columns,
        (
            [
                f"{one['rows']:,}",
                str(one["batch_size"]),
                f"{one['embedding_dim']} {one['dtype'].removeprefix('torch.')}",
                workers,
                *(rate_text(measured[f"{name}_rows_per_s"]) for name in ("store", "memory")),
                _quartiles(Ratio(**measured["store_over_memory"])),
            ]
            for one in found
            for workers, measured in one["workers"].items()
        ),
    )


def _left_out(left_out: Mapping[str, str]) -> Iterator[str]:
    if left_out:
        yield from ("## Not measured", "", *(f"- `{name}`: {why}" for name, why in left_out.items()), "")
        yield "The same command resumes with these."
