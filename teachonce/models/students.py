"""Students by spec: a built-in ViT or CNN, any transformers image classifier from its config, or a user's factory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.classifier import SplitClassifier, evaluating, probe_pixels
from teachonce.models.cnn import Cnn
from teachonce.models.hub import loading
from teachonce.models.spec import import_factory, is_factory, parse_options, seeded
from teachonce.models.student import Student, require_classes
from teachonce.types import InputSpec

VIT = {"patch": 4, "width": 256, "layers": 6, "heads": 8, "dropout": 0.0, "attention_dropout": 0.0}
"""The options of `vit:` and their defaults: the student of CLIP-Embed-KD (arXiv 2404.06170)."""

_KNOWN = (
    "A student is vit:patch=4,width=256,layers=6,heads=8, cnn-2|4|6|8|10, transformers:CONFIG (a folder, a config.json "
    "or a hub id), or package.module:factory"
)


def build_student(spec: str, *, classes: int, image_size: int | None = None, seed: int = 0) -> Student:
    """A student with fresh weights, in float32 on the CPU.

    Args:
        spec: `vit:...`, `cnn-N`, `transformers:CONFIG` or `package.module:factory`.
        classes: C, the number of logits.
        image_size: Height and width of its input in pixels; by default 32, or what the config says.
        seed: Of the initial weights; the same seed gives the same weights whatever was drawn before.

    Raises:
        ModelError: An unknown spec or option, a config or factory that cannot be used.
    """
    require_classes(classes, spec)
    name, _, rest = spec.partition(":")
    if name == "vit":
        return _vit(spec, classes, image_size or 32, seed)
    if name == "transformers":
        return _from_config(spec, rest, classes, image_size, seed)
    if name.startswith("cnn-") and name[4:].isdigit() and not rest:
        return Cnn(int(name[4:]), classes=classes, image_size=image_size or 32, seed=seed)
    if is_factory(spec):
        return FactoryStudent(spec, classes=classes, image_size=image_size, seed=seed)
    raise ModelError(f"no student {spec!r}", _KNOWN)


def is_built_in(spec: str) -> bool:
    """Whether a spec names a network of ours (`vit...`, `cnn-N`), not a folder or a hub id."""
    name = spec.partition(":")[0]
    return name == "vit" or (name.startswith("cnn-") and name[4:].isdigit())


def from_config(config: Any, *, spec: str, input: InputSpec, seed: int) -> SplitClassifier:  # noqa: A002
    """A transformers image classifier with fresh weights, split at its head.

    Raises:
        ModelError: transformers has no image classifier for the config, or it does not end in a linear layer.
    """
    with loading(spec), seeded(seed):
        from transformers import AutoModelForImageClassification

        network = AutoModelForImageClassification.from_config(config, dtype=torch.float32)
        return SplitClassifier(network, spec=spec, input=input)


class FactoryStudent(Student):
    """A user's network behind the Student interface.

    The factory is called as `factory(classes=..., image_size=...)`, with image_size None for its own choice, and returns
    a torch module with `embed(pixels) -> (B, D)`, `head(embedding) -> (B, C)`, `embedding_dim` and `input` (an InputSpec).

    Args:
        spec: `package.module:factory`.
        classes: C.
        image_size: Pixels, or None.
        seed: Set on torch's CPU generator while the factory runs.

    Raises:
        ModelError: The factory fails, or what it returns is no such module.
    """

    def __init__(self, spec: str, *, classes: int, image_size: int | None, seed: int) -> None:
        super().__init__()
        factory = import_factory(spec)
        try:
            with seeded(seed):
                network = factory(classes=classes, image_size=image_size)
        except Exception as error:
            mend = "It is called as factory(classes=..., image_size=...)"
            raise ModelError(f"{spec}: the factory failed: {type(error).__name__}: {error}", mend) from error
        require_student(network, spec)
        self.spec, self.network, self.classes = spec, network, classes
        self.input, self.embedding_dim = network.input, network.embedding_dim
        _check_shapes(self)

    def embed(self, pixels: Tensor) -> Tensor:
        """See Student.embed."""
        embedding: Tensor = self.network.embed(pixels)  # type: ignore[operator]
        return embedding

    def head(self, embedding: Tensor) -> Tensor:
        """See Student.head."""
        logits: Tensor = self.network.head(embedding)  # type: ignore[operator]
        return logits


def require_student(network: Any, spec: str) -> None:
    """Check that a factory returned what a student is.

    Raises:
        ModelError: It lists all that is missing.
    """
    mend = "A student is a torch.nn.Module with embed(pixels), head(embedding), embedding_dim and input (an InputSpec)"
    if not isinstance(network, nn.Module):
        raise ModelError(f"{spec} returned a {type(network).__name__}, expected a torch.nn.Module", mend)
    wrong = [name for name in ("embed", "head") if not callable(getattr(network, name, None))]
    wrong += ["embedding_dim"] if not isinstance(getattr(network, "embedding_dim", None), int) else []
    wrong += ["input"] if not isinstance(getattr(network, "input", None), InputSpec) else []
    if wrong:
        raise ModelError(f"{spec} returned a {type(network).__name__} without a usable {', '.join(wrong)}", mend)


def _check_shapes(student: Student) -> None:
    probe = probe_pixels(student.input)
    try:
        with evaluating(student), torch.no_grad():
            embedding = student.embed(probe)
            logits = student.head(embedding)
    except Exception as error:
        message = f"{student.spec} fails on pixels of shape {tuple(probe.shape)}: {error}"
        raise ModelError(message, "Make its input spec and its network agree") from error
    for name, got, width in (("embed", embedding, student.embedding_dim), ("head", logits, student.classes)):
        if tuple(got.shape) != (len(probe), width):
            expected = (len(probe), width)
            raise ModelError(f"{student.spec}: {name} gave {tuple(got.shape)}, expected {expected}", "Correct the factory")


def _vit(spec: str, classes: int, image_size: int, seed: int) -> SplitClassifier:
    """transformers' ViT by options: the embedding is [CLS] after the final layer norm, the head is linear."""
    options = parse_options(spec, VIT)
    _check_vit(spec, options, image_size)
    with loading(spec):
        from transformers import ViTConfig

        config = ViTConfig(
            image_size=image_size,
            patch_size=options["patch"],
            hidden_size=options["width"],
            intermediate_size=4 * options["width"],
            num_hidden_layers=options["layers"],
            num_attention_heads=options["heads"],
            hidden_dropout_prob=options["dropout"],
            attention_probs_dropout_prob=options["attention_dropout"],
            num_labels=classes,
        )
    return from_config(config, spec=spec, input=InputSpec(height=image_size, width=image_size), seed=seed)


