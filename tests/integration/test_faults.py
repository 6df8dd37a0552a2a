"""Processes die; service goes on or comes back by itself."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.integration.conftest import controller_pid, eventually
from workbench import api, serve
from workbench.errors import ReplicaUnavailableError, WorkbenchError
from workbench.instance import list_instances
from workbench.launcher import descendants
from workbench.settings import Settings


@serve.deployment(num_replicas=2)
class Echo:
    async def __call__(self, request):
        return await request.json()

    async def pid(self):
        return os.getpid()

    async def sleep(self):
        await asyncio.sleep(60)


def pids():
    found = serve.status().instance
    assert found is not None
    return found.pids


def replica_pids(app_name):
    found = serve.status().applications[app_name].deployments["Echo"].replicas
    return {each.pid for each in found if each.state == "RUNNING"}


def answers(http, url):
    return http.post(url, json={"x": 1}).json() == {"x": 1}


def test_a_killed_replica_is_replaced_while_the_other_goes_on(run, http, url, app_name):
    run(Echo.bind())
    before = replica_pids(app_name)
    victim = min(before)

    os.kill(victim, signal.SIGKILL)
    # Calls that were not on their way to the victim go to the other replica.
    assert eventually(lambda: answers(http, url), within_s=60)

    after = eventually(
        lambda: len(now := replica_pids(app_name)) == 2 and victim not in now and now
    )
    assert before - {victim} < after


def test_a_call_whose_replica_dies_fails_with_its_name(run):
    handle = run(Echo.options(num_replicas=1).bind())
    pid = handle.pid.remote().result(timeout_s=30)
    running = handle.sleep.remote()
    handle.pid.remote().result(timeout_s=30)  # by now the replica has both

    os.kill(pid, signal.SIGKILL)

    with pytest.raises(ReplicaUnavailableError, match="Echo"):
        running.result(timeout_s=30)
    assert handle.pid.remote().result(timeout_s=30) != pid


def test_the_proxy_comes_back_on_the_same_port(run, http, url):
    run(Echo.bind())
    pid = pids()["proxy"]

    os.kill(pid, signal.SIGKILL)

    assert eventually(lambda: pids()["proxy"] != pid)
    assert eventually(lambda: answers(http, url), within_s=60)


def test_everything_is_served_while_the_controller_is_away(run, http, url, app_name):
    handle = run(Echo.bind())
    before = replica_pids(app_name)
    pid = pids()["controller"]

    os.kill(pid, signal.SIGKILL)
    asked = 0
    while not (back := controller_pid()) or back == pid:
        assert answers(http, url)
        assert handle.pid.remote().result(timeout_s=30) in before
        asked += 1

    assert asked > 1
    assert replica_pids(app_name) == before
    run(Echo.options(num_replicas=1).bind())
    assert eventually(lambda: len(replica_pids(app_name)) == 1)
    assert answers(http, url)


def test_who_deploys_while_the_controller_is_away_waits_for_it(run, http, url):
    run(Echo.bind())
    before = pids()

    os.kill(before["controller"], signal.SIGKILL)
    assert eventually(lambda: controller_pid() is None)
    run(Echo.options(num_replicas=1).bind())

    assert pids()["launcher"] == before["launcher"]
    assert answers(http, url)


def test_a_deploy_that_was_begun_is_not_forgotten_by_a_killed_controller(
    http, url, app_name
):
    controller = pids()["controller"]
    target = Echo.options(num_replicas=1).bind()
    api.deploy(target, name=app_name, route_prefix=f"/{app_name}", wait=False)

    os.kill(controller, signal.SIGKILL)

    assert eventually(lambda: http.post(url, json={"x": 1}).status_code == 200)
    assert answers(http, url)


def test_a_replica_killed_while_the_controller_is_away_is_replaced(
    run, http, url, app_name
):
    run(Echo.bind())
    before = replica_pids(app_name)
    victim = min(before)

    os.kill(pids()["controller"], signal.SIGKILL)
    os.kill(victim, signal.SIGKILL)

    after = eventually(
        lambda: (
            controller_pid()
            and len(now := replica_pids(app_name)) == 2
            and victim not in now
            and now
        )
    )
    assert before - {victim} < after
    assert answers(http, url)


def test_a_call_in_a_replica_that_leaves_survives_the_controller(
    run, http, url, app_name, tmp_path
):
    has_begun, gate = tmp_path / "begun", tmp_path / "gate"

    @serve.deployment(graceful_shutdown_timeout_s=60)
    class Slow:
        async def __call__(self):
            has_begun.touch()
            while not gate.exists():
                await asyncio.sleep(0.02)
            return "done"

    run(Slow.bind())
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(http.post, url)
        assert eventually(has_begun.exists)
        deleting = threads.submit(_delete_or_lose, app_name)
        assert eventually(lambda: app_name not in serve.status().applications)
        pid = pids()["controller"]
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: (now := controller_pid()) and now != pid)
        gate.touch()

        assert answer.result(30).text == "done"
        deleting.result(30)


def test_a_deploy_goes_on_under_another_controller(run, http, url, app_name, tmp_path):
    has_begun, gate = tmp_path / "begun", tmp_path / "gate"

    @serve.deployment
    class Model:
        def __init__(self, gate):
            self.gate = gate
            if gate:
                has_begun.touch()
            while gate and not gate.exists():
                threading.Event().wait(0.02)

        def __call__(self):
            return "new" if self.gate else "old"

    run(Model.bind(None))
    with ThreadPoolExecutor() as threads:
        deploying = threads.submit(_deploy_or_lose, run, Model.bind(gate))
        assert eventually(has_begun.exists)
        pid = pids()["controller"]
        os.kill(pid, signal.SIGKILL)
        has_begun.unlink()
        assert http.post(url).text == "old"
        assert eventually(lambda: (now := controller_pid()) and now != pid)
        # In a process that nobody had before: the half-made one is gone.
        assert eventually(has_begun.exists)
        assert http.post(url).text == "old"
        gate.touch()
        assert eventually(lambda: http.post(url).text == "new")
        deploying.result(30)
    found = lambda: serve.status().applications[app_name].deployments["Model"]  # noqa: E731
    assert eventually(lambda: found().replica_states == {"RUNNING": 1})


def test_a_controller_that_cannot_start_tries_again(run, http, url):
    run(Echo.bind())
    found = serve.status().instance
    assert found is not None
    [file] = list_instances(Settings.from_environment().runtime_dir)
    port = httpx.URL(file.url).port
    before = found.pids["controller"]

    os.kill(before, signal.SIGKILL)
    with eventually(lambda: _listening(port)):
        failed = eventually(lambda: _control_pids(found) - {before})
        assert eventually(lambda: not failed & _control_pids(found))

    assert eventually(controller_pid, within_s=60)
    assert answers(http, url)


def _deploy_or_lose(run, app):
    with contextlib.suppress(httpx.TransportError, WorkbenchError):
        run(app)


def _delete_or_lose(app_name):
    with contextlib.suppress(httpx.TransportError, WorkbenchError):
        serve.delete(app_name)


def _listening(port):
    with contextlib.suppress(OSError):
        return socket.create_server(("127.0.0.1", port))
    return None


def _control_pids(instance):
    """Processes that are a controller, whether they answer or not."""
    found = set()
    for pid in descendants(instance.pids["launcher"]):
        with contextlib.suppress(psutil.Error):
            # A process that has just ended has no command line.
            if "".join(psutil.Process(pid).cmdline()).startswith("ray::ControlProcess"):
                found.add(pid)
    return found
