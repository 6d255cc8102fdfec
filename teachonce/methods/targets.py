"""What a method gets of a teacher and of the student: the same for cached and live targets."""

from collections.abc import Iterator, Mapping

from torch import Tensor

Place = tuple[str, str]
"""(target, signal), such as ("rdm-10000", "logits")."""


class Targets(Mapping[str | Place, Tensor]):
    """The teacher's side of one batch: (target, signal) -> tensor, in the stored dtype, detached.

    Methods compute in float32. A signal alone is the main target's. What is of rows is (B, width), what is of classes
    (C, width), the same tensor for every batch.

    Args:
        main: The name of the main target.
        tensors: Of each target and signal that a method needs.
    """

    def __init__(self, main: str, tensors: Mapping[Place, Tensor]) -> None:
        self._main, self._tensors = main, tensors

    def __getitem__(self, key: str | Place) -> Tensor:
        """Of (target, signal), or of a signal of the main target.

        Raises:
            KeyError: The method did not say that it needs it.
        """
        return self._tensors[(self._main, key) if isinstance(key, str) else key].detach()

    def __iter__(self) -> Iterator[Place]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


NO_TARGETS = Targets("", {})


Outputs = Mapping[str, Tensor]
"""The student's side of one batch: signal -> (B, width). `image_embedding` is what the head saw, behind the method's
bottleneck where it has one; `logits` are never softmaxed."""
Inputs = Mapping[str, Tensor]
"""What is known of the samples of one batch, by name: `label`, (B,) int64, where the data has labels."""
