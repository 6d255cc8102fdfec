"""The experiments of CIFD (Saidutta et al., NeurIPS 2024) whose costs it gives, and what it says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from teachonce.benchmarks.parts import MacsSaid
from teachonce.errors import InputError
from teachonce.models.rdm import Preset as RdmPreset


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Multiply-accumulates of one sample through each network."""

    teacher: int
    student: int
    rdm: int
    """Of one RDM."""
    assistants: tuple[int, ...]
    """From the largest to the smallest."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How often they run."""

    rows: int
    """N, samples of an epoch."""
    epochs: int
    """Of the student of CIFD."""
    kd_epochs: int
    """Of the student of KD."""
    rdm_epochs: int
    assistant_epochs: int
    """Of each training of TAKD and DGKD: every assistant's and the student's."""
    rdms: int
    """RDMs, which train together: one pass of the teacher serves all."""
    views: int
    """Stored views: so often the teacher runs over the rows for the cache."""


@dataclass(frozen=True, kw_only=True)
class Said(MacsSaid):
    """What the paper says of a scheme; without a text: nothing."""

    why: str
    """Why it differs from what is counted, or where it comes from."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One experiment."""

    name: str
    teacher: str
    student: str
    assistants: tuple[str, ...]
    """From the largest to the smallest; see `build_student`."""
    rdm: RdmPreset
    classes: int
    image_size: int
    schedule: Schedule
    reference: str
    """The scheme that the paper's ratios are to."""
    constants: Networks | None = None
    """Multiply-accumulates as the paper has them, which names no assistants; None: it gives none."""
    said: Mapping[str, Said] = field(default_factory=dict)


_UNSAID = "the paper gives neither the assistants nor the epochs"
_OURS = "not in the paper: with a cache for one stored view"

CIFD_IMAGENET = Preset(
    name="cifd-imagenet",
    teacher="resnet-34",
    student="resnet-18",
    assistants=("resnet-30",),
    rdm="r34",
    classes=1000,
    image_size=224,
    schedule=Schedule(rows=1_280_000, epochs=88, kd_epochs=100, rdm_epochs=30, assistant_epochs=160, rdms=3, views=1),
    reference="kd",
    constants=Networks(teacher=3_700_000_000, student=1_800_000_000, rdm=1_310_000, assistants=()),
    said={
        "kd": Said(text="", ratio=1.0, why="the paper's 1.08 holds where KD trains for 100 epochs and CIFD for 88"),
        "takd": Said(
            text="3.5 times KD",
            ratio=3.5,
            why=f"{_UNSAID}; one ResNet-30 (blocks 3-4-4-3) and 160 epochs are inferred: they come closest to its 3.5",
        ),
        "dgkd": Said(text="4.5 times KD", ratio=4.5, why=f"{_UNSAID}; the same as for TAKD comes closest to its 4.5"),
        "cifd": Said(
            text="762 P, 1.08 times KD",
            macs=762e15,
            ratio=1.08,
            why="the paper rounds ResNet-34 to 3.7 G and ResNet-18 to 1.8 G; it has 1.31 M for an RDM, five layers of "
            "512 x 512, where the layers that it describes have 1.561 M",
        ),
        "cifd-rdm-cached": Said(
            text="4.7 P for the teacher's pass", why="the paper gives that pass alone, and does not add the rest"
        ),
        "cifd-cached": Said(text="", why=_OURS),
        "kd-cached": Said(text="", why=_OURS),
    },
)
"""Table 3 and appendix D.2. Its rows are the paper's 1.28 million; ImageNet-1k has 1,281,167."""

CIFD_CNN = Preset(
    name="cifd-cnn",
    teacher="cnn-10",
    student="cnn-2",
    assistants=("cnn-8", "cnn-6", "cnn-4"),
    rdm="cnn",
    classes=100,
    image_size=32,
    schedule=Schedule(rows=50_000, epochs=60, kd_epochs=60, rdm_epochs=60, assistant_epochs=60, rdms=3, views=1),
    reference="cifd",
    said={
        "kd": Said(text="", why="the paper gives no figure"),
        "takd": Said(
            text="2 times CIFD",
            ratio=2.0,
            why="holds where the RDMs train for as many epochs as the student: 2.08; with fewer the ratio grows",
        ),
        "dgkd": Said(
            text="5 times CIFD",
            ratio=5.0,
            why="with as many epochs for the RDMs it is 4.49; 5 asks for fewer, where TAKD has more than 2",
        ),
        "cifd": Said(text="", ratio=1.0, why="the paper gives no epochs; equal ones are assumed for every training"),
        "cifd-rdm-cached": Said(text="", why=_OURS),
        "cifd-cached": Said(text="", why=_OURS),
        "kd-cached": Said(text="", why=_OURS),
    },
)
"""Table 1 on CIFAR-100: plain CNNs of 10 to 2 layers."""

PRESETS = {preset.name: preset for preset in (CIFD_IMAGENET, CIFD_CNN)}


def find_preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}", f"There are: {', '.join(PRESETS)}")
    return PRESETS[name]
