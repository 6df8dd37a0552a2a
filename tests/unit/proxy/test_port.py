"""Listening where asked, or on the next free port."""

import socket

import pytest

from workbench.errors import PortBusyError, StartError
from workbench.proxy import port as port_module
from workbench.proxy.port import open_port


@pytest.fixture
def taken():
    """A port that somebody else listens on."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_a_free_port_is_listened_on():
    with (
        open_port("127.0.0.1", 0) as sock,
        socket.create_connection(sock.getsockname()) as client,
    ):
        assert client.getpeername() == sock.getsockname()


def test_a_taken_port_asked_for_by_number_is_an_error_that_names_it(taken):
    with pytest.raises(PortBusyError, match=f"Port {taken} of 127.0.0.1 is in use"):
        open_port("127.0.0.1", taken)


def test_a_port_taken_on_every_address_is_taken():
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", 0))
        sock.listen()
        with pytest.raises(PortBusyError):
            open_port("127.0.0.1", sock.getsockname()[1])


def test_no_port_asked_for_means_the_next_free_one(taken):
    with open_port("127.0.0.1", None, first=taken) as sock:
        assert taken < sock.getsockname()[1] < taken + 100


def test_two_without_a_port_get_two_ports():
    with open_port("127.0.0.1", None) as one, open_port("127.0.0.1", None) as two:
        assert one.getsockname() != two.getsockname()


def test_when_every_port_is_taken_the_range_is_named(taken, monkeypatch):
    monkeypatch.setattr(port_module, "_PORTS_TRIED", 1)
    with pytest.raises(PortBusyError, match=f"from {taken} to {taken}"):
        open_port("127.0.0.1", None, first=taken)


def test_an_address_of_another_machine_is_an_error_with_advice():
    with pytest.raises(StartError, match="Cannot listen on port 0 of 203"):
        open_port("203.0.113.1", 0)


def test_a_port_is_free_again_while_old_connections_linger():
    with open_port("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = sock.accept()
        served.close()
    client.recv(1)

    with open_port("127.0.0.1", port):
        client.close()
