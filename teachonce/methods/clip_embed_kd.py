"""`clip-embed-kd`: students pulled toward the teacher's class means (CLIP-Embed-KD, arXiv 2404.06170)."""

from torch import Tensor

from teachonce.methods.contrast import Contrast
from teachonce.methods.losses import ce_loss, clip_embed_loss
from teachonce.methods.method import given, precise
from teachonce.methods.targets import Needs, StudentOut, Targets

TIME_CLAIM, MEMORY_CLAIM = 8.0, 9.0
"""So many times less time and memory than with the live teacher, as the paper has it in one figure."""


class ClipEmbedKd(Contrast):
    """Terms: `ce`, and `clip` = CE(scale * cos(student embedding, projected class means), label).

    It needs one mean embedding a class, nothing a sample; a class without rows has none (NaN), and no part in `clip`.
    Against its public code, as the paper has it: logits are not softmaxed before the cross-entropy, and the cosine is
    scaled.
    """

    name = "clip-embed-kd"
    needs = Needs(class_mean=True)

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            given_means = given(targets.class_mean)
            absent = given_means.isnan().any(1)  # classes without a row
            known = given_means.masked_fill(absent[:, None], 0.0)
            student, means, scale = self.modules(out.embedding, known)
            return {
                "ce": ce_loss(out.logits, labels, label_smoothing=self.settings.label_smoothing),
                "clip": clip_embed_loss(student, means, labels, scale, absent=absent),
            }
