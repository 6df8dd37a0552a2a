"""One instance for all integration tests; each test has an application of its own."""

import contextlib
import importlib.util
import itertools
import subprocess
import sys
import threading
import time

import httpx
import pytest

from tests import talk
from workbench import api, connection, serve
from workbench.errors import InstanceError

_numbers = itertools.count(1)


def grpc_options():
    """The service of the tests, where the extra [grpc] is installed."""
    needed = (*talk.NEEDED, "grpc_health")
    if any(importlib.util.find_spec(name) is None for name in needed):
        return None
    talk.generated()
    return {"grpc_servicer_functions": talk.FUNCTIONS}


def run_python(*arguments, check=True):
    """Run the Python of the tests to its end; what it said is shown if it fails."""
    done = subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def workbench(*arguments, check=True):
    """Run a command as in a terminal."""
    return run_python("-m", "workbench.cli", *arguments, check=check)


@pytest.fixture
def own_state(tmp_path, monkeypatch):
    """Directories of the test's own for instance files and for what is saved.

    What runs there in the end is ended.
    """
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("WORKBENCH_STATE_DIR", str(tmp_path / "saved"))
    monkeypatch.setenv("WORKBENCH_SPARE_SHELLS", "1")
    yield tmp_path
    workbench("down", check=False)


@pytest.fixture(scope="session")
def instance(_own_surroundings):
    """A running instance that ends with the test run."""
    serve.start(grpc_options=grpc_options())
    yield api.status().instance
    serve.shutdown()


@pytest.fixture
def app_name(instance):
    """A fresh application name; the application is deleted after the test."""
    name = f"app{next(_numbers)}"
    yield name
    serve.delete(name)


@pytest.fixture
def run(app_name):
    """Deploy under the test's own name and route; returns the handle."""

    def deploy(app, **options):
        options.setdefault("route_prefix", f"/{app_name}")
        return serve.run(app, name=app_name, **options)

    return deploy


@pytest.fixture
def url(instance, app_name):
    """Where the test's application answers."""
    return f"{instance.http_url}/{app_name}"


@pytest.fixture
def http():
    """An HTTP client."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


def controller_pid():
    """The controller's process; None while it is away."""
    client = connection.in_use()
    if client is None or not client.is_alive():
        return None
    try:
        found = client.status().instance
    except InstanceError:
        return None
    return found.pids["controller"] if found else None


def eventually(claim, *, within_s=90.0):
    """Wait until a claim holds, and return what it returned; generous in time."""
    deadline = time.monotonic() + within_s
    last = None
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError, AssertionError) as _:
            last = claim()
            if last:
                return last
        _pause()
    msg = f"not within {within_s} s; last seen: {last!r}"
    raise AssertionError(msg)


def _pause():
    threading.Event().wait(0.05)
