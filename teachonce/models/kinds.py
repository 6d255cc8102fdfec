"""Which class of transformers opens a checkpoint as an encoder, and whether that class takes images at all."""

import inspect
from typing import Any

from teachonce.errors import ModelError

PROJECTED = "VisionModelWithProjection"
"""How the classes end that give the image side of a shared space; AutoModel would leave their projection out."""


def encoder_class(config: Any) -> str:
    """The name of the class: the one that the config names where it projects, else AutoModel."""
    import transformers

    for name in architectures(config):
        kind = getattr(transformers, name, None) if name.endswith(PROJECTED) else None
        if kind is not None and kind.config_class is type(config):
            return name
    return "AutoModel"


def architectures(config: Any) -> tuple[str, ...]:
    """The classes that a config names as those that its weights are of.

    Raises:
        ModelError: It names something else than classes.
    """
    named = config.architectures or ()
    names = (named,) if isinstance(named, str) else tuple(named)
    if not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"its config's architectures are {named}: expected names of classes", "Correct its config.json"
        )
    return names


def require_images(spec: str, config: Any) -> None:
    """Refuse a model of which it is known that it takes something else than images, or that is quantized.

    Raises:
        ModelError: It takes texts, sounds, ..., or its weights are not those of a network in floating point.
    """
    quantization = getattr(config, "quantization_config", None)
    if quantization is not None:
        method = quantization.get("quant_method", "") if isinstance(quantization, dict) else quantization
        mend = "Use the checkpoint that it was made from, in float32, float16 or bfloat16"
        raise ModelError(f"{spec!r} is quantized ({method}), and teachers run in floating point", mend)
    from transformers.models.auto import modeling_auto

    mapping: Any = modeling_auto
    mappings = (mapping.MODEL_MAPPING, mapping.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING)
    found = [each[type(config)] for each in mappings if type(config) in each]
    kinds = [kind for each in found for kind in (each if isinstance(each, list | tuple) else (each,))]
    if kinds and not any("pixel_values" in inspect.signature(kind.forward).parameters for kind in kinds):
        name, taken = kinds[0].__name__, getattr(kinds[0], "main_input_name", "other inputs")
        what = "texts (input_ids), as text encoders do" if taken == "input_ids" else taken
        mend = "Use a teacher that takes images (pixel_values), such as a ViT, a DINOv2 or a CLIP"
        raise ModelError(f"{spec!r} is not a model of images: {name} takes {what}", mend)
