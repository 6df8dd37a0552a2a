"""A node of two is killed under load: who notices, how soon, and what is lost.

`python -m tests.bench.two_nodes`, as root: the second raylet lives on this machine
but under another host name, so that channels to its replicas are TCP, as between hosts.
"""

import collections
import contextlib
import ctypes
import json
import os
import platform
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group_table
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from workbench import serve
from workbench.settings import process_environment

_CLONE_NEWUTS = 0x04000000
_SECOND = b"second"


class Where:
    """Says who answers."""

    async def __call__(self, request):
        return {"host": platform.node(), "pid": os.getpid()}


class Holder:
    """Holds what its actor asked for."""


@contextlib.contextmanager
def another_host_name():
    """What is started meanwhile takes itself for another host."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/uts", os.O_RDONLY)
    if libc.unshare(_CLONE_NEWUTS):
        raise OSError(ctypes.get_errno(), "another host name needs root")
    libc.sethostname(_SECOND, len(_SECOND))
    try:
        yield
    finally:
        libc.setns(own, _CLONE_NEWUTS)
        os.close(own)


class Load:
    """Asks without end; remembers who answered and what failed, and when."""

    def __init__(self, url):
        self._url = url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.hosts: collections.Counter[str] = collections.Counter()
        self.failures: list[tuple[float, str]] = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not self._is_over.is_set():
                response = client.get(self._url)
                if response.status_code == 200:
                    self.hosts[response.json()["host"]] += 1
                else:
                    self.failures.append((time.monotonic(), response.text))


def wait_for(claim, what, within_s=60.0):
    """Seconds until the claim holds."""
    begin = time.monotonic()
    while not claim():
        if time.monotonic() - begin > within_s:
            msg = f"not within {within_s:g} s: {what}"
            raise AssertionError(msg)
        threading.Event().wait(0.02)
    return round(time.monotonic() - begin, 2)


def replicas():
    """Those that run."""
    found = serve.status().applications["default"].deployments["Where"].replicas
    return [each for each in found if each.state == "RUNNING"]


def is_there(pid):
    """Whether the process lives."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def held_on():
    """Nodes on which something is reserved."""
    return {
        node
        for group in placement_group_table().values()
        if group["state"] == "CREATED"
        for node in group["bundles_to_node_id"].values()
    }


def measure():
    """Two replicas on two nodes, one node killed; what was seen."""
    head_args = {"num_cpus": 4, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head_args)
    with another_host_name():
        second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    head = cluster.head_node.node_id
    on_head = NodeAffinitySchedulingStrategy(head, soft=False)
    holder: Any = (
        ray.remote(Holder).options(num_cpus=3, scheduling_strategy=on_head).remote()
    )
    wait_for(lambda: ray.available_resources().get("CPU") == 2, "the head's CPUs held")
    seen: dict[str, object] = {}
    try:
        deployed = serve.deployment(Where).options(num_replicas=2)
        serve.run(deployed.bind())
        url = serve.status().applications["default"].url
        assert {each.node for each in replicas()} == {head, second.node_id}
        victim = next(each for each in replicas() if each.node == second.node_id)
        with Load(url) as load:
            wait_for(lambda: len(load.hosts) == 2, "both nodes answer")
            seen["answers before"] = dict(load.hosts)
            ray.kill(holder)
            os.kill(second.all_processes["raylet"][0].process.pid, signal.SIGKILL)
            seen["replica ended itself, s"] = wait_for(
                lambda: not is_there(victim.pid), "the replica ends itself"
            )
            seen["replica missed, s"] = wait_for(
                lambda: victim.pid not in {each.pid for each in replicas()},
                "the controller misses it",
            )
            seen["replaced, s"] = wait_for(
                lambda: [each.node for each in replicas()] == [head, head], "replaced"
            )
            answered = load.hosts.total()
            wait_for(lambda: load.hosts.total() > answered + 100, "answers go on")
        seen["answers in all"] = load.hosts.total()
        seen["failed"] = [text for _, text in load.failures]
        seen["reservations only on the head"] = held_on() == {head}
    finally:
        serve.shutdown()
        ray.shutdown()
        cluster.shutdown()
    return seen


def main():
    """Run it and print what was seen."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("JUPYTER_RUNTIME_DIR", "WORKBENCH_STATE_DIR"):
            process_environment()[name] = directory
        print(json.dumps(measure(), indent=2))


if __name__ == "__main__":
    main()
