"""`ce`: no teacher. The baseline, and how a teacher of one's own is trained."""

from torch import Tensor

from teachonce.methods.losses import ce_loss
from teachonce.methods.method import Method, precise
from teachonce.methods.targets import StudentOut, Targets


class Ce(Method):
    """Cross-entropy with the labels. Term: `ce`."""

    name = "ce"

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            return {"ce": ce_loss(out.logits, labels, label_smoothing=self.settings.label_smoothing)}
