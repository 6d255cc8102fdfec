"""Signals interrupt a program of ours, but not where an exception would be lost."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import time
from teachonce.processes.command import interrupts

try:
    with interrupts() as seen:
        import slow
        hasattr(slow.Slow, "__del__") and slow.Slow()
        for _ in range(1000):
            time.sleep(0.01)
except KeyboardInterrupt:
    print(*map(int, seen))
"""
SLOW = """
import time
class Slow:
    def {name}(self):
        print("begun", flush=True)
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            pass
        print("over")
"""
MODULES = {
    "while it is imported": f"{SLOW.format(name='wait')}\nSlow().wait()",
    "at its end": SLOW.format(name="__del__"),
}


@pytest.mark.parametrize(
    ("slow", "numbers"),
    [
        ("while it is imported", (signal.SIGINT,)),
        ("while it is imported", (signal.SIGTERM,)),
        ("while it is imported", (signal.SIGTERM, signal.SIGINT)),
        ("at its end", (signal.SIGINT,)),
    ],
)
def test_the_first_waits_for_the_end_of_an_import_or_a_finaliser_and_the_second_does_not(
    tmp_path: Path, slow: str, numbers: tuple[signal.Signals, ...]
):
    (tmp_path / "slow.py").write_text(MODULES[slow])
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.1)
        said = process.stdout.read().split()
    assert said == ["over"] * (len(numbers) == 1) + [str(int(number)) for number in numbers]
    assert process.returncode == 0
