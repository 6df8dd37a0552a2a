"""A node of two is killed under load: who notices, how soon, and what is lost.

`python -m tests.bench.two_nodes`, as root: the second raylet lives on this machine
but under another host name, so that channels to its replicas are TCP, as between hosts.
"""

import argparse
import asyncio
import collections
import contextlib
import ctypes
import os
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx

from tests.bench.report import publish
from workbench import serve
from workbench.cluster.ray_start import RayPlan, prepare_environment
from workbench.settings import new_token, process_environment

ROUNDS = 3
CALLERS = 6
_TAKES_S = 0.01
# Replicas on the proxy's host come first as long as they have room: they have little.
_SLOTS = 2
_CLONE_NEWUTS = 0x04000000
_SECOND = b"second"
_HEAD_CPUS = 4
# Each would take its address from a route to the world, which there need not be. Not
# 127.0.0.1: Ray takes that for this host's address on its network when it connects.
_ADDRESS = "127.0.0.2"


class Where:
    """Says who answers, after a moment: at all times calls are in hand."""

    async def __call__(self, request: object) -> dict[str, object]:
        """The host by its name, and the process."""
        await asyncio.sleep(_TAKES_S)
        return {"host": platform.node(), "pid": os.getpid()}


class Holder:
    """Holds what its actor asked for."""


@contextlib.contextmanager
def another_host_name() -> Iterator[None]:
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
    """Some callers that ask without end; who answered, and what failed and how."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_over = threading.Event()
        self._callers = [threading.Thread(target=self._run) for _ in range(CALLERS)]
        self._lock = threading.Lock()
        self.hosts: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []
        self.longest_s = 0.0

    def __enter__(self) -> Self:
        for each in self._callers:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for each in self._callers:
            each.join()

    def _run(self) -> None:
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not self._is_over.is_set():
                began = time.monotonic()
                try:
                    response = client.get(self._url)
                except httpx.HTTPError as error:
                    self._note("", repr(error), began)
                else:
                    is_good = response.status_code == 200
                    host = response.json()["host"] if is_good else ""
                    text = f"{response.status_code} {response.text}"
                    self._note(host, text, began)

    def _note(self, host: str, text: str, began: float) -> None:
        with self._lock:
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            if host:
                self.hosts[host] += 1
            else:
                self.failures.append(text)


def wait_for(claim: Callable[[], bool], what: str, within_s: float = 120.0) -> float:
    """Seconds until the claim holds."""
    begin = time.monotonic()
    while not claim():
        if time.monotonic() - begin > within_s:
            msg = f"not within {within_s:g} s: {what}"
            raise AssertionError(msg)
        threading.Event().wait(0.02)
    return round(time.monotonic() - begin, 2)


def replicas() -> list[Any]:
    """Those that run."""
    found = serve.status().applications["default"].deployments["Where"].replicas
    return [each for each in found if each.state == "RUNNING"]


def is_there(pid: int) -> bool:
    """Whether the process lives."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


class TwoNodes:
    """A cluster of a head that has no room, and a second node that has."""

    def __init__(self) -> None:
        # Only now: what Ray is set to by is read when it is imported.
        import ray
        from ray.cluster_utils import Cluster

        self.ray = ray
        head = {"num_cpus": _HEAD_CPUS, "include_dashboard": False}
        self.cluster = Cluster(
            initialize_head=True, head_node_args={**head, "node_ip_address": _ADDRESS}
        )
        ray.init(
            address=self.cluster.address, _node_ip_address=_ADDRESS, log_to_driver=False
        )
        self.head: str = self.cluster.head_node.node_id

    def add_second(self) -> Any:
        """Another node with room for one replica."""
        with another_host_name():
            return self.cluster.add_node(num_cpus=1, node_ip_address=_ADDRESS)

    def fill_head(self, cpus: int) -> Any:
        """Hold so many CPUs of the head; killing what is returned lets go of them."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        on_head = NodeAffinitySchedulingStrategy(self.head, soft=False)
        actor: Any = self.ray.remote(Holder)
        return actor.options(num_cpus=cpus, scheduling_strategy=on_head).remote()

    def free_cpus(self) -> float:
        """Of all nodes together."""
        return float(self.ray.available_resources().get("CPU", 0.0))

    def held_on(self) -> set[str]:
        """Nodes on which something is reserved."""
        from ray.util.placement_group import placement_group_table

        return {
            node
            for group in placement_group_table().values()
            if group["state"] == "CREATED"
            for node in group["bundles_to_node_id"].values()
        }

    def end(self) -> None:
        """End all of it."""
        self.ray.shutdown()
        self.cluster.shutdown()


def measure(nodes: TwoNodes) -> dict[str, object]:
    """Two replicas on two nodes, one node killed; what was seen."""
    second = nodes.add_second()
    holder = nodes.fill_head(_HEAD_CPUS - 1)
    wait_for(lambda: nodes.free_cpus() == 2, "one CPU is free on each node")
    deployed = serve.deployment(Where).options(
        num_replicas=2, max_ongoing_requests=_SLOTS
    )
    serve.run(deployed.bind())
    url = serve.status().applications["default"].url or ""
    both = {nodes.head, second.node_id}
    wait_for(lambda: {each.node for each in replicas()} == both, "one on each node")
    victim = next(each for each in replicas() if each.node == second.node_id)
    seen: dict[str, object] = {}
    with Load(url) as load:
        wait_for(
            lambda: len(load.hosts) == 2 and min(load.hosts.values()) > 100,
            "both nodes answer",
        )
        nodes.ray.kill(holder)
        os.kill(second.all_processes["raylet"][0].process.pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: not is_there(victim.pid), "the replica ends itself")
        seen["replica ended itself, s"] = since(killed)
        wait_for(
            lambda: victim.pid not in {each.pid for each in replicas()},
            "the controller misses it",
        )
        seen["missed by the controller, s"] = since(killed)
        on_head = [nodes.head, nodes.head]
        wait_for(lambda: [each.node for each in replicas()] == on_head, "replaced")
        seen["replaced on the other node, s"] = since(killed)
        answered = load.hosts.total()
        wait_for(lambda: load.hosts.total() > answered + 100, "answers go on")
    seen["answers"] = load.hosts.total()
    seen["by the second node"] = load.hosts[_SECOND.decode()]
    seen["lost"] = len(load.failures)
    seen["longest answer, s"] = round(load.longest_s, 2)
    wait_for(lambda: nodes.held_on() == {nodes.head}, "nothing held on the dead node")
    for text in load.failures:
        print(f"lost: {text}")
    serve.delete("default")
    nodes.cluster.remove_node(second, allow_graceful=False)
    return seen


def since(at: float) -> float:
    """Seconds since then."""
    return round(time.monotonic() - at, 2)


def main() -> None:
    """Run it some times and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        environ = process_environment()
        for name in ("JUPYTER_RUNTIME_DIR", "WORKBENCH_STATE_DIR"):
            environ[name] = directory
        plan = RayPlan(
            address=None,
            temp_dir=Path(directory),
            num_cpus=_HEAD_CPUS,
            object_store_mb=150,
            token=new_token(),
        )
        # As in an embedded instance: above all, Ray misses a node within seconds.
        prepare_environment(plan, environ)
        nodes = TwoNodes()
        try:
            rows = [measure(nodes) for _ in range(rounds)]
        finally:
            serve.shutdown()
            nodes.end()
    publish(
        "two_nodes",
        rows,
        notes=f"{CALLERS} callers; times are from the raylet's kill on. Lost are "
        "calls that the dead node's replica had in hand: they may have run.",
    )


if __name__ == "__main__":
    main()
