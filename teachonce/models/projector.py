"""The linear map between a student's and a teacher's embedding space."""

from torch import nn


class Projector(nn.Linear):
    """x W^T + b with torch's default init, U(±1/sqrt(in_features)) for weight and bias (CLIP-Embed-KD's projector).

    Trained with the student and dropped after training. Maps (..., in_features) to (..., out_features).
    """
