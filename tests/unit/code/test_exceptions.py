"""What user code raised in a replica is caught at the caller as what it was."""

import asyncio
import pickle
import socket
import subprocess
import sys
import threading
import traceback
from typing import Any

import pytest

from tests.unit.code.conftest import REPOSITORY
from workbench.code.exceptions import dump_exception, load_failure
from workbench.errors import (
    BackPressureError,
    CallError,
    DeploymentUnavailableError,
    NoSuchMethodError,
    NotStreamingError,
    RemoteError,
    ReplicaUnavailableError,
    RequestCancelledError,
)
from workbench.wire.messages import Failure, FailureKind


class NeedsTwoError(Exception):
    """Cannot be made again from its `args`, as pickle would try."""

    def __init__(self, code, reason):
        super().__init__(f"{reason} ({code})")
        self.code = code


class HoldsLockError(ValueError):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()
        self.detail = "kept"


class NoPickleError(LookupError):
    def __reduce__(self):
        raise TypeError("never")


class OwnReduceError(Exception):
    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self):
        return make_own_reduce, (self.code,)


def make_own_reduce(code):
    return OwnReduceError(code=code)


class NamedError(Exception):
    """Has attributes of the same names as ours."""

    def __init__(self, message):
        super().__init__("text")
        self.message = message
        self.hint = "theirs"

    def __str__(self):
        return f"<{self.message}>"


def raise_(error):
    raise error


def raised(error):
    """The error with a traceback, as user code leaves it."""
    try:
        raise_(error)
    except BaseException as caught:  # noqa: BLE001
        return caught


