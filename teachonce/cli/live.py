"""`teachonce bench live`: does the cache pay?"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.cli.rdm import parse_weights
from teachonce.console.live import live_parts
from teachonce.errors import CutShortError
from teachonce.texts import is_whole

Item = TypeVar("Item")
OWN, SWEEP, MEASURE = "In place of a preset", "Lists make a sweep", "Measuring"


class Compile(StrEnum):
    """Whether students are compiled."""

    no = "no"
    yes = "yes"
    both = "both"


_COMPILES = {Compile.no: (False,), Compile.yes: (True,), Compile.both: (False, True)}


def parse_list(text: str | None, option: str, kind: Callable[[str], Item], example: str) -> tuple[Item, ...]:
    """`8,64` as (8, 64)."""
    words = [word.strip() for word in text.split(",")] if text is not None else []
    if not all(is_whole(word) if kind is int else word for word in words):
        raise typer.BadParameter(f"expected a list such as {example}, got {text!r}", param_hint=option)
    return tuple(kind(word) for word in words)


def bench_live(  # noqa: PLR0913  (one parameter an option)
    preset: Annotated[
        str | None, Option(help="clip-embed-kd or cifd-imagenet: random weights and images, nothing to download.")
    ] = None,
    cases: Annotated[
        str | None,
        Option(
            help="Of the preset: l32-32,b16-64-large,... (teacher-pixels-student) or r34-r18,r50-mbv1, or all; its "
            "first if absent.",
            metavar="NAMES",
            rich_help_panel=SWEEP,
        ),
    ] = None,
    teacher: Annotated[str | None, Option(help="See embed.", metavar="TEACHER", rich_help_panel=OWN)] = None,
    student: Annotated[str | None, Option(help="See train.", metavar="STUDENT", rich_help_panel=OWN)] = None,
    data: Annotated[str | None, Option(help="See embed.", metavar="DATA", rich_help_panel=OWN)] = None,
    split: Annotated[str | None, Option(help="Split of the dataset.", rich_help_panel=OWN)] = None,
    label_column: Annotated[
        str | None, Option(help="Column of labels; chosen by type if absent.", rich_help_panel=OWN)
    ] = None,
    image_size: Annotated[
        int | None, Option(min=1, help="Image size of the student, in pixels.", rich_help_panel=OWN)
    ] = None,
    method: Annotated[
        str | None,
        Option(help="Methods, such as kd,clip-embed-kd; the preset's, or kd, if absent.", metavar="NAMES"),
    ] = None,
    distortion_weight: Annotated[
        str | None,
        Option(help="For cifd: weights of the RDMs that are trained first; the preset's if absent.", metavar="NUMBERS"),
    ] = None,
    batch_size: Annotated[
        str | None,
        Option(
            help="Batch sizes, such as 8,64,256; 64 on a GPU, 8 on a CPU if absent.",
            metavar="NUMBERS",
            rich_help_panel=SWEEP,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        Option(
            help="Precisions, such as float32,bf16; bf16 on a GPU if absent.", metavar="NAMES", rich_help_panel=SWEEP
        ),
    ] = None,
    teacher_dtype: Annotated[
        shared.TeacherDtype | None,
        Option(help="Dtype of the teacher's weights; that of the precision if absent.", rich_help_panel=MEASURE),
    ] = None,
    compile_: Annotated[
        Compile, Option("--compile", help="Compile the students with torch.compile.", rich_help_panel=SWEEP)
    ] = Compile.no,
    rounds: Annotated[int, Option(min=1, help="Measured rounds, over all starts.", rich_help_panel=MEASURE)] = 9,
    starts: Annotated[
        int,
        Option(
            min=1,
            help="Number of restarts of all arms, since equal processes differ in speed.",
            rich_help_panel=MEASURE,
        ),
    ] = 3,
    steps: Annotated[
        int | None,
        Option(min=1, help="Steps per arm and round; 1 to 20 by their time if absent.", rich_help_panel=MEASURE),
    ] = None,
    rows: Annotated[
        int | None, Option(min=1, help="Rows of the benchmark's own store.", rich_help_panel=MEASURE)
    ] = None,
    epoch_rows: Annotated[
        int | None, Option(min=1, help="Samples per epoch that the result is extrapolated to.", rich_help_panel=MEASURE)
    ] = None,
    epochs: Annotated[
        int | None, Option(min=1, help="Epochs of one student; the preset's, or 10.", rich_help_panel=MEASURE)
    ] = None,
    rdm_epochs: Annotated[
        int, Option(min=1, help="Epochs of RDM training that the result is extrapolated to.", rich_help_panel=MEASURE)
    ] = 30,
    out: Annotated[
        Path | None,
        Option(help="File for each case as it finishes; the same command resumes.", metavar="FILE.json"),
    ] = None,
    device: shared.Device = None,
    tf32: shared.Tf32 = False,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Compare steps from the cache with steps with the live teacher, and compute the break-even.

    Every arm is a separate process, and they take turns. With --out the same command resumes a sweep that was killed.
    """
    chosen = parse_list(cases, "--cases", str, "l32-32,b16-64")
    methods = parse_list(method, "--method", str, "kd,clip-embed-kd")
    sizes = parse_list(batch_size, "--batch-size", int, "8,64,256")
    precisions = parse_list(precision, "--precision", str, "float32,bf16")
    weights = parse_weights(distortion_weight) if distortion_weight is not None else ()
    cut_short = None
    with work(debug=debug) as events:
        from teachonce.benchmarks.live.sweep import bench_live as measure

        try:
            result = measure(
                preset=preset,
                cases=chosen,
                teacher=teacher,
                data=data,
                student=student,
                methods=methods,
                batch_size=sizes,
                precision=precisions,
                teacher_dtype=None if teacher_dtype is None else teacher_dtype.value,
                compile=_COMPILES[compile_],
                image_size=image_size,
                distortion_weight=weights,
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
                out=out,
                events=events,
            )
        except CutShortError as error:
            result, cut_short = error.result, error
    finish(result, live_parts, as_json=as_json, cut_short=cut_short)