def _check_vit(spec: str, options: Mapping[str, Any], image_size: int) -> None:
    if min(options[key] for key in ("patch", "width", "layers", "heads")) < 1:
        raise ModelError(f"{spec!r}: patch, width, layers and heads must be positive", "Correct the spec")
    if image_size % options["patch"]:
        raise ModelError(f"{spec!r}: {image_size} px is not a multiple of patch={options['patch']}", "Choose another patch")
    if options["width"] % options["heads"]:
        raise ModelError(f"{spec!r}: width is not a multiple of heads={options['heads']}", "Choose other heads")
    if not all(0.0 <= options[key] < 1.0 for key in ("dropout", "attention_dropout")):
        raise ModelError(f"{spec!r}: a dropout must be in [0, 1)", "Correct the spec")


def _from_config(spec: str, source: str, classes: int, image_size: int | None, seed: int) -> SplitClassifier:
    """Any AutoModelForImageClassification by its config, with fresh weights, mean and std 0.5."""
    if source.endswith(".json") and not Path(source).is_file():
        raise ModelError(f"no config file {source!r}", "Check the path")
    with loading(spec):
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        config.num_labels = classes
    own = getattr(config, "image_size", None)
    if image_size is not None and own is not None:
        config.image_size = image_size
    size = image_size or own or 224
    height, width = (size, size) if isinstance(size, int) else size
    return from_config(config, spec=spec, input=InputSpec(height=height, width=width), seed=seed)
