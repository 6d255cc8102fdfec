"""The tables of a recipe. Every key is an option of the command line; an absent one keeps the stage's default."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from teachonce.options import shared
from teachonce.options.alike import same_but
from teachonce.options.embed import EmbedOptions
from teachonce.options.opt import Opt, Option, options_of
from teachonce.options.rdm import RdmOptions
from teachonce.options.runs import ReportOptions
from teachonce.options.train import TrainOptions
from teachonce.pipeline.keys import Keys, keys_of

Options = TypeVar("Options")


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """[data]: what to train on and what to test on."""

    train: Annotated[str, Opt(help="Data to train on.")]
    test: Annotated[str | None, Opt(help="Data to test on; nothing is evaluated if absent.")] = None
    split: shared.Split = None
    test_split: shared.Split = None
    image_column: shared.ImageColumn = None
    label_column: shared.LabelColumn = None
    key_column: shared.KeyColumn = None
    limit: shared.Limit = None
    test_limit: shared.Limit = None


@dataclass(frozen=True, kw_only=True)
class TuneTable:
    """[tune]: how `teachonce tune` searches; `teachonce run` does not look at it."""

    trials: Annotated[int, Opt(help="Trials of each variant, the recipe's own values among them.", min=1)] = 8
    metric: Annotated[Literal["val_top1", "val_loss"], Opt(help="What trials are compared by.")] = "val_top1"
    min_epochs: Annotated[
        int | None,
        Opt(help="No trial is pruned before; a quarter of the epochs, rounded up, if absent.", min=1),
    ] = None
    reduction_factor: Annotated[int, Opt(help="One trial in so many goes on at each rung.", min=2)] = 2
    seed: Annotated[int, Opt(help="Seed of the proposals; the trainings have the recipe's first seed.", min=0)] = 0
    space: Annotated[
        Mapping[str, object],
        Opt(help="Setting -> a list of choices, or {low, high, log}; in place of the default ranges."),
    ] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """[run]: where the runs go, and the machine for every step that names no other."""

    out: Annotated[Path | None, Opt(help="Folder of the runs; RECIPE-runs if absent.")] = None
    device: shared.Device = None
    workers: shared.Workers = None
    threads: shared.Threads = None
    jobs: Annotated[int | None, Opt(help="Number of steps at once; one if absent.", min=1)] = None


@dataclass(frozen=True)
class Table(Generic[Options]):
    """A table of options.

    Attributes:
        options: All of them; those that other tables say are empty.
        given: Those that it sets, by their names: only these go on to a step.
    """

    options: Options
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """One training, after the lists of its table are expanded.

    Attributes:
        name: Of its run folder.
        options: All of them; those that other tables say are empty.
        given: Those that it sets, by their names.
        label: Goes before the run's own name, to tell apart entries that would share it.
    """

    name: str
    options: TrainOptions
    given: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None

    @property
    def target(self) -> str | None:
        """The target that it names; None: that of the [store] table."""
        return self.options.target if self.names("target") else None

    def names(self, key: str) -> bool:
        """Whether it names this target or these targets, itself or as part of `targets`."""
        default = options_of(TrainOptions)[key].default
        return key in self.given or ("targets" in self.given and getattr(self.options, key) != default)

    def but(self, *names: str) -> str:
        """The same for trainings that differ in nothing but these options; `label` may be among them."""
        return same_but({**vars(self.options), "target": self.target, "label": self.label}, *names)


@dataclass(frozen=True)
class Teacher(Table[EmbedOptions]):
    """[teacher]: a model that exists, or [teacher.train]: one that is trained on the spot."""

    train: Training | None = None

    @property
    def model(self) -> str | None:
        """The model that exists."""
        return self.given.get("teacher")


def _own(name: str, kind: object, text: str, *, default: object = None) -> Option:
    return Option(name=name, kind=kind, default=default, opt=Opt(help=text))


def _said_by(table: str, kind: type) -> tuple[str, ...]:
    return tuple(name for name, option in options_of(kind).items() if option.opt.table == table)


OF_DATA = _said_by("data", TrainOptions)
"""What [data] says of a training, of a pass, and, of other data, of an evaluation; the data first."""
_OF_TEACHER = (*_said_by("teacher", EmbedOptions), "trust_remote_code")
OF_LIVE = _said_by("teacher", TrainOptions)
"""What [teacher] says of a live training, beside the teacher."""
_NAME = _own("name", str | None, "Goes before the name of the run.")

DATA, RUN, TUNE = keys_of(DataTable), keys_of(RunTable), keys_of(TuneTable)
REPORT = keys_of(ReportOptions, "places", "store")
TRAIN = keys_of(TrainOptions, *OF_DATA, *OF_LIVE, "out", "store", "teacher", "threads", "trust_remote_code", name=_NAME)
ASSISTANT = Keys(TrainOptions, {**TRAIN.known, "name": replace(_NAME, kind=str, default=MISSING)})
RDM = keys_of(RdmOptions, "store", "threads")
STORE = keys_of(
    EmbedOptions,
    *OF_DATA,
    *_OF_TEACHER,
    "teacher",
    "store",
    "blocks",
    "threads",
    path=options_of(EmbedOptions)["store"],
)
TEACHER = Keys(
    EmbedOptions,
    {
        "model": replace(options_of(EmbedOptions)["teacher"], default=None),
        "train": _own("train", Mapping[str, object] | None, "A training, in place of a model."),
        **{name: options_of(EmbedOptions)[name] for name in _OF_TEACHER},
    },
)
