"""`teachonce embed`: run the teacher once over the data and keep its outputs in a store."""

from typing import Annotated

import typer
from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.tables import embed_parts
from teachonce.texts import is_whole

Teacher = Annotated[
    str,
    Option(
        help=f"Hub id, folder, trained run, built-in name (cnn-10, wrn-40-2, vit:...) or {shared.FACTORY}.",
        metavar="TEACHER",
    ),
]
PerClass = Annotated[str, Option(help="Samples per class that a class mean is computed from: a number, or all.")]
Blocks = Annotated[
    str | None,
    Option(
        help="Write only these blocks (0:100 excludes 100), so that several processes can fill a store.",
        metavar="FIRST:END",
    ),
]


def parse_per_class(text: str) -> int | None:
    """A number of samples, None for `all`."""
    if text == "all":
        return None
    if not is_whole(text) or int(text) < 1:
        raise typer.BadParameter(f"expected a number from 1 or all, got {text!r}", param_hint="--per-class")
    return int(text)


def embed(  # noqa: PLR0913  (one parameter an option)
    teacher: Teacher,
    data: shared.Data,
    store: shared.Store,
    name: Annotated[str, Option(help="Name of the target in the store.")] = "teacher",
    split: shared.Split = None,
    image_column: shared.ImageColumn = None,
    label_column: shared.LabelColumn = None,
    key_column: shared.KeyColumn = None,
    limit: shared.Limit = None,
    views: Annotated[int | None, Option(min=1, help="Views per image; those of the store, or one, if absent.")] = None,
    augment: Annotated[str | None, Option(help="Random augmentation of the views, such as crop=0.35,flip.")] = None,
    dtype: Annotated[shared.Dtype, Option(help="Stored dtype.")] = shared.Dtype.float16,
    batch_size: Annotated[
        int | None, Option(min=1, help="Rows in a teacher batch; chosen automatically if absent.")
    ] = None,
    block_rows: Annotated[
        int | None, Option(min=1, help="Rows per block, a power of two; chosen automatically if absent.")
    ] = None,
    per_class: PerClass = "100",
    max_failed: Annotated[int, Option(min=0, help="Number of samples that may fail to decode.")] = 0,
    teacher_dtype: shared.TeacherDtypeOption = shared.TeacherDtype.float32,
    embedding: Annotated[str, Option(help="auto, cls, pooler, mean, projected (CLIP) or penultimate.")] = "auto",
    revision: Annotated[str | None, Option(help="Revision of a hub teacher.")] = None,
    trust_remote_code: shared.TrustRemoteCode = False,
    image_size: Annotated[int | None, Option(min=1, help="Image size of built-in teachers, in pixels.")] = None,
    blocks: Blocks = None,
    repair: shared.Repair = False,
    precision: shared.PrecisionOption = shared.Precision.auto,
    tf32: shared.Tf32 = False,
    teacher_device_map: shared.TeacherDeviceMap = None,
    device: shared.Device = None,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Run the teacher once over the data and write its outputs to a store.

    After a kill or an interrupt, the same command resumes.
    """
    per_class_count = parse_per_class(per_class)
    with work(debug=debug, threads=threads) as events:
        from teachonce.stages.embed import embed as stage

        result = stage(
            teacher=teacher,
            data=data,
            store=store,
            name=name,
            split=split,
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            views=views,
            augment=augment,
            dtype=dtype.value,
            batch_size=batch_size,
            block_rows=block_rows,
            per_class=per_class_count,
            max_failed=max_failed,
            teacher_dtype=teacher_dtype.value,
            embedding=embedding,
            revision=revision,
            trust_remote_code=trust_remote_code,
            image_size=image_size,
            blocks=blocks,
            repair=repair,
            precision=precision.value,
            tf32=tf32,
            teacher_device_map=teacher_device_map,
            device=device,
            workers=workers,
            seed=seed,
            events=events,
        )
    finish(result, embed_parts, as_json=as_json)
