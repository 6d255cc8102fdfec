"""Students of transformers families: a ViT by options, or any image classifier from its config; fresh weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from teachonce.bounds import MOST_SIDE
from teachonce.errors import ModelError
from teachonce.models.classifier import SplitClassifier
from teachonce.models.folders import require_config
from teachonce.models.hub import loading, model_library
from teachonce.models.spec import parse_options
from teachonce.models.student import require_side
from teachonce.processwide import seeded
from teachonce.types import InputSpec

VIT: dict[str, int | float | str] = {
    "patch": 4,
    "width": 256,
    "layers": 6,
    "heads": 8,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "attention": "sdpa",
    "size": 0,
}
"""The options of `vit:` and their defaults: the student of CLIP-Embed-KD (arXiv 2404.06170), but without dropout; its
public code has `attention_dropout=0.1`.

`attention` is how it is computed: `sdpa`, torch's fused kernel, or `eager`, plain matrix products, which are faster on
CPUs in bf16. `size` is the side of its images in pixels, for where no image size can be given beside the spec; 0: the
image size that is given, or 32.
"""
_MOST = {"patch": MOST_SIDE, "width": 1 << 14, "layers": 1 << 10, "heads": 1 << 14}
"""Far above any network that was ever trained: to build more layers would not end."""


def vit(spec: str, classes: int, image_size: int | None, seed: int) -> SplitClassifier:
    """Transformers' ViT by options: the embedding is [CLS] after the final layer norm, the head is linear.

    Raises:
        ModelError: Options that cannot be, or two different image sizes.
    """
    options = parse_options(spec, VIT)
    image_size = _vit_size(spec, options["size"], image_size)
    _check_vit(spec, options, image_size)
    with loading(spec):
        from transformers import ViTConfig

        make: Any = ViTConfig  # its signature leaves out what all configs take
        config = make(
            image_size=image_size,
            patch_size=options["patch"],
            hidden_size=options["width"],
            intermediate_size=4 * options["width"],
            num_hidden_layers=options["layers"],
            num_attention_heads=options["heads"],
            hidden_dropout_prob=options["dropout"],
            attention_probs_dropout_prob=options["attention_dropout"],
            attn_implementation=options["attention"],
        )
        config.num_labels = classes
    return from_config(config, spec=spec, input=InputSpec(height=image_size, width=image_size), seed=seed)


def _vit_size(spec: str, own: int, given: int | None) -> int:
    require_side(spec, own or None)
    if own and given not in (None, own):
        raise ModelError(f"{spec!r} has size={own}, got image size {given}", "Leave one of them out")
    return own or given or 32


def _check_vit(spec: str, options: Mapping[str, Any], image_size: int) -> None:
    for key, most in _MOST.items():
        if not 1 <= options[key] <= most:
            raise ModelError(f"{spec!r}: expected {key} from 1 to {most}, got {options[key]}", "Correct the spec")
    if image_size % options["patch"]:
        raise ModelError(
            f"{spec!r}: {image_size} px is not a multiple of patch={options['patch']}", "Choose another patch"
        )
    if options["width"] % options["heads"]:
        raise ModelError(f"{spec!r}: width is not a multiple of heads={options['heads']}", "Choose other heads")
    if options["attention"] not in ("sdpa", "eager"):
        raise ModelError(f"{spec!r}: attention must be sdpa or eager, got {options['attention']!r}", "Correct the spec")
    if not all(0.0 <= options[key] < 1.0 for key in ("dropout", "attention_dropout")):
        raise ModelError(f"{spec!r}: a dropout must be in [0, 1)", "Correct the spec")


def from_source(
    spec: str, source: str, classes: int, image_size: int | None, seed: int, *, trust_remote_code: bool = False
) -> SplitClassifier:
    """Any AutoModelForImageClassification by its config, with fresh weights, mean and std 0.5."""
    if source.endswith(".json") and not Path(source).is_file():
        raise ModelError(f"no config file {source!r}", "Check the path")
    _look_at(Path(source), trust_remote_code)
    with loading(spec):
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
        config.num_labels = classes
        own = getattr(config, "image_size", None)
        if image_size is not None and own is not None:
            config.image_size = image_size
        size = image_size or own or 224
        height, width = (size, size) if isinstance(size, int) else size
        for side in (height, width):
            require_side(spec, side)
    given = InputSpec(height=height, width=width)
    return from_config(config, spec=spec, input=given, seed=seed, trust_remote_code=trust_remote_code)


def _look_at(source: Path, trust_remote_code: bool) -> None:
    """See `require_config`, where the config is a file here."""
    path = source / "config.json" if source.is_dir() else source
    if path.exists():
        require_config(path, trust_remote_code=trust_remote_code)


def from_config(
    config: Any, *, spec: str, input: InputSpec, seed: int, trust_remote_code: bool = False
) -> SplitClassifier:
    """A transformers image classifier with fresh weights, split at its head.

    Raises:
        ModelError: transformers has no image classifier for the config, or it does not end in a linear layer.
    """
    with loading(spec), seeded(seed):
        config.architectures = config.architectures or []  # transformers looks through it where it has two classifiers
        build: Any = model_library().AutoModelForImageClassification.from_config
        network = build(config, dtype=torch.float32, trust_remote_code=trust_remote_code)
        return SplitClassifier(network, spec=spec, input=input)
