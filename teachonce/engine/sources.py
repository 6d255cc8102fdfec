"""Where a session's targets come from: the store or the live teacher."""

import torch

from teachonce.data.resident import ImageSource
from teachonce.engine.extras import extra_records
from teachonce.engine.parts import Parts, cached_targets, live_targets
from teachonce.engine.rdm.stored import load_rdm
from teachonce.engine.targets import TargetSource
from teachonce.engine.views import EpochViews
from teachonce.models.teacher import Teacher


def cached_source(parts: Parts) -> TargetSource:
    """The targets of the store: the main one, and the method's extras.

    Raises:
        StoreMissingError: The store lacks a target, or a target what the method needs.
        UnsealedError: A target is not finished.
        MismatchError: Classes are not the data's, or an RDM is of another target.
        DataError: A class has no mean, and the method needs one.
    """
    assert parts.store is not None
    config = parts.config
    records = {config.target: parts.store.sealed(config.target)} | extra_records(parts.store, config)
    reads = parts.method.reads({name: record.spec for name, record in records.items()})
    from_head = config.rdm if config.rdm_logits == "head" and "logits" in parts.method.needs else ()
    return cached_targets(parts, reads, from_head=from_head)


def live_source(parts: Parts, teacher: Teacher, images: ImageSource, views: EpochViews) -> TargetSource:
    """The targets of the live teacher, and of RDMs that run on its embeddings.

    Raises:
        InputError: The method needs logits, and the teacher has none.
        StoreError: An RDM cannot be had; see `extra_records`.
        DataError: A class has no mean, and the method needs one.
    """
    if not parts.method.extras:
        return live_targets(parts, teacher, images, views, {}, torch.float32)
    assert parts.store is not None
    extra_records(parts.store, parts.config)
    rdms = {name: load_rdm(parts.store, name).to(parts.device) for name in parts.method.extras}
    stored = parts.store.sealed(parts.config.target).arrays["image_embedding"].dtype
    return live_targets(parts, teacher, images, views, rdms, getattr(torch, stored))
