"""An instance without a proxy: handles work, nothing listens, and it stays like that."""

import contextlib
import json
import os
import signal
import textwrap
from pathlib import Path

import pytest

from tests.integration.conftest import eventually, run_python, workbench
from workbench.client import Client
from workbench.errors import InstanceError
from workbench.instance import find
from workbench.launcher import descendants

DEPLOYS = """
    import json
    from workbench import api, serve
    from workbench.errors import InstanceError, NoHttpError

    @serve.deployment
    def hello(request):
        return "hello"

    serve.start(proxy_location="Disabled", keep=True)
    handle = serve.run(hello.bind(), route_prefix="/hello", smoke=["/"])
    found = serve.status()

    def refusal(action):
        try:
            action()
        except InstanceError as error:
            return f"{type(error).__name__}: {error}"

    print(json.dumps({
        "said": handle.remote(None).result(),
        "proxies": list(found.proxies),
        "pids": found.instance.pids,
        "http_url": found.instance.http_url,
        "route": found.applications["default"].route_prefix,
        "url": found.applications["default"].url,
        "query": refusal(lambda: api.query("/hello")),
        "start": refusal(lambda: serve.start(http_options={"port": 8123})),
    }))
"""

CALLS = """
    from workbench import serve
    print(serve.get_app_handle("default").remote(None).result())
"""


def script(directory, text):
    path = directory / "script.py"
    path.write_text(textwrap.dedent(text))
    return run_python(path).stdout


def running(directory):
    """The instance's status; None while its controller is away."""
    file = find(directory / "runtime", only_kept=True)
    assert file is not None
    try:
        with contextlib.closing(Client(file.url, file.token)) as client:
            return client.status()
    except InstanceError:
        return None


def has_proxy(launcher):
    commands = [
        Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(launcher)
    ]
    assert any(b"ControlProcess" in each for each in commands), commands
    return any(b"ProxyProcess" in each for each in commands)


@pytest.mark.slow
def test_handles_work_nothing_listens_and_it_comes_back_like_that(own_state):
    found = json.loads(script(own_state, DEPLOYS))

    assert found["said"] == "hello"
    assert (found["proxies"], found["http_url"], found["url"]) == ([], "", None)
    assert found["route"] == "/hello"
    assert "NoHttpError" in found["query"]
    assert "get_app_handle" in found["query"]
    assert "has no HTTP" in found["start"]
    assert "proxy" not in found["pids"]
    assert not has_proxy(found["pids"]["launcher"])

    # Also for a controller that starts again, ...
    controller = found["pids"]["controller"]
    os.kill(controller, signal.SIGKILL)
    eventually(
        lambda: (
            (status := running(own_state))
            and status.instance.pids["controller"] != controller
        )
    )
    assert script(own_state, CALLS).strip() == "hello"
    assert not has_proxy(found["pids"]["launcher"])
    shown = workbench("status").stdout
    assert "no HTTP: handles only" in shown
    assert "by handle only" in shown

    # ... and for an instance that takes its place.
    workbench("down")
    shown = workbench("up", "--restore").stdout
    assert "no HTTP: handles only" in shown
    assert script(own_state, CALLS).strip() == "hello"
