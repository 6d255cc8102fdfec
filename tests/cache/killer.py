"""Run as a script: kill a writer at many points by SIGKILL, let it go on, compare with the undisturbed store.

Prints JSON: for each point of each kind its operation, its file, whether the writer was killed, whether the store came
out equal. It forks, so that a point costs milliseconds and not the start of an interpreter.
"""

import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from storekit import BLOCK_ROWS, build, spec, tree

from teachonce import fsio

Event = tuple[str, str]
ROWS = 6 * BLOCK_ROWS - 7
FAILURES = {5: "truncated", 64: "missing", ROWS - 1: "not-an-image"}


def write(place: Path) -> None:
    build(place, spec_=spec(rows=ROWS), failed=FAILURES)


def hook(tick: Callable[[str, Path, Callable[[], None]], None]) -> None:
    """Call `tick` at every step of every write: (operation, file, what makes the step half done)."""
    stage, replace, sync, write_all = fsio._stage, Path.replace, fsio.sync_folder, fsio._write_all

    def staged(path: Path, data: Any) -> Path:
        def half() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path.with_name(f"{fsio.TEMPORARY}1-1-{path.name}"), os.O_WRONLY | os.O_CREAT)
            write_all(descriptor, memoryview(data).cast("B")[: len(data) // 2])

        tick("write", path, half)
        return stage(path, data)

    def replaced(self: Path, target: Path) -> Path:
        tick("rename", target, lambda: None)
        return replace(self, target)

    def synced(folder: Path) -> None:
        tick("sync", folder, lambda: None)
        sync(folder)

    fsio._stage, Path.replace, fsio.sync_folder = staged, replaced, synced  # type: ignore[method-assign,assignment]


def events(place: Path) -> list[Event]:
    """All steps of an undisturbed run."""
    seen: list[Event] = []

    def run() -> None:
        hook(lambda operation, path, _: seen.append((operation, os.path.relpath(path, place))))
        write(place)
        (place.parent / "events.json").write_text(json.dumps(seen))

    in_child(run)
    return [tuple(event) for event in json.loads((place.parent / "events.json").read_text())]


def kill_at(place: Path, point: int) -> bool:
    """Run until a step, and die inside it; whether it died so."""
    left = [point]

    def tick(operation: str, path: Path, half: Callable[[], None]) -> None:
        if left[0] == 0:
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    def run() -> None:
        hook(tick)
        write(place)

    return in_child(run) == -signal.SIGKILL


def in_child(run: Callable[[], None]) -> int:
    """The exit code of a forked child that runs this."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def choose(steps: list[Event]) -> Iterator[tuple[str, list[int]]]:
    """Points of each kind; a list of several is killed several times."""
    numbered = list(enumerate(steps))
    first_record = min(i for i, (_, path) in numbered if path.endswith("000000.json"))
    last_record = max(i for i, (_, path) in numbered if path.endswith(".json") and path.startswith("journal/"))
    chunks = [i for i, (what, path) in numbered if what == "write" and "/c/" in path and first_record < i < last_record]
    renames = [
        i for i, (what, path) in numbered if what == "rename" and "/c/" in path and first_record < i < last_record
    ]
    records = [
        i for i, (what, path) in numbered if what == "write" and path.startswith("journal/") and i > first_record
    ]
    ends = [i + 2 for i in records if i + 2 < len(steps)]  # after a record's rename, at its folder's sync
    sealing = list(range(last_record + 1, len(steps)))
    thousandth = (len(steps) * 37 + i * 7919 for i in range(1000))
    chosen: dict[str, list[list[int]]] = {
        "beginning": [[i] for i in range(0, first_record, 5)],
        "inside a chunk": [[i] for i in chunks[:4] + chunks[4::19] + chunks[-4:]],
        "between chunks": [[i] for i in renames[:4] + renames[4::19] + renames[-4:]],
        "between chunk and record": [[i] for i in records[:4] + records[4::5] + records[-2:]],
        "between blocks": [[i] for i in ends[:4] + ends[4::5] + ends[-2:]],
        "sealing": [[i] for i in sealing],
        "several times": [
            [next(thousandth) % len(steps), next(thousandth) % 40, next(thousandth) % 25] for _ in range(8)
        ],
    }
    return ((kind, points) for kind, several in chosen.items() for points in several)


def main(folder: Path) -> None:
    undisturbed, place = folder / "undisturbed.zarr", folder / "killed.zarr"
    write(undisturbed)  # and computes its values, which children then have
    expected = tree(undisturbed)
    gc.freeze()
    steps = events(place)
    shutil.rmtree(place)
    results: dict[str, list[Any]] = {}
    for kind, points in choose(steps):
        killed = [kill_at(place, point) for point in points]
        finished = in_child(lambda: write(place)) == 0
        result = [points, steps[points[0]], killed, finished and tree(place) == expected]
        results.setdefault(kind, []).append(result)
        shutil.rmtree(place)
    print(json.dumps(results))  # noqa: T201 - it is a script


if __name__ == "__main__":
    main(Path(sys.argv[1]))
