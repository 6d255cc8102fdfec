"""RDMs and embeddings: rate-distortion curves, t-SNE of teacher, RDMs and students, and accuracy over cost."""

from collections.abc import Iterator, Sequence

from teachonce.cache.store import Store
from teachonce.engine.rdm.stored import KIND
from teachonce.errors import TeachonceError
from teachonce.events import Events
from teachonce.plots.cost import CostPoint, Costs, training_costs
from teachonce.plots.draw.accounting import short
from teachonce.plots.draw.cost import draw_costs
from teachonce.plots.draw.rate_distortion import draw_rate_distortion
from teachonce.plots.draw.tsne import draw_tsne
from teachonce.plots.rate_distortion import RdmCurve, RdmPoint, rate_distortion
from teachonce.plots.runs import Run
from teachonce.plots.tsne import Embedder, Maps, tsne
from teachonce.reports.accuracy import students
from teachonce.reports.gather import Material
from teachonce.reports.page import Block, Figure, Section, Table, Text
from teachonce.reports.scores import Scored, scored
from teachonce.reports.students import embedder, store_samples
from teachonce.texts import share_text

ROWS, RDMS = 500, 3
"""Rows of a map; RDMs beside the teacher: the least, the middle and the largest R."""


def rdm_section(material: Material) -> Section:
    """Rate and distortion of the RDMs of each store; empty without RDMs."""
    blocks = [
        _curves(place, rate_distortion(store))
        for place, store in enumerate(material.stores, 1)
        if any(record.kind == KIND and record.sealed for record in store.targets().values())
    ]
    lead = "Rate (bits per sample) and distortion of each RDM; R is the weight of the distortion."
    return Section(name="rdm", title="Rate-distortion modules", blocks=blocks, lead=lead)


def _curves(place: int, curves: Sequence[RdmCurve]) -> Figure:
    points = [point for curve in curves for point in curve.points]
    summary = "; ".join(f"R {point.distortion_weight:g} {point.bits:.3g} bits" for point in points)
    return Figure(
        name=f"rate-distortion-{place}",
        title="Rate, accuracy and distortion",
        caption="A larger R keeps more bits. Dashed line: accuracy of the teacher, if known.",
        alt=f"Curves of the rate-distortion modules: {summary}.",
        draw=lambda width: draw_rate_distortion(curves, width),
        table=Table(
            columns=("RDM", "R", "bits per sample", "validation top-1", "distortion", "best epoch"),
            rows=tuple(map(_rdm_row, points)),
        ),
    )


def _rdm_row(point: RdmPoint) -> tuple[str, ...]:
    distortion = "-" if point.distortion is None else f"{point.distortion:.4g}"
    weight, bits = f"{point.distortion_weight:g}", f"{point.bits:.1f}"
    return (point.target, weight, bits, share_text(point.top1), distortion, str(point.best_epoch))


def embedding_section(material: Material, events: Events) -> Section:
    """t-SNE of the same rows for teacher, RDMs and students; empty if there is nothing to map."""
    blocks = [
        block for place, store in enumerate(material.stores, 1) for block in _maps(place, store, material, events)
    ]
    return Section(name="embeddings", title="Embeddings", blocks=blocks)


def _maps(place: int, store: Store, material: Material, events: Events) -> Iterator[Block]:
    targets = _targets(store)
    if not targets:
        return
    others, note = _students(store, material)
    try:
        maps = tsne(store, targets, rows=ROWS, others=others, events=events)
    except TeachonceError as error:
        events.warn(f"no map of embeddings of {store.path}: {error.message}")
        return
    yield _map_figure(place, maps)
    if note:
        yield Text(text=note)


def _map_figure(place: int, maps: Maps) -> Figure:
    names = ", ".join(panel.target for panel in maps.panels)
    rows = [
        (panel.target, panel.array, f"{panel.width:,}", f"{panel.distinct:,}", f"{panel.kl:.3g}")
        for panel in maps.panels
    ]
    return Figure(
        name=f"embeddings-{place}",
        title=f"t-SNE of {names}",
        caption=f"The same {len(maps.rows):,} rows in each panel, coloured by class. Large distances have no meaning.",
        alt=f"Maps of embeddings, coloured by class: {names}.",
        draw=lambda width: draw_tsne(maps, width),
        table=Table(
            columns=("embeddings", "array", "width", "distinct rows", "KL of the map"),
            rows=rows,
            texts=(0, 1),
        ),
    )


