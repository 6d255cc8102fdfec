"""Builds the page of a report from runs, stores and benchmarks."""

from collections.abc import Sequence
from pathlib import Path

from teachonce.events import SILENT, Events, WarnOnce
from teachonce.reports.accuracy import accuracy_section
from teachonce.reports.benches import estimate_section, parts_section
from teachonce.reports.break_even import break_even_section
from teachonce.reports.costs import costs_section
from teachonce.reports.curves import curves_section
from teachonce.reports.embeddings import cost_section, embedding_section, rdm_section
from teachonce.reports.gather import gather
from teachonce.reports.live import arms_section
from teachonce.reports.page import Page
from teachonce.reports.provenance import provenance_section
from teachonce.reports.stores import store_section
from teachonce.reports.sweeps import sweep_section
from teachonce.reports.tiles import tiles
from teachonce.reports.verdict import caveats, judge


def build_page(
    places: Sequence[Path], *, store: Path | None = None, title: str | None = None, events: Events = SILENT
) -> Page:
    """Build a page from some files and folders; every number in it is read from them.

    Args:
        places: Each a run, a folder with runs below it, a store, or a JSON file of a benchmark.
        store: Replaces the stores that the runs name; None: those.
        title: Of the page; None: `Distillation report`.
        events: Receives progress and warnings; the warnings are on the page too.

    Raises:
        InputError: No place, or one that is none of these.
        StoreMissingError: A place does not exist, or has no finished run.
        CorruptError: A file cannot be read, or is incomplete.
    """
    once = WarnOnce(events)
    material = gather(places, store=store, events=once)
    made = (
        arms_section(material),
        break_even_section(material),
        curves_section(material),
        accuracy_section(material),
        sweep_section(material),
        costs_section(material),
        estimate_section(material),
        store_section(material),
        rdm_section(material),
        embedding_section(material, once),
        cost_section(material, once),
        parts_section(material),
        provenance_section(material),
    )
    verdict, pays = judge(material)
    return Page(
        title=title or "Distillation report",
        verdict=verdict,
        pays=pays,
        tiles=tiles(material),
        sections=[section for section in made if section.blocks],
        warnings=(*caveats(material), *once.warnings),
    )
