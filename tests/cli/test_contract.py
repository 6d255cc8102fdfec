"""What every command promises: help with an example, exit codes, one JSON object."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from teachonce import __version__
from teachonce.cli import app
from teachonce.console.errors import AFRESH, describe_error
from teachonce.options.make import typed
from teachonce.options.opt import options_of
from teachonce.options.train import TrainOptions
from teachonce.pipeline.keys import Keys
from teachonce.pipeline.tables import STORE, TEACHER, TRAIN
from tests.cli.conftest import Call

SHARED = {
    "data": {"split", "image-column", "label-column", "limit", "device", "seed", "workers", "key-column"},
    "all": {"json", "debug", "help"},
}


def commands(command: Any = None, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = command or get_command(app)
    below = getattr(command, "commands", None)
    if below is None:
        yield names, command
    for name, child in (below or {}).items():
        yield from commands(child, *names, name)


COMMANDS = dict(commands())
EACH = pytest.mark.parametrize("names", COMMANDS, ids=" ".join)


def options(names: tuple[str, ...]) -> set[str]:
    return {word[2:] for p in COMMANDS[names].params for word in p.opts if word.startswith("--")} | {"help"}


def test_the_commands_are_those_of_the_design():
    assert {names[0] for names in COMMANDS} >= {"embed", "train", "evaluate", "inspect", "export", "run"}


@EACH
def test_a_shell_completes_all_options(names: tuple[str, ...]):
    command = get_command(app)
    for name in names:
        command = command.commands[name]
    context = command.make_context(" ".join(names), [], resilient_parsing=True)
    found = {item.value for item in command.shell_complete(context, "--")}
    assert found >= {f"--{name}" for name in options(names)}


@EACH
def test_help_has_an_example_that_parses(names: tuple[str, ...], call: Call):
    done = call(*names, "--help")
    assert done.code == 0
    text = " ".join(done.out.split())
    assert "Usage: teachonce " + " ".join(names) in text
    example = COMMANDS[names].epilog.partition("\n\n")[0].removeprefix("Example: teachonce ")
    words = shlex.split(example)
    assert tuple(words[: len(names)]) == names
    COMMANDS[names].make_context("teachonce", words[len(names) :])  # raises where the example does not parse


@EACH
def test_every_option_says_what_it_is(names: tuple[str, ...]):
    silent = [p.name for p in COMMANDS[names].params if not getattr(p, "help", None)]
    assert not silent


@EACH
def test_shared_options_are_there(names: tuple[str, ...]):
    assert options(names) >= SHARED["all"]
    if "data" in options(names) and names[0] not in ("bench", "inspect"):
        assert options(names) >= SHARED["data"]


def test_recipe_keys_are_options_of_the_command_line():
    def dashed(keys: Keys[Any], *out: str) -> set[str]:
        return {name.replace("_", "-") for name in keys.known if name not in out}

    assert dashed(TRAIN, "name") <= options(("train",))
    assert dashed(STORE, "path") <= options(("embed",))
    assert dashed(TEACHER, "model", "train") <= options(("embed",))


def test_version(call: Call):
    assert call("--version").out == f"teachonce {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["inspect"], "STORE"),
        (["inspect", "x", "--jsn"], "--json"),
        (["evaluate", "--data", "digits"], "expected one of --run and --store"),
        (["evaluate", "--run", "r"], "a run is evaluated on data"),
        (["train", "--data", "digits", "--student", "cnn-2", "--out", "r", "--set", "kd.t=1"], "--method is ce"),
        (["train", "--data", "digits", "--student", "cnn-2", "--out", "r", "--set", "t"], "METHOD.NAME=VALUE"),
        (["train", "--data", "digits", "--student", "cnn-2", "--out", "r", "--epochs", "x"], "--epochs"),
        (["embed", "--data", "digits", "--teacher", "t", "--store", "s", "--per-class", "no"], "--per-class"),
        (["embed", "--data", "digits", "--teacher", "t", "--store", "s", "--per-class", "²"], "--per-class"),
        (["embed", "--data", "digits", "--teacher", "t", "--store", "s", "--dtype", "int3"], "--dtype"),
    ],
)
def test_usage_errors_end_with_2_and_stay_json(words: list[str], told: str, call: Call):
    plain = call(*words)
    assert (plain.code, plain.out) == (2, "")
    assert told in plain.err
    assert "Usage: teachonce" in plain.err
    asked = call(*words, "--json")
    assert asked.code == 2
    assert asked.json["error"]["kind"] == "usage"
    assert told in asked.json["error"]["message"]


def test_no_command_shows_the_help(call: Call):
    assert call().code == 2
    assert "embed" in call().out


def test_milestones_are_read():
    option = options_of(TrainOptions)["milestones"]
    assert typed(option, "3, 5") == typed(option, [3, 5]) == (3, 5)
    for wrong in ("3,x", "3,²", "3,,5"):
        with pytest.raises(ValueError, match=wrong):
            typed(option, wrong)


def test_an_error_is_one_line_and_its_mend_on_stderr(call: Call, tmp_path: Any):
    done = call("inspect", tmp_path / "none.zarr")
    assert (done.code, done.out) == (1, "")
    error, hint = done.err.splitlines()
    assert re.match(r"error: .*none\.zarr", error)
    assert hint.startswith("hint: ")
    assert call("inspect", tmp_path / "none.zarr", "--json").error["kind"] == "missing"


def test_debug_shows_the_traceback(call: Call, tmp_path: Any):
    done = call("inspect", tmp_path / "none.zarr", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert done.err.splitlines()[-2].startswith("error: ")


def test_what_nobody_foresaw_is_one_line_too(call: Call, monkeypatch: pytest.MonkeyPatch):
    def explode(path: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("teachonce.stages.inspect.describe", explode)
    done = call("inspect", "x")
    assert done.code == 1
    assert (
        done.err == "error: unexpected ZeroDivisionError: by zero\nhint: run it again with --debug for the traceback\n"
    )


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that this process hears, although `nohup` may have made it deaf."""
    before = signal.getsignal(request.param)
    if before is signal.SIG_IGN:
        signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_interrupts_end_like_any_error(call: Call, monkeypatch: pytest.MonkeyPatch, number: signal.Signals):
    def interrupted(path: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("teachonce.stages.inspect.describe", interrupted)
    done = call("inspect", "x", "--json")
    assert done.code == 128 + number
    assert done.error == describe_error(KeyboardInterrupt(AFRESH))
    assert done.error["mend"] != describe_error(KeyboardInterrupt())["mend"]  # nothing of it was kept
    assert call("inspect", "x").err.startswith("error: interrupted")


def test_an_interrupt_of_a_process_that_we_started_is_told_as_ours(call: Call, monkeypatch: pytest.MonkeyPatch):
    def interrupted(path: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("teachonce.stages.inspect.describe", interrupted)
    done = call("inspect", "x", "--json")
    assert done.code == 128 + signal.SIGINT
    assert done.error == describe_error(KeyboardInterrupt(AFRESH))


def test_stdout_holds_the_object_and_nothing_else(call: Call, monkeypatch: pytest.MonkeyPatch):
    def chatty(path: object) -> dict[str, object]:
        print("a library speaks")  # noqa: T201
        return {"value": float("nan"), "path": path}

    monkeypatch.setattr("teachonce.stages.inspect.describe", chatty)
    done = call("inspect", "x", "--json")
    assert done.json == {"value": None, "path": "x"}
    assert done.err == "a library speaks\n"


def test_a_reader_that_goes_away_is_no_error():
    command = [sys.executable, "-m", "teachonce", "train", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("option", ["", "--json"])
def test_output_that_cannot_be_written_is_no_traceback(redirection: str, option: str):
    command = f"{shlex.quote(sys.executable)} -m teachonce inspect nowhere {option} {redirection}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert ("there is no store" in done.stderr) or redirection == ">&-"
