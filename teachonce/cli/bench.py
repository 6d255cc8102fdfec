"""`teachonce bench embed`, `step` and `rdm`: measures, each a ratio within one run; `bench macs`, which counts."""

from typing import Annotated

from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.embed import Teacher
from teachonce.cli.frame import finish, work
from teachonce.cli.rdm import Preset, parse_weights
from teachonce.cli.train import Settings, Student, parse_settings
from teachonce.console.macs import macs_parts
from teachonce.console.tables import bench_parts

BatchSize = Annotated[int | None, Option(min=1, help="Images in a teacher batch; chosen automatically if absent.")]
BlockRows = Annotated[int | None, Option(min=1, help="Rows per block, a power of two; chosen automatically if absent.")]
ImageSize = Annotated[int | None, Option(min=1, help="Image size of built-in teachers, in pixels.")]


def bench_embed(  # noqa: PLR0913  (one parameter an option)
    teacher: Teacher,
    data: shared.Data,
    rounds: Annotated[int, Option(min=1, help="Measured rounds.")] = 5,
    batch_size: BatchSize = None,
    block_rows: BlockRows = None,
    image_size: ImageSize = None,
    split: shared.Split = None,
    limit: shared.Limit = None,
    teacher_dtype: shared.TeacherDtypeOption = shared.TeacherDtype.float32,
    precision: shared.PrecisionOption = shared.Precision.auto,
    device: shared.Device = None,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Time stage one against the same teacher's bare forward pass.

    Reports whether the teacher or the decoding limits it.
    """
    with work(debug=debug, threads=threads) as events:
        from teachonce.benchmarks.embed import bench_embed as measure

        result = measure(
            teacher=teacher,
            data=data,
            rounds=rounds,
            batch_size=batch_size,
            block_rows=block_rows,
            image_size=image_size,
            split=split,
            limit=limit,
            precision=precision.value,
            teacher_dtype=teacher_dtype.value,
            device=device,
            workers=workers,
            seed=seed,
            trust_remote_code=trust_remote_code,
            events=events,
        )
    finish(result, bench_parts, as_json=as_json)


def bench_step(  # noqa: PLR0913  (one parameter an option)
    teacher: Teacher,
    data: shared.Data,
    student: Student,
    method: Annotated[str, Option(help="A method that needs a teacher.")] = "kd",
    settings: Settings = None,
    distortion_weight: Annotated[
        str | None,
        Option(help="For cifd: weights of the RDMs that are trained first, such as 10,1,0.1.", metavar="NUMBERS"),
    ] = None,
    rdm_epochs: Annotated[int, Option(min=1, help="Epochs of the RDM training.")] = 2,
    batch_size: Annotated[int, Option(min=1, help="Rows per training step.")] = 128,
    rounds: Annotated[int, Option(min=1, help="Measured rounds.")] = 30,
    steps: Annotated[int, Option(min=1, help="Steps per arm and round.")] = 1,
    image_size: Annotated[int | None, Option(min=1, help="Image size of the student, in pixels.")] = None,
    split: shared.Split = None,
    limit: shared.Limit = None,
    teacher_dtype: shared.TeacherDtypeOption = shared.TeacherDtype.float32,
    precision: shared.PrecisionOption = shared.Precision.auto,
    device: shared.Device = None,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Time a step from the cache against constant targets, no teacher, and the live teacher."""
    method_settings = parse_settings(settings or [], method)
    weights = parse_weights(distortion_weight) if distortion_weight is not None else ()
    with work(debug=debug, threads=threads) as events:
        from teachonce.benchmarks.step import bench_step as measure

        result = measure(
            teacher=teacher,
            data=data,
            student=student,
            method=method,
            settings=method_settings,
            distortion_weight=weights,
            rdm_epochs=rdm_epochs,
            batch_size=batch_size,
            rounds=rounds,
            steps=steps,
            image_size=image_size,
            split=split,
            limit=limit,
            precision=precision.value,
            teacher_dtype=teacher_dtype.value,
            device=device,
            workers=workers,
            seed=seed,
            trust_remote_code=trust_remote_code,
            events=events,
        )
    finish(result, bench_parts, as_json=as_json)


def bench_rdm(  # noqa: PLR0913  (one parameter an option)
    teacher: Teacher,
    count: Annotated[int, Option(min=1, help="RDMs trained together.")] = 3,
    preset: Annotated[Preset, Option(help="Layers of an RDM.")] = Preset.general,
    hidden: Annotated[
        int | None, Option(min=1, help="Width of preset general; that of the embedding if absent.")
    ] = None,
    classes: Annotated[int, Option(min=1, help="Classes of the RDMs, and of a built-in teacher.")] = 10,
    batch_size: Annotated[int, Option(min=1, help="Embeddings per training step.")] = 256,
    teacher_batch: Annotated[int, Option(min=1, help="Images per forward pass.")] = 8,
    rounds: Annotated[int, Option(min=1, help="Measured rounds.")] = 10,
    steps: Annotated[int, Option(min=1, help="Steps per arm and round.")] = 1,
    rows: Annotated[int, Option(min=1, help="Rows that the result is extrapolated to.")] = 50_000,
    epochs: Annotated[int, Option(min=1, help="Epochs that the result is extrapolated to.")] = 30,
    image_size: ImageSize = None,
    teacher_dtype: shared.TeacherDtypeOption = shared.TeacherDtype.float32,
    precision: shared.PrecisionOption = shared.Precision.auto,
    device: shared.Device = None,
    threads: shared.Threads = None,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Time RDMs trained together against a single one, and all their epochs against one pass of the teacher."""
    with work(debug=debug, threads=threads) as events:
        from teachonce.benchmarks.rdm import bench_rdm as measure

        result = measure(
            teacher=teacher,
            count=count,
            preset=preset.value,
            hidden=hidden,
            classes=classes,
            batch_size=batch_size,
            teacher_batch=teacher_batch,
            rounds=rounds,
            steps=steps,
            rows=rows,
            epochs=epochs,
            image_size=image_size,
            device=device,
            precision=precision.value,
            teacher_dtype=teacher_dtype.value,
            trust_remote_code=trust_remote_code,
            events=events,
        )
    finish(result, bench_parts, as_json=as_json)


def bench_macs(  # noqa: PLR0913  (one parameter an option)
    preset: Annotated[str, Option(help="cifd-imagenet or cifd-cnn.")] = "cifd-imagenet",
    rows: Annotated[int | None, Option(min=1, help="Samples per epoch.")] = None,
    epochs: Annotated[int | None, Option(min=1, help="Epochs of CIFD's student.")] = None,
    kd_epochs: Annotated[int | None, Option(min=1, help="Epochs of KD's student.")] = None,
    rdm_epochs: Annotated[int | None, Option(min=1, help="Epochs of the RDMs.")] = None,
    rdms: Annotated[int | None, Option(min=1, help="Number of RDMs.")] = None,
    assistants: Annotated[
        str | None, Option(help="Networks of TAKD and DGKD, the largest first.", metavar="NAMES")
    ] = None,
    assistant_epochs: Annotated[
        int | None, Option(min=1, help="Epochs of each training of TAKD and DGKD, the student's too.")
    ] = None,
    views: Annotated[int | None, Option(min=1, help="Stored views.")] = None,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Count the cost of KD, TAKD, DGKD and CIFD, live and from the cache, next to the figures of CIFD's paper.

    Forward multiply-accumulates of the real networks; nothing is trained or timed. Defaults are those of the preset.
    """
    with work(debug=debug) as events:
        from teachonce.benchmarks.macs.bench import bench_macs as count

        result = count(
            preset=preset,
            rows=rows,
            epochs=epochs,
            kd_epochs=kd_epochs,
            rdm_epochs=rdm_epochs,
            rdms=rdms,
            assistants=None if assistants is None else [name.strip() for name in assistants.split(",")],
            assistant_epochs=assistant_epochs,
            views=views,
            events=events,
        )
    finish(result, macs_parts, as_json=as_json)
