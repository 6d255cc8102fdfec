"""Options that several verbs have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from teachonce.options.opt import Opened, Opt, Value
from teachonce.types import StoredDtype
from teachonce.types import TeacherDtype as TeacherDtypeName

DATA, MACHINE, OPTIMISER = "Data", "Machine", "Optimiser"
FACTORY = "package.module:factory (looked up as Python does, then in this folder; a recipe's also in the recipe's)"
AUGMENT = "such as crop=0.35,flip."

Data = Annotated[
    str | Opened,
    Opt(
        help="Hub id, folder of images, parquet:FILE, arrow:FILE, disk:DIR (a saved dataset), digits or scenes.",
        panel=DATA,
        metavar="DATA",
        tells="content",
        table="data",
    ),
]
Split = Annotated[str | None, Opt(help="Split of the dataset.", panel=DATA, tells="content", table="data")]
ImageColumn = Annotated[
    str | None,
    Opt(rare=True, help="Column of images; chosen by type if absent.", panel=DATA, tells="content", table="data"),
]
LabelColumn = Annotated[
    str | None, Opt(help="Column of labels; chosen by type if absent.", panel=DATA, tells="content", table="data")
]
KeyColumn = Annotated[
    str | None,
    Opt(
        rare=True,
        help="Column whose value identifies a row, instead of its bytes.",
        panel=DATA,
        tells="content",
        table="data",
    ),
]
Limit = Annotated[
    int | None, Opt(help="Use only this number of first rows.", panel=DATA, min=1, tells="content", table="data")
]
ValFraction = Annotated[float, Opt(help="Share of rows kept for validation.", panel=DATA, min=0.0, max=0.9)]

Teacher = Annotated[
    str | Opened,
    Opt(
        help=f"Hub id, folder, trained run, built-in name (cnn-10, wrn-40-2, vit:...) or {FACTORY}.",
        metavar="TEACHER",
        tells="content",
    ),
]
TeacherDtype = Annotated[
    TeacherDtypeName,
    Opt(
        rare=True,
        help="Dtype of the teacher's weights and its arithmetic; --precision applies to float32 weights only.",
        tells="content",
        table="teacher",
    ),
]
TeacherDeviceMap = Annotated[
    str | None,
    Opt(
        rare=True,
        help="auto, or auto,cpu=4GB: weights that do not fit are read from the model's files for every batch.",
        panel=MACHINE,
        metavar="MAP",
        tells="nothing",
        table="teacher",
    ),
]
Embedding = Annotated[
    str, Opt(help="auto, cls, pooler, mean, projected (CLIP) or penultimate.", tells="content", table="teacher")
]
Revision = Annotated[str | None, Opt(rare=True, help="Revision of a hub teacher.", tells="nothing", table="teacher")]
"""Teachers of other revisions are told apart by their weights."""
TeacherImageSize = Annotated[
    int | None,
    Opt(rare=True, help="Image size of built-in teachers, in pixels.", min=1, tells="content", table="teacher"),
]
Augment = Annotated[str | None, Opt(help=f"Random augmentation of the views, {AUGMENT}", tells="content")]
Dtype = Annotated[StoredDtype, Opt(help="Stored dtype.", tells="content")]
BlockRows = Annotated[
    int | None,
    Opt(rare=True, help="Rows per block, a power of two; chosen automatically if absent.", min=1, tells="content"),
]
PerClass = Annotated[
    int | None,
    Opt(
        help="Samples per class that a class mean is computed from: a number, or all.",
        min=1,
        none="all",
        tells="content",
    ),
]
TARGET_NAME = "Name of the target in the store."

Store = Annotated[Path, Opt(help="Folder of the store (NAME.zarr).", metavar="STORE", tells="nothing")]
StoreArgument = Annotated[Path, Opt(help="Folder of the store.", metavar="STORE", argument=True, tells="nothing")]
MovedStore = Annotated[
    Path | None,
    Opt(help="Path of the store, if it has moved; by default the path in the runs.", metavar="STORE", tells="nothing"),
]
Target = Annotated[str, Opt(help=TARGET_NAME, tells="content")]
Repair = Annotated[
    bool, Opt(help="Repair a damaged store: compute only the bad blocks again.", tells="nothing", act=True)
]

Settings = Annotated[
    Mapping[str, Value],
    Opt(
        help="A method's setting, such as kd.temperature=4; may be repeated.",
        python='The method\'s settings by their own names, such as {"temperature": 4}.',
        metavar="METHOD.NAME=VALUE",
        key="set",
        tells="content",
    ),
]

Precision = Annotated[
    Literal["auto", "float32", "bf16"],
    Opt(help="Arithmetic; auto is bf16 on a GPU.", panel=MACHINE, tells="content"),
]
Tf32 = Annotated[
    bool,
    Opt(
        rare=True,
        help="Let a GPU round the inputs of float32 products to TF32: faster, less exact. No effect on bf16 or a CPU.",
        panel=MACHINE,
        tells="content",
    ),
]
Device = Annotated[str | None, Opt(help="cpu, cuda, cuda:1; the first GPU if absent.", panel=MACHINE, tells="nothing")]
Workers = Annotated[int | None, Opt(help="Processes that decode images.", panel=MACHINE, min=0, tells="nothing")]
Threads = Annotated[
    int | None,
    Opt(
        rare=True,
        help="CPU threads; all cores if absent. Small networks are fastest with one.",
        panel=MACHINE,
        min=1,
        tells="nothing",
    ),
]
SEED = "Seed of all random numbers."
Seed = Annotated[int, Opt(help=SEED, panel=MACHINE)]
TrustRemoteCode = Annotated[
    bool,
    Opt(rare=True, help="Allow code that a model, a run or a recipe names to run.", panel=MACHINE, tells="nothing"),
]
