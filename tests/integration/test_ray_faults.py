"""Ray's own processes die, or all of an instance: what was deployed serves again."""

import os
import signal
import threading
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import eventually, workbench
from tests.integration.test_instances import (
    assert_nothing_stays,
    everything_of,
    run_script,
)
from workbench import serve
from workbench.controller.restore import find_saved, read_saved
from workbench.instance import find, list_instances
from workbench.launcher import descendants


def process_named(name, launcher):
    """The process of Ray that is called so, of one instance."""
    found = [
        pid
        for pid in descendants(launcher)
        if Path(f"/proc/{pid}/comm").read_text().strip() == name
    ]
    assert len(found) == 1, found
    return found[0]


class Load:
    """Requests, one after the other, until the block ends; what failed of them."""

    def __init__(self, url):
        self._url = url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answered = 0
        self.failures = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not self._is_over.is_set():
                try:
                    response = client.get(self._url)
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                if response.status_code == 200:
                    self.answered += 1
                else:
                    self.failures.append(response.text)


@serve.deployment(num_replicas=2)
class Hello:
    async def __call__(self, request):
        return "hello"


def running(app_name):
    found = serve.status().applications[app_name].deployments["Hello"].replicas
    return {each.pid for each in found if each.state == "RUNNING"}


def test_nothing_is_lost_while_the_gcs_is_away(run, url, app_name, instance):
    run(Hello.bind())
    before = running(app_name)
    gcs = process_named("gcs_server", instance.pids["launcher"])

    with Load(url) as load:
        os.kill(gcs, signal.SIGKILL)
        # Asked for at once, while there is none: it waits, and then goes through.
        serve.run(
            Hello.options(num_replicas=3).bind(),
            name=app_name,
            route_prefix=f"/{app_name}",
        )
        assert eventually(lambda: len(running(app_name)) == 3)
        answered = load.answered
        assert eventually(lambda: load.answered > answered)

    assert load.failures == []
    assert before < running(app_name)
    assert process_named("gcs_server", instance.pids["launcher"]) != gcs
    assert eventually(lambda: "Ray's GCS" in " ".join(notes()))


def notes():
    found = serve.status().instance
    return found.notes if found else ()


def instance_file(runtime_dir):
    found = find(runtime_dir, only_kept=True)
    assert found is not None
    return found


def says_hello(url):
    return httpx.get(url, trust_env=False).text == "hello"


@pytest.mark.slow
def test_all_comes_back_after_the_node_and_after_a_full_stop(own_state):
    process, about = run_script(own_state, start="serve.start(keep=True)")
    assert process.wait(60) == 0
    launcher, url = about["pids"]["launcher"], about["url"]
    before = everything_of(about)

    # The node ends: the outage is named, and ends by itself on the same port.
    os.kill(process_named("raylet", launcher), signal.SIGKILL)
    runtime_dir = own_state / "runtime"
    assert eventually(lambda: "raylet" in instance_file(runtime_dir).trouble)
    refused = workbench("status", check=False)
    assert refused.returncode == 0 or "started again" in refused.stderr
    assert eventually(lambda: says_hello(url), within_s=60)
    assert instance_file(runtime_dir).trouble == ""
    assert "raylet" in workbench("status").stdout
    assert set(before) & {launcher, *descendants(launcher)} == {launcher}

    # Everything ends at once, as with the machine.
    processes = [launcher, *descendants(launcher)]
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: list(list_instances(runtime_dir)) == [])
    saved = find_saved(own_state / "saved")
    checkpoint = saved / "checkpoint"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:-1])
    refused = workbench("up", "--restore", check=False)
    assert refused.returncode == 1
    assert f"{checkpoint} is cut off" in refused.stderr
    assert checkpoint.read_bytes() == whole[:-1]
    checkpoint.write_bytes(whole)

    shown = workbench("up", "--restore").stdout
    assert "hello, 1 of 1 replicas run" in shown
    assert says_hello(url)
    assert checkpoint.read_bytes() == whole
    again = instance_file(runtime_dir)
    pids = [again.pid, *descendants(again.pid)]
    workbench("down")

    assert_nothing_stays({"id": again.id, "url": url}, pids, runtime_dir)
    newest = read_saved(find_saved(own_state / "saved"))
    assert newest.directory != saved
    assert list(newest.checkpoint.target.applications) == ["default"]
