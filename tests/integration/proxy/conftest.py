"""A running server, what its router is told, and a client, for each test."""

import pytest

from tests.integration.proxy.door import running_server


@pytest.fixture(scope="module")
def shared_server():
    with running_server() as server:
        yield server


@pytest.fixture
def server(shared_server):
    """A server that no earlier test has left a call at."""
    assert shared_server.router.calls.empty()
    return shared_server


@pytest.fixture
def router(server):
    return server.router


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client
