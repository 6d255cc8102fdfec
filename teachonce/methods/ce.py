"""`ce`: no teacher. The baseline, and how a teacher of one's own is trained.

L = CE(z, y), with the student's logits z and the labels y. Needs: nothing of a teacher.
"""

from torch import Tensor
from torch.nn import functional as F

from teachonce.methods.method import Method
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.methods.tensors import precise, widen

__all__ = ["Ce", "ce"]


def ce(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy with labels, mean over the batch, in nats.

    It takes logits: the public code of CLIP-Embed-KD softmaxes them first and then calls `cross_entropy`, which
    softmaxes again and leaves next to no gradient.

    Args:
        logits: (B, C).
        labels: (B,) int64.
        label_smoothing: Share of a label's probability that is spread over all classes, in [0, 1).
    """
    return F.cross_entropy(widen(logits), labels, label_smoothing=label_smoothing)


def labelled(method: Method, logits: Tensor, inputs: Inputs) -> dict[str, Tensor]:
    """The `ce` term of a method that has one: nothing where it is trained without labels."""
    if "ce" not in method.weights:
        return {}
    return {"ce": ce(logits, inputs["label"], label_smoothing=method.settings.label_smoothing)}


class Ce(Method):
    """Cross-entropy with the labels. Term: `ce`."""

    name = "ce"

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out["logits"]):
            return labelled(self, out["logits"], inputs)
