"""Options of the stages by their signatures: another value for each, and what a command line makes of them."""

import shlex
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import datasets
import typer.main
from PIL import Image

from teachonce.cli import app
from teachonce.data.digits import load_digits
from teachonce.reports.build import build_page
from teachonce.reports.page import Commands
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm
from teachonce.stages.train import train

NETWORK, WIDER = (f"vit:patch=4,width={width},layers=1,heads=2" for width in (16, 32))
DATA = {"data": "disk:data", "image_column": "image", "label_column": "fine"}
CPU = {"device": "cpu", "workers": 0}
OTHER: dict[str, Any] = {
    "data": "disk:more",
    "split": "second",
    "image_column": "mirrored",
    "label_column": "coarse",
    "key_column": "key",
    "limit": 140,
    "student": WIDER,
    "init": "pretrained",
    "student_augment": "flip",
    "image_size": 12,
    "augment": "crop=0.5",
    "dtype": "float32",
    "block_rows": 128,
    "precision": "bf16",
    "milestones": (1, 2),
    "schedule": "constant",
    "activation": "gelu",
    "distortion": "smooth-l1",
    "reduction": "mean",
    "preset": "r34",
    "val_fraction": 0.25,
    "label_smoothing": 0.2,
    "workers": 1,
    "teacher": WIDER,
    "teacher_dtype": "bf16",
    "teacher_device_map": "auto",
    "revision": "v2",
    "blocks": "0:3",
    "embedding": "mean",
    "target": "more",
    "targets": ("teacher",),
    "name": "more",
    "device": "cpu",
}
"""Where a value is not found by its type. An option that is not here and of no plain type fails the tests."""


def other_value(stage: Callable[..., Any], name: str, given: Mapping[str, Any]) -> Any:
    """A value that an option has neither by default nor in `given`."""
    if name in OTHER:
        return OTHER[name]
    kind = signature(stage).parameters[name].annotation
    before = given.get(name, signature(stage).parameters[name].default)
    kinds = [one for one in get_args(kind) if one is not type(None)] if type(None) in get_args(kind) else [kind]
    if get_origin(kinds[0]) is Literal:
        return next(value for value in get_args(kinds[0]) if value != before)
    plain = None if before is Parameter.empty else before
    values = (
        {bool: not plain, int: (plain or 1) + 1, float: (plain or 0.25) * 2} if kinds[0] in (bool, int, float) else {}
    )
    assert kinds[0] in values, (
        f"no other value is known for option {name} of {stage.__name__}: add one to OTHER in tests/optionkit.py"
    )
    return values[kinds[0]]


def options_of(stage: Callable[..., Any], *left_out: str) -> list[str]:
    """The names of a stage's options."""
    return [name for name in signature(stage).parameters if name not in ("events", *left_out)]


def parsed(words: typing.Sequence[str]) -> dict[str, Any]:
    """The options that the command line itself reads from `teachonce VERB ...`, as text, by the stage's names."""
    command = typer.main.get_command(app).commands[words[0]]
    read = command.make_context(words[0], list(words[1:])).params
    return {name.rstrip("_"): as_text(value) for name, value in read.items()}


def as_text(value: Any) -> str | None:
    """A value as a command line has it; 2 and 2.0 are one."""
    if isinstance(value, Mapping):
        return as_text([f"{name}={one}" for name, one in value.items()])
    if isinstance(value, list | tuple):
        return ",".join(str(as_text(one)) for one in value) or None
    return None if value is None else ",".join(map(_number, str(value).split(",")))


def _number(word: str) -> str:
    try:
        return f"{float(word):g}"
    except ValueError:
        return word


def printed(verb: str, place: Path) -> list[list[str]]:
    """The words after `teachonce` of a verb's commands that a report prints under "How to make these numbers again"."""
    (section,) = (section for section in build_page([place]).sections if section.name == "reproduction")
    lines = [line for block in section.blocks if isinstance(block, Commands) for line in block.lines]
    return [words for line in lines if (words := shlex.split(line)[1:])[0] == verb]


