"""The arms of one case, all alive at once, and their work in turns."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

from teachonce.benchmarks.live.arm import Arm, ArmSpec, Kind, Memory, Ready
from teachonce.events import Events, Task
from teachonce.models.spec import modules_of
from teachonce.processes.template import Template

_TURN_MS = 250.0  # what an arm's turn should take, where the number of steps is not given
_MOST_STEPS = 20
_MOST_LEAD = 6
_ENERGY_S = 2.0  # the counter moves some ten times a second


class Key(NamedTuple):
    """Which arm: arms of the same kind and method are one process."""

    kind: Kind
    method: str


_Work = tuple[Literal["step", "teacher"], Key]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that was measured of one case."""

    times: Mapping[Key, Sequence[float]]
    """Milliseconds a step, one value a round."""
    teacher: Mapping[Key, Sequence[float]]
    """Live arm -> milliseconds of the bare forward of its teacher, and of RDMs that run on it; one value a round."""
    steps: Mapping[Key, int]
    """Of a turn."""
    parts: Mapping[Key, Mapping[str, float]]
    memory: Mapping[Key, Memory]
    ready: Mapping[Key, Ready]
    energy: Mapping[Key, float | None]
    """Joules a step."""


def conduct(
    specs: Mapping[Key, ArmSpec], *, rounds: int, starts: int = 1, steps: int | None, events: Events
) -> Measured:
    """Start all arms, let them take turns, then look at each one's parts and memory.

    In every round each arm makes its steps, and the teacher its bare forward, in turning order, so that whatever else
    the machine does falls on all. Only one works at a time; the others wait on their pipes. A process has luck of its
    own (where its memory lies), which no round of it shows: so the arms are started anew a few times.

    Args:
        specs: The arms; at least one is live.
        rounds: That count, of all starts together; one before them does not.
        starts: Times that all arms are started, at most `rounds`. Parts and memory are those of the first.
        steps: Of an arm's turn; None: so many that it takes a quarter of a second, 1 to 20.
        events: Who watches.

    Raises:
        TeachonceError: What an arm raised, or that its process ended.
    """
    starts = min(starts, rounds)
    shares = [rounds // starts + (index < rounds % starts) for index in range(starts)]
    first, *others = [
        _started_once(specs, rounds=share, steps=steps, look=not index, events=events)
        for index, share in enumerate(shares)
    ]
    return replace(
        first,
        times=_joined([found.times for found in (first, *others)]),
        teacher=_joined([found.teacher for found in (first, *others)]),
    )


def _joined(starts: Sequence[Mapping[Key, Sequence[float]]]) -> dict[Key, list[float]]:
    """The rounds of all starts, one after the other."""
    return {key: [ms for found in starts for ms in found[key]] for key in starts[0]}


def _models(specs: Mapping[Key, ArmSpec]) -> set[str]:
    return {spec.config.student for spec in specs.values()} | {str(spec.config.teacher) for spec in specs.values()}


def _started_once(
    specs: Mapping[Key, ArmSpec], *, rounds: int, steps: int | None, look: bool, events: Events
) -> Measured:
    """The rounds of one start; parts, memory and energy only with `look`."""
    # in this order: on an error the arms end first, and with them the threads that wait for them
    with ThreadPoolExecutor(len(specs), "teachonce-arm") as pool, ExitStack() as stack:
        template = stack.enter_context(Template(("teachonce.benchmarks.live.work", *modules_of(_models(specs)))))
        arms = {key: stack.enter_context(Arm(spec, events=events, template=template)) for key, spec in specs.items()}
        ready = _started(arms, pool, events)
        live = {key: arm for key, arm in arms.items() if key.kind == "live"}
        with events.task("rounds", total=rounds + 1, unit="rounds") as task:
            step_ms = {key: arm.run(1) for key, arm in arms.items()}
            forward_ms = {key: arm.teacher(1) for key, arm in live.items()}
            counts = {key: steps or steps_of_turn(ms) for key, ms in step_ms.items()}
            task.advance()
            works: dict[_Work, Callable[[], float]] = {
                ("step", key): partial(arm.run, counts[key], lead=lead_of_turn(step_ms[key]))
                for key, arm in arms.items()
            }
            works |= {
                ("teacher", key): partial(arm.teacher, steps or steps_of_turn(ms), lead=lead_of_turn(ms))
                for key, arm in live.items()
                for ms in (forward_ms[key],)
            }
            times = _in_turns(works, rounds, task)
        looks = _look(arms, counts, ready, events) if look else _Looks({}, {}, {})
    return Measured(
        times={key: times["step", key] for key in arms},
        teacher={key: times["teacher", key] for key in live},
        steps=counts,
        ready=ready,
        parts=looks.parts,
        memory=looks.memory,
        energy=looks.energy,
    )


class _Looks(NamedTuple):
    """See Measured."""

    parts: Mapping[Key, Mapping[str, float]]
    memory: Mapping[Key, Memory]
    energy: Mapping[Key, float | None]


def _look(arms: Mapping[Key, Arm], counts: Mapping[Key, int], ready: Mapping[Key, Ready], events: Events) -> _Looks:
    """What each arm's steps are made of, and what lies in its memory."""
    parts, memory, energy = {}, {}, {}
    with events.task("parts and memory", total=len(arms), unit="arms") as task:
        for key, arm in arms.items():
            parts[key] = arm.parts(counts[key])
            energy[key] = arm.energy(_ENERGY_S) if ready[key].reports_energy else None
            memory[key] = arm.memory()
            task.advance()
    return _Looks(parts, memory, energy)


def steps_of_turn(step_ms: float) -> int:
    """How many steps of so many milliseconds a turn has."""
    return max(1, min(_MOST_STEPS, round(_TURN_MS / max(step_ms, 1e-3))))


def lead_of_turn(step_ms: float) -> int:
    """How many steps before those that count.

    After another arm's turn the first few are slower, by some percent on a CPU. Those that read ahead make some more of
    them, to use up what was read before, so the others must be as warm.
    """
    return min(_MOST_LEAD, steps_of_turn(step_ms))


def _started(arms: Mapping[Key, Arm], pool: ThreadPoolExecutor, events: Events) -> dict[Key, Ready]:
    """Each arm built and warm.

    Their processes import side by side, and compile so. They are built one after the other: each keeps its images where
    the memory that is free lets it, and what is free for two that look at once is not there for both.
    """
    with events.task("start the arms", total=len(arms), unit="arms") as task:
        for arm in arms.values():
            arm.build()
        waiting = {pool.submit(arm.ready): key for key, arm in arms.items()}
        ready = {}
        for future in as_completed(waiting):
            ready[waiting[future]] = future.result()
            task.advance()
    return ready


def _in_turns(works: Mapping[_Work, Callable[[], float]], rounds: int, task: Task) -> dict[_Work, list[float]]:
    """Milliseconds of each work in each round; as `rounds.in_turns`, but the works tell their own time."""
    times: dict[_Work, list[float]] = {key: [] for key in works}
    keys = list(works)
    for index in range(rounds):
        first = index % len(keys)
        for key in keys[first:] + keys[:first]:
            times[key].append(works[key]())
        task.advance()
    return times
