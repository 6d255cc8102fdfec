"""The options of `verify`."""

from dataclasses import dataclass
from typing import Annotated

from teachonce.options import shared
from teachonce.options.opt import Opened, Opt
from teachonce.options.shared import DATA

TEACHER = "Teacher"


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """Compare every byte of a store with its journal and seals; exit with 1 if anything is wrong.

    With --data, identity and label of every row are compared; with --teacher, the teacher runs again on random rows.
    """

    store: shared.StoreArgument
    targets: Annotated[tuple[str, ...] | None, Opt(help="Only these targets, NAME,NAME; all if absent.")] = None
    allow_zeros: Annotated[bool, Opt(help="Do not report rows of zeros.")] = False
    data: Annotated[str | Opened | None, Opt(help="Compare every row with this data.", metavar="DATA", panel=DATA)] = (
        None
    )
    split: shared.Split = None
    image_column: shared.ImageColumn = None
    label_column: shared.LabelColumn = None
    key_column: shared.KeyColumn = None
    limit: shared.Limit = None
    teacher: Annotated[
        str | Opened | None,
        Opt(help="Run this teacher again on random rows; needs --data.", metavar="TEACHER", panel=TEACHER),
    ] = None
    target: Annotated[str, Opt(help="Target that this teacher computed.", panel=TEACHER)] = "teacher"
    sample: Annotated[int, Opt(help="Number of rows that it runs on.", min=1, panel=TEACHER)] = 256
    teacher_device_map: shared.TeacherDeviceMap = None
    revision: Annotated[str | None, Opt(help="Revision of a hub teacher.", panel=TEACHER)] = None
    trust_remote_code: Annotated[bool, Opt(help="Allow code that comes with a teacher to run.", panel=TEACHER)] = False
    image_size: Annotated[int | None, Opt(help="Image size of built-in teachers, in pixels.", min=1, panel=TEACHER)] = (
        None
    )
    device: shared.Device = None
    workers: shared.Workers = None
    threads: shared.Threads = None
    seed: shared.Seed = 0
