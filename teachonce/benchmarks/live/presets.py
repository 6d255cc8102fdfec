"""What `bench live` measures without data and weights: teachers and students of the papers' sizes, all random."""

from collections.abc import Mapping
from dataclasses import dataclass

from teachonce.errors import InputError
from teachonce.models.rdm import Preset as RdmPreset


@dataclass(frozen=True, kw_only=True)
class Case:
    """One teacher with one student."""

    name: str | None
    """As `--cases` names it; None where teacher and student were given."""
    teacher: str
    """See `load_teacher`."""
    student: str
    """See `build_student`."""
    image_size: int | None = None
    """Pixels a side that the student sees; None: its own default."""
    rdm_preset: RdmPreset = "general"
    """Layers of the RDMs, where a method has some."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Cases that belong together, and what they are multiplied out to."""

    name: str
    cases: Mapping[str, Case]
    """The first is the default."""
    methods: tuple[str, ...]
    settings: Mapping[str, str | float]
    """Of the methods, as METHOD.NAME."""
    distortion_weight: tuple[float, ...]
    """Of the RDMs, where a method has some."""
    pixels: int
    """A side of the random images."""
    classes: int
    rows: int
    """Images on a GPU; see `cases.default_rows` for a CPU."""
    epoch_rows: int
    """Samples of an epoch of the paper's data."""
    epochs: int
    """Of one student of the paper."""


_CLIP_TEACHERS = {
    "l32": "vit:patch=32,width=1024,layers=24,heads=16,size=224",
    "l16": "vit:patch=16,width=1024,layers=24,heads=16,size=224",
    "b32": "vit:patch=32,width=768,layers=12,heads=12,size=224",
    "b16": "vit:patch=16,width=768,layers=12,heads=12,size=224",
}
_CLIP_STUDENTS = {"": "vit:patch=4,width=256,layers=6,heads=8", "-large": "vit:patch=4,width=384,layers=12,heads=12"}

CLIP_EMBED_KD = Preset(
    name="clip-embed-kd",
    cases={
        f"{key}-{size}{which}": Case(name=f"{key}-{size}{which}", teacher=teacher, student=student, image_size=size)
        for which, student in _CLIP_STUDENTS.items()
        for key, teacher in _CLIP_TEACHERS.items()
        for size in (32, 64)
    },
    methods=("clip-embed-kd", "clip-teacher-kd"),
    settings={},
    distortion_weight=(),
    pixels=32,
    classes=100,
    rows=4096,
    epoch_rows=50_000,
    epochs=200,
)
"""CLIP-Embed-KD (arXiv 2404.06170) on CIFAR-100: its teachers at 224 px, its student, the epochs of its public code.

The paper names a large student, too, and no sizes: ours has twice the layers of the base one and one and a half its
width.
"""

CIFD_IMAGENET = Preset(
    name="cifd-imagenet",
    cases={
        "r34-r18": Case(name="r34-r18", teacher="resnet-34", student="resnet-18", rdm_preset="r34"),
        "r50-mbv1": Case(name="r50-mbv1", teacher="resnet-50", student="mobilenet-v1", rdm_preset="r50"),
    },
    methods=("kd", "cifd"),
    settings={"cifd.embedding_loss": "smooth-l1", "cifd.rate_weight": 0.001},
    distortion_weight=(1e4, 5e3, 1e3),
    pixels=224,
    classes=1000,
    rows=1024,
    epoch_rows=1_281_167,
    epochs=88,
)
"""CIFD (Saidutta et al., NeurIPS 2024) on ImageNet: its two pairs at 224 px, three RDMs, its 88 epochs."""

PRESETS = {preset.name: preset for preset in (CLIP_EMBED_KD, CIFD_IMAGENET)}


def find_preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}", f"There are: {', '.join(PRESETS)}")
    return PRESETS[name]


def find_cases(preset: Preset, names: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases of these names in the preset's order; none named: the first; `all`: all.

    Raises:
        InputError: There is none of a name.
    """
    unknown = [name for name in names if name != "all" and name not in preset.cases]
    if unknown:
        mend = f"There are: {', '.join(preset.cases)}, and all"
        raise InputError(f"preset {preset.name} has no case {', '.join(map(repr, unknown))}", mend)
    wanted = names or tuple(preset.cases)[:1]
    return tuple(case for name, case in preset.cases.items() if name in wanted or "all" in wanted)
