"""The GPU page: its parts can be run, it goes on with what is missing, and its tables say what the parts found."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from teachonce.benchmarks.live.presets import CLIP_EMBED_KD
from tests.benchmarks.livebench import Bench

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "gpu_page.sh"
SMALL = ("live", "stage-one", "rdms", "loader")


@pytest.fixture(scope="module")
def scripts() -> dict[str, ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        import gpu_page  # type: ignore[import-not-found]
        import gpu_parts  # type: ignore[import-not-found]
        import gpu_tables  # type: ignore[import-not-found]

        return {"page": gpu_page, "parts": gpu_parts, "tables": gpu_tables}


def measured(scripts: dict[str, ModuleType], parts: list[Any], results: dict[str, Any]) -> dict[str, Any]:
    """A file of the page."""
    options = scripts["page"]._options(["--small"])
    known = {part.name: {"title": part.title, "result": results[part.name]} for part in parts if part.name in results}
    return scripts["page"]._frame(options) | {"parts": known, "left_out": {"loader": "it took longer than 90 s"}}


def test_every_live_part_is_measured_and_shown(scripts: dict[str, ModuleType], bench: Bench):
    parts = scripts["parts"].parts(small=False)
    assert len({part.name for part in parts}) == len(parts)
    lives = [part for part in parts if part.kind == "live"]
    assert parts[0] is lives[0]
    assert (lives[0].options["cases"], lives[0].options["precision"]) == ("l32-32", "bf16")
    found = {part.name: json.loads(json.dumps(scripts["parts"].run_part(part, "cpu"))) for part in lives}
    assert len(bench.conducted) == len(lives)
    assert {case["batch_size"] for case in found.values()} == {64}
    told = {(case["case"], case["precision"], case["tf32"], case["compile"]) for case in found.values()}
    for size in (32, 64):  # what the page is for
        for which in ("", "-large"):
            cases = {f"{key}-{size}{which}" for key in ("l32", "b16")}
            assert cases <= set(CLIP_EMBED_KD.cases)
            assert any((case, "bf16", False, compiled) in told for case in cases for compiled in (False, True))
    assert {("l32-32", "float32", tf32, False) for tf32 in (False, True)} <= told
    text = scripts["tables"].page(measured(scripts, parts, found), "gpu.json")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == 2 * 2 * len(lives)  # two methods of each, in two tables
    name = "`l32-32`, bf16, compiled"
    row = next(line for line in rows if line.startswith(f"| {name} | `clip-teacher-kd`"))
    assert [cell.strip() for cell in row.split("|")[3:8]] == ["44", "11", "11", "10", "4 (4 - 4)"]
    assert "`l32-32`, float32, TF32, eager" in text
    assert "- `loader`: it took longer than 90 s" in text


@pytest.mark.parametrize("name", ["rdms", "loader"])
def test_the_other_parts_run_and_are_shown(scripts: dict[str, ModuleType], name: str):
    parts = scripts["parts"].parts(small=True)
    assert tuple(part.name for part in parts) == SMALL
    assert {part.kind for part in parts} == {part.kind for part in scripts["parts"].parts(small=False)}
    (part,) = (part for part in parts if part.name == name)
    found = json.loads(json.dumps(scripts["parts"].run_part(part, "cpu")))
    text = scripts["tables"].page(measured(scripts, parts, {name: found}), "gpu.json")
    heading, number = {"rdms": ("RDMs", found.get("count")), "loader": ("DataLoader", found.get("batch_size"))}[name]
    assert heading in text
    row = next(line for line in text.splitlines() if line.startswith("|") and f"| {number} |" in line)
    assert row.count("(") >= 1  # a ratio with its quartiles


def test_the_command_goes_on_with_what_is_missing(scripts: dict[str, ModuleType], tmp_path: Path):
    out = tmp_path / "gpu.json"
    words = ["--small", "--parts", "rdms", "--out", str(out)]
    environment = os.environ | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([SCRIPT, *words], capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    first = json.loads(out.read_text())
    assert (first["form"], list(first["parts"]), first["left_out"]) == ("small", ["rdms"], {})
    assert "## RDMs together" in out.with_suffix(".md").read_text()
    main = scripts["page"].main
    measured = first["parts"]["rdms"]["measured"]
    assert main(words) == 0
    assert json.loads(out.read_text())["parts"]["rdms"]["measured"] == measured  # not again
    assert main(["--small", "--minutes", "0", "--out", str(out)]) == 1  # parts are missing
    found = json.loads(out.read_text())
    assert found["parts"] == first["parts"]
    assert set(found["left_out"]) == set(SMALL) - {"rdms"}
    assert "## Not measured" in out.with_suffix(".md").read_text()
    other_memory = {**found["machine"], "memory_bytes": found["machine"]["memory_bytes"] + 4096}
    out.write_text(json.dumps(found | {"machine": other_memory}))
    assert main(words) == 0  # of the same machine
    assert json.loads(out.read_text())["parts"] == found["parts"]
    out.write_text(json.dumps(found | {"machine": {**found["machine"], "cores": 99}}))
    with pytest.raises(SystemExit):  # another machine's numbers are not mixed in
        main(words)
    assert main(["--small", "--parts", "nothing", "--out", str(out)]) == 2


def test_a_part_ends_at_its_limit_with_all_its_processes(scripts: dict[str, ModuleType], tmp_path: Path):
    place = tmp_path / "id"
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); "
    code += "open(sys.argv[1], 'w').write(str(p.pid)); p.wait()"
    began = time.monotonic()
    assert "longer" in scripts["page"]._run([sys.executable, "-c", code, str(place)], 2.0)
    assert time.monotonic() - began < 20
    number = int(place.read_text())
    deadline = time.monotonic() + 10  # it was killed: the kernel ends it when it gets to it
    while _lives(number) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(number)
    assert "broken" in scripts["page"]._run([sys.executable, "-c", "raise SystemExit('broken')"], 30.0)


def _lives(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_goes_on_when_the_command_is_ended(tmp_path: Path, number: signal.Signals):
    words = [sys.executable, str(ROOT / "scripts" / "gpu_page.py"), "--small", "--out", str(tmp_path / "gpu.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("live")  # a part begins
        deadline = time.monotonic() + 30
        while not (children := _measuring(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        code = process.wait(20)
    assert code == (143 if number == signal.SIGTERM else -number)
    assert children
    assert psutil.wait_procs(children, timeout=30)[1] == []


def _measuring(parent: int) -> list[psutil.Process]:
    """The processes of a part, once they have loaded torch and ask to end with their parent."""
    found = psutil.Process(parent).children(recursive=True)
    return found if any("libtorch" in place.path for child in found for place in child.memory_maps()) else []


@pytest.mark.parametrize(("name", "content"), [("a.json", "{"), ("a.json", "[]"), ("a.md", ""), ("none/a.json", None)])
def test_a_file_that_cannot_be_gone_on_with_is_refused_at_once(
    scripts: dict[str, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None
):
    out = tmp_path / name
    if content is None:
        out.parent.write_text("")
    else:
        out.write_text(content)
    try:
        code = scripts["page"].main(["--small", "--parts", "rdms", "--out", str(out)])
    except SystemExit as error:
        code = error.code
    assert code not in (0, None)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "at most" not in said  # nothing was measured
