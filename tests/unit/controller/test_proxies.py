"""What a controller that starts makes of a proxy that it finds."""

import pytest

from workbench.controller.proxies import ProxyKeeper
from workbench.errors import StartError
from workbench.spec.http import HTTPOptions
from workbench.spec.proxy import ProxyConfig, ProxyDescription
from workbench.spec.status import ProxyStatus
from workbench.spec.table import Address

pytestmark = pytest.mark.anyio


class Process:
    name = "proxy-1"

    def __init__(self, port):
        self.port = port

    async def call(self, method):
        return ProxyDescription(id="1", pid=5, host="127.0.0.1", port=self.port)

    async def wait_for_death(self):
        return "killed"

    async def end(self):
        """Nothing to end."""


class Cluster:
    async def start(self, body, config, **options):
        return Process(8000)


@pytest.fixture
def keeper():
    address = Address(host_id="h", path="", host="127.0.0.1", port=1)
    config = ProxyConfig(
        id="",
        socket_dir="",
        secret=b"",
        controller=address,
        options=HTTPOptions(),
        pinned_port=8000,
    )
    return ProxyKeeper(Cluster(), object, config)


async def test_one_that_serves_is_taken_over(keeper):
    await keeper.adopt(Process(8000))

    assert (keeper.port, keeper.pid, keeper.name) == (8000, 5, "proxy-1")
    assert keeper.status is ProxyStatus.HEALTHY


async def test_one_that_was_only_just_starting_is_not(keeper):
    with pytest.raises(StartError, match="just starting"):
        await keeper.adopt(Process(0))

    assert (keeper.port, keeper.name) == (8000, "")
