"""What training RDMs costs: K together against K alone, and against one pass of the teacher, in one run."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from teachonce.benchmarks.origin import device_name, origin
from teachonce.benchmarks.parts import PartArm, RdmBench
from teachonce.benchmarks.rounds import in_turns, paired_ratio, quartiles
from teachonce.engine.device import Precision, autocast, pick_device, pick_precision, teacher_precision
from teachonce.engine.optim import make_optimizer
from teachonce.errors import InputError
from teachonce.events import SILENT
from teachonce.methods.rate_distortion import RdmLoss, rdm_loss
from teachonce.models.macs import count_macs
from teachonce.models.rdm import RdmSpec, RdmStack
from teachonce.models.teacher import Teacher, load_teacher
from teachonce.options.optim import OptimOptions
from teachonce.processwide import allow_tf32

CLASSES = 10  # of the RDMs, and of a built-in teacher
WARM_UP = 2  # rounds that are not counted


@dataclass(kw_only=True)
class _Trainer:
    """Steps of a stack on one batch of random embeddings that is on the device: times do not depend on the values."""

    spec: RdmSpec
    count: int
    batch: int
    device: torch.device
    stack: RdmStack = field(init=False)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.stack = RdmStack(self.spec, self.count).to(self.device).train()
        self.optimizer = make_optimizer(OptimOptions(weight_decay=0.0), [self.stack])
        self.x = torch.randn(self.batch, self.spec.embedding_dim, generator=generator).to(self.device)
        self.logits = torch.randn(self.batch, CLASSES, generator=generator).to(self.device)
        self.labels = torch.randint(CLASSES, (self.batch,), generator=generator).to(self.device)
        self.weights = torch.full((self.count,), 10.0, device=self.device)
        self.settings = RdmLoss.for_preset(self.spec.preset)

    def step(self) -> None:
        """Forward, loss, backward, update."""
        noise = torch.rand(self.batch, self.spec.units, device=self.device)
        out = self.stack(self.x, noise)
        terms = rdm_loss(out, self.x, self.logits, self.labels, weights=self.weights, settings=self.settings)
        terms["total"].sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


@allow_tf32(allowed=False)
def bench_rdm(  # noqa: PLR0913 - one parameter an option
    *,
    teacher: str,
    count: int = 3,
    preset: str = "general",
    hidden: int | None = None,
    batch_size: int = 256,
    teacher_batch: int = 8,
    rounds: int = 10,
    steps: int = 1,
    rows: int = 50_000,
    epochs: int = 30,
    image_size: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    teacher_dtype: str = "float32",
) -> RdmBench:
    """Time training steps of K RDMs together and of one, and the teacher's forward pass, in changing order.

    Args:
        teacher: See `load_teacher`; its embedding's width is the RDMs'.
        count: K.
        preset: See `RdmSpec`.
        hidden: See `RdmSpec`.
        batch_size: Embeddings of a step.
        teacher_batch: Images of a forward pass.
        rounds: Rounds that count.
        steps: Steps of an arm in a round; the device is waited for after them.
        rows: To multiply out: rows of the data.
        epochs: To multiply out: epochs of the RDMs' training.
        image_size: Pixels, of built-in teachers.
        device: See `embed`.
        precision: Of the teacher; see `embed`.
        teacher_dtype: See `embed`.

    Raises:
        InputError: A setting that cannot be used.
        ModelError: A teacher or layers that cannot be.
    """
    positive = {"count": count, "batch_size": batch_size, "teacher_batch": teacher_batch, "rounds": rounds}
    for name, value in (positive | {"steps": steps, "rows": rows, "epochs": epochs}).items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
    where = pick_device(device)
    model = load_teacher(teacher, dtype=teacher_dtype, image_size=image_size, classes=CLASSES).to(where)
    spec = RdmSpec(preset=preset, embedding_dim=model.info.embedding_dim, classes=CLASSES, hidden=hidden)
    trainers = {
        name: _Trainer(spec=spec, count=k, batch=batch_size, device=where)
        for name, k in (("together", count), ("one", 1))
    }
    precise = teacher_precision(pick_precision(precision, where), model.info.dtype)
    works = {name: trainer.step for name, trainer in trainers.items()}
    works["teacher"] = _forward(model, teacher_batch, where, precise)
    works = {name: partial(_repeated, work, steps) for name, work in works.items()}
    with SILENT.task("rounds", total=rounds + WARM_UP) as task:
        found = in_turns(works, rounds, WARM_UP, where, task)
    times = {name: [ms / steps for ms in own] for name, own in found.items()}
    scale = {"rdm": rows * epochs / batch_size / 1e3, "teacher": rows / teacher_batch / 1e3}
    rdm_s, teacher_s = [t * scale["rdm"] for t in times["together"]], [t * scale["teacher"] for t in times["teacher"]]
    return RdmBench(
        **vars(origin(RdmBench.kind, where)),
        teacher=model.info.name,
        device=device_name(where),
        precision=precise,
        threads=torch.get_num_threads(),
        spec=spec.to_json(),
        count=count,
        batch_size=batch_size,
        teacher_batch=teacher_batch,
        rounds=rounds,
        arms={name: _median_ms(values) for name, values in times.items()},
        together_over_one=paired_ratio(times["together"], times["one"]),
        together_over_separate=paired_ratio(times["together"], [count * one for one in times["one"]]),
        rows=rows,
        epochs=epochs,
        rdm_s=statistics.median(rdm_s),
        teacher_s=statistics.median(teacher_s),
        rdm_over_teacher=paired_ratio(rdm_s, teacher_s),
        rdm_macs=3 * count * (spec.macs + trainers["one"].stack.density.macs) * rows * epochs,
        teacher_macs=count_macs(model, model.info.input) * rows,
    )


def _forward(teacher: Teacher, batch: int, device: torch.device, precision: Precision) -> Callable[[], None]:
    spec = teacher.info.input
    pixels = torch.randn(batch, 3, spec.height, spec.width, generator=torch.Generator().manual_seed(0)).to(device)

    def work() -> None:
        with torch.inference_mode(), autocast(device, precision):
            teacher(pixels)

    return work


def _median_ms(times: Sequence[float]) -> PartArm:
    low, middle, high = quartiles(times)
    return PartArm(step_ms=middle, spread_ms=(high - low) / 2)


def _repeated(work: Callable[[], None], steps: int) -> None:
    for _ in range(steps):
        work()