def write_data(path: Path, first: int) -> None:
    """Two splits of 160 scans of digits from row `first` on, with two columns of images, two of labels, and keys."""
    scans = load_digits("all")
    splits = {"train": range(first, first + 160), "second": range(first + 400, first + 560)}
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "mirrored": datasets.Image(),
            "fine": datasets.ClassLabel(names=[str(digit) for digit in range(10)]),
            "coarse": datasets.ClassLabel(names=["small", "large"]),
            "key": datasets.Value("string"),
        }
    )
    made = {}
    for name, rows in splits.items():
        columns = {
            "image": [Image.fromarray(scans.images[row]) for row in rows],
            "mirrored": [Image.fromarray(scans.images[row][:, ::-1].copy()) for row in rows],
            "fine": [int(scans.labels[row]) for row in rows],
            "coarse": [int(scans.labels[row] > 4) for row in rows],
            "key": [f"row {row}" for row in rows],
        }
        made[name] = datasets.Dataset.from_dict(columns, features)
    datasets.DatasetDict(made).save_to_disk(path)


@dataclass(frozen=True)
class Home:
    """A folder with data and a store of it; commands and paths count from it."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> "Home":
        """Data, stores of it and a run, in the current folder, which is `path`.

        Data `data` and `more`; stores `s.zarr` and `more.zarr`: targets `teacher`, `more`, `rdm-10` and `rdm-1`;
        the run `pretrained` of the student that the options of `OTHER` describe.
        """
        write_data(path / "data", 0)
        write_data(path / "more", 900)
        for store, seed in (("s.zarr", 0), ("more.zarr", 5)):
            common = {**DATA, **CPU, "store": store, "block_rows": 64, "batch_size": 32, "image_size": 8, "seed": seed}
            embed(teacher=NETWORK, views=2, augment="crop=0.5,flip", **common)
            embed(teacher=WIDER, name="more", **common)
            rdm(store=store, **RDM)
        described = {name: OTHER[name] for name in ("student", "image_size", "label_column")}
        train(out="pretrained", **{**TRAIN, **described})
        return cls(path)


RDM: dict[str, Any] = {"distortion_weight": (10.0, 1.0), "epochs": 1, "batch_size": 32, "device": "cpu"}
EMBED = {**DATA, **CPU, "teacher": NETWORK, "image_size": 8, "block_rows": 64, "batch_size": 32, "max_failed": 0}
EMBED |= {"views": 2, "augment": "crop=0.5,flip"}
OF = {"target": "kd", "store": "kd", "source": "kd", "method": "kd", "settings": "kd"} | {
    "rdm": "cifd",
    "rdm_logits": "cifd",
    "assistants": "dgkd",
    "teacher": "live",
    "teacher_dtype": "live",
}
"""The training in which an option is tried, where it has no effect in one without a teacher."""
TRAIN = {**DATA, **CPU, "student": NETWORK, "image_size": 8, "epochs": 1, "batch_size": 32, "precision": "float32"}
TRAININGS: dict[str, dict[str, Any]] = {
    "ce": TRAIN,
    "kd": {**TRAIN, "method": "kd", "store": "s.zarr"},
    "cifd": {**TRAIN, "method": "cifd", "store": "s.zarr", "rdm": ("rdm-10",)},
    "dgkd": {**TRAIN, "method": "dgkd", "store": "s.zarr", "assistants": ("more",)},
    "live": {**TRAIN, "method": "kd", "source": "live", "teacher": NETWORK},
}
OTHERS: dict[str, dict[str, Any]] = {
    "source": {"source": "live", "teacher": NETWORK},
    "method": {"method": "clip-embed-kd"},
    "store": {"store": "more.zarr"},
    "settings": {"settings": {"temperature": 3.0}},
    "rdm": {"rdm": ("rdm-10", "rdm-1")},
    "assistants": {"assistants": ("more", "rdm-1")},
}


def changed(name: str) -> dict[str, Any]:
    """An option of `train` with another value."""
    given = TRAININGS[OF.get(name, "ce")]
    return OTHERS.get(name) or {name: other_value(train, name, given)}
