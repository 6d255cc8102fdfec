"""What the cache saves on one GPU, measured part by part, the most important first, within a number of minutes.

    python scripts/gpu_page.py [--out FILE.json] [--minutes 12] [--parts NAMES] [--small] [--device cuda]

Each part is a process of its own with a time limit. Its result is in FILE.json as soon as it is done, and FILE.md is
written anew; the same command goes on with the parts that are missing. `--small` is the same with tiny networks on a
CPU, to see that all parts work. `scripts/gpu_page.sh` calls this one, see docs/gpu.md.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_parts import Part, parts, run_part
from gpu_tables import page

from teachonce.engine.machine import now, this_machine
from teachonce.engine.stage_one.contents import versions
from teachonce.errors import TeachonceError
from teachonce.fsio import read_json, write_json
from teachonce.places import require_writable
from teachonce.processes.child import end_with
from teachonce.processes.command import interrupts

KIND = "teachonce.gpu-page"
LEAST_S = 20.0  # a part is not begun with less time than this


def main(words: list[str] | None = None) -> int:
    """Measure what is missing, and write the page; a signal ends the part that is measured too."""
    options = _options(words)
    if options.one is not None:
        return _child(options)
    with interrupts() as seen:
        try:
            return _parts(options)
        except TeachonceError as error:
            _say(f"error: {error.message}. {error.mend}")
            return 2
        except KeyboardInterrupt:
            return 128 + seen[0] if seen else 130


def _parts(options: argparse.Namespace) -> int:
    known = {part.name: part for part in parts(small=options.small)}
    wanted = list(known) if options.parts is None else options.parts.split(",")
    if unknown := [name for name in wanted if name not in known]:
        _say(f"error: no part {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    frame = _frame(options)
    out = options.out or Path("docs/results") / f"gpu_{_slug(frame['machine'])}_{time.strftime('%Y%m')}.json"
    found = _loaded(out, frame)
    ends = time.monotonic() + 60 * options.minutes
    for name in wanted:
        if name not in found["parts"]:
            _measure(known[name], options, found, out, ends)
    _write(out, found, list(known))
    missing = [name for name in known if name not in found["parts"]]
    rest = f"; missing: {', '.join(missing)}" if missing else ""
    _say(f"{out} has {len(known) - len(missing)} of {len(known)} parts{rest}")
    return int(any(name in missing for name in wanted))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="FILE.json; the page is FILE.md beside it")
    parser.add_argument("--minutes", type=float, default=12.0, help="for all parts together; the next call resumes")
    parser.add_argument("--parts", help="names with commas between them; all if absent")
    parser.add_argument("--small", action="store_true", help="tiny networks, on a CPU unless a device is named")
    parser.add_argument("--device", help="cuda, or cpu with --small, if absent")
    parser.add_argument("--one", nargs=3, metavar=("NAME", "FILE", "PARENT"), help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.out is not None and options.out.suffix != ".json":
        parser.error(f"--out must end in .json, got {options.out}: the page is the same name in .md")
    options.device = options.device or ("cpu" if options.small else "cuda")
    return options


def _frame(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from teachonce.engine.device import pick_device

    machine = this_machine(pick_device(options.device)).to_json()
    return {
        "kind": KIND,
        "form": "small" if options.small else "full",
        "machine": machine,
        "versions": versions() | {"cuda": torch.version.cuda},
    }


def _slug(machine: Mapping[str, Any]) -> str:
    name = machine["gpus"][0] if machine["gpus"] else "cpu"
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _loaded(out: Path, frame: Mapping[str, Any]) -> dict[str, Any]:
    """What is there already, of the same form and machine.

    Raises:
        SystemExit: It is of another.
    """
    fresh = {**frame, "parts": {}, "left_out": {}}
    try:
        known = read_json(out, mend="Choose another --out, or remove it to measure anew")
    except FileNotFoundError:
        require_writable(out, "--out")
        return fresh
    if not isinstance(known, dict):
        sys.exit(f"error: {out} is of something else. Choose another --out")
    for key in ("kind", "form", "machine", "versions"):
        if _identity(known.get(key)) != _identity(frame[key]):
            sys.exit(f"error: {out} has another {key}: {known.get(key)}, not {frame[key]}. Choose another --out")
    return {**fresh, **known, "left_out": {}}


def _identity(value: Any) -> Any:
    """What must be the same; not the memory of a machine, which is a container's limit and changes between runs."""
    return {key: value[key] for key in value if key != "memory_bytes"} if isinstance(value, dict) else value


def _measure(part: Part, options: argparse.Namespace, found: dict[str, Any], out: Path, ends: float) -> None:
    """Run a part in a process of its own, and keep what it gives."""
    left = min(part.seconds, ends - time.monotonic())
    if left < min(LEAST_S, part.seconds):
        found["left_out"][part.name] = "no time was left"
        return
    began = time.monotonic()
    _say(f"{part.name}: {part.title}, at most {left:.0f} s")
    with tempfile.TemporaryDirectory(prefix="teachonce-gpu-page-") as folder:
        file = Path(folder) / "part.json"
        words = [sys.executable, __file__, "--device", options.device, "--one", part.name, str(file), str(os.getpid())]
        why = _run([*words, "--small"] if options.small else words, left)
        with suppress(FileNotFoundError, json.JSONDecodeError):
            found["parts"][part.name] = {
                "title": part.title,
                "measured": now(),
                "took_s": round(time.monotonic() - began, 1),
                "result": json.loads(file.read_text()),
            }
            why = ""
    if why:
        _say(f"{part.name}: {why}")
        found["left_out"][part.name] = why
    _write(out, found, [each.name for each in parts(small=options.small)])


def _run(words: list[str], seconds: float) -> str:
    """Why a process did not end well in time; empty where it did. Its own processes end with it."""
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"it took longer than {seconds:.0f} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "" if process.returncode == 0 else (lines[-1][:300] if lines else f"it ended with {process.returncode}")


def _child(options: argparse.Namespace) -> int:
    """One part, in this process."""
    name, file, parent = options.one
    end_with(int(parent))
    (part,) = (part for part in parts(small=options.small) if part.name == name)
    sys.argv = ["scripts/gpu_page.sh", "--parts", name]  # what its result says of the command
    write_json(Path(file), run_part(part, options.device))
    return 0


def _write(out: Path, found: Mapping[str, Any], order: list[str]) -> None:
    ordered = {name: found["parts"][name] for name in order if name in found["parts"]}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, {**found, "parts": ordered})
    out.with_suffix(".md").write_text(page({**found, "parts": ordered}, out.name))


if __name__ == "__main__":
    sys.exit(main())
