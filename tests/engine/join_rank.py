"""One of the processes of a distributed training: joins, reads its share, and says what it saw."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler

import teachonce
from tests.engine.joinkit import ImageFolder


def read_share(rank: int, *, processes: int, meeting: Path, store: Path, data: Path) -> list[dict[str, Any]]:
    """The rows of two epochs; the processes meet at a file."""
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=processes)
    teacher = teachonce.CachedTeacher(store, device="cpu")
    joined = teacher.dataset(ImageFolder(data))
    sampler = DistributedSampler(joined, shuffle=True, seed=1)
    seen = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for _, targets in DataLoader(joined, batch_size=8, sampler=sampler):
            seen += [{"epoch": epoch, "row": row} for row in targets["row"].tolist()]
            assert torch.equal(teacher(targets["row"])["logits"], targets["logits"])
            together = targets["image_embedding"].float().sum()
            dist.all_reduce(together)
    dist.destroy_process_group()
    return seen
