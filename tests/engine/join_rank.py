"""One of the processes of a distributed training: joins, reads its share, and writes down what it saw.

Arguments: rank, processes, the file they meet at, store, data, out.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler

import teachonce
from tests.engine.joinkit import ImageFolder


def main(rank: int, processes: int, meeting: str, store: str, data: str, out: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=processes)
    teacher = teachonce.CachedTeacher(store, device="cpu")
    folder = ImageFolder(Path(data))
    joined = teacher.dataset(folder)
    sampler = DistributedSampler(joined, shuffle=True, seed=1)
    seen = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for _, targets in DataLoader(joined, batch_size=8, sampler=sampler):
            seen += [{"epoch": epoch, "row": row} for row in targets["row"].tolist()]
            assert torch.equal(teacher(targets["row"])["logits"], targets["logits"])
            together = targets["image_embedding"].float().sum()
            dist.all_reduce(together)
    Path(out).write_text(json.dumps(seen))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
