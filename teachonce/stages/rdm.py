"""Between the stages: train rate-distortion modules on a store's embeddings, and keep their outputs beside them."""

from dataclasses import dataclass

from teachonce.cache.targets import TargetRecord
from teachonce.engine.rdm.conduct import conduct
from teachonce.engine.rdm.job import open_job
from teachonce.events import Events
from teachonce.options.rdm import RdmOptions
from teachonce.options.verb import verb
from teachonce.options.words import given_options


@dataclass(frozen=True, kw_only=True)
class RdmEntry:
    """One RDM, as it does on the validation rows (view 0), its bottleneck rounded."""

    name: str
    """Of its target."""
    distortion_weight: float
    bits: float
    """Rate, in bits a sample."""
    distortion: float | None
    """A sample, as the loss has it; None without a reconstruction."""
    top1: float | None
    """Share in [0, 1]; None without labels of its classes."""
    best_epoch: int
    reused: bool
    """It was there before, and nothing was done for it."""


@dataclass(frozen=True, kw_only=True)
class RdmResult:
    """What a call of `rdm` did."""

    store: str
    target: str
    """The parent."""
    rdms: list[RdmEntry]
    """In the order of the distortion weights."""
    teacher_top1: float | None
    """The teacher's own, on the same rows; None without labels or logits."""
    epochs: int
    rows: int
    """Rows that trained."""
    val_rows: int
    seconds: float
    """Of the epochs, validation and writing not included; 0 where all was reused."""
    samples_per_s: float
    """Rows that trained a second, each for all RDMs that were trained; 0 where all was reused."""


@verb(RdmOptions)
def rdm(options: RdmOptions, events: Events) -> RdmResult:
    """Train one RDM for each distortion weight R, all together, and write their outputs as targets `rdm-R`.

    The teacher is not loaded: embeddings, logits (or the stored head) and labels come from the store. Without labels
    there is no cross-entropy, without logits no KL, without both what is left is rate and distortion (equation 4 of
    CIFD, Saidutta et al., NeurIPS 2024). Epoch e learns from view e mod V; outputs are written for all views.

    Killed or interrupted at any point, the same call resumes where it stopped, on the CPU to the same bytes. What is
    there already, from the same settings, is reused; only the missing weights are trained. Until all is sealed, the
    training lies in `STORE.work`. Nothing is written before everything has been checked.

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
    job = open_job(options, events)
    done = conduct(job, events, given_options(options), mend=options.repair)
    rdms = [_entry(record, reused=name in done.reused) for name, record in done.records.items()]
    rows = len(job.rows.train)
    return RdmResult(
        store=str(options.store),
        target=options.target,
        rdms=rdms,
        teacher_top1=next(iter(done.records.values())).attributes.get("teacher_top1"),
        epochs=options.epochs,
        rows=rows,
        val_rows=len(job.rows.val),
        seconds=done.seconds,
        samples_per_s=rows * options.epochs / done.seconds if done.seconds else 0.0,
    )


def _entry(record: TargetRecord, *, reused: bool) -> RdmEntry:
    told = record.attributes
    return RdmEntry(
        name=record.name,
        distortion_weight=told["distortion_weight"],
        bits=told["bits"],
        distortion=told["distortion"],
        top1=told["top1"],
        best_epoch=told["best_epoch"],
        reused=reused,
    )
