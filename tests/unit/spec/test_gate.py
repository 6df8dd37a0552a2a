"""What a deploy must stand, in the forms in which users write it."""

import pytest

from workbench.spec.gate import Gate, Guard, Smoke


@pytest.mark.parametrize(
    ("given", "smoke"),
    [
        ("/", Smoke()),
        ("/a?b=c", Smoke(path="/a?b=c")),
        (("/", [1, 2]), Smoke(method="POST", body="[1, 2]")),
        (("/", None), Smoke(method="POST", body="null")),
        ({"path": "/x", "expect": 404}, Smoke(path="/x", expect=404)),
        (
            {"path": "/x", "json": {"a": 1}, "method": "PUT", "answer": [True]},
            Smoke(path="/x", method="PUT", body='{"a": 1}', answer="[true]"),
        ),
    ],
)
def test_a_smoke_request_has_several_forms(given, smoke):
    assert Smoke.parse(given) == smoke
    assert Smoke.parse(smoke) is smoke


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("predict", "starts with '/'"),
        ({"path": "/", "jsn": 1}, r"no \['jsn'\]"),
        ({"path": "/", "expect": 20}, "HTTP status"),
        (3, "is a path"),
    ],
)
def test_what_is_no_smoke_request_is_explained(given, says):
    with pytest.raises((TypeError, ValueError), match=says):
        Smoke.parse(given)


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("/", 1),
        (("/", {"a": 1}), 1),
        (["/", ("/", 1)], 2),
        (("/a", "/b"), 2),
        ({"path": "/"}, 1),
        ([], 0),
    ],
)
def test_one_request_needs_no_list(given, count):
    assert len(Gate.parse(given).smoke) == count


@pytest.mark.parametrize(
    ("given", "guard"),
    [
        (None, None),
        (False, None),
        (True, Guard()),
        (2, Guard(for_s=2.0)),
        ({"max_p99_ms": 50.0}, Guard(max_p99_ms=50.0)),
    ],
)
def test_a_guard_has_several_forms(given, guard):
    assert Guard.parse(given) == guard


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (0.0, "more than 0 seconds"),
        ({"max_error_rate": 5}, "from 0 to 1"),
        ({"max_errors": 1}, r"no \['max_errors'\]"),
        ("5", "time in seconds"),
    ],
)
def test_what_is_no_guard_is_explained(given, says):
    with pytest.raises((TypeError, ValueError), match=says):
        Guard.parse(given)
