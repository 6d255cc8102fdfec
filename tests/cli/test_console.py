"""What is drawn: plain lines where stderr is a file, a bar on a terminal, and one shape for every error."""

import errno
import io
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from rich.text import Text

from teachonce.console import RichEvents, describe_error, error_text
from teachonce.console.runs import run_parts
from teachonce.console.tables import columns, show
from teachonce.console.texts import duration_text, rate_text, share_text, size_text
from teachonce.errors import MismatchError
from teachonce.pipeline.run import RunResult, StepResult
from teachonce.texts import measure_text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_at_start_at_intervals_and_at_the_end():
    file, clock = io.StringIO(), Clock()
    events = RichEvents(file, clock)
    with events.task("embed", total=1797, done=500) as task:
        for _ in range(12):
            clock.now += 2.0
            task.advance(100)
        task.note("loss 0.5")
        clock.now += 1.0
        task.advance(97)
    assert file.getvalue().splitlines() == [
        "embed: 500/1,797 rows",
        "embed: 1,000/1,797 rows, 50 rows/s, 16 s left",
        "embed: 1,500/1,797 rows, 50 rows/s, 5.9 s left",
        "embed: 1,797/1,797 rows, 51.9 rows/s, loss 0.5",
    ]


def test_a_task_that_fails_says_no_end():
    file = io.StringIO()
    with pytest.raises(ZeroDivisionError), RichEvents(file, Clock()).task("train", total=3, unit="steps"):
        raise ZeroDivisionError
    assert file.getvalue() == "train: 0/3 steps\n"


def test_a_terminal_gets_a_bar_with_rate_and_notes():
    file = io.StringIO()
    events = RichEvents(file)
    events.console = Console(file=file, force_terminal=True, width=160)
    with events.task("run", total=2, unit="steps") as outer:
        with events.task("embed", total=10) as task:
            task.note("batch 256")
            task.advance(10)
            events.info("half way")
        outer.advance()
    drawn = file.getvalue()
    assert "10/10 rows" in drawn
    assert "rows/s" in drawn
    assert "batch 256" in drawn
    assert "half way" in drawn


def test_notes_and_warnings_are_lines():
    file = io.StringIO()
    events = RichEvents(file)
    events.info("reads are [resident]")
    events.warn("near chance")
    assert file.getvalue() == "reads are [resident]\nwarning: near chance\n"


def test_an_error_is_a_line_and_its_mend():
    error = MismatchError("expected float16,\n got float32", "use another store")
    assert error_text(error) == "error: expected float16, got float32\nhint: use another store"
    assert describe_error(error)["kind"] == "mismatch"


HOSTILE = "a\x1b[31mb\x9b2J\rc[/x]"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_text_commands_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
):
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "100")
    events = RichEvents(sys.stdout)
    with events.task(HOSTILE, total=1) as task:
        task.note(HOSTILE)
        events.warn(HOSTILE)
    print(error_text(MismatchError(HOSTILE, HOSTILE)))  # noqa: T201
    print(error_text(ValueError(HOSTILE)))  # noqa: T201
    table = columns("of", HOSTILE)
    table.add_row(HOSTILE, Text(HOSTILE))
    show(table, HOSTILE)
    out = capsys.readouterr().out
    assert "a[31mb2Jc[/x]" in out
    assert "\x1b[31mb" not in out
    assert not {"\x9b", "\rc"} & set(out)
    assert is_terminal == ("\x1b[" in out)


def test_errors_nobody_foresaw():
    assert describe_error(OSError(errno.ENOSPC, "No space left on device", "/x/y"))["kind"] == "disk"
    assert "Free some space" in describe_error(OSError(errno.ENOSPC, "No space left on device"))["mend"]
    assert describe_error(KeyboardInterrupt())["kind"] == "interrupted"
    assert describe_error(ValueError("two\nlines")) == {
        "kind": "unexpected",
        "message": "unexpected ValueError: two lines",
        "mend": "run it again with --debug for the traceback",
        "hint": "run it again with --debug for the traceback",
    }
    assert describe_error(MemoryError())["kind"] == "memory"
    assert describe_error(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")) == {
        "kind": "memory",
        "message": "the device is out of memory",
        "mend": "use a smaller --batch-size",
        "hint": "use a smaller --batch-size",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (duration_text(0.0312), "31 ms"),
        (duration_text(0.0), "0.0 s"),
        (duration_text(3.21), "3.2 s"),
        (duration_text(48.4), "48 s"),
        (duration_text(59.7), "1:00 min"),
        (duration_text(185), "3:05 min"),
        (duration_text(7800), "2:10 h"),
        (duration_text(None), "-"),
        (rate_text(12345.6), "12,346"),
        (rate_text(12.345), "12.3"),
        (rate_text(None), "-"),
        (size_text(1_536), "1.54 kB"),
        (size_text(99_949), "99.9 kB"),
        (size_text(100_000), "0.1 MB"),
        (size_text(735_000_000), "735 MB"),
        (size_text(2_450_000_000), "2.45 GB"),
        (share_text(0.9731), "97.31 %"),
        (share_text(None), "-"),
    ],
)
def test_numbers_as_people_read_them(text: str, expected: str):
    assert text == expected


@pytest.mark.parametrize("seed", range(10))
def test_nothing_of_a_table_is_cut_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, seed: int
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    rng = np.random.default_rng(seed)
    cells = ["".join(rng.choice(list("abcdef-=,"), rng.integers(1, 60))) for _ in range(5)]
    table = columns("a", "b", right=("c", "d", "e"))
    table.add_row(*map(Text, cells))
    show(table)
    out = capsys.readouterr().out
    assert "\u2026" not in out
    letters = Counter("".join(cells))
    assert all(Counter(out)[letter] >= count for letter, count in letters.items())


TRAINED = {"epochs": 30, "seconds": 80.0, "val_top1": 0.9706}


def test_steps_are_a_plan_before_a_run_and_results_after_it(capsys: pytest.CaptureFixture[str]):
    step = StepResult(name="train kd", action="run", reason="there is no such run yet", result=None)
    shown = []
    for dry_run, result in ((True, None), (False, TRAINED)):
        steps = [replace(step, result=result)]
        show(*run_parts(RunResult(steps=steps, comparison=[], ratios=[], over_seeds=[], dry_run=dry_run)))
        shown.append(capsys.readouterr().out)
    assert [step.reason in text for text in shown] == [True, False]
    assert [f"{duration_text(80.0)}" in text for text in shown] == [False, True]
    assert [share_text(0.9706) in text for text in shown] == [False, True]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("step_ms", 33.81, ("step time", "33.8 ms")),
        ("teacher_s", 10_950.0, ("teacher time", "3:02 h")),
        ("seconds", 80.4, ("time", "1:20 min")),
        ("stage_samples_per_s", 8.731, ("stage rate", "8.73 samples/s")),
        ("store_bytes", 17_667_631, ("store size", "17.7 MB")),
        ("rdm_macs", 32_638_464_000_000, ("rdm cost", "32.64 TMACs")),
        ("rows", 50_000, ("rows", "50,000")),
        ("hidden", None, ("hidden", "-")),
        ("speedup", {"median": 4.0, "low": 3.5, "high": 4.5}, ("speedup", "4.000 (3.500 to 4.500)")),
    ],
)
def test_numbers_of_benchmarks_have_their_units(name: str, value: object, expected: tuple[str, str]):
    assert measure_text(name, value) == expected
