"""The proxy as a process of its own, with a controller that only publishes a table."""

import contextlib
import socket
import subprocess
import sys

import httpx
import pytest

from tests.integration.proxy.door import PATIENCE_S
from workbench.loop import LoopThread
from workbench.proxy.port import open_port
from workbench.spec.table import DeploymentEntry, RouteEntry, Table
from workbench.wire.channel import listen
from workbench.wire.messages import Subscribe, TableUpdate

SECRET = b"s" * 32
PROXY = """
import asyncio, sys
from workbench.errors import WorkbenchError
from workbench.proxy.process import ProxyProcess
from workbench.spec.http import HTTPOptions
from workbench.spec.proxy import ProxyConfig
from workbench.spec.table import Address

path, port, pinned = sys.argv[1], eval(sys.argv[2]), eval(sys.argv[3])

async def main():
    controller = Address(host_id="elsewhere", path="", host="127.0.0.1", port=int(path))
    proxy = ProxyProcess(ProxyConfig(
        id="proxy-1", socket_dir="", secret=b"s" * 32, controller=controller,
        options=HTTPOptions(port=port), pinned_port=pinned,
    ))
    print(repr(await proxy.check_health()), flush=True)
    try:
        print(await proxy.start(), flush=True)
    except WorkbenchError as error:
        print(type(error).__name__, error.message, flush=True)
        return
    print(repr(await proxy.check_health()), flush=True)
    print(await proxy.describe(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await proxy.stop()
    print(repr(await proxy.check_health()), flush=True)

asyncio.run(main())
"""
TABLE = Table(
    version=1,
    routes=(RouteEntry(prefix="/app", app="app", deployment="app#d"),),
    deployments=(
        DeploymentEntry(
            app="app",
            name="d",
            max_ongoing_requests=1,
            max_queued_requests=-1,
            replicas=(),
            failure="Deployment d cannot start: no such model.",
        ),
    ),
)


class Publisher:
    """Answers every subscription with the table."""

    def on_open(self, channel):
        pass

    def on_message(self, channel, message, buffers):
        if isinstance(message, Subscribe):
            channel.send(TableUpdate(TABLE))

    def on_closed(self, channel, error):
        pass


@pytest.fixture
def controller_port(tmp_path):
    """A controller's TCP port."""
    tmp_path.chmod(0o700)
    io = LoopThread("controller").start()
    listening = listen(
        Publisher(), path=tmp_path / "c.sock", host="127.0.0.1", secret=SECRET
    )
    listener = io.submit(listening).result(PATIENCE_S)
    yield listener.port
    io.submit(listener.close()).result(PATIENCE_S)
    io.stop()


@pytest.fixture
def proxy(controller_port):
    """Start proxy processes; each gives the lines that it prints."""
    with contextlib.ExitStack() as stack:

        def start(port, pinned=None):
            arguments = [str(controller_port), repr(port), repr(pinned)]
            process = subprocess.Popen(
                [sys.executable, "-c", PROXY, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            assert next_line(process) == "'It has not started.'"
            return process

        yield start


def next_line(process):
    return process.stdout.readline().strip()


def test_a_proxy_lives_and_ends(proxy):
    process = proxy(0)
    port = int(next_line(process))
    assert next_line(process) == "''"
    assert next_line(process) == (
        f"ProxyDescription(id='proxy-1', pid={process.pid}, "
        f"host='127.0.0.1', port={port}, grpc_port=None)"
    )
    url = f"http://127.0.0.1:{port}"
    transport = httpx.HTTPTransport(retries=3)
    with httpx.Client(transport=transport, trust_env=False) as client:
        # It opens with its table: who had to wait at the door is not sent away.
        assert client.get(f"{url}/-/healthz").status_code == 200
        assert client.get(f"{url}/-/routes").json() == {"/app": "app"}
        answer = client.get(f"{url}/app")
        assert answer.status_code == 503
        assert "no such model" in answer.text
        process.stdin.write("\n")
        process.stdin.flush()
        assert next_line(process) == "'It has not started.'"

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_busy_port_asked_for_by_number_is_said(proxy):
    with open_port("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        process = proxy(port)

        said = f"PortBusyError Port {port} of 127.0.0.1 is in use by another process."
        assert next_line(process) == said


def test_a_proxy_that_replaces_another_waits_for_its_port(proxy):
    with open_port("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        process = proxy(None, port)
    # The port was free only now: it is taken although it was busy at first.
    assert int(next_line(process)) == port
    process.stdin.write("\n")
    process.stdin.flush()
