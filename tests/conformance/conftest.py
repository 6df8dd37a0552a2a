"""The same tests against `workbench.serve` and, with `--system=ray`, against `ray.serve`.

Each test shows one documented behaviour and names it (`@behaviour`). The run writes
what it found to artifacts/conformance; `table.py` makes the table of it.

Imports nothing of Workbench by itself: the environment that has Ray Serve lacks it.
"""

import importlib
import importlib.util
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests import talk

FOUND = Path(__file__).parents[2] / "artifacts" / "conformance"

_numbers = itertools.count(1)
_outcomes: dict[str, dict[str, str]] = {}


def pytest_addoption(parser):
    parser.addoption("--system", choices=["workbench", "ray"], default="workbench")


def pytest_configure(config):
    config.addinivalue_line("markers", "behaviour(row, text): what the test shows")
    config.addinivalue_line("markers", "differs(why): Ray Serve does otherwise")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("behaviour") is None:
            continue
        item.add_marker(pytest.mark.timeout(180))
        differs = item.get_closest_marker("differs")
        if config.getoption("--system") == "ray" and differs is not None:
            item.add_marker(pytest.mark.xfail(reason=differs.args[0], strict=False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    mark = item.get_closest_marker("behaviour")
    if mark is not None and (report.when == "call" or report.outcome != "passed"):
        row, text = mark.args
        differs = item.get_closest_marker("differs")
        _outcomes[f"{item.path.name}::{item.name}"] = {
            "row": row,
            "text": text,
            "differs": differs.args[0] if differs else "",
            "outcome": _outcome(report),
        }
    return report


def _outcome(report):
    if report.when == "setup":
        return "skipped"  # where the system itself did not start, nothing was shown
    return "xfailed" if hasattr(report, "wasxfail") else report.outcome


def pytest_sessionfinish(session):
    if _outcomes:
        system = session.config.getoption("--system")
        FOUND.mkdir(parents=True, exist_ok=True)
        path = FOUND / f"{system}.json"
        # A run of a part leaves what was found of the others.
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | _outcomes, indent=1) + "\n")


@pytest.fixture(scope="session")
def system(pytestconfig):
    """`workbench` or `ray`."""
    return pytestconfig.getoption("--system")


@pytest.fixture(scope="session")
def serve(system):
    """The module under test, with something running behind it."""
    yield from _ray_serve() if system == "ray" else _workbench()


def _workbench():
    module = importlib.import_module("workbench.serve")
    module.start(grpc_options=_grpc_options())
    yield module
    module.shutdown()


def _ray_serve():
    ray = importlib.import_module("ray")
    module = importlib.import_module("ray.serve")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    grpc_options = _grpc_options()
    env_vars = {}
    if grpc_options is not None:
        # Modules beside a script are found by Ray's workers only if told where.
        env_vars["PYTHONPATH"] = str(Path(talk.generated()[0].__file__).parent)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            grpc_options["port"] = probe.getsockname()[1]
        module.grpc_address = f"127.0.0.1:{grpc_options['port']}"
    ray.init(
        num_cpus=16,
        num_gpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": env_vars},
    )
    module.start(
        http_options={"host": "127.0.0.1", "port": port}, grpc_options=grpc_options
    )
    module.base_url = f"http://127.0.0.1:{port}"
    yield module
    module.shutdown()
    ray.shutdown()


def _grpc_options() -> dict[str, object] | None:
    if any(importlib.util.find_spec(name) is None for name in talk.NEEDED):
        return None
    talk.generated()
    return {"grpc_servicer_functions": talk.FUNCTIONS}


@pytest.fixture
def part(serve):
    """A submodule, by the name both systems give it."""
    return lambda name: importlib.import_module(f"{serve.__name__}.{name}")


@pytest.fixture
def elsewhere(serve, system):
    """Run a command in another process that finds what the tests talk to."""
    environ = dict(os.environ)  # noqa: TID251 - a child's own
    if system == "ray":
        ray = importlib.import_module("ray")
        environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
        program = ["-m", "ray.serve.scripts"]
    else:
        settings = importlib.import_module("workbench.settings").Settings
        find = importlib.import_module("workbench.instance").find
        found = find(settings.from_environment().runtime_dir, only_kept=False)
        environ |= {"WORKBENCH_URL": found.url, "WORKBENCH_TOKEN": found.token}
        program = ["-m", "workbench.cli"]

    def run(*command, program=program, check=True):
        done = subprocess.run(
            [sys.executable, *program, *map(str, command)],
            check=False,
            env=environ,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def name(request, serve):
    """The test's own application name; the application is deleted after the test."""
    short = re.sub(r"\W", "", request.node.name)[:30]
    name = f"{short}{next(_numbers)}"
    yield name
    serve.delete(name)


@pytest.fixture
def run(serve, name):
    """Deploy under the test's own name and route; returns the handle."""

    def run(app, **options):
        options.setdefault("route_prefix", f"/{name}")
        return serve.run(app, name=name, **options)

    return run


@pytest.fixture
def base_url(serve):
    """Where the proxy listens."""
    if hasattr(serve, "base_url"):
        return serve.base_url
    return serve.status().instance.http_url


@pytest.fixture
def grpc_address(serve):
    """Where the proxy speaks gRPC."""
    if hasattr(serve, "grpc_address"):
        return serve.grpc_address
    return serve.status().instance.grpc_address


@pytest.fixture
def url(base_url, name):
    """Where the test's application answers."""
    return f"{base_url}/{name}"


@pytest.fixture
def http():
    """An HTTP client."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def eventually():
    """Wait until a claim holds; generous in time."""

    def wait(claim, within_s=60.0):
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found = claim()
            if found:
                return found
            _pause()
        raise AssertionError(f"not within {within_s} s")

    return wait


def _pause():
    importlib.import_module("threading").Event().wait(0.05)
