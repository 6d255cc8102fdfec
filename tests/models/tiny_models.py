"""Tiny transformers models with their processors, written as folders: what a user's teachers look like."""

import json
from pathlib import Path
from typing import Any

import torch

TOWER = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 99,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
}
STAGES = {"hidden_sizes": [8, 8, 16, 24], "depths": [1, 1, 1, 1]}
SWIN = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 2, "image_size": 32, "patch_size": 4}

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet": ("ResNetConfig", {"embedding_size": 8, "layer_type": "basic", **STAGES}),
    "convnext": ("ConvNextConfig", STAGES),
    "mobilenet": ("MobileNetV1Config", {"depth_multiplier": 0.25, "image_size": 32}),
    "vit": ("ViTConfig", TOWER),
    "deit": ("DeiTConfig", TOWER),
    "dinov2": ("Dinov2Config", TOWER),
    "registers": ("Dinov2WithRegistersConfig", {**TOWER, "num_register_tokens": 3}),
    "swin": ("SwinConfig", SWIN),
    "ijepa": ("IJepaConfig", TOWER),
    "mae": ("ViTMAEConfig", {**TOWER, "decoder_num_hidden_layers": 1}),
    "clip": ("CLIPConfig", {"vision_config": TOWER, "text_config": TEXT, "projection_dim": 12}),
    "clip-vision": ("CLIPVisionConfig", TOWER),
    "siglip": ("SiglipConfig", {"vision_config": TOWER, "text_config": TEXT}),
}

PROCESSOR: dict[str, Any] = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 32, "width": 32},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.25, 0.3],
}


def config(family: str, **extra: Any) -> Any:
    """A tiny config of a family."""
    import transformers

    kind, values = CONFIGS[family]
    return getattr(transformers, kind)(**values, **extra)


def write_processor(folder: Path, **changes: Any) -> None:
    """A processor's JSON; a change of None leaves the key out."""
    settings = {key: value for key, value in {**PROCESSOR, **changes}.items() if value is not None}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def encoder(folder: Path, family: str) -> Path:
    """A folder with an AutoModel of random weights."""
    from transformers import AutoModel

    return _save(folder, AutoModel.from_config(config(family)))


def classifier(folder: Path, family: str, names: tuple[str, ...] = ("ant", "bee", "cat")) -> Path:
    """A folder with an AutoModelForImageClassification of random weights."""
    from transformers import AutoModelForImageClassification

    made = config(family)
    made.architectures = []
    made.id2label = dict(enumerate(names))
    made.label2id = {name: index for index, name in enumerate(names)}
    return _save(folder, AutoModelForImageClassification.from_config(made))


def _save(folder: Path, network: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():  # far from zero, so that outputs differ
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    network.save_pretrained(folder)
    write_processor(folder)
    return folder


def pixels(count: int = 3, size: int = 32) -> torch.Tensor:
    """Normalised noise."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(2))
