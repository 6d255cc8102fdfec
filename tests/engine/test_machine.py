"""What is told of the machine, and where."""

import json
import socket
import sys
from pathlib import Path

import torch

from teachonce.engine.machine import this_machine
from teachonce.engine.records import Machine, RunRecord
from teachonce.engine.runfile import read_run
from teachonce.engine.stage_one.runs import runs_path
from teachonce.records import parse, to_json
from tests.engine.enginekit import make_store
from tests.stages.trainkit import quick


def test_its_parts_and_not_its_name():
    machine = this_machine()
    told = to_json(machine)
    assert machine.processor
    assert machine.cores >= 1
    assert machine.memory_bytes > 1 << 28
    assert parse(Machine, json.loads(json.dumps(told)), "it", mend="") == machine
    assert socket.gethostname() not in json.dumps(told)


def test_a_cpu_names_no_gpu():
    assert this_machine(torch.device("cpu")).gpus == ()


def test_runs_and_stores_tell_it_and_a_run_is_the_same_on_another(tmp_path: Path, monkeypatch):
    quick(tmp_path / "run", epochs=1)
    run = read_run(tmp_path / "run")
    assert isinstance(run, RunRecord)
    assert run.machine == this_machine(torch.device("cpu"))
    assert run.command == tuple(sys.argv)
    assert "machine" not in to_json(run.settings)
    monkeypatch.setattr(sys, "argv", ["another"])
    assert quick(tmp_path / "run", epochs=1).reused
    store = make_store(tmp_path / "s.zarr")
    line = json.loads(runs_path(store.path).read_text().splitlines()[0])
    assert line["machine"]["cores"] == this_machine().cores
    assert line["command"] == ["another"]
