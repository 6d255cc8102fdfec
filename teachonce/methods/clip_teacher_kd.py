"""`clip-teacher-kd`: students pulled toward the teacher's embedding of the same sample (arXiv 2404.06170).

L = w_ce CE(z^s, y) + w_clip CE(s cos(e^s, P), identity): the student's embeddings e^s of a batch against the teacher's
P, projected to the student's width, with a learnable scale s. Needs: image_embedding.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from teachonce.methods.ce import labelled
from teachonce.methods.contrast import Contrast, ContrastSettings
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.methods.tensors import cosines, precise
from teachonce.options.opt import Opt

__all__ = ["ClipTeacherKd", "ClipTeacherSettings", "clip_teacher_kd"]


def clip_teacher_kd(
    embedding: Tensor, teacher_embedding: Tensor, scale: Tensor | float, *, symmetric: bool = True
) -> Tensor:
    """CE(scale * cos(e^s, P), identity): each student embedding against every teacher embedding of the batch.

    In nats. Symmetric averages both directions, as CLIP does; otherwise student to teacher only, as the public code of
    CLIP-Teacher-KD. Other samples of the same class count as negatives, as in the paper.

    Args:
        embedding: The student's (B, D), projected or not.
        teacher_embedding: The teacher's (B, D), projected or not.
        scale: 1 / temperature.
        symmetric: Average over rows and columns.
    """
    similarity = scale * cosines(embedding, teacher_embedding)
    own = torch.arange(len(similarity), device=similarity.device)
    forth = F.cross_entropy(similarity, own)
    return (forth + F.cross_entropy(similarity.T, own)) / 2 if symmetric else forth


@dataclass(frozen=True, kw_only=True)
class ClipTeacherSettings(ContrastSettings):
    """Defaults of the paper, both weights 0.5; the scale is CLIP's, learnable from 1 / 0.07."""

    symmetric: Annotated[
        bool,
        Opt(help="Average both directions, CLIP's form; false: student to teacher only, as the public code does."),
    ] = True


class ClipTeacherKd(Contrast):
    """Terms: `ce`, and `clip` = CE(scale * cos(student embedding, projected teacher embedding), same sample)."""

    name = "clip-teacher-kd"
    needs = frozenset({"image_embedding"})
    settings_type = ClipTeacherSettings
    settings: ClipTeacherSettings

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out["logits"]):
            student, teacher, scale = self.modules(out["image_embedding"], targets["image_embedding"])
            return {
                **labelled(self, out["logits"], inputs),
                "clip": clip_teacher_kd(student, teacher, scale, symmetric=self.settings.symmetric),
            }
