"""The teacher: frozen, in eval mode, and described so exactly that a store can tell it from any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import xxhash
from torch import Tensor, nn

from teachonce.fsio import json_bytes
from teachonce.models.placed import Weights, is_placed
from teachonce.models.precision import as_taken
from teachonce.models.student import Student
from teachonce.records import to_json
from teachonce.types import EvalView, InputSpec, JsonObject, Resizing, TeacherDtype


@dataclass(frozen=True, kw_only=True)
class TeacherInfo:
    """What a store keeps of its teacher."""

    kind: str
    """`classifier` (embedding and logits) or `encoder` (embedding)."""
    name: str
    """As it was asked for; not part of the fingerprint."""
    embedding: str
    """`cls`, `pooler`, `mean`, `projected` (CLIP's shared space) or `penultimate`."""
    embedding_dim: int
    classes: int | None
    class_names: tuple[str, ...] | None
    """In the order of the logits; None where the model has placeholders only."""
    input: InputSpec
    view: EvalView
    processor: JsonObject
    """The image processor's own JSON."""
    weights: str
    """`weights_digest` of the state dict."""
    config: JsonObject = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    """Parts of its checkpoint that it does without, by name; not part of the fingerprint."""
    dtype: TeacherDtype = "float32"
    """Of the weights, and of what is computed with them."""
    resizing: Resizing | None = None
    """The rule by which a run resizes what it sees; None: its own processor does, by the installed Pillow."""

    def fingerprint(self) -> dict[str, Any]:
        """All that its outputs depend on, as JSON: names, paths and library versions are not among it.

        There is no `dtype` where it is float32, so that stores of earlier versions keep their fingerprints.
        """
        dtype = {} if self.dtype == "float32" else {"dtype": self.dtype}
        return dtype | {
            "kind": self.kind,
            "embedding": self.embedding,
            "weights": self.weights,
            "config": xxhash.xxh3_128_hexdigest(json_bytes(dict(self.config))),
            "processor": dict(self.processor),
            "input": to_json(self.input),
            "view": to_json(self.view),
        }


Signals = dict[str, Tensor]
"""What a teacher gives for a batch: signal -> (B, width), see `teachonce.signals`."""


def on(device: torch.device, **signals: Tensor) -> Signals:
    """Signals on that device: parts of a teacher that a device map spreads may be on others."""
    return {name: value.to(device) for name, value in signals.items()}


class Teacher(nn.Module):
    """A frozen network with its description. The caller runs it under `torch.inference_mode()`.

    Args:
        info: Its description.
    """

    def __init__(self, info: TeacherInfo) -> None:
        super().__init__()
        self.info = info

    def freeze(self) -> "Teacher":
        """Eval mode, no gradients; float32 unless its description says another dtype, which it then has already."""
        if self.info.dtype == "float32":
            self.float()
        self.eval().requires_grad_(False)
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> "Teacher":
        """Nothing moves or casts weights that a device map holds."""
        return self if is_placed(self) else super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> "Teacher":
        """Stay in eval mode whatever is asked: a teacher is never trained."""
        super().train(False)
        return self

    def forward(self, pixels: Tensor) -> Signals:
        """The signals for normalised pixels (B, 3, height, width), in the dtype of the weights."""
        raise NotImplementedError

    def widths(self) -> dict[str, int]:
        """The width of each signal that `forward` gives."""
        logits = {} if self.info.classes is None else {"logits": self.info.classes}
        return {"image_embedding": self.info.embedding_dim} | logits

    def head(self) -> tuple[Tensor, Tensor | None] | None:
        """(W (C, D), b (C,) or None) where logits = W e + b, else None."""
        return None


class ClassifierTeacher(Teacher):
    """A classifier that is split at its head; a trained student of ours is one too."""

    def __init__(self, info: TeacherInfo, student: Student) -> None:
        super().__init__(info)
        self.student = student
        self.freeze()

    def forward(self, pixels: Tensor) -> Signals:
        """See Teacher.forward."""
        embedding, logits = self.student(as_taken(pixels, self))
        return on(pixels.device, image_embedding=embedding, logits=logits)

    def head(self) -> tuple[Tensor, Tensor | None] | None:
        """See Teacher.head."""
        return linear_head(self.student)


def linear_head(student: Student) -> tuple[Tensor, Tensor | None] | None:
    """(W, b) of the linear layer that a student's head is, found by a probe; None where it is more than that."""
    sizes = student.embedding_dim, student.classes
    layers = [layer for layer in student.modules() if isinstance(layer, nn.Linear)]
    for layer in (layer for layer in layers if (layer.in_features, layer.out_features) == sizes):
        weights = Weights(layer)
        probe = torch.randn(4, sizes[0], generator=torch.Generator().manual_seed(0)).to(weights["weight"])
        with torch.no_grad():
            same = torch.allclose(student.head(probe), layer(probe), rtol=1e-4, atol=1e-5)
        if same:
            return weights["weight"].detach(), weights["bias"].detach() if "bias" in weights else None
    return None


def weights_digest(module: nn.Module) -> str:
    """xxh3-128 (hex) over the state dict; see `tensors_digest`."""
    return tensors_digest(Weights(module))


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """xxh3-128 (hex) over tensors, sorted by name: name, dtype, shape and bytes of each; one is read at a time."""
    digest = xxhash.xxh3_128()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
