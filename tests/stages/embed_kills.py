"""A program that is killed while it embeds, again and again: `python -m tests.stages.embed_kills FOLDER`.

It loads everything once, and forks a process for each call of `embed` but the first, whose threads have ended.
"""

import gc
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from teachonce.stages.embed import embed
from tests.forks import forked
from tests.stages.embedding import attentive, digits, options

Stop = Callable[[], None]
BLOCK, BLOCKS = 2, 5
DATA = digits(64 * BLOCKS - 30)
TEACHER = attentive()

# name -> (moment, the file it is about, its how manieth writing)
KILLS: dict[str, tuple[str, str, int]] = {
    "creating": ("before", r"/zarr\.json", 1),
    "beginning": ("before", r"/targets/teacher/zarr\.json", 1),
    "inside-a-sample-chunk": ("inside", rf"/samples/digest/c/{BLOCK}", 1),
    "samples-without-target": ("after", rf"/journal/samples/00000{BLOCK}\.json", 1),
    "inside-a-chunk": ("inside", rf"/targets/teacher/image_embedding/c/{BLOCK}/0/0", 1),
    "between-two-chunks": ("after", rf"/targets/teacher/image_embedding/c/{BLOCK}/0/0", 1),
    "between-chunk-and-record": ("before", rf"/journal/teacher/00000{BLOCK}\.json", 1),
    "inside-a-record": ("inside", rf"/journal/teacher/00000{BLOCK}\.json", 1),
    "between-two-blocks": ("after", rf"/journal/teacher/00000{BLOCK}\.json", 1),
    "sealing-the-samples": ("before", r"/samples/zarr\.json", 2),
    "between-the-seals": ("after", r"/samples/zarr\.json", 2),
    "inside-the-class-means": ("inside", r"/classes/teacher/mean/c/0/0", 1),
    "sealing-the-target": ("before", r"/targets/teacher/zarr\.json", 2),
    "sealed": ("after", r"/targets/teacher/zarr\.json", 2),
}
INTERRUPT = ("after", rf"/journal/teacher/00000{BLOCK}\.json", 1)


def arm(moment: str, pattern: str, number: int, stop: Stop) -> None:
    """Let `stop` be called around the writing of a file of the store."""
    count, lock = 0, threading.Lock()
    replace, write = os.replace, os.write

    def is_it(path: object) -> bool:
        nonlocal count
        if not re.search(rf"\.zarr{pattern}$", str(path)):
            return False
        with lock:
            count += 1
            return count == number

    def replaced(source: Any, target: Any) -> None:
        hit = moment != "inside" and is_it(target)
        if hit and moment == "before":
            stop()
        replace(source, target)
        if hit and moment == "after":
            stop()

    def written(descriptor: int, data: Any) -> int:
        if moment == "inside":
            place = Path(f"/proc/self/fd/{descriptor}").readlink()
            if is_it(place.with_name(re.sub(r"^\.teachonce-tmp-\d+-\d+-", "", place.name))):
                write(descriptor, data[: len(data) // 2])
                stop()
        return write(descriptor, data)

    os.replace, os.write = replaced, written


def status(work: Callable[[], int]) -> int:
    """How a forked process that does the work ends: by a signal (negative), with an error, or with its number."""
    ended = forked(work)
    return ended.status or int(ended.value)


def make(store: Path) -> int:
    result = embed(teacher=TEACHER, data=DATA, **options(store, dtype="float32"))
    store.with_suffix(".json").write_text(json.dumps({"reused": result.reused_blocks, "top1": result.teacher_top1}))
    return 0


def killed(store: Path, kill: tuple[str, str, int]) -> int:
    arm(*kill, stop=lambda: os.kill(os.getpid(), signal.SIGKILL))
    return make(store)


def interrupted(store: Path) -> int:
    """Ends with 0 where Ctrl-C came through and no thread is left."""
    arm(*INTERRUPT, stop=lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        make(store)
    except KeyboardInterrupt:
        return len(threading.enumerate()) - 1
    return 98


def main(folder: Path) -> None:
    """Kill at each point, go on, and say how each process ended."""
    os.fsync = lambda descriptor: None  # processes die here, the machine does not
    ends = {"undisturbed": [make(folder / "undisturbed.zarr")]}  # and imports everything
    gc.freeze()
    for name, kill in KILLS.items():
        store = folder / f"{name}.zarr"
        ends[name] = [status(lambda store=store, kill=kill: killed(store, kill)), status(lambda s=store: make(s))]
    store = folder / "ctrl-c.zarr"
    ends["ctrl-c"] = [status(lambda: interrupted(store)), status(lambda: make(store))]
    (folder / "ends.json").write_text(json.dumps(ends))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
