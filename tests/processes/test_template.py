"""What is forked from a template is a process as any other, but with its imports done."""

import os
import signal
import time

import psutil
import pytest

from teachonce import errors
from teachonce.processes.process import Process, end
from teachonce.processes.template import Template
from tests.processes.test_process import DO, gone, wait_for

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
