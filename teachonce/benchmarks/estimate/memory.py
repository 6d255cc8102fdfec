"""What a teacher takes in memory: its weights in each dtype, and what a batch takes beside them."""

from functools import partial

import torch

from teachonce.benchmarks.estimate.records import TeacherMemory
from teachonce.benchmarks.live.memory import transient_bytes
from teachonce.data.memory import available_memory
from teachonce.engine.stage_one.forward import Forward
from teachonce.engine.stage_one.job import Job
from teachonce.models import Teacher
from teachonce.models.placed import weights_bytes
from teachonce.models.precision import TORCH_DTYPES


def teacher_memory(job: Job, forward: Forward, batch_size: int) -> TeacherMemory:
    """What the job's teacher takes, and in which dtypes it fits; runs one batch.

    Args:
        job: Its teacher is on its device.
        forward: Of that teacher.
        batch_size: Images of a batch.
    """
    teacher, spec = job.teacher, job.teacher.info.input
    pixels = torch.zeros(batch_size, 3, spec.height, spec.width, device=job.device)
    batch = transient_bytes(job.device, partial(forward.signals, pixels))
    parameters = sum(weight.numel() for weight in teacher.parameters())
    kept = _kept_bytes(teacher)
    free = kept + _free_bytes(job.device)
    sizes = {str(dtype): weights_bytes(parameters, dtype) for dtype in TORCH_DTYPES}
    return TeacherMemory(
        parameters=parameters,
        weights_bytes=sizes,
        kept_bytes=kept,
        batch_bytes=batch,
        free_bytes=free,
        fits={dtype: size + batch <= free for dtype, size in sizes.items()},
    )


def _kept_bytes(teacher: Teacher) -> int:
    return sum(part.nbytes for part in (*teacher.parameters(), *teacher.buffers()) if not part.is_meta)


def _free_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return available_memory()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + unused)
