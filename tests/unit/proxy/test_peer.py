"""Whose word is taken for who the client is."""

import pytest

from workbench.proxy.peer import Peer, Trust


def seen(here="127.0.0.1", trusted="127.0.0.1,::1", forwarded_for="", scheme=""):
    peer = Peer((here, 5), ("127.0.0.1", 80), "http")
    found = Trust(trusted).behind(peer, forwarded_for, scheme)
    assert found.client is not None
    return found.client[0], found.scheme


def test_a_trusted_proxy_is_believed():
    assert seen(forwarded_for="1.2.3.4", scheme="https") == ("1.2.3.4", "https")
    assert seen("::1", forwarded_for="1.2.3.4") == ("1.2.3.4", "http")


def test_others_are_not():
    assert seen("9.9.9.9", forwarded_for="1.2.3.4", scheme="https") == (
        "9.9.9.9",
        "http",
    )


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("unknown", "unknown"),
        (" , ", "10.0.0.9"),
    ],
)
def test_the_last_stranger_is_the_client(forwarded_for, client):
    found, _ = seen("10.0.0.9", "10.0.0.0/8", forwarded_for)

    assert found == client


def test_a_star_is_everybody():
    assert seen("9.9.9.9", "*", "1.2.3.4, 5.6.7.8", "https") == ("1.2.3.4", "https")


def test_a_scheme_that_is_none_is_ignored():
    assert seen(scheme="gopher") == ("127.0.0.1", "http")
