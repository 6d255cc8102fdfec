"""`clip-teacher-kd`: students pulled toward the teacher's embedding of the same sample (arXiv 2404.06170)."""

from dataclasses import dataclass

from torch import Tensor

from teachonce.methods.contrast import Contrast, ContrastSettings
from teachonce.methods.losses import ce_loss, clip_teacher_loss
from teachonce.methods.method import precise
from teachonce.methods.targets import StudentOut, Targets


@dataclass(frozen=True, kw_only=True)
class ClipTeacherSettings(ContrastSettings):
    """As ContrastSettings, with the directions of the contrast."""

    symmetric: bool = True
    """Average both directions, CLIP's form; false: student to teacher only, as the public code does."""


class ClipTeacherKd(Contrast):
    """Terms: `ce`, and `clip` = CE(scale * cos(student embedding, projected teacher embedding), same sample)."""

    name = "clip-teacher-kd"
    needs = frozenset({"image_embedding"})
    settings_type = ClipTeacherSettings
    settings: ClipTeacherSettings

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            student, teacher, scale = self.modules(out.embedding, targets["image_embedding"])
            return {
                "ce": ce_loss(out.logits, labels, label_smoothing=self.settings.label_smoothing),
                "clip": clip_teacher_loss(student, teacher, scale, symmetric=self.settings.symmetric),
            }
