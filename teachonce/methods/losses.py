"""The losses: pure functions of tensors, float32 inside at least, teacher tensors always detached.

Letters: B batch, C classes, D width of the student's embedding, Dt of the teacher's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def widen(tensor: Tensor) -> Tensor:
    """In float32; float64 is kept."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def ce_loss(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of logits (B, C) with labels (B,) int64, mean over the batch, in nats.

    It takes logits: the public code of CLIP-Embed-KD softmaxes them first and then calls `cross_entropy`, which
    softmaxes again and leaves next to no gradient.
    """
    return F.cross_entropy(widen(logits), labels, label_smoothing=label_smoothing)


def soft_cross_entropy(logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """-(1/B) sum_b sum_c p_T(z^t) log p_T(z^s), in nats; no T^2. Both arguments are logits (B, C).

    What "vanilla KD" of the CLIP-Embed-KD repository means to compute (its code passes probabilities for logits).
    """
    target = F.softmax(widen(teacher_logits.detach()) / temperature, dim=1)
    return -(target * F.log_softmax(widen(logits) / temperature, dim=1)).sum(1).mean()


def kd_loss(logits: Tensor, teacher_logits: Tensor, *, temperature: float) -> Tensor:
    """T^2 KL(p_T(z^t) || p_T(z^s)): sum over classes, mean over the batch, in nats (Hinton et al., 2015).

    The factor T^2 keeps the gradient's size when T changes. `batchmean`: the default mean of `kl_div` would divide by
    C as well.

    Args:
        logits: The student's, (B, C).
        teacher_logits: The teacher's, (B, C), classes in the same order.
        temperature: T > 0.
    """
    student = F.log_softmax(widen(logits) / temperature, dim=1)
    teacher = F.log_softmax(widen(teacher_logits.detach()) / temperature, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """Cosine similarities (B, M) of the rows of (B, D) and (M, D)."""
    return F.normalize(widen(left), dim=1) @ F.normalize(widen(right), dim=1).T


def clip_embed_loss(
    embedding: Tensor, class_embedding: Tensor, labels: Tensor, scale: Tensor | float, *, absent: Tensor | None = None
) -> Tensor:
    """CE(scale * cos(e^s, P), y): each student embedding against the embedding of every class (CLIP-Embed-KD).

    Image to class only, mean over the batch, in nats. The paper (arXiv 2404.06170) says scaled cosine; its public code
    has no scale, which leaves a floor of 3.61 at 100 classes; the paper wins here.

    Args:
        embedding: The student's (B, D), projected or not.
        class_embedding: The teacher's class means (C, D), projected or not.
        labels: (B,) int64.
        scale: 1 / temperature.
        absent: (C,) bool, classes that are left out of the sum, such as those without a mean; none of them is a label.
    """
    similarity = scale * cosines(embedding, class_embedding)
    if absent is not None:
        similarity = similarity.masked_fill(absent, float("-inf"))
    return F.cross_entropy(similarity, labels)


def clip_teacher_loss(
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
