"""The options of `embed`."""

from dataclasses import dataclass
from typing import Annotated

from teachonce.options import shared
from teachonce.options.opt import Opt


@dataclass(frozen=True, kw_only=True)
class EmbedOptions:
    """Run the teacher once over the data and write its outputs to a store.

    After a kill or an interrupt, the same command resumes.
    """

    teacher: shared.Teacher
    data: shared.Data
    store: shared.Store
    name: Annotated[str, Opt(help=shared.TARGET_NAME, tells="nothing")] = "teacher"
    split: shared.Split = None
    image_column: shared.ImageColumn = None
    label_column: shared.LabelColumn = None
    key_column: shared.KeyColumn = None
    limit: shared.Limit = None
    views: Annotated[
        int | None, Opt(help="Views per image; those of the store, or one, if absent.", min=1, tells="content")
    ] = None
    augment: shared.Augment = None
    dtype: shared.Dtype = "float16"
    batch_size: Annotated[
        int | None, Opt(help="Rows in a teacher batch; chosen automatically if absent.", min=1, tells="content")
    ] = None
    block_rows: shared.BlockRows = None
    per_class: shared.PerClass = 100
    max_failed: Annotated[
        int, Opt(rare=True, help="Number of samples that may fail to decode.", min=0, tells="nothing")
    ] = 0
    teacher_dtype: shared.TeacherDtype = "float32"
    embedding: shared.Embedding = "auto"
    revision: shared.Revision = None
    trust_remote_code: shared.TrustRemoteCode = False
    image_size: shared.TeacherImageSize = None
    blocks: Annotated[
        str | None,
        Opt(
            rare=True,
            help="Write only these blocks (0:100 excludes 100), so that several processes can fill a store.",
            metavar="FIRST:END",
            tells="nothing",
        ),
    ] = None
    repair: shared.Repair = False
    precision: shared.Precision = "auto"
    tf32: shared.Tf32 = False
    teacher_device_map: shared.TeacherDeviceMap = None
    device: shared.Device = None
    workers: shared.Workers = None
    threads: shared.Threads = None
    seed: Annotated[int, Opt(help=shared.SEED, panel=shared.MACHINE, tells="content")] = 0
    """It shows in the views and the weights that it draws."""