def sent(error, call_id=7):
    failure, buffers = dump_exception(raised(error), call_id)
    return load_failure(failure, [bytes(part) for part in buffers])


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        KeyError("name"),
        NeedsTwoError(404, "lost"),
        HoldsLockError("held"),
        NoPickleError("gone"),
        OwnReduceError(code=3),
        NamedError({"a": 1}),
        FileNotFoundError(2, "No such file", "x.txt"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        TimeoutError("late"),
        ExceptionGroup("several", [ValueError("one"), NeedsTwoError(1, "two")]),
        Exception("plain"),
        BackPressureError("full"),
        pytest.UsageError("of a library"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_is_both_remote_and_of_its_own_type(error):
    received = sent(error)

    assert isinstance(received, RemoteError)
    assert isinstance(received, type(error))
    assert str(received) == str(error)
    assert "in raised" in received.remote_traceback


def test_attributes_travel_as_far_as_they_can():
    assert sent(NeedsTwoError(404, "lost")).code == 404
    assert sent(HoldsLockError("held")).detail == "kept"
    assert sent(FileNotFoundError(2, "No", "x.txt")).filename == "x.txt"
    assert sent(NamedError({"a": 1})).message == {"a": 1}
    group = sent(ExceptionGroup("g", [NeedsTwoError(1, "two")]))
    assert group.exceptions[0].code == 1


def test_the_original_is_the_cause_where_it_travelled():
    assert type(sent(NeedsTwoError(404, "lost")).cause) is NeedsTwoError
    assert sent(NoPickleError("gone")).cause is None


@pytest.mark.parametrize(
    "error", [StopIteration(1), SystemExit(1), KeyboardInterrupt()]
)
def test_what_would_end_the_caller_is_remote_only(error):
    received = sent(error)

    assert type(received) is RemoteError
    assert type(received.cause) is type(error)


def test_a_type_is_made_once():
    assert type(sent(ValueError(1))) is type(sent(ValueError(2)))
    assert type(sent(ValueError(1))).__name__ == "RemoteError(ValueError)"


def test_unknown_types_are_remote_errors_with_their_text():
    failure = Failure(1, FailureKind.USER, "no.such.Error", "the text", "Traceback…\n")
    received = load_failure(failure, [b"garbage"])

    assert type(received) is RemoteError
    assert str(received) == "the text"


def test_a_class_of_the_notebook_is_caught_there(notebook, replica):
    notebook.cell(
        """
class MyError(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
class Other(MyError):
    def __reduce__(self):
        raise TypeError
def target(kind):
    raise kind(5, "no luck")
"""
    )
    notebook.cell("def run(name): target(globals()[name])\nkeep = (MyError, Other)\n")
    notebook.cell("def entry(name):\n    keep\n    run(name)\n")
    answers = replica(
        notebook.ship("entry"),
        """
from workbench.code.exceptions import dump_exception
def call(name):
    try:
        target(name)
    except Exception as error:
        failure, buffers = dump_exception(error, 3)
    return [failure.id, failure.error_type, failure.message, failure.traceback,
            [bytes(part).hex() for part in buffers]]
answer([call("MyError"), call("Other")])
""",
    )
    for name, (call_id, kind, message, text, buffers) in zip(
        ["MyError", "Other"], answers, strict=True
    ):
        failure = Failure(call_id, FailureKind.USER, kind, message, text)
        received = load_failure(failure, [bytes.fromhex(each) for each in buffers])

        assert isinstance(received, vars(notebook.main)[name])
        assert 'raise kind(5, "no luck")' in received.remote_traceback
        assert (call_id, kind) == (3, name)


def test_only_the_users_frames_are_told():
    async def through_asyncio():
        try:
            await asyncio.wait_for(asyncio.to_thread(fail), 5)
        except ValueError as error:
            # As a replica has it: the frame of this test is not in it.
            below = error.__traceback__.tb_next if error.__traceback__ else None
            error.__traceback__ = below
            return dump_exception(error)[0].traceback

    def fail():
        raise ValueError("x") from KeyError("cause")

    text = asyncio.run(through_asyncio())

    assert "asyncio" not in text
    assert "concurrent" not in text
    assert "in fail" in text
    assert "KeyError: 'cause'" in text


def test_an_error_of_another_replica_keeps_its_whole_story():
    def outer():
        raise sent(NeedsTwoError(404, "lost"))

    try:
        outer()
    except RemoteError as error:
        failure, buffers = dump_exception(error)
    received = load_failure(failure, buffers)

    assert isinstance(received, NeedsTwoError)
    assert received.code == 404
    assert "in raised" in failure.traceback
    assert "in outer" in failure.traceback
    assert failure.error_type.endswith("test_exceptions.NeedsTwoError")


def test_an_error_that_came_through_two_replicas_is_told_once_and_in_order():
    def outer():
        raise sent(ValueError("lost"))

    try:
        outer()
    except RemoteError as error:
        error.add_note("while counting")
        text = dump_exception(error)[0].traceback

    assert text.count("Traceback (most recent call last)") == 1
    assert text.count("ValueError: lost") == 1
    assert text.index("in outer") < text.index("in raised")
    assert text.endswith("ValueError: lost\nwhile counting\n")


def test_an_error_that_did_not_pickle_keeps_its_type_on_the_next_hop():
    received = sent(sent(NoPickleError("gone")))

    assert isinstance(received, NoPickleError)
    assert str(received) == "gone"


def test_a_received_error_can_be_pickled():
    received = sent(KeyError("name"))
    again: Any = pickle.loads(pickle.dumps(received))

    assert again.remote_traceback == received.remote_traceback
    assert isinstance(again, KeyError)
    assert str(again) == str(received)


def test_an_uncaught_error_shows_the_replicas_traceback():
    program = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from workbench.code.exceptions import dump_exception, load_failure
def in_replica():
    return 1 / 0
try:
    in_replica()
except ZeroDivisionError as error:
    message = dump_exception(error)
raise load_failure(*message)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert "in in_replica" in done.stderr
    assert done.stderr.rstrip().endswith(
        "RemoteError(ZeroDivisionError): division by zero"
    )


def test_in_a_notebook_the_replicas_traceback_is_all_that_is_drawn():
    received = sent(ValueError("bad"))

    assert received._render_traceback_() == [received.remote_traceback]
    assert "ValueError: bad" in "".join(traceback.format_exception(received))


def test_a_broken_str_does_not_hide_the_error():
    class BrokenError(Exception):
        def __str__(self):
            raise RuntimeError("oops")

    failure, _ = dump_exception(raised(BrokenError()))

    assert failure.message == "(its __str__ raised RuntimeError: oops)"


def test_an_error_with_a_socket_loses_only_that():
    with socket.socket() as held:
        received = sent(ValueError("bad", held))

    assert isinstance(received, ValueError)
    assert received.args[0] == "bad"
    assert "socket" in received.args[1]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FailureKind.NO_SUCH_METHOD, NoSuchMethodError),
        (FailureKind.NOT_STREAMING, NotStreamingError),
        (FailureKind.CANCELLED, RequestCancelledError),
        (FailureKind.REPLICA_LOST, ReplicaUnavailableError),
        (FailureKind.UNAVAILABLE, DeploymentUnavailableError),
        (FailureKind.QUEUE_FULL, BackPressureError),
        (FailureKind.UNREADABLE, CallError),
    ],
)
def test_failures_of_ours_are_errors_of_ours(kind, expected):
    received = load_failure(Failure(1, kind, "", "what happened"))

    assert type(received) is expected
    assert received.message == "what happened"
