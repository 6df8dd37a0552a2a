"""A channel that comes back."""

import asyncio

import pytest

from tests.unit.wire.conftest import SECRET, Recorder
from workbench.wire.reconnect import stay_connected

pytestmark = pytest.mark.anyio


@pytest.fixture
async def staying():
    tasks = []

    def stay(endpoint, address):
        work = stay_connected(endpoint, address, host_id="here", secret=SECRET)
        tasks.append(asyncio.ensure_future(work))
        return tasks[-1]

    yield stay
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_lost_channel_is_opened_again(ground, staying):
    client, server = Recorder(), Recorder()
    listener = await ground.listen(server)
    staying(client, listener.address("here"))

    for times in (1, 2, 3):
        await client.until(lambda it, n=times: len(it.channels) == n)
        await server.until(lambda it, n=times: len(it.channels) == n)
        server.channels[-1].close()

    await client.until(lambda it: len(it.closed) == 3)


async def test_a_peer_that_comes_late_is_found(ground, staying):
    client, server = Recorder(), Recorder()
    listener = await ground.listen(server)
    address = listener.address("here")
    await listener.close()
    staying(client, address)
    await asyncio.sleep(0)

    await ground.listen(server, port=listener.port)
    await client.until(lambda it: it.channels)


async def test_an_open_channel_outlives_the_wish_to_reopen_it(ground, staying):
    client, server = Recorder(), Recorder()
    listener = await ground.listen(server)
    task = staying(client, listener.address("here"))
    await client.until(lambda it: it.channels)

    task.cancel()
    await asyncio.wait([task])
    server_channel = server.channels[0]

    assert client.channels[0].is_open
    server_channel.close()
    await client.until(lambda it: it.closed)
    assert len(client.channels) == 1
