"""Arms in processes of their own: their figures are their own, their errors ours, and none of them stays behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from teachonce.benchmarks.live.arm import Arm, Memory, Ready
from teachonce.benchmarks.live.data import DataSpec
from teachonce.errors import InputError, MemoryFullError, MismatchError, TeachonceError, UnexpectedError
from teachonce.models.spec import modules_of
from teachonce.processes.template import Template
from tests.benchmarks.livekit import BATCH, CLASSES, HELD, PAUSE_MS, QUICK, ROWS, make_store, spec
from tests.stages.trainkit import Heard

LIMIT = 1.1  # of the check of the live arm
PATIENCE = 20.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("arms") / "s.zarr")


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    with Template(("teachonce.benchmarks.live.work", *modules_of(["vit"]))) as made:
        yield made


@pytest.fixture(scope="module")
def arms(store: Path, template: Template) -> Iterator[dict[str, Arm]]:
    """Alive together, as in a measurement; `wrong` is live, slower by a known time, and holds known bytes."""
    specs = {kind: spec(kind, store) for kind in ("constant", "cached", "live")}
    specs["wrong"] = spec("live", store, wrap="slow_and_holding")
    with ExitStack() as stack:
        yield {name: stack.enter_context(Arm(one, template=template)) for name, one in specs.items()}


@pytest.fixture(scope="module")
def ready(arms: dict[str, Arm]) -> dict[str, Ready]:
    with ThreadPoolExecutor() as pool:  # side by side: most of it is importing
        return dict(zip(arms, pool.map(Arm.ready, arms.values()), strict=True))


@pytest.fixture(scope="module")
def found(arms: dict[str, Arm], ready: dict[str, Ready]) -> dict[str, Memory]:
    return {name: arm.memory() for name, arm in arms.items()}


def test_what_an_arm_is(ready: dict[str, Ready]):
    assert {one.threads for one in ready.values()} == {1}
    assert {name for name, one in ready.items() if one.teacher_bytes} == {"live", "wrong"}
    assert {name for name, one in ready.items() if one.target_bytes} == {"cached"}
    assert ready["live"].teacher_image_size == 32
    assert ready["cached"].device == "cpu"


def test_constant_has_the_targets_of_one_batch_and_none_of_the_store(found: dict[str, Memory]):
    cached, constant = found["cached"].allocated_bytes, found["constant"].allocated_bytes
    assert cached - constant == (ROWS - BATCH) * CLASSES * 2


def test_the_live_arm_has_its_teacher_more(found: dict[str, Memory], ready: dict[str, Ready]):
    more = found["live"].allocated_bytes - found["constant"].allocated_bytes
    assert abs(more - ready["live"].teacher_bytes) < 1024  # and none of its batch's images
    assert found["live"].teacher_peak_bytes is not None
    assert found["live"].teacher_peak_bytes > 0
    assert found["cached"].teacher_peak_bytes is None


def test_a_known_allocation_comes_back_right(found: dict[str, Memory]):
    assert found["wrong"].allocated_bytes - found["live"].allocated_bytes == HELD


def test_host_memory_is_the_process_own(arms: dict[str, Arm], found: dict[str, Memory]):
    now = psutil.Process(pid(arms["cached"])).memory_info().rss
    assert 0.7 < found["cached"].host_memory_bytes / now < 1.4


def test_a_slowed_down_teacher_is_caught(arms: dict[str, Arm], ready: dict[str, Ready]):
    """live / (teacher's forward + constant step), as the check of the benchmark has it."""
    best = {name: min(arms[name].run(3) for _ in range(3)) for name in ("constant", "live", "wrong")}
    bare = {name: min(arms[name].teacher(3) for _ in range(3)) for name in ("live", "wrong")}
    ratio = {name: best[name] / (bare[name] + best["constant"]) for name in bare}
    assert ratio["wrong"] > 2 * LIMIT
    assert ratio["live"] < ratio["wrong"] / 2
    assert arms["wrong"].parts(2)["teacher"] >= PAUSE_MS


def test_a_teacher_is_asked_of_live_arms_only(arms: dict[str, Arm], ready: dict[str, Ready]):
    with pytest.raises(InputError, match="no teacher runs here"):
        arms["cached"].teacher(1)
    assert arms["cached"].run(1) > 0  # it works on


def test_the_error_of_a_child_is_ours(store: Path, template: Template):
    other = DataSpec(data=f"random:rows={ROWS},classes={CLASSES},seed=1")
    with (
        Arm(spec("cached", store, student=QUICK, data=other), template=template) as arm,
        pytest.raises(MismatchError, match=r"arm cached: .* row 0") as told,
    ):
        arm.ready()
    assert told.value.mend.startswith("Use the data")


@pytest.mark.parametrize(("wrap", "kind"), [("broken", UnexpectedError), ("greedy", MemoryFullError)])
def test_what_nobody_foresaw_is_told(store: Path, template: Template, wrap: str, kind: type[TeachonceError]):
    with (
        Arm(spec("cached", store, student=QUICK, wrap=wrap), template=template) as arm,
        pytest.raises(kind, match="arm cached") as error,
    ):
        arm.ready()
    assert wrap != "greedy" or "smaller --batch-size" in error.value.mend
    assert wrap != "broken" or "in broken" in str(error.value.__cause__)


def test_a_child_warns_through_us(store: Path, template: Template):
    heard = Heard()
    with Arm(spec("live", store, student=QUICK, teacher="cnn-2"), events=heard, template=template) as arm:
        arm.ready()
    assert any("other weights" in text for text in heard.warnings)


def pid(arm: Arm) -> int:
    assert arm._process is not None
    return arm._process.pid


def gone(number: int) -> bool:
    """Whether a process ended; of one that is not our child we see that nobody has waited for it."""
    try:
        process = psutil.Process(number)
        process.wait(PATIENCE)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def test_a_killed_child_is_told_of(store: Path, template: Template):
    with Arm(spec("student-only", store, student=QUICK), template=template) as arm:
        os.kill(pid(arm), signal.SIGKILL)
        with pytest.raises(TeachonceError, match="by signal 9") as told:
            arm.ready()
    assert "smaller batch size" in told.value.mend


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_leaves_no_process_behind(store: Path, template: Template):
    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        quick = spec("student-only", store, student=QUICK)
        with pytest.raises(KeyboardInterrupt), Arm(quick, template=template) as arm:  # noqa: PT012
            number = pid(arm)
            arm.ready()
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            arm.run(1_000_000)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not psutil.pid_exists(number)


@pytest.mark.parametrize("doing", ["arm.ready()", "threading.Thread(target=arm.ready, daemon=True).start()"])
def test_an_arm_ends_with_its_parent(doing: str):
    """Also while it works: here it hangs where it is built, as it might compile for minutes."""
    script = (
        "import os, signal, threading\n"
        "from teachonce.benchmarks.live.arm import Arm\n"
        "from tests.benchmarks.livekit import spec, wait_until_built\n"
        f"hanging = {'hanging' if 'Thread' in doing else None!r}\n"
        "with Arm(spec('student-only', None, student='cnn-2', wrap=hanging)) as arm:\n"
        f"    {doing}\n"
        "    wait_until_built(arm) if hanging else None\n"
        "    os.write(1, str(arm._process.pid).encode())\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


def test_a_child_finds_what_we_find_and_nothing_else(tmp_path: Path):
    """A folder that is on our path alone, as unpacked wheels are; and a file of the working folder that is not."""
    place, here = tmp_path / "wheels", tmp_path / "here"
    place.mkdir()
    here.mkdir()
    (here / "random.py").write_text("raise ImportError('not the one of Python')\n")
    (place / "carried.py").write_text("def wrap(work):\n    raise LookupError('carried wraps')\n")
    script = (
        "import sys\n"
        f"sys.path.append({str(place)!r})\n"
        "from dataclasses import replace\n"
        "from teachonce.benchmarks.live.arm import Arm\n"
        "from tests.benchmarks.livekit import spec\n"
        "with Arm(replace(spec('student-only', None, student='cnn-2'), wrap='carried:wrap')) as arm:\n"
        "    arm.ready()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert "carried wraps" in done.stderr.splitlines()[-1]
