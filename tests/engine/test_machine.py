"""What is told of the machine, and where."""

import json
import socket
import sys
from pathlib import Path

import torch

from teachonce.engine.machine import Machine, this_machine
from teachonce.engine.runfile import read_run
from teachonce.engine.stage_one.runs import runs_path
from tests.engine.enginekit import make_store
from tests.stages.trainkit import quick


def test_its_parts_and_not_its_name():
    machine = this_machine()
    told = machine.to_json()
    assert machine.processor
    assert machine.cores >= 1
    assert machine.memory_bytes > 1 << 28
    assert Machine.from_json(json.loads(json.dumps(told))) == machine
    assert socket.gethostname() not in json.dumps(told)


def test_a_cpu_names_no_gpu():
    assert this_machine(torch.device("cpu")).gpus == ()


def test_runs_and_stores_tell_it_and_a_run_is_the_same_on_another(tmp_path: Path, monkeypatch):
    quick(tmp_path / "run", epochs=1)
    run = read_run(tmp_path / "run")
    assert run is not None
    assert run["machine"] == this_machine(torch.device("cpu")).to_json()
    assert run["command"] == sys.argv
    assert "machine" not in run["settings"]
    monkeypatch.setattr(sys, "argv", ["another"])
    assert quick(tmp_path / "run", epochs=1).reused
    store = make_store(tmp_path / "s.zarr")
    line = json.loads(runs_path(store.path).read_text().splitlines()[0])
    assert line["machine"]["cores"] == this_machine().cores
    assert line["command"] == ["another"]
