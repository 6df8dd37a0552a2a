"""What the proxy answers by itself."""

import json

import pytest

from workbench.proxy import pages
from workbench.wire.messages import Failure, FailureKind


def failed(kind, message="why"):
    return pages.failed(Failure(1, kind, "ValueError", message, "the traceback"))


@pytest.mark.parametrize(
    ("is_ready", "is_draining", "status"),
    [(True, False, 200), (False, False, 503), (True, True, 503), (False, True, 503)],
)
def test_health_and_routes_agree_on_the_status(is_ready, is_draining, status):
    facts = {"is_ready": is_ready, "is_draining": is_draining}

    assert pages.healthz(**facts).status == status
    assert pages.routes({}, **facts).status == status


def test_routes_are_json():
    page = pages.routes({"/é": "app"}, is_ready=True, is_draining=False)

    assert page.content_type == "application/json"
    assert json.loads(page.text) == {"/é": "app"}


@pytest.mark.parametrize("kind", FailureKind)
def test_no_failure_shows_a_traceback(kind):
    assert "traceback" not in failed(kind).text


@pytest.mark.parametrize("kind", [FailureKind.USER, FailureKind.UNREADABLE])
def test_what_user_code_says_stays_inside(kind):
    assert failed(kind, "password is hunter2").text == "Internal Server Error"


def test_a_cancelled_call_says_something_even_without_a_message():
    assert failed(FailureKind.CANCELLED, "").text == "The request was cancelled."


def test_a_timeout_names_the_request_and_the_time():
    assert pages.timed_out("id", 30.0).text == "Request id timed out after 30s."
    assert pages.timed_out("id", 0.25).text == "Request id timed out after 0.25s."
