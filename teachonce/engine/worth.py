"""What embeddings are worth: nearest neighbours and a linear probe, on rows that are held out by hash."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from teachonce.events import SILENT, Events
from teachonce.processwide import warned

TEMPERATURE = 0.07
PROBE_ROWS = 50_000
"""The most rows that the linear probe is fitted to."""
_CHUNK = 1024


def neighbour_top1(
    train: Tensor, labels: Tensor, test: Tensor, truth: Tensor, *, neighbours: int, classes: int
) -> float:
    """Weighted nearest neighbours as DINO has it (Caron et al. 2021, arXiv 2104.14294).

    Each of the k nearest rows by cosine votes for its class with weight exp(cosine / 0.07).

    Args:
        train: (N, D) float32.
        labels: (N,) int64.
        test: (M, D) float32, on the same device.
        truth: (M,) int64.
        neighbours: k; all where there are fewer rows.
        classes: C.

    Returns:
        The share of right answers, in [0, 1].
    """
    bank, right = F.normalize(train, dim=1), 0
    for part, answer in zip(torch.split(test, _CHUNK), torch.split(truth, _CHUNK), strict=True):
        cosine, index = (F.normalize(part, dim=1) @ bank.T).topk(min(neighbours, len(bank)), dim=1)
        votes = torch.zeros(len(part), classes, device=part.device)
        votes.scatter_add_(1, labels[index], (cosine / TEMPERATURE).exp())
        right += int((votes.argmax(1) == answer).sum())
    return right / len(test)


def linear_top1(
    train: NDArray[np.float32],
    labels: NDArray[np.int64],
    test: NDArray[np.float32],
    truth: NDArray[np.int64],
    events: Events = SILENT,
) -> float:
    """Multinomial logistic regression (scikit-learn, L2 with C = 1) on features standardised by the training rows.

    Args:
        train: (N, D); at most PROBE_ROWS of them, evenly spread, are used.
        labels: (N,).
        test: (M, D).
        truth: (M,).
        events: Is told where it did not converge, or did not use all rows.

    Returns:
        The share of right answers, in [0, 1].
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(train) > PROBE_ROWS:
        events.info(f"the linear probe is fitted to {PROBE_ROWS:,} of {len(train):,} rows")
        spread = np.linspace(0, len(train) - 1, PROBE_ROWS).astype(np.int64)
        train, labels = train[spread], labels[spread]
    if (labels == labels[0]).all():
        return float((truth == labels[0]).mean())
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    with warned(ConvergenceWarning) as caught:
        probe.fit(train, labels)
    if caught:
        events.warn("the linear probe did not converge in 500 iterations: its accuracy is a lower bound")
    return float(probe.score(test, truth))
