"""The views of a store: those of a new one, or the ones that are there."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from teachonce.bounds import Count
from teachonce.cache import Store
from teachonce.cache.identity import first_difference, short
from teachonce.data.rules import RULES, installed_rule
from teachonce.data.views import Augment, draw_views, eval_views, parse_augment
from teachonce.errors import InputError, MismatchError
from teachonce.options.embed import EmbedOptions
from teachonce.records import SPARSE, parse, to_json
from teachonce.types import EARLY, EvalView, Resizing


@dataclass(frozen=True, kw_only=True)
class ViewsSpec:
    """How the views of a store are made: its attribute `views_spec`."""

    augment: Augment | None
    """None: one view, the evaluation view."""
    seed: Count | None
    """None where nothing is drawn."""
    view: EvalView
    """The evaluation view of the teacher that the store was made with."""
    resizing: Annotated[Resizing, SPARSE] = EARLY


@dataclass(frozen=True, kw_only=True)
class ViewPlan:
    """The views of a store."""

    views: int
    spec: ViewsSpec

    def params(self, sizes: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The views of some rows.

        Args:
            sizes: (n, 2) height and width in pixels, zeros where a row failed.
            rows: (n,) the rows of the dataset.

        Returns:
            float32 (n, views, 6).
        """
        spec = self.spec
        if spec.augment is None:
            return eval_views(sizes, spec.view)
        return draw_views(sizes, augment=spec.augment, views=self.views, seed=spec.seed or 0, rows=rows)


def new_views(options: EmbedOptions, view: EvalView) -> ViewPlan:
    """The views of a new store.

    Args:
        options: How many, and how they are drawn.
        view: The teacher's evaluation view.

    Raises:
        InputError: Several views without an augmentation.
    """
    augment, count = parse_augment(options.augment), options.views or 1
    if augment is None and count > 1:
        raise InputError(
            f"{count} views without an augmentation would all be the same",
            "Name one (--augment crop=0.35,flip), or use one view",
        )
    seed = None if augment is None else options.seed
    return ViewPlan(views=count, spec=ViewsSpec(augment=augment, seed=seed, view=view, resizing=installed_rule()))


def stored_rule(store: Store) -> Resizing:
    """How the views of a store are resized, for as long as it exists.

    Raises:
        MismatchError: By a rule that this version does not know.
    """
    found = store.spec.views_spec.get("resizing", EARLY)
    for rule in RULES:
        if found == rule:
            return rule
    known = ", ".join(RULES)
    raise MismatchError(f"{store.path} resizes by {found!r}, expected one of {known}", "Use a newer teachonce")


def stored_views(store: Store) -> ViewPlan:
    """The plan that a store was made with.

    Raises:
        CorruptError: It does not say, or its words are none.
        MismatchError: See `stored_rule`.
    """
    mend = "Restore its zarr.json from a copy, or make the store again"
    stored_rule(store)
    spec = parse(ViewsSpec, store.spec.views_spec, str(store.path), mend=mend, within="views_spec")
    return ViewPlan(views=store.spec.views, spec=spec)


def kept_views(store: Store, options: EmbedOptions) -> ViewPlan:
    """The views of a store that is there; where none are asked for, they are taken as they are.

    Raises:
        MismatchError: Others are asked for.
        CorruptError: See `stored_views`.
    """
    kept = stored_views(store)
    if options.views is None and options.augment is None:
        return kept
    augment = parse_augment(options.augment)
    seed = None if augment is None else options.seed
    asked = ViewPlan(views=options.views or kept.views, spec=replace(kept.spec, augment=augment, seed=seed))
    there, wanted = ({"count": plan.views, **to_json(plan.spec)} for plan in (kept, asked))
    found = first_difference(there, wanted, "views")
    if found:
        raise MismatchError(
            f"{store.path} was made with other {found[0]}: expected {short(found[1])}, got {short(found[2])}",
            "Use the --views, --augment and --seed that the store was made with, or another --store",
        )
    return kept
