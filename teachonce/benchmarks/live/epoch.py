"""What lies in memory between steps where the data are as many as an epoch's, and not the few that are measured.

Images and cached targets that the engine keeps on the device grow with the rows; models and optimiser do not. A ratio
of two memories therefore depends on the rows, and the few of a benchmark flatter it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from teachonce.benchmarks.live.arm import Ready
from teachonce.data.memory import Placement, where_kept


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What of the data lies in the device's memory, in bytes."""

    images: int
    targets: int

    @property
    def both(self) -> int:
        """Images and targets."""
        return self.images + self.targets


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From the rows of a benchmark to those of an epoch.

    The budgets are the engine's own: the shares of memory that it gives to images before anything else is there.
    Cached targets lie where an epoch's would already (`ArmSpec.epoch_rows`).
    """

    rows: int
    epoch_rows: int
    host_budget: int
    """Bytes for decoded images."""
    device_budget: int
    """Bytes for images."""

    @classmethod
    def of(cls, arms: Iterable[Ready], rows: int, epoch_rows: int) -> "Scale":
        """By the most that an arm found free: arms are there together, and a training is alone."""
        known = list(arms)
        return cls(
            rows=rows,
            epoch_rows=epoch_rows,
            host_budget=max(arm.host_budget_bytes for arm in known),
            device_budget=max(arm.device_budget_bytes for arm in known),
        )

    def images(self, arm: Ready) -> Placement:
        """Where an epoch's images would be; those that are streamed here for another reason are so there, too."""
        if arm.images == "streamed":
            return "streamed"
        return where_kept(self._grown(arm.image_bytes), host=self.host_budget, device=self.device_budget)

    def kept(self, arm: Ready) -> Kept:
        """What would lie on the device; what is streamed, or read from the store's files, is not there."""
        return Kept(
            images=self._grown(arm.image_bytes) if self.images(arm) == "device" else 0,
            targets=self._grown(arm.target_bytes),
        )

    def _grown(self, size: int) -> int:
        return round(size * self.epoch_rows / self.rows)


def kept(arm: Ready) -> Kept:
    """What lies on the device in the benchmark itself."""
    return Kept(images=arm.image_bytes if arm.images == "device" else 0, targets=arm.target_bytes)
