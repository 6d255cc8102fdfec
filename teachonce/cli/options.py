"""Options that several commands share, each written once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option


class Dtype(StrEnum):
    """Dtypes a store can hold."""

    float16 = "float16"
    bfloat16 = "bfloat16"
    float32 = "float32"


class Precision(StrEnum):
    """Of the arithmetic."""

    auto = "auto"
    float32 = "float32"
    bf16 = "bf16"


class TeacherDtype(StrEnum):
    """Of a teacher's weights."""

    float32 = "float32"
    bf16 = "bf16"
    fp16 = "fp16"


class Source(StrEnum):
    """Where a training's targets come from."""

    cached = "cached"
    live = "live"


class Optimizer(StrEnum):
    """Optimizer."""

    adamw = "adamw"
    sgd = "sgd"


class Schedule(StrEnum):
    """How the learning rate goes down."""

    cosine = "cosine"
    milestones = "milestones"
    constant = "constant"


class RdmLogits(StrEnum):
    """Where an RDM's logits come from."""

    stored = "stored"
    head = "head"


DATA = "Data"
MACHINE = "Machine"
OUTPUT = "Output"

Data = Annotated[
    str,
    Option(
        help="Hub id, folder of images, parquet:FILE, arrow:FILE, disk:DIR (a saved dataset) or digits.",
        rich_help_panel=DATA,
        metavar="DATA",
    ),
]
Split = Annotated[str | None, Option(help="Split of the dataset.", rich_help_panel=DATA)]
ImageColumn = Annotated[str | None, Option(help="Column of images; chosen by type if absent.", rich_help_panel=DATA)]
LabelColumn = Annotated[str | None, Option(help="Column of labels; chosen by type if absent.", rich_help_panel=DATA)]
KeyColumn = Annotated[
    str | None, Option(help="Column whose value identifies a row, instead of its bytes.", rich_help_panel=DATA)
]
Limit = Annotated[int | None, Option(min=1, help="Use only this number of first rows.", rich_help_panel=DATA)]

Device = Annotated[str | None, Option(help="cpu, cuda, cuda:1; the first GPU if absent.", rich_help_panel=MACHINE)]
Workers = Annotated[int | None, Option(min=0, help="Processes that decode images.", rich_help_panel=MACHINE)]
Threads = Annotated[
    int | None,
    Option(
        min=1, help="CPU threads; all cores if absent. Small networks are fastest with one.", rich_help_panel=MACHINE
    ),
]
Seed = Annotated[int, Option(help="Seed of all random numbers.", rich_help_panel=MACHINE)]
PrecisionOption = Annotated[
    Precision, Option("--precision", help="Arithmetic; auto is bf16 on a GPU.", rich_help_panel=MACHINE)
]
TeacherDtypeOption = Annotated[
    TeacherDtype,
    Option(
        "--teacher-dtype",
        help="Dtype of the teacher's weights and its arithmetic; --precision applies to float32 weights only.",
    ),
]
Tf32 = Annotated[
    bool,
    Option(
        "--tf32",
        help="Let a GPU round the inputs of float32 products to TF32: faster, less exact. No effect on bf16 or a CPU.",
        rich_help_panel=MACHINE,
    ),
]
TeacherDeviceMap = Annotated[
    str | None,
    Option(
        help="auto, or auto,cpu=4GB: weights that do not fit are read from the model's files for every batch.",
        rich_help_panel=MACHINE,
        metavar="MAP",
    ),
]

DensityLr = Annotated[
    float | None,
    Option(
        help="Learning rate of factorised densities, as a multiple of --lr; set by the optimizer if absent.",
        rich_help_panel="Optimiser",
    ),
]

TrustRemoteCode = Annotated[
    bool,
    Option(
        "--trust-remote-code", help="Allow code that a model, a run or a recipe names to run.", rich_help_panel=MACHINE
    ),
]
FACTORY = "package.module:factory (looked up as Python does, then in this folder; a recipe's also in the recipe's)"

Store = Annotated[Path, Option(help="Folder of the store (NAME.zarr).", metavar="STORE")]
Target = Annotated[str, Option(help="Name of the target in the store.")]

Repair = Annotated[bool, Option("--repair", help="Repair a damaged store: compute only the bad blocks again.")]

Json = Annotated[bool, Option("--json", help="Print one JSON object on stdout.", rich_help_panel=OUTPUT)]
Debug = Annotated[bool, Option("--debug", help="Show the traceback of an error.", rich_help_panel=OUTPUT)]
