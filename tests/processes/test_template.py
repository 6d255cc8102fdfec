"""What is forked from a template is a process as any other, but with its imports done."""

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from teachonce import errors
from teachonce.processes.process import Pool, Process, end
from teachonce.processes.template import Template
from tests.processes.test_process import DO, gone, wait_for

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not Template(()).is_usable, reason="nothing is forked here")


def parent(process: Process) -> psutil.Process:
    made = psutil.Process(process.pid).parent()
    assert made is not None
    return made


def test_it_has_what_the_template_has_imported_and_draws_numbers_of_its_own():
    with Template(("colorsys", "numpy")) as template:
        found = []
        for each in (template, template, None):
            with Process(DO, name="it", template=each) as process:
                found.append(process.ask("inherited"))
    imported, drawn = zip(*found, strict=True)
    assert imported == (True, True, False)
    assert len(set(drawn)) == 3


def test_none_is_there_after_it():
    others = psutil.Process().children()
    with Template(()) as template, Process(DO, name="it", template=template) as process:
        made = parent(process)
        assert made.pid != os.getpid()
        process.ask("echo", 1)
    assert not made.is_running()
    assert psutil.Process().children() == others


def test_a_signal_that_comes_before_it_can_handle_it_is_not_lost():
    with Template(("tests.processes.targets",)) as template:
        for _ in range(20):
            process = Process(DO, name="it", template=template)
            began = time.monotonic()
            end([process])
            assert time.monotonic() - began < 10  # it was not killed
            process.close()


def test_a_batch_system_signals_the_template_too():
    with Template(()) as template, Process(DO, name="it", template=template) as process:
        parent(process).send_signal(signal.SIGTERM)
        parent(process).send_signal(signal.SIGINT)
        assert process.ask("echo", 1) == 1
        with Process(DO, name="it", template=template) as other:
            assert other.ask("echo", 2) == 2
            assert parent(other) == parent(process)


def test_where_it_is_lost_its_processes_are_and_others_are_started():
    with Template(()) as template, Process(DO, name="it", template=template) as process:
        parent(process).kill()
        with pytest.raises(errors.ProcessEndedError):
            process.ask("stuck")
        wait_for(lambda: gone(process.pid))
        with Process(DO, name="it", template=template) as other:
            assert other.ask("echo", 2) == 2
            assert parent(other).pid == os.getpid()


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_processes_start_with_standard_descriptors_closed(closed: str):
    program = (
        "import os\n"
        "from teachonce.processes.process import Process\n"
        "from teachonce.processes.template import Template\n"
        f"with Template(()) as template, Process({DO!r}, name='it', template=template) as process:\n"
        "    os._exit(40 + process.ask('echo', 2))\n"
    )
    words = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(["sh", "-c", f'"$0" -c "$1" {words}', sys.executable, program], cwd=ROOT, check=False)
    assert done.returncode == 42


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EMFILE])
def test_without_a_descriptor_of_a_process_it_is_started(monkeypatch: pytest.MonkeyPatch, code: int):
    opened = os.pidfd_open

    def refused(number: int) -> int:
        if code == errno.ENOSYS or number != os.getpid():
            raise OSError(code, "no")
        return opened(number)

    monkeypatch.setattr(os, "pidfd_open", refused)
    with Template(()) as template, Process(DO, name="it", template=template) as process:
        assert template.is_usable == (code == errno.EMFILE)
        assert process.ask("echo", 2) == 2
        assert parent(process).pid == os.getpid()


def test_one_that_cannot_be_forked_is_started_and_the_others_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "second.py").write_text(
        "import os\nfork, count = os.fork, 0\ndef failing():\n    global count\n    count += 1\n"
        "    if count == 2:\n        raise BlockingIOError(11, 'no more processes')\n    return fork()\n"
        "os.fork = failing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Template(("second",)) as template:
        made = [Process(DO, name="it", template=template) for _ in range(3)]
        assert [process.ask("echo", number) for number, process in enumerate(made)] == [0, 1, 2]
        assert [parent(process).pid == os.getpid() for process in made] == [False, True, False]
        end(made)
        for process in made:
            process.close()


def test_a_pool_does_not_wait_for_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads, Template(("slow",)) as template:
        with pytest.raises(ZeroDivisionError), Pool(template) as pool:  # noqa: PT012
            asked = threads.submit(pool.run, DO, "echo", 1, name="it")
            wait_for(lambda: bool(psutil.Process().children()))
            time.sleep(0.3)
            raise ZeroDivisionError
        assert isinstance(asked.exception(10), KeyboardInterrupt)
    assert time.monotonic() - began < 20
