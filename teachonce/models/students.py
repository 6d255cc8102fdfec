"""Students by spec: a built-in network, any transformers image classifier from its config, or a user's factory."""

from pathlib import Path

import safetensors.torch

from teachonce.errors import CorruptError, ModelError
from teachonce.models import cifar, imagenet
from teachonce.models.checkpoint import SPEC, WEIGHTS, Saved, read_saved, save_student
from teachonce.models.classifier import SplitClassifier
from teachonce.models.cnn import Cnn
from teachonce.models.factory import FactoryStudent
from teachonce.models.families import from_source, vit
from teachonce.models.folders import require_weights_file
from teachonce.models.frozen import tensors_digest, weights_digest
from teachonce.models.hub import loading, locate, on_meta, require_enough, weights_arguments
from teachonce.models.pretrained import load_classifier
from teachonce.models.student import Student, require_classes, require_side
from teachonce.models.trust import is_factory, refuse_code
from teachonce.texts import is_whole

__all__ = ["Student", "build_student", "is_built_in", "load_student", "save_student"]

_KNOWN = (
    "A student is vit:patch=4,width=256,layers=6,heads=8, cnn-2|4|6|8|10, "
    f"{', '.join((*cifar.NAMES, *imagenet.NAMES))}, transformers:CONFIG (a folder, a config.json or a hub id), or "
    "package.module:factory"
)


def build_student(
    spec: str, *, classes: int, image_size: int | None = None, seed: int = 0, trust_remote_code: bool = False
) -> Student:
    """A student with fresh weights, in float32 on the CPU.

    Args:
        spec: `vit:...`, `cnn-N`, a name of `cifar.NAMES` or `imagenet.NAMES`, `transformers:CONFIG` or
            `package.module:factory`.
        classes: C, the number of logits.
        image_size: Height and width of its input in pixels; by default 32 (224 for `imagenet.NAMES`), or what the
            config says.
        seed: Of the initial weights; the same seed gives the same weights whatever was drawn before.
        trust_remote_code: Allow a config of transformers to name code that is run. A factory is run since it is named
            here: who passes on what a file says asks first (see `teachonce.models.trust`).

    Raises:
        ModelError: An unknown spec or option, a config or factory that cannot be used.
    """
    require_classes(classes, spec)
    require_side(spec, image_size)
    name, _, rest = spec.partition(":")
    if name == "vit":
        return vit(spec, classes, image_size, seed)
    if name == "transformers":
        return from_source(spec, rest, classes, image_size, seed, trust_remote_code=trust_remote_code)
    if _is_cnn(spec):
        return Cnn(int(name[4:]), classes=classes, image_size=image_size or 32, seed=seed)
    if spec in cifar.NAMES:
        return cifar.CifarResNet(spec, classes=classes, image_size=image_size or 32, seed=seed)
    if spec in imagenet.NAMES:
        return imagenet.imagenet_network(spec, classes, image_size or imagenet.SIZE, seed)
    if is_factory(spec):
        return FactoryStudent(spec, classes=classes, image_size=image_size, seed=seed)
    raise ModelError(f"no student {spec!r}", _KNOWN)


def check_student(spec: str, image_size: int | None = None) -> None:
    """Whether there is such a student, before a teacher is run for it; others' code and configs are not asked.

    Raises:
        ModelError: As `build_student`.
    """
    if not spec.startswith("transformers:") and not is_factory(spec):
        build_student(spec, classes=2, image_size=image_size)


def is_built_in(spec: str) -> bool:
    """Whether a spec names a network of ours (`vit...`, `cnn-N`, `wrn-40-2`, ...), not a folder or a hub id."""
    name = spec.partition(":")[0]
    return name == "vit" or _is_cnn(spec) or spec in (*cifar.NAMES, *imagenet.NAMES)


def _is_cnn(spec: str) -> bool:
    return spec.startswith("cnn-") and is_whole(spec[4:])


def load_student(folder: str | Path, *, student: str | None = None, trust_remote_code: bool = False) -> Student:
    """The student of a run, or of a folder that `save_student` wrote; on the CPU, in eval mode.

    Args:
        folder: A run of `teachonce train` (its best checkpoint is taken), or the student's folder itself.
        student: What it was built from, named again, where that is a factory: it is imported only then.
        trust_remote_code: Allow the folder to name code that is run: a factory, or a model of transformers with code.

    Raises:
        ModelError: There is no student, its weights do not fit, it is another than `student`, or it wants code to be
            run; then the message names the file.
        CorruptError: Its files are damaged, or are none.
    """
    folder = Path(folder)
    folder = folder / "best" if (folder / "run.json").exists() else folder
    if not (folder / SPEC).exists() or not (folder / WEIGHTS).exists():
        mend = "Name a run of `teachonce train` that has finished its first epoch, or its best/ folder"
        raise ModelError(f"{folder} holds no student ({SPEC} and {WEIGHTS})", mend)
    saved = read_saved(folder)
    require_weights_file(folder / WEIGHTS)
    if student not in (None, saved.spec):
        raise ModelError(f"{folder} was built from {saved.spec!r}, got {student!r}", "Use the spec it was built from")
    if is_factory(saved.spec) and student is None and not trust_remote_code:
        raise refuse_code(str(folder), saved.spec, again=", or name it in --student where there is one")
    try:
        return _rebuild(folder, saved, trust_remote_code).eval()
    except (RuntimeError, safetensors.SafetensorError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"the student in {folder} cannot be read: {first}", "Train it again") from error


def student_digest(folder: Path) -> str:
    """See `weights_digest`: of the student in a run's folder, whose factory, where it has one, is not run.

    Raises:
        ModelError: There is no student, or its weights do not fit.
        CorruptError: Its files are damaged, or are none.
    """
    saved = read_saved(folder / "best")
    if not is_factory(saved.spec):
        return weights_digest(load_student(folder))
    require_weights_file(folder / "best" / WEIGHTS)
    return tensors_digest(safetensors.torch.load_file(folder / "best" / WEIGHTS))


def _rebuild(folder: Path, saved: Saved, trust_remote_code: bool) -> Student:
    if saved.family == "transformers":
        where = locate(str(folder), revision=None, trust_remote_code=trust_remote_code)
        network = load_classifier(str(folder), {**where, **weights_arguments(trust_remote_code)})
        with loading(str(folder)):
            return SplitClassifier(network, spec=saved.spec, input=saved.input)

    def build() -> Student:
        return build_student(saved.spec, classes=saved.classes, image_size=saved.input.height)

    if not is_factory(saved.spec):
        if not (saved.spec.startswith("cnn-") or saved.spec in cifar.NAMES):
            raise CorruptError(f"{folder / SPEC}: {saved.spec} is not a network of the family own", "Train it again")
        require_enough(on_meta(build), folder, f"{folder / SPEC}: {saved.spec}")
    student = build()
    student.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    return student
