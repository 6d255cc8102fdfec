"""The networks that ImageNet distillation is compared on, by name: ResNets and MobileNet-V1 from transformers configs.

Fresh weights; the pretrained ones are teachers by their hub ids (`microsoft/resnet-50`).
"""

from typing import Any

from torch import nn

from teachonce.models.classifier import SplitClassifier
from teachonce.models.families import from_config
from teachonce.models.hub import loading
from teachonce.types import InputSpec

_RESNETS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "resnet-18": ("basic", (2, 2, 2, 2), 64),
    "resnet-30": ("basic", (3, 4, 4, 3), 64),
    "resnet-34": ("basic", (3, 4, 6, 3), 64),
    "resnet-50": ("bottleneck", (3, 4, 6, 3), 256),
}
"""Block, blocks a stage, channels of the first stage; each further stage has twice as many (He et al. 2016a). The
bottleneck's stride is in its 3x3 convolution ("v1.5"), as in the 4.089 G multiply-accumulates that papers quote.
ResNet-30 is an assistant between 34 and 18 layers."""

NAMES = (*_RESNETS, "mobilenet-v1")
SIZE = 224


def imagenet_network(spec: str, classes: int, image_size: int, seed: int) -> SplitClassifier:
    """A network of NAMES; the embedding is the pooled last map, the head is linear.

    Raises:
        ModelError: It cannot take images of this size.
    """
    with loading(spec):
        config: Any = _mobilenet() if spec == "mobilenet-v1" else _resnet(spec)
        config.num_labels = classes
    student = from_config(config, spec=spec, input=InputSpec(height=image_size, width=image_size), seed=seed)
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # transformers' MobileNet has .9997, which in torch keeps the last batch alone
    return student


def _resnet(spec: str) -> Any:
    from transformers import ResNetConfig

    block, depths, width = _RESNETS[spec]
    make: Any = ResNetConfig
    return make(
        layer_type=block, depths=list(depths), embedding_size=64, hidden_sizes=[width << stage for stage in range(4)]
    )


def _mobilenet() -> Any:
    """As torch implementations have it: symmetric padding, and no dropout (transformers' default drops .999 of all)."""
    from transformers import MobileNetV1Config

    make: Any = MobileNetV1Config
    return make(tf_padding=False, classifier_dropout_prob=0.0)
