"""User code that hangs or ends its process: named, and replaced."""

import ctypes
import os
import threading

import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.errors import RequestTimeoutError
from workbench.spec.logs import LogQuery


@serve.deployment(health_check_timeout_s=0.3, graceful_shutdown_timeout_s=1)
class Hanging:
    def pid(self):
        return os.getpid()

    async def hold_the_loop(self):
        threading.Event().wait()

    def wait_for_ever(self):
        threading.Event().wait()

    def crash(self):
        ctypes.string_at(0)

    def leave(self):
        os._exit(3)


def said_by(app_name, text):
    """The record of the application that holds a text, once there is one."""

    def look():
        found = api.logs(LogQuery(app=app_name, contains=text)).records
        return found[-1].text if found else None

    return eventually(look, within_s=60)


def is_replaced(handle, pid):
    return eventually(
        lambda: handle.pid.remote().result(timeout_s=30) != pid, within_s=60
    )


def test_a_loop_that_is_held_up_is_told_and_its_replica_replaced(run, app_name):
    handle = run(Hanging.bind())
    pid = handle.pid.remote().result(timeout_s=30)
    handle.hold_the_loop.remote()

    assert "in hold_the_loop" in said_by(app_name, "its event loop has been held up")
    assert is_replaced(handle, pid)


def test_a_call_that_runs_on_for_nobody_is_told_and_its_replica_replaced(run, app_name):
    handle = run(Hanging.bind())
    pid = handle.pid.remote().result(timeout_s=30)
    waiting = handle.options(timeout_s=0.2).wait_for_ever.remote()
    with pytest.raises(RequestTimeoutError):
        waiting.result(timeout_s=30)

    told = said_by(app_name, "runs on")
    assert "in wait_for_ever" in told
    assert "threading.Event().wait()" in told
    assert is_replaced(handle, pid)


def test_a_call_that_somebody_waits_for_may_take_its_time(run):
    handle = run(Hanging.bind())
    pid = handle.pid.remote().result(timeout_s=30)
    waiting = handle.wait_for_ever.remote()

    # Four times what the watchdog would give a call that nobody waits for.
    with pytest.raises(TimeoutError):
        waiting.result(timeout_s=4)
    assert handle.pid.remote().result(timeout_s=30) == pid
    waiting.cancel()


@pytest.mark.parametrize(
    ("method", "text", "place"),
    [
        ("crash", "Segmentation fault (a crash in C code)", "in crash"),
        ("leave", "User code called os._exit(3)", "in leave"),
    ],
)
def test_a_process_that_ends_is_told_with_the_cause(run, app_name, method, text, place):
    handle = run(Hanging.bind())
    pid = handle.pid.remote().result(timeout_s=30)
    getattr(handle, method).remote()

    assert place in said_by(app_name, text)
    assert is_replaced(handle, pid)
