"""Checks of a training's options that need to know methods, models and views."""

from teachonce.data.views import parse_augment
from teachonce.errors import InputError
from teachonce.methods.base import make_method
from teachonce.methods.method import Method
from teachonce.models.placed import DeviceMap
from teachonce.models.precision import parse_teacher_dtype
from teachonce.options.methods import METHODS, is_method, takes
from teachonce.options.train import TrainOptions


def check_training(options: TrainOptions) -> None:
    """Refuse what cannot be used, before anything is read.

    Raises:
        InputError: The first such setting.
    """
    check_seed(options.seed)
    parse_teacher_dtype(options.teacher_dtype)
    if options.teacher_device_map is not None:
        DeviceMap.parse(options.teacher_device_map)
    options.check_optimiser()
    parse_augment(options.student_augment)
    _check_extras(options)
    _check_teacher(options, method_of(options))


def _check_extras(options: TrainOptions) -> None:
    """Whether the method takes the targets beside the main one."""
    for option, names in {"rdm": options.rdm, "assistants": options.assistants}.items():
        if names and is_method(options.method) and takes(options.method) != option:  # `make_method` tells of others
            able = ", ".join(name for name, entry in METHODS.items() if entry.takes == option)
            message = f"method {options.method} takes no --{option}, got {', '.join(names)}"
            raise InputError(message, f"Leave --{option} out, or use --method {able}")
    if options.target in options.extras:
        raise InputError(f"target {options.target!r} is given twice", "Name it in --target alone")
    if options.source == "live" and options.assistants:
        mend = "Use the store: leave --source live out"
        raise InputError(f"method {options.method} reads its assistants from a store, and the source is live", mend)
    if options.rdm and options.store is None:
        raise InputError("RDMs are read from a store, and none was given", "Add --store S, the store they were made in")


def _check_teacher(options: TrainOptions, method: Method) -> None:
    """Whether the method can have its targets."""
    if not method.needs:
        return
    if options.source == "live" and options.teacher is None:
        raise InputError(f"method {options.method} from a live teacher needs the teacher", "Add --teacher T")
    if options.source == "cached" and options.store is None:
        mend = "Add --store S (made by `teachonce embed`), or --source live --teacher T"
        raise InputError(f"method {options.method} needs a teacher's targets, and no store was given", mend)


def method_of(options: TrainOptions) -> Method:
    """The method of a training; label smoothing is one of its settings.

    Raises:
        InputError: An unknown method or setting, or a wrong value.
    """
    settings = dict(options.settings)
    if options.label_smoothing:
        if "label_smoothing" in settings:
            raise InputError("label_smoothing is given twice", "Use --label-smoothing alone")
        settings["label_smoothing"] = options.label_smoothing
    return make_method(options.method, settings, options.extras)


def check_seed(seed: int) -> None:
    """Refuse a seed that no generator takes, before anything is read.

    Raises:
        InputError: It is negative, or has more than 63 bits.
    """
    if not 0 <= seed < 1 << 63:
        raise InputError(f"seed must be at least 0 and below 2**63, got {seed}", "Give another seed")
