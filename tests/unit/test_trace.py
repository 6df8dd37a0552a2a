"""W3C Trace Context."""

import pytest

from workbench import trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def state_of(*states):
    return trace.accept([PARENT], states)[1]


def test_a_traceparent_is_taken_as_it_is():
    assert trace.accept([PARENT], ["a=1"]) == (PARENT, "a=1")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "01",
        PARENT.upper(),
        PARENT[:-1],
        f"{PARENT}-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"cc-{TRACE}-{SPAN}-01.more",
    ],
)
def test_a_malformed_one_begins_a_new_trace_without_state(given):
    parent, state = trace.accept([given], ["a=1"])

    assert trace.accept([parent], []) == (parent, "")
    assert trace.trace_id_of(parent) != TRACE
    assert not trace.is_sampled(parent)
    assert state == ""


def test_two_are_malformed():
    assert trace.accept([PARENT, PARENT], [])[0] != PARENT


@pytest.mark.parametrize(
    "given", [f"cc-{TRACE}-{SPAN}-01-more", f"01-{TRACE}-{SPAN}-03"]
)
def test_of_a_later_version_what_is_known_is_taken(given):
    assert trace.accept([given], []) == (PARENT, "")


def test_a_child_is_another_step_of_the_same_trace():
    child = trace.child_of(PARENT)

    assert trace.trace_id_of(child) == TRACE
    assert trace.span_id_of(child) != SPAN
    assert trace.is_sampled(child)
    assert trace.accept([child], []) == (child, "")


def test_several_tracestates_are_one():
    assert state_of("a=1, b@c=2", "", "d=3 4") == "a=1,b@c=2,d=3 4"


@pytest.mark.parametrize("given", ["A=1", "a", "a=1,a=2", "a=\x7f", "a=b=c", "=1"])
def test_a_malformed_tracestate_is_left_out(given):
    assert state_of(given) == ""


def test_a_tracestate_has_at_most_32_members():
    members = [f"m{number}=1" for number in range(33)]
    assert state_of(",".join(members)) == ""
    assert state_of(",".join(members[:32])) == ",".join(members[:32])


def test_a_tracestate_that_is_too_long_loses_its_last_members():
    members = [f"m{number}={'x' * 200}" for number in range(20)]
    kept = state_of(",".join(members))
    assert 512 <= len(kept) <= 2048
    assert ",".join(members).startswith(kept + ",")
