"""At most so many replicas of a deployment on each node."""

import json
import subprocess
import sys

import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.errors import DeployError

SAYS = "max_replicas_per_node is 1"


@serve.deployment(max_replicas_per_node=1, ray_actor_options={"num_cpus": 0.1})
class Alone:
    def __init__(self, word="one"):
        self.word = word

    async def __call__(self, request):
        return self.word


def overview(app_name):
    return serve.status().applications[app_name].deployments["Alone"]


def test_what_does_not_fit_is_named_and_the_first_serves_on(run, app_name, http, url):
    run(Alone.bind())
    api.scale(app_name, "Alone", 2)

    eventually(lambda: SAYS in overview(app_name).message)
    assert "cannot be placed" in overview(app_name).message
    assert http.get(url).text == "one"
    assert overview(app_name).replica_states["RUNNING"] == 1

    api.scale(app_name, "Alone", 1)
    eventually(lambda: overview(app_name).status == "HEALTHY")


def test_a_full_node_is_updated_and_a_deploy_of_too_many_fails(run, http, url):
    run(Alone.bind())
    # In the place of the one before, and in a place of its own on the same node.
    run(Alone.bind("two"))
    assert http.get(url).text == "two"
    run(Alone.options(ray_actor_options={"num_cpus": 0.2}).bind("three"))
    assert http.get(url).text == "three"

    with pytest.raises(DeployError, match=SAYS):
        run(Alone.options(num_replicas=2).bind("four"))

    # The one that had found a place may answer until it is stopped.
    assert eventually(lambda: {http.get(url).text for _ in range(4)} == {"three"})


TWO_NODES = """
import collections, json, ray
from ray.cluster_utils import Cluster

# Not 127.0.0.1: Ray takes it for this host's address on its network when it connects.
address = "127.0.0.2"
here = {"node_ip_address": address, "num_cpus": 4}
cluster = Cluster(initialize_head=True, head_node_args={**here, "include_dashboard": False})
cluster.add_node(**here)
ray.init(address=cluster.address, _node_ip_address=address, log_to_driver=False)
from workbench import serve

def nodes():
    found = serve.status().applications["default"].deployments["hello"].replicas
    running = [each.node for each in found if each.state == "RUNNING"]
    return sorted(collections.Counter(running).values())

def deploy(cap, count, **needs):
    made = serve.deployment(hello).options(
        max_replicas_per_node=cap, num_replicas=count, ray_actor_options=needs
    )
    try:
        serve.run(made.bind())
    except RuntimeError as error:
        return str(error)
    return nodes()

def hello(request):
    return "hello"

seen = [deploy(2, 4, num_cpus=0.1), deploy(1, 2, num_cpus=0), deploy(1, 3, num_cpus=0)]
serve.shutdown()
ray.shutdown()
cluster.shutdown()
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_two_nodes_share_them(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("WORKBENCH_SPARE_SHELLS", "1")
    path = tmp_path / "script.py"
    path.write_text(TWO_NODES)
    done = subprocess.run(
        [sys.executable, path], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    shared, without_resources, too_many = json.loads(done.stdout.splitlines()[-1])
    assert shared == [2, 2]
    assert without_resources == [1, 1]
    assert "2 of 2 nodes have as many" in too_many
