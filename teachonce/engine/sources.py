"""Where a session's targets come from: the store or the live teacher, alone or with extras beside it."""

from dataclasses import replace

import torch

from teachonce.data.resident import ImageSource
from teachonce.engine.cached import CachedTargets
from teachonce.engine.extras import extra_records
from teachonce.engine.live_rdm import LiveRdms
from teachonce.engine.parts import Parts, budget_for_targets, cached_targets, live_targets
from teachonce.engine.rdm.stored import load_rdm
from teachonce.engine.several import SeveralTargets
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
    config, needs, budget = parts.config, parts.method.needs, budget_for_targets(parts)
    main = cached_targets(parts, config.target, needs, budget=budget)
    if not needs.extras:
        return main
    assert parts.store is not None
    sources: dict[str, CachedTargets] = {}
    for name, record in extra_records(parts.store, config).items():
        left = budget - sum(source.size for source in (main, *sources.values()) if source.tier == "resident")
        from_head = config.rdm_logits == "head" and needs.logits
        wanted = needs.of_extra(record.spec)
        sources[name] = cached_targets(parts, name, wanted, budget=left, from_head=from_head)
    return SeveralTargets(main, sources)


def live_source(parts: Parts, teacher: Teacher, images: ImageSource, views: EpochViews) -> TargetSource:
    """The targets of the live teacher, and of RDMs that run on its embeddings.

    Raises:
        InputError: The method needs logits, and the teacher has none.
        StoreError: An RDM cannot be had; see `extra_records`.
        DataError: A class has no mean, and the method needs one.
    """
    needs = parts.method.needs
    if not needs.extras:
        return live_targets(parts, needs, teacher, images, views)
    assert parts.store is not None
    extra_records(parts.store, parts.config)
    rdms = {name: load_rdm(parts.store, name).to(parts.device) for name in needs.extras}
    main = live_targets(parts, replace(needs, image_embedding=True, extras=()), teacher, images, views)
    stored = parts.store.sealed(parts.config.target).arrays["image_embedding"].dtype
    return LiveRdms(main, needs, rdms, stored=getattr(torch, stored))
