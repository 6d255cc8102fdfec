"""Made by scripts/generate.py from the options classes: do not edit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, overload

from teachonce import losses as losses
from teachonce.benchmarks.estimate.records import Estimate
from teachonce.cache.store import open_store as open_store
from teachonce.data.samples import Samples
from teachonce.engine.join.teacher import CachedTeacher as CachedTeacher
from teachonce.engine.records import EvaluateRunResult
from teachonce.engine.records import TrainResult
from teachonce.events import Events
from teachonce.heap import keep_freed as keep_freed
from teachonce.models.students import load_student as load_student
from teachonce.models.teacher import Teacher
from teachonce.options.embed import EmbedOptions as EmbedOptions
from teachonce.options.estimate import EstimateOptions as EstimateOptions
from teachonce.options.evaluate import EvaluateOptions as EvaluateOptions
from teachonce.options.rdm import RdmOptions as RdmOptions
from teachonce.options.runs import ReportOptions as ReportOptions
from teachonce.options.runs import RunOptions as RunOptions
from teachonce.options.runs import TuneOptions as TuneOptions
from teachonce.options.train import TrainOptions as TrainOptions
from teachonce.options.verify import VerifyOptions as VerifyOptions
from teachonce.pipeline.run import RunResult
from teachonce.pipeline.tune.results import TuneResult
from teachonce.reports.make import ReportResult
from teachonce.stages.embed import EmbedResult
from teachonce.stages.evaluate import EvaluateStoreResult
from teachonce.stages.rdm import RdmResult
from teachonce.stages.verify import VerifyResult

__version__: str
__all__ = ["CachedTeacher", "EmbedOptions", "EstimateOptions", "EvaluateOptions", "RdmOptions", "ReportOptions", "RunOptions", "TrainOptions", "TuneOptions", "VerifyOptions", "embed", "estimate", "evaluate", "keep_freed", "load_student", "open_store", "rdm", "report", "run", "train", "tune", "verify"]

@overload
def embed(options: EmbedOptions, /, *, events: Events = ...) -> EmbedResult: ...
@overload
def embed(
    *,
    teacher: str | Path | Teacher,
    data: str | Path | Samples,
    store: str | Path,
    name: str = ...,
    split: str | None = ...,
    image_column: str | None = ...,
    label_column: str | None = ...,
    key_column: str | None = ...,
    limit: int | None = ...,
    views: int | None = ...,
    augment: str | None = ...,
    dtype: Literal["float16", "bfloat16", "float32"] = ...,
    batch_size: int | None = ...,
    block_rows: int | None = ...,
    per_class: int | None = ...,
    max_failed: int = ...,
    teacher_dtype: Literal["float32", "bf16", "fp16"] = ...,
    embedding: str = ...,
    revision: str | None = ...,
    trust_remote_code: bool = ...,
    image_size: int | None = ...,
    blocks: str | None = ...,
    repair: bool = ...,
    precision: Literal["auto", "float32", "bf16"] = ...,
    tf32: bool = ...,
    teacher_device_map: str | None = ...,
    device: str | None = ...,
    workers: int | None = ...,
    threads: int | None = ...,
    seed: int = ...,
    events: Events = ...,
) -> EmbedResult:
    """Run a teacher once over data, and keep its embeddings and logits in a store.

    Killed or interrupted at any point, the same call resumes where it stopped; a complete target is reused after its
    data has been compared. Nothing is written before everything has been checked and the first block is there.

    Args:
        teacher: Hub id, folder, trained run, built-in name (cnn-10, wrn-40-2, vit:...) or package.module:factory
            (looked up as Python does, then in this folder; a recipe's also in the recipe's).
        data: Hub id, folder of images, parquet:FILE, arrow:FILE, disk:DIR (a saved dataset), digits or scenes.
        store: Folder of the store (NAME.zarr).
        name: Name of the target in the store.
        split: Split of the dataset.
        image_column: Column of images; chosen by type if absent.
        label_column: Column of labels; chosen by type if absent.
        key_column: Column whose value identifies a row, instead of its bytes.
        limit: Use only this number of first rows.
        views: Views per image; those of the store, or one, if absent.
        augment: Random augmentation of the views, such as crop=0.35,flip.
        dtype: Stored dtype.
        batch_size: Rows in a teacher batch; chosen automatically if absent.
        block_rows: Rows per block, a power of two; chosen automatically if absent.
        per_class: Samples per class that a class mean is computed from: a number, or all.
        max_failed: Number of samples that may fail to decode.
        teacher_dtype: Dtype of the teacher's weights and its arithmetic; --precision applies to float32 weights
            only.
        embedding: auto, cls, pooler, mean, projected (CLIP) or penultimate.
        revision: Revision of a hub teacher.
        trust_remote_code: Allow code that a model, a run or a recipe names to run.
        image_size: Image size of built-in teachers, in pixels.
        blocks: Write only these blocks (0:100 excludes 100), so that several processes can fill a store.
        repair: Repair a damaged store: compute only the bad blocks again.
        precision: Arithmetic; auto is bf16 on a GPU.
        tf32: Let a GPU round the inputs of float32 products to TF32: faster, less exact. No effect on bf16 or a
            CPU.
        teacher_device_map: auto, or auto,cpu=4GB: weights that do not fit are read from the model's files for every
            batch.
        device: cpu, cuda, cuda:1; the first GPU if absent.
        workers: Processes that decode images.
        threads: CPU threads; all cores if absent. Small networks are fastest with one.
        seed: Seed of all random numbers.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: A setting that cannot be used.
        DataError: Data that cannot be used.
        ModelError: A teacher that cannot be used.
        MismatchError: The store was made from other things; names the first field or row.
        NonFiniteError: The teacher gives NaN or infinity, or the stored dtype overflows; names the row.
        FailedSamplesError: Too many samples failed; the same call with a larger `max_failed` seals.
        DiskError: Too little space, or the disk is read-only or failing.
        BusyError: Another process writes the same blocks.
    """

@overload
def estimate(options: EstimateOptions, /, *, events: Events = ...) -> Estimate: ...
@overload
def estimate(
    *,
    teacher: str | Path | Teacher,
    data: str | Path | Samples,
    store: str | Path | None = ...,
    name: str = ...,
    split: str | None = ...,
    image_column: str | None = ...,
    label_column: str | None = ...,
    key_column: str | None = ...,
    limit: int | None = ...,
    views: int | None = ...,
    augment: str | None = ...,
    dtype: Literal["float16", "bfloat16", "float32"] = ...,
    teacher_batch: int | None = ...,
    block_rows: int | None = ...,
    per_class: int | None = ...,
    teacher_dtype: Literal["float32", "bf16", "fp16"] = ...,
    embedding: str = ...,
    revision: str | None = ...,
    trust_remote_code: bool = ...,
    image_size: int | None = ...,
    seconds: float = ...,
    student: str | None = ...,
    method: str | None = ...,
    settings: Mapping[str, str | int | float | bool] | None = ...,
    epochs: int | None = ...,
    batch_size: int | None = ...,
    student_image_size: int | None = ...,
    precision: Literal["auto", "float32", "bf16"] = ...,
    teacher_device_map: str | None = ...,
    device: str | None = ...,
    workers: int | None = ...,
    threads: int | None = ...,
    seed: int = ...,
    events: Events = ...,
) -> Estimate:
    """Tell what `embed` will take, from some batches through its real path and some blocks onto its real disk.

    The batches are spread over the data; decoding and teacher work side by side as they will, and what the first
    batches take to get going is told apart from the steady pace. A few blocks of the store's real size are written
    beside where it will be, and removed. The bytes of the store are computed from its format, not probed. With a
    student, its steps from the cache and with the live teacher are timed on two batches of the data that are resident.
    Nothing is left behind.

    Args:
        teacher: Hub id, folder, trained run, built-in name (cnn-10, wrn-40-2, vit:...) or package.module:factory
            (looked up as Python does, then in this folder; a recipe's also in the recipe's).
        data: Hub id, folder of images, parquet:FILE, arrow:FILE, disk:DIR (a saved dataset), digits or scenes.
        store: Path of the store to be made; its disk is measured (the working folder if absent).
        name: Name of the target in the store.
        split: Split of the dataset.
        image_column: Column of images; chosen by type if absent.
        label_column: Column of labels; chosen by type if absent.
        key_column: Column whose value identifies a row, instead of its bytes.
        limit: Use only this number of first rows.
        views: Views per image; one if absent.
        augment: Random augmentation of the views, such as crop=0.35,flip.
        dtype: Stored dtype.
        teacher_batch: Rows in a teacher batch; chosen automatically if absent.
        block_rows: Rows per block, a power of two; chosen automatically if absent.
        per_class: Samples per class that a class mean is computed from: a number, or all.
        teacher_dtype: Dtype of the teacher's weights and its arithmetic; --precision applies to float32 weights
            only.
        embedding: auto, cls, pooler, mean, projected (CLIP) or penultimate.
        revision: Revision of a hub teacher.
        trust_remote_code: Allow code that a model, a run or a recipe names to run.
        image_size: Image size of built-in teachers, in pixels.
        seconds: Measuring time of the teacher pass; longer is more accurate.
        student: Also estimate break-even with this student; see train.
        method: Method of the student; kd if absent.
        settings: The method's settings by their own names, such as {"temperature": 4}.
        epochs: Epochs of one student; 10 if absent.
        batch_size: Rows per training step; 128 if absent.
        student_image_size: Image size of the student, in pixels.
        precision: Arithmetic; auto is bf16 on a GPU.
        teacher_device_map: auto, or auto,cpu=4GB: weights that do not fit are read from the model's files for every
            batch.
        device: cpu, cuda, cuda:1; the first GPU if absent.
        workers: Processes that decode images.
        threads: CPU threads; all cores if absent. Small networks are fastest with one.
        seed: Seed of all random numbers.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: A setting that cannot be used.
        TeachonceError: As `embed`; with a student as `train`.
    """

@overload
def train(options: TrainOptions, /, *, events: Events = ...) -> TrainResult: ...
@overload
def train(
    *,
    data: str | Path | Samples,
    student: str,
    out: str | Path,
    init: str | None = ...,
    method: str = ...,
    store: str | Path | None = ...,
    target: str = ...,
    rdm: str | Sequence[str] = ...,
    rdm_logits: Literal["stored", "head"] = ...,
    assistants: str | Sequence[str] = ...,
    targets: str | Sequence[str] = ...,
    source: Literal["cached", "live"] = ...,
    teacher: str | None = ...,
    teacher_dtype: Literal["float32", "bf16", "fp16"] = ...,
    settings: Mapping[str, str | int | float | bool] | None = ...,
    split: str | None = ...,
    image_column: str | None = ...,
    label_column: str | None = ...,
    key_column: str | None = ...,
    limit: int | None = ...,
    val_fraction: float = ...,
    image_size: int | None = ...,
    student_augment: str | None = ...,
    epochs: int = ...,
    batch_size: int = ...,
    label_smoothing: float = ...,
    precision: Literal["auto", "float32", "bf16"] = ...,
    tf32: bool = ...,
    teacher_device_map: str | None = ...,
    compile: bool = ...,
    cuda_graphs: bool = ...,
    device: str | None = ...,
    workers: int | None = ...,
    threads: int | None = ...,
    seed: int = ...,
    trust_remote_code: bool = ...,
    optimizer: Literal["adamw", "sgd"] = ...,
    momentum: float = ...,
    clip_norm: float | None = ...,
    lr: float = ...,
    weight_decay: float | None = ...,
    schedule: Literal["cosine", "milestones", "constant"] = ...,
    warmup_epochs: float = ...,
    milestones: int | Sequence[int] = ...,
    gamma: float = ...,
    density_lr: float | None = ...,
    events: Events = ...,
) -> TrainResult:
    """Train a student; without a store and with `ce`, a teacher.

    Killed or interrupted at any point, the same call goes on after the last finished epoch, on the CPU to the same
    weights bit for bit. A finished run of the same settings is reused. Nothing is written before everything has been
    checked. From a store the teacher's weights are never loaded.

    Args:
        data: Hub id, folder of images, parquet:FILE, arrow:FILE, disk:DIR (a saved dataset), digits or scenes.
        student: vit:patch=4,width=256,..., cnn-2, wrn-40-1, resnet8x4, resnet-18, mobilenet-v1, ...,
            transformers:CONFIG or package.module:factory (looked up as Python does, then in this folder; a recipe's
            also in the recipe's).
        out: Folder of the run.
        init: Initial weights: a run of train, or for students of transformers a folder or hub id. Random if absent.
        method: ce, cifd, clip-embed-kd, clip-teacher-kd, dgkd, kd, vanilla-kd, or a sum such as kd+clip-teacher-kd;
            see `teachonce methods`.
        store: Folder of the store; ce needs none.
        target: Name of the target in the store.
        rdm: For cifd: RDM targets of the store, such as rdm-10000,rdm-1000.
        rdm_logits: Read the RDMs' logits, or compute them from their heads.
        assistants: For dgkd: the assistants' targets, such as assistant-8,assistant-6.
        targets: All targets in one list, the main one first: --targets teacher,rdm-100,rdm-10 is --target teacher
            --rdm rdm-100,rdm-10; for dgkd the others are --assistants.
        source: Source of the targets: the store (cached) or the teacher (live).
        teacher: The teacher, for --source live.
        teacher_dtype: Dtype of the teacher's weights and its arithmetic; --precision applies to float32 weights
            only.
        settings: The method's settings by their own names, such as {"temperature": 4}.
        split: Split of the dataset.
        image_column: Column of images; chosen by type if absent.
        label_column: Column of labels; chosen by type if absent.
        key_column: Column whose value identifies a row, instead of its bytes.
        limit: Use only this number of first rows.
        val_fraction: Share of rows kept for validation.
        image_size: Image size of the student, in pixels.
        student_augment: Augmentation on top of the view: crop=0.35,flip.
        epochs: Passes over the data.
        batch_size: Rows per training step.
        label_smoothing: Smoothing of the labels, for ce.
        precision: Arithmetic; auto is bf16 on a GPU.
        tf32: Let a GPU round the inputs of float32 products to TF32: faster, less exact. No effect on bf16 or a
            CPU.
        teacher_device_map: auto, or auto,cpu=4GB: weights that do not fit are read from the model's files for every
            batch.
        compile: Use torch.compile.
        cuda_graphs: Compile the student, as --compile does, and replay its forward and backward pass as CUDA
            graphs; targets, loss and optimiser are launched as before, and the peak memory is not reported. No
            effect on a CPU.
        device: cpu, cuda, cuda:1; the first GPU if absent.
        workers: Processes that decode images.
        threads: CPU threads; all cores if absent. Small networks are fastest with one.
        seed: Seed of all random numbers.
        trust_remote_code: Allow code that a model, a run or a recipe names to run.
        optimizer: Optimizer.
        momentum: Of sgd.
        clip_norm: Maximum norm of the gradient.
        lr: Maximum learning rate.
        weight_decay: Weight decay; if absent 0.05 with adamw, 5e-4 with sgd.
        schedule: Schedule of the learning rate.
        warmup_epochs: Epochs of linear warm-up, such as 0.5.
        milestones: Epochs after which the learning rate is multiplied by gamma, such as 15,25.
        gamma: Factor of the learning rate at each milestone.
        density_lr: Learning rate of factorised densities, as a multiple of --lr; set by the optimizer if absent.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: A setting that cannot be used.
        DataError: Data that cannot be used, or without labels.
        ModelError: A student or teacher that cannot be used.
        StoreMissingError: No store, or it lacks what the method needs.
        UnsealedError: The store is not finished.
        MismatchError: The store is of other data, or the run's folder of another training; names the first difference.
        NonFiniteError: The loss became NaN or infinite; the last good weights are kept.
        DiskError: The disk is full, read-only or failing; the last checkpoint is kept.
    """

@overload
def rdm(options: RdmOptions, /, *, events: Events = ...) -> RdmResult: ...
@overload
def rdm(
    *,
    store: str | Path,
    distortion_weight: float | Sequence[float],
    target: str = ...,
    preset: Literal["general", "cnn", "r34", "r50"] = ...,
    hidden: int | None = ...,
    activation: Literal["relu", "gelu", "silu", "tanh"] = ...,
    dtype: Literal["float16", "bfloat16", "float32"] | None = ...,
    distortion: Literal["mse", "smooth-l1"] | None = ...,
    reduction: Literal["sum", "mean"] | None = ...,
    temperature: float = ...,
    squared_temperature: bool = ...,
    ce_weight: float = ...,
    kl_weight: float = ...,
    epochs: int = ...,
    batch_size: int = ...,
    val_fraction: float = ...,
    select: Literal["top1", "loss"] = ...,
    repair: bool = ...,
    device: str | None = ...,
    threads: int | None = ...,
    seed: int = ...,
    lr: float = ...,
    weight_decay: float = ...,
    schedule: Literal["cosine", "milestones", "constant"] = ...,
    warmup_epochs: float = ...,
    milestones: int | Sequence[int] = ...,
    gamma: float = ...,
    density_lr: float | None = ...,
    events: Events = ...,
) -> RdmResult:
    """Train one RDM for each distortion weight R, all together, and write their outputs as targets `rdm-R`.

    The teacher is not loaded: embeddings, logits (or the stored head) and labels come from the store. Without labels
    there is no cross-entropy, without logits no KL, without both what is left is rate and distortion (equation 4 of
    CIFD, Saidutta et al., NeurIPS 2024). Epoch e learns from view e mod V; outputs are written for all views.

    Killed or interrupted at any point, the same call resumes where it stopped, on the CPU to the same bytes. What is
    there already, from the same settings, is reused; only the missing weights are trained. Until all is sealed, the
    training lies in `STORE.work`. Nothing is written before everything has been checked.

    Args:
        store: Folder of the store (NAME.zarr).
        distortion_weight: One RDM for each, such as 10000,5000,1000; larger: a higher rate.
        target: Target whose embeddings the RDMs are trained on.
        preset: Layers: general for any embedding, the others as in the paper.
        hidden: Width of preset general; that of the embedding if absent.
        activation: Activation after the first and the third layer.
        dtype: Stored dtype; the target's own if absent.
        distortion: Distortion; if absent mse, for r34 and r50 smooth-l1.
        reduction: Reduction of the distortion over dimensions; if absent sum, for r34 and r50 mean.
        temperature: Temperature of the KL to the teacher.
        squared_temperature: Multiply the KL by the temperature squared.
        ce_weight: Weight of the cross-entropy; 0: without labels.
        kl_weight: Weight of the KL; 0: without logits.
        epochs: Passes over the embeddings.
        batch_size: Rows per training step.
        val_fraction: Share of rows kept for validation.
        select: Keep the epoch with the best top-1 or the lowest loss.
        repair: Repair a damaged store: compute only the bad blocks again.
        device: cpu, cuda, cuda:1; the first GPU if absent.
        threads: CPU threads; all cores if absent. Small networks are fastest with one.
        seed: Seed of all random numbers.
        lr: Maximum learning rate.
        weight_decay: Weight decay of the linear layers.
        schedule: Schedule of the learning rate.
        warmup_epochs: Epochs of linear warm-up, such as 0.5.
        milestones: Epochs after which the learning rate is multiplied by gamma, such as 15,25.
        gamma: Factor of the learning rate at each milestone.
        density_lr: Learning rate of factorised densities, as a multiple of --lr; set by the optimizer if absent.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: A setting that cannot be used, or a parent that is an RDM's.
        ModelError: Layers that cannot be.
        DataError: No rows to train on, or to validate on.
        StoreMissingError: No such store or target, or it has no embeddings.
        UnsealedError: The store or the target is not finished.
        MismatchError: A target of that name was made from other things, or the teacher's classes are not the labels';
            names the first difference.
        CorruptError: Bytes of the store are not what was sealed.
        BusyError: Another process does the same.
        NonFiniteError: A loss became NaN or infinite, or an output cannot be stored; nothing of it is sealed.
        DiskError: The disk is full, read-only or failing; the last checkpoint is kept.
    """

@overload
def evaluate(options: EvaluateOptions, /, *, events: Events = ...) -> EvaluateRunResult | EvaluateStoreResult: ...
@overload
def evaluate(
    *,
    data: str | Path | Samples | None = ...,
    run: str | Path | None = ...,
    store: str | Path | None = ...,
    target: str = ...,
    split: str | None = ...,
    image_column: str | None = ...,
    label_column: str | None = ...,
    key_column: str | None = ...,
    limit: int | None = ...,
    val_fraction: float = ...,
    neighbours: int = ...,
    batch_size: int = ...,
    precision: Literal["auto", "float32", "bf16"] = ...,
    device: str | None = ...,
    workers: int | None = ...,
    threads: int | None = ...,
    seed: int = ...,
    student: str | None = ...,
    trust_remote_code: bool = ...,
    events: Events = ...,
) -> EvaluateRunResult | EvaluateStoreResult:
    """Evaluate a run on data, or a store on its own held-out rows.

    The result of a run is kept in its folder as evaluation.json, which `report`, `plot` and `run` read: the last one,
    with the digests of its weights and data. It is not kept where the data is what the run was trained on.

    Args:
        data: Data to evaluate on; for a store: its own data, to compare with.
        run: Folder of a trained run.
        store: Folder of a store.
        target: Name of the target in the store.
        split: Split; test if absent, for a run.
        image_column: Column of images; chosen by type if absent.
        label_column: Column of labels; chosen by type if absent.
        key_column: Column whose value identifies a row, instead of its bytes.
        limit: Use only this number of first rows.
        val_fraction: Share of a store's rows held out.
        neighbours: Neighbours that vote.
        batch_size: Rows per batch.
        precision: Arithmetic; auto is bf16 on a GPU.
        device: cpu, cuda, cuda:1; the first GPU if absent.
        workers: Processes that decode images.
        threads: CPU threads; all cores if absent. Small networks are fastest with one.
        seed: Seed of all random numbers.
        student: Factory of the run's student, which must be named to be run.
        trust_remote_code: Allow code that a model, a run or a recipe names to run.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: Not one of run and store, or a setting that cannot be used.
        DataError: The data, or the store, has no labels.
        StoreMissingError: No such run or store, or no embeddings in it.
        UnsealedError: The store is not finished.
        MismatchError: The data has rows of a class that the run lacks, or is not the store's.
    """

@overload
def verify(options: VerifyOptions, /, *, events: Events = ...) -> VerifyResult: ...
@overload
def verify(
    store: str | Path,
    *,
    targets: str | Sequence[str] | None = ...,
    allow_zeros: bool = ...,
    data: str | Path | Samples | None = ...,
    split: str | None = ...,
    image_column: str | None = ...,
    label_column: str | None = ...,
    key_column: str | None = ...,
    limit: int | None = ...,
    teacher: str | Path | Teacher | None = ...,
    target: str = ...,
    sample: int = ...,
    teacher_device_map: str | None = ...,
    revision: str | None = ...,
    trust_remote_code: bool = ...,
    image_size: int | None = ...,
    device: str | None = ...,
    workers: int | None = ...,
    threads: int | None = ...,
    seed: int = ...,
    events: Events = ...,
) -> VerifyResult:
    """Read every byte of a store and compare it with journal and seals; nothing of the store is changed.

    Where nothing is wrong, a mark beside the store (`NAME.zarr.verified.json`) says when that was, until a file
    changes: stores that are larger than memory are then trained from without another check. Where something is
    damaged, the mark is removed.

    Args:
        store: Folder of the store.
        targets: Only these targets, NAME,NAME; all if absent.
        allow_zeros: Do not report rows of zeros.
        data: Compare every row with this data.
        split: Split of the dataset.
        image_column: Column of images; chosen by type if absent.
        label_column: Column of labels; chosen by type if absent.
        key_column: Column whose value identifies a row, instead of its bytes.
        limit: Use only this number of first rows.
        teacher: Run this teacher again on random rows; needs --data.
        target: Target that this teacher computed.
        sample: Number of rows that it runs on.
        teacher_device_map: auto, or auto,cpu=4GB: weights that do not fit are read from the model's files for every
            batch.
        revision: Revision of a hub teacher.
        trust_remote_code: Allow code that comes with a teacher to run.
        image_size: Image size of built-in teachers, in pixels.
        device: cpu, cuda, cuda:1; the first GPU if absent.
        workers: Processes that decode images.
        threads: CPU threads; all cores if absent. Small networks are fastest with one.
        seed: Seed of all random numbers.
        events: Receives progress, notes and warnings.

    Raises:
        StoreMissingError: There is no store, or no such target.
        InputError: A teacher without data; an RDM's target.
        DataError: Data that cannot be used.
        ModelError: A teacher that cannot be used.
    """

@overload
def run(options: RunOptions, /, *, events: Events = ...) -> RunResult: ...
@overload
def run(
    recipe: str,
    *,
    out: str | Path | None = ...,
    overrides: str | Sequence[str] = ...,
    dry_run: bool = ...,
    jobs: int | None = ...,
    trust_remote_code: bool = ...,
    events: Events = ...,
) -> RunResult:
    """Run a recipe; what is there with the same fingerprint or settings is reused.

    Killed or interrupted, the same call goes on: with the steps it stopped in, where these stopped.

    Args:
        recipe: A TOML file, or quickstart (built in).
        out: Folder of the runs, instead of the recipe's.
        overrides: Replace values of the recipe: TABLE.KEY=VALUE each, such as train.epochs=2.
        dry_run: Only show what would run, be reused or be refused, and why.
        jobs: Number of steps at once; their progress goes to OUT/logs. One if absent.
        trust_remote_code: Allow code that a model, a run or a recipe names to run.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: The recipe has unknown or wrong keys (all of them are named).
        ModelError: It names code, and that is not allowed.
        MismatchError: A step is refused: its place holds something else. Nothing was run.
        TeachonceError: A step failed; those before it are kept.
    """

@overload
def tune(options: TuneOptions, /, *, events: Events = ...) -> TuneResult: ...
@overload
def tune(
    recipe: str,
    *,
    trials: int | None = ...,
    jobs: int | None = ...,
    out: str | Path | None = ...,
    write: str | Path | None = ...,
    dry_run: bool = ...,
    trust_remote_code: bool = ...,
    events: Events = ...,
) -> TuneResult:
    """Search temperature, weights and learning rate of each training of a recipe, all from the one store.

    What comes before the trainings (teacher, store, RDMs, assistants) is made first, as `run` makes it. Each variant
    gets the same number of trials, the first with the recipe's own values. Trials that fall behind are pruned; one
    that fails is told and counted. All is journalled: killed or interrupted, the same call goes on, trials at work
    from their last epoch.

    Args:
        recipe: A TOML file, or quickstart (built in).
        trials: Trials per variant, instead of the recipe's.
        jobs: Number of trials at once; the recipe's, or one, if absent.
        out: Folder of the runs, instead of the recipe's.
        write: The tuned recipe; RECIPE-tuned.toml beside the recipe if absent.
        dry_run: Only show what would be searched, and where.
        trust_remote_code: Allow code that a model, a run or a recipe names to run.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: The recipe, or the space, has wrong keys or values. Nothing was run.
        ModelError: The recipe names code, and that is not allowed.
        MismatchError: What comes before the trainings holds something else.
        CorruptError: The journal cannot be read.
        BusyError: Another search is at work there.
        DiskError: The tuned recipe or the search cannot be written.
        TeachonceError: What comes before failed, or what stops every trial; the same call goes on.
    """

@overload
def report(options: ReportOptions, /, *, events: Events = ...) -> ReportResult: ...
@overload
def report(
    places: str | Path | Sequence[str | Path],
    *,
    out: str | Path | Sequence[str | Path],
    store: str | Path | None = ...,
    title: str | None = ...,
    events: Events = ...,
) -> ReportResult:
    """Write a report about runs, stores and benchmarks as one page.

    Args:
        places: Runs, folders with runs below them, stores, and JSON files of bench or estimate.
        out: A file that ends in .html or .md; may be given again.
        store: Path of the store, if it has moved; by default the path in the runs.
        title: Title of the page; Distillation report if absent.
        events: Receives progress, notes and warnings.

    Raises:
        InputError: Another suffix, or a place that is none of these.
        StoreMissingError: A place does not exist.
        DiskError: A file cannot be written; existing files are unchanged.
    """
