"""How to reproduce the numbers: machine, versions, command lines, seeds."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import TypeGuard

from teachonce.engine.records import Machine, Source
from teachonce.engine.stage_one.runs import RunLine, run_lines
from teachonce.errors import TeachonceError
from teachonce.methods.base import make_method
from teachonce.options.embed import EmbedOptions
from teachonce.options.opt import options_of
from teachonce.options.rdm import RdmOptions
from teachonce.options.train import TrainOptions
from teachonce.options.words import command_words, data_options
from teachonce.plots.groups import Group
from teachonce.plots.runs import Run
from teachonce.records import as_json, to_json
from teachonce.reports.accuracy import networks
from teachonce.reports.gather import Material
from teachonce.reports.page import Block, Commands, Facts, Section, Table
from teachonce.texts import size_text

_NOT_FROM_SETTINGS = ("data", "store", "settings", "seed", "init")
"""Settings that identify contents, where the options of `train` are paths."""


def provenance_section(material: Material) -> Section:
    """Machines, versions, commands and seeds; empty if nothing is recorded."""
    blocks: list[Block] = [*_machines(material), *_versions(material)]
    recorded = list(dict.fromkeys(_recorded(material)))
    if recorded:
        blocks.append(Commands(lines=tuple(recorded), title="Commands, as recorded"))
    groups = [group for groups in networks(material.runs).values() for group in groups]
    rebuilt = [*_passes(material), *_trainings(groups)]
    if rebuilt:
        title = "Commands that were not recorded, reconstructed from settings"
        blocks.append(Commands(lines=tuple(rebuilt), title=title))
    if groups:
        blocks.append(_seeds(material))
    title = "Reproduction"
    return Section(name="reproduction", title=title, blocks=blocks)


def _sources(material: Material) -> Iterator[Source]:
    """Records with a machine, versions and a command, by time; benchmarks last."""
    runs: list[tuple[str, Source]] = [(run.begun, run.record) for run in material.runs]
    evaluations = [(found.time, found) for run in material.runs if (found := run.evaluation) is not None]
    made = [(line.time, line) for line in _sealed(material)]
    yield from (source for _, source in sorted((*runs, *made, *evaluations), key=itemgetter(0)))
    yield from (bench.result for bench in material.benches)


def _sealed(material: Material) -> list[RunLine]:
    return [line for store in material.stores for line in run_lines(store.path) if line.outcome == "sealed"]


def _machines(material: Material) -> Iterator[Facts]:
    sources = list(_sources(material))
    distinct = _distinct([source.machine for source in sources if source.machine])
    devices = list(filter(None, dict.fromkeys(getattr(source, "device", None) for source in sources)))
    for machine in distinct:
        yield Facts(title="Machine" if len(distinct) == 1 else "Machine (one of several)", pairs=_machine(machine))
    if not distinct and devices:
        yield Facts(title="Machine", pairs=(("device", ", ".join(devices)), ("processor", "not on record")))


def _distinct(machines: Sequence[Machine]) -> list[Machine]:
    """Each machine once, with all GPUs that were used."""
    gpus: dict[Machine, dict[str, None]] = {}
    for machine in machines:
        gpus.setdefault(replace(machine, gpus=None), {}).update(dict.fromkeys(machine.gpus or ()))
    return [replace(machine, gpus=tuple(names)) for machine, names in gpus.items()]


def _machine(machine: Machine) -> tuple[tuple[str, str], ...]:
    return (
        ("processor", machine.processor or "-"),
        ("cores", str(machine.cores or "-")),
        ("memory", size_text(machine.memory_bytes)),
        ("GPU", ", ".join(machine.gpus or ()) or "none used"),
        ("platform", machine.platform or "-"),
    )


def _versions(material: Material) -> Iterator[Facts]:
    known: dict[str, dict[str, None]] = {}
    for source in _sources(material):
        for name, value in (source.versions or {}).items():
            known.setdefault(name, {})[value] = None
    if known:
        yield Facts(title="Versions", pairs=tuple((name, ", ".join(values)) for name, values in sorted(known.items())))


def _recorded(material: Material) -> Iterator[str]:
    for source in _sources(material):
        if isinstance(source.command, str):
            yield source.command
        elif _is_ours(source.command):
            yield _shell(["teachonce", *source.command[1:]])


def _is_ours(words: str | tuple[str, ...] | None) -> TypeGuard[tuple[str, ...]]:
    """Whether a command line is one of `teachonce` or `python -m teachonce`."""
    if not words or isinstance(words, str):
        return False
    program = Path(words[0])
    return program.name == "teachonce" or program.parts[-2:] == ("teachonce", "__main__.py")


def _is_recorded(run: Run) -> bool:
    words = run.record.command
    return _is_ours(words) and words[1:2] == ("train",)


def _trainings(groups: Iterable[Group]) -> Iterator[str]:
    yield from (rebuilt_command(group) for group in groups if not all(map(_is_recorded, group.runs)))


def _passes(material: Material) -> Iterator[str]:
    """Calls of `embed` and `rdm` from Python."""
    for line in _sealed(material):
        if line.options and not _is_ours(line.command):
            verb, kind = ("rdm", RdmOptions) if line.targets else ("embed", EmbedOptions)
            known = {name: value for name, value in to_json(line.options).items() if name in options_of(kind)}
            yield _shell(["teachonce", verb, *command_words(kind, known)])


def rebuilt_command(group: Group) -> str:
    """The `teachonce train` command of a group, with its seeds; options at their defaults are left out."""
    words = ["teachonce", "train", *command_words(TrainOptions, _options(group.runs[0]))]
    seeds = sorted({run.settings.seed for run in group.runs})
    seed = f"--seed {seeds[0]}" if len(seeds) == 1 else f"--seed S  # S = {', '.join(map(str, seeds))}"
    out = "runs/S" if len(seeds) > 1 else shlex.quote(group.runs[0].folder.name)
    return f"{_shell(words)} --out {out} {seed}"


def _options(run: Run) -> dict[str, object]:
    """The keyword arguments of `train` for a run, without seed and folder."""
    settings, record, method = to_json(run.settings), run.record, run.settings.method
    options = {
        name: settings[name]
        for name, option in options_of(TrainOptions).items()
        if name in settings and name not in _NOT_FROM_SETTINGS and settings[name] != as_json(option.default)
    }
    init = {} if record.init is None else {"init": record.init.source}
    changed = {"settings": {_named(method, name): run.settings.settings[name] for name in _changed(run)}}
    of_data = data_options(record.data)
    return {**of_data, "method": method, **options, **init, **_of_store(run), **changed}


def _named(method: str, name: str) -> str:
    """METHOD.NAME; those of a sum are named so already."""
    return name if "." in name else f"{method}.{name}"


def _of_store(run: Run) -> dict[str, object]:
    """The options that name a store and its targets."""
    place, content = run.record.store, run.settings.store
    if place is None:
        return {}
    logits = {"rdm_logits": "head"} if content and content.rdm and content.rdm.logits == "head" else {}
    target = {} if place.target == "teacher" else {"target": place.target}
    return {"store": place.path, **target, **run.extras, **logits}


def _changed(run: Run) -> list[str]:
    """The method's settings that differ from the defaults; all if the defaults are not known."""
    own = run.settings.settings
    extras = [name for names in run.extras.values() for name in names]
    try:
        defaults = make_method(run.settings.method, {}, extras).values()
    except (TeachonceError, TypeError):
        return list(own)
    return [name for name, value in own.items() if defaults.get(name) != value]


def _shell(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))


def _seeds(material: Material) -> Table:
    rows = [
        (_role(group, material), network, _listed(group.runs), ", ".join(run.folder.name for run in group.runs))
        for network, groups in networks(material.runs).items()
        for group in groups
    ]
    columns = ("method", "network", "seeds", "runs")
    return Table(columns=columns, rows=rows, texts=(0, 1, 2, 3), caption="Seeds and runs")


def _role(group: Group, material: Material) -> str:
    return f"{group.label} (teacher)" if group.runs[0] in material.teachers else group.label


def _listed(runs: Sequence[Run]) -> str:
    return ", ".join(str(run.settings.seed) for run in runs)