def _targets(store: Store) -> list[str]:
    """The teacher's embeddings and those of some RDMs of it."""
    records = {name: record for name, record in store.targets().items() if record.sealed}
    known = {name: one for name, one in records.items() if {"image_embedding", "logits"} & one.arrays.keys()}
    teachers = [name for name, one in known.items() if one.kind != KIND]
    if not teachers:
        return []
    first = "teacher" if "teacher" in teachers else teachers[0]
    rdms = [one for one in known.values() if one.kind == KIND and one.fingerprint_fields["parent"]["name"] == first]
    rdms.sort(key=lambda one: one.fingerprint_fields["rdm"]["distortion_weight"])
    some = rdms if len(rdms) <= RDMS else [rdms[0], rdms[len(rdms) // 2], rdms[-1]]
    return [first, *(one.name for one in some)]


def _students(store: Store, material: Material) -> tuple[dict[str, Embedder], str]:
    """The best distilled student and one without a teacher, of the student with the most runs; and a note."""
    mine = _of_store(store, material)
    ranked = next((scored(groups) for groups in students(material, mine).values()), [])
    chosen = _first(ranked, distilled=True) + _first(ranked, distilled=False)
    if not chosen:
        return {}, ""
    try:
        samples = store_samples(store, tuple(mine))
        return {f"student: {one.group.label}": embedder(_best_run(one), samples) for one in chosen}, ""
    except TeachonceError as error:
        return {}, f"Students are not shown: {error.message}."


def _of_store(store: Store, material: Material) -> list[Run]:
    """The runs that used a store's rows; runs without a teacher may not name the store."""
    named = [run for run in material.runs if material.store_of(run) is store]
    data = [run.settings.data for run in named]
    return [run for run in material.runs if run in named or (not run.needs_teacher and run.settings.data in data)]


def _first(ranked: Sequence[Scored], *, distilled: bool) -> list[Scored]:
    return [one for one in ranked if one.group.runs[0].needs_teacher == distilled][:1]


def _best_run(one: Scored) -> Run:
    """The best seed by validation accuracy; the test data are not used for selection."""
    return max(one.group.runs, key=lambda run: run.result.val_top1 or 0.0)


def cost_section(material: Material, events: Events) -> Section:
    """A figure per store, of the student with the most runs; empty if no store has two settings to compare."""
    found = (_store_costs(place, store, material, events) for place, store in enumerate(material.stores, 1))
    blocks = [figure for figure in found if figure is not None]
    return Section(name="cost", title="Accuracy over training cost", blocks=blocks)


def _store_costs(place: int, store: Store, material: Material, events: Events) -> Figure | None:
    runs = list(material.runs)
    if len(material.stores) > 1:
        unknown = [run for run in runs if run.needs_teacher and run.target is None]  # which a warning names
        runs = [*_of_store(store, material), *unknown]
    student, groups = next(iter(students(material, runs).items()), ("", []))
    if len(groups) < 2:
        return None
    try:
        costs = training_costs([run.folder for run in runs], store=store.path, student=student, events=events)
    except TeachonceError as error:
        events.warn(f"training costs of {store.path} are left out: {error.message}")
        return None
    of = f" ({store.path.name})" if len(material.stores) > 1 else ""
    return _cost_figure(place, f"Accuracy over cost{of}: {student}", costs)


def _macs(point: CostPoint, *, is_live: bool) -> str:
    """The cost with one source of targets; in brackets if it was not run with that one."""
    text = short(point.live_macs if is_live else point.cached_macs)
    return text if is_live == point.is_live or point.cached_macs == point.live_macs else f"({text}, not run)"


def _cost_figure(place: int, title: str, costs: Costs) -> Figure:
    summary = "; ".join(f"{point.label} {share_text(point.accuracy_mean)}" for point in costs.points)
    rows = [
        (
            point.label,
            share_text(point.accuracy_mean),
            *(_macs(point, is_live=is_live) for is_live in (False, True)),
            f"{point.cached_macs / point.live_macs:.3f}",
        )
        for point in costs.points
    ]
    return Figure(
        name=f"cost-{place}",
        title=title,
        caption="Each point is a run: filled from the cache or without a teacher, hollow with a live teacher. "
        f"Hatched bars are computed for the other source of targets, not run. Cost: {costs.counting}.",
        alt=f"Points of {costs.accuracy} accuracy over training cost: {summary}.",
        draw=lambda width: draw_costs(costs, width),
        table=Table(
            columns=("training", f"{costs.accuracy} top-1", "from the cache, MACs", "live, MACs", "cached over live"),
            rows=rows,
        ),
    )
