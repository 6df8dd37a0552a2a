"""What a client is told of its request."""

from workbench.proxy.extras import read_extras
from workbench.proxy.told import Told
from workbench.wire.messages import HttpReply, Spent

MS = 1_000_000
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def answer(head=b"", spent=None):
    return HttpReply(1, 200, head, None, more=False, spent=spent)


def extras(*headers, **options):
    found = read_extras(headers, None, **options)
    assert found is not None
    return found


def test_the_parts_add_up_to_the_total():
    told = Told(is_timed=True, traceparent="")

    assert told.lines(
        answer(spent=Spent(1 * MS, 4 * MS)), 10 * MS, 12 * MS, 20 * MS
    ) == (
        b"server-timing: queue;dur=2.000, transfer;dur=3.000, batch;dur=1.000, "
        b"code;dur=4.000, total;dur=10.000\r\n"
    )


def test_without_a_replica_there_is_no_time_of_one():
    told = Told(is_timed=True, traceparent="")

    assert told.lines(answer(), 0, 0, 1 * MS) == (
        b"server-timing: queue;dur=0.000, total;dur=1.000\r\n"
    )


def test_the_step_of_the_trace_is_told_unless_the_application_does():
    told = Told(is_timed=False, traceparent=PARENT)

    assert told.lines(answer(), 0, 0, 1) == f"traceparent: {PARENT}\r\n".encode()
    assert told.lines(answer(b"traceparent: own\r\n"), 0, 0, 1) == b""


def test_only_those_that_ask_are_timed():
    assert read_extras([(b"host", b"h")], None) is None
    assert extras((b"x-server-timing", b"1")).is_timed
    assert not extras((b"x-server-timing", b"0")).is_timed
    assert extras(is_timed=True).is_timed


def test_the_proxy_is_a_step_of_the_trace():
    found = extras((b"traceparent", PARENT.encode()), (b"tracestate", b"a=1"))

    assert found.traceparent[:36] == PARENT[:36]
    assert found.traceparent[36:52] != PARENT[36:52]
    assert found.tracestate == "a=1"


def test_a_tracestate_alone_is_nothing():
    assert extras((b"tracestate", b"a=1")).tracestate == ""
