"""Power loss: every prefix of the file operations of a command, with all dropped that was not synced.

An image of the disk is what a file system may leave: of a file the bytes of its last fsync, or those and a part of what
came later; of a folder the names of its last fsync, or these and some of the changes that came later, in order. Then
the same command is run again on it.
"""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Union

from teachonce.cache import open_store
from teachonce.errors import TeachonceError
from tests.forks import forked
from tests.soak.files import Operation, Perform, watched
from tests.soak.trial import Fault, Job, Trial, refusal
from tests.soak.works import EMBED, RDM, TRAIN, Work, differences, only_set_aside, result, temporaries, undisturbed

Node = Union["File", "Folder"]
Names = dict[str, Node]


@dataclass(eq=False)
class File:
    """Its bytes now, and those that are durable."""

    now: bytes = b""
    kept: bytes = b""


@dataclass(eq=False)
class Folder:
    """Its names now, those that are durable, and what was changed since."""

    now: Names = field(default_factory=dict)
    kept: Names = field(default_factory=dict)
    pending: list[Callable[[Names], None]] = field(default_factory=list)

    def change(self, change: Callable[[Names], None]) -> None:
        change(self.now)
        self.pending.append(change)


class Disk:
    """A folder of which everything is durable, and what becomes of it by operations."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.top = _load(root)

    def apply(self, operation: Operation) -> None:
        """Do an operation."""
        kind = operation.kind
        if kind in ("open", "mkdir"):
            self._made(operation)
        elif kind == "write":
            file, at = self._at(operation.path), operation.position
            file.now = file.now[:at].ljust(at, b"\0") + operation.data + file.now[at + len(operation.data) :]
        elif kind == "fsync":
            node = self._at(operation.path)
            node.kept = dict(node.now) if isinstance(node, Folder) else node.now
            if isinstance(node, Folder):
                node.pending.clear()
        elif kind == "rename":
            self._renamed(operation)
        elif kind != "folder":
            folder, name = self._place(operation.path)
            folder.change(lambda names: names.pop(name, None) and None)

    def _made(self, operation: Operation) -> None:
        if Path(operation.path) == self._root:
            return
        folder, name = self._place(operation.path)
        if name not in folder.now:
            node: Node = Folder() if operation.kind == "mkdir" else File()
            folder.change(lambda names: names.update({name: node}))
        elif operation.truncates:
            self._at(operation.path).now = b""

    def _renamed(self, operation: Operation) -> None:
        (old, source), (new, target) = self._place(operation.path), self._place(operation.target)
        node = old.now[source]
        if old is not new:
            raise NotImplementedError("a rename from one folder into another")

        def change(names: Names) -> None:
            if names.get(source) is node:  # else the creation before it is not there either
                names[target] = names.pop(source)

        old.change(change)

    def _at(self, path: str) -> Any:
        node: Any = self.top
        for part in Path(path).relative_to(self._root).parts:
            node = node.now[part]
        return node

    def _place(self, path: str) -> tuple[Folder, str]:
        return self._at(str(Path(path).parent)), Path(path).name


def _load(path: Path) -> Folder:
    names: Names = {}
    for entry in sorted(path.iterdir()):
        data = None if entry.is_dir() else entry.read_bytes()
        names[entry.name] = _load(entry) if data is None else File(data, data)
    return Folder(dict(names), dict(names))


def image(folder: Folder, place: Path, variant: str, drawn: random.Random) -> None:
    """Write what is on the disk after the power came back.

    Args:
        folder: What was there.
        place: An empty folder.
        variant: `least`: only what is durable; `names`: every name, but no byte that is not durable; `some`: of both a
            part that is drawn.
        drawn: For `some`.
    """
    names = dict(folder.now if variant == "names" else folder.kept)
    if variant == "some":
        for change in folder.pending[: drawn.randint(0, len(folder.pending))]:
            change(names)
    for name, node in names.items():
        if isinstance(node, Folder):
            (place / name).mkdir()
            image(node, place / name, variant, drawn)
        else:
            (place / name).write_bytes(_bytes(node, drawn) if variant == "some" else node.kept)


def _bytes(file: File, drawn: random.Random) -> bytes:
    """Durable bytes, all bytes, or a part of those that are new; what was appended does not touch what was there."""
    if file.now == file.kept or drawn.random() < 0.3:
        return file.kept
    least = len(file.kept) if file.now.startswith(file.kept) else 0
    return file.now[: drawn.randint(least, len(file.now))] if drawn.random() < 0.7 else file.now


def recorded(work: Work, sound: Path, place: Path) -> list[Operation]:
    """The operations of an undisturbed run."""
    log: list[Operation] = []

    def record(operation: Operation, perform: Perform) -> Any:
        value = perform()
        log.append(operation)
        return value

    place.mkdir(parents=True)
    work.prepare(sound, place)
    with watched(place, record):
        work.run(sound, place)
    return log


VARIANTS = ("least", "names", "some")


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """Every prefix of every work in three variants, in an order of the seed."""
    drawn = random.Random(f"power {seed}")
    points: list[tuple[Work, list[Operation], int, str]] = []
    for work in (EMBED, RDM, TRAIN):
        undisturbed(work, sound)
        place = sound / "recorded" / work.name
        log = recorded(work, sound, place)
        points += [(work, log, length, variant) for length in range(len(log) + 1) for variant in VARIANTS]
    drawn.shuffle(points)
    return [partial(_try, seed, sound, *point) for point in points[:count]]


def _try(seed: int, sound: Path, work: Work, log: list[Operation], length: int, variant: str, place: Path) -> Trial:
    last = f"{log[length - 1].kind} {Path(log[length - 1].path).name}" if length else "nothing"
    what = f"{work.name} {variant} after {length} of {len(log)} ({last})"
    work.prepare(sound, place)
    disk = Disk(place)
    moved = sound / "recorded" / work.name
    for operation in log[:length]:
        disk.apply(_elsewhere(operation, moved, place))
    shutil.rmtree(place)
    place.mkdir()
    image(disk.top, place, variant, random.Random(f"{seed} {what}"))
    wanted = undisturbed(work, sound)
    if length == len(log) and (lost := sorted(result(wanted).keys() - result(place).keys())):
        return Trial(what, "lost at the end", f"lost: {lost[:5]}")
    if harm := _read_unsound(work, place, wanted):
        return Trial(what, "read", harm)
    return _again(work, sound, place, what)


def _elsewhere(operation: Operation, old: Path, new: Path) -> Operation:
    """The same in another folder."""
    moved = [str(new / Path(path).relative_to(old)) if path else "" for path in (operation.path, operation.target)]
    return replace(operation, path=moved[0], target=moved[1])


def _read_unsound(work: Work, place: Path, wanted: Path) -> str:
    """What a reader takes for whole has to be whole."""
    store = place / "s.zarr"
    if not store.exists():
        return ""
    try:
        names = [name for name in open_store(store).verify() if name in ("teacher", "rdm-10", "rdm-1")]
    except TeachonceError:
        return ""
    journals = [f"journal/{name}/" for name in names] + [f"targets/{name}/" for name in names]
    wrong = [name for name in differences(place, wanted) if any(journal in name for journal in journals)]
    return f"sealed, but other bytes: {wrong[:3]}" if wrong else ""


def _again(work: Work, sound: Path, place: Path, what: str) -> Trial:
    """Run the same command; where it refuses, with --repair."""
    done, how = forked(partial(work.run, sound, place)), "goes on"
    if harm := refusal(done):
        return Trial(what, "stopped", harm)
    if done.kind:
        how = f"refused ({done.kind}), mended by --repair"
        if work.repair is None or not (last := forked(partial(work.repair, sound, place))).done:
            repaired = "" if work.repair is None else f"; with --repair: {last.kind}: {last.message}"
            return Trial(what, "does not go on", f"{done.kind}: {done.message}{repaired}")
    wrong = differences(place, undisturbed(work, sound)) + temporaries(place)
    if only_set_aside(wrong, place):
        return Trial(what, f"{work.name}: {how}, the same bytes, and an old checkpoint that is there again")
    if wrong:
        return Trial(what, "other bytes", f"{how}, differ: {wrong[:5]}")
    return Trial(what, f"{work.name}: {how}, the same bytes")


FAULT = Fault(trials, full=1 << 30, part=8)
