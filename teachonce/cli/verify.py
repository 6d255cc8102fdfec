"""`teachonce verify`: is a store what it was sealed as, and is it of this data and this teacher?"""

from typing import Annotated

from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.cli.stores import StoreArgument
from teachonce.console.verify import verify_error, verify_parts

TEACHER = "Teacher"


def verify(  # noqa: PLR0913  (one parameter an option)
    store: StoreArgument,
    targets: Annotated[str | None, Option(help="Only these targets, NAME,NAME; all if absent.")] = None,
    allow_zeros: Annotated[bool, Option("--allow-zeros", help="Do not report rows of zeros.")] = False,
    data: Annotated[
        str | None,
        Option(help="Compare every row with this data.", metavar="DATA", rich_help_panel=shared.DATA),
    ] = None,
    split: shared.Split = None,
    image_column: shared.ImageColumn = None,
    label_column: shared.LabelColumn = None,
    key_column: shared.KeyColumn = None,
    limit: shared.Limit = None,
    teacher: Annotated[
        str | None,
        Option(help="Run this teacher again on random rows; needs --data.", metavar="TEACHER", rich_help_panel=TEACHER),
    ] = None,
    target: Annotated[str, Option(help="Target that this teacher computed.", rich_help_panel=TEACHER)] = "teacher",
    sample: Annotated[int, Option(min=1, help="Number of rows that it runs on.", rich_help_panel=TEACHER)] = 256,
    teacher_device_map: shared.TeacherDeviceMap = None,
    revision: Annotated[str | None, Option(help="Revision of a hub teacher.", rich_help_panel=TEACHER)] = None,
    trust_remote_code: Annotated[
        bool,
        Option("--trust-remote-code", help="Allow code that comes with a teacher to run.", rich_help_panel=TEACHER),
    ] = False,
    image_size: Annotated[
        int | None, Option(min=1, help="Image size of built-in teachers, in pixels.", rich_help_panel=TEACHER)
    ] = None,
    device: shared.Device = None,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Compare every byte of a store with its journal and seals; exit with 1 if anything is wrong.

    With --data, identity and label of every row are compared; with --teacher, the teacher runs again on random rows.
    """
    with work(debug=debug, threads=threads) as events:
        from teachonce.stages.verify import verify as stage

        result = stage(
            store=store,
            targets=None if targets is None else [name.strip() for name in targets.split(",")],
            allow_zeros=allow_zeros,
            data=data,
            split=split,
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            teacher=teacher,
            target=target,
            sample=sample,
            teacher_device_map=teacher_device_map,
            revision=revision,
            trust_remote_code=trust_remote_code,
            image_size=image_size,
            device=device,
            workers=workers,
            seed=seed,
            events=events,
        )
    finish(result, verify_parts, as_json=as_json, cut_short=verify_error(result))
