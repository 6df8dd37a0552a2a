"""Where clients are told to go."""

from types import SimpleNamespace
from typing import Any

import pytest

from workbench.gateway.addresses import (
    grpc_address,
    http_url,
    no_proxy_notes,
    port_notes,
)
from workbench.spec.grpc import GRPCOptions, GrpcSpec
from workbench.spec.http import HTTPOptions


def config(http=None, grpc=None) -> Any:
    spec = None if grpc is None else GrpcSpec(options=grpc, services="")
    return SimpleNamespace(http=http or HTTPOptions(), grpc=spec)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "localhost"])
def test_where_it_listens_on_every_address_the_own_one_is_shown(host):
    found = config(HTTPOptions(host=host), GRPCOptions(host=host))

    assert http_url(found, 8000) == "http://127.0.0.1:8000"
    assert grpc_address(found, 9000) == "127.0.0.1:9000"


def test_an_ipv6_address_stands_in_brackets():
    assert grpc_address(config(grpc=GRPCOptions(host="::1")), 9000) == "[::1]:9000"


def test_an_instance_without_grpc_has_no_address_for_it():
    assert grpc_address(config(), None) == ""


def test_an_instance_without_a_proxy_has_no_address_at_all():
    without = HTTPOptions(proxy_location="Disabled")

    assert http_url(config(without), None) == ""
    assert grpc_address(config(without, GRPCOptions()), None) == ""
    assert no_proxy_notes(config(without)) == ()
    assert "gRPC" in no_proxy_notes(config(without, GRPCOptions()))[0]


def test_ports_that_are_the_usual_ones_need_no_note():
    assert port_notes(config(grpc=GRPCOptions()), 8000, 9000) == ()


def test_other_ports_are_said():
    assert port_notes(config(grpc=GRPCOptions()), 8001, 9001) == (
        "Port 8000 is busy; HTTP is on port 8001 instead.",
        "Port 9000 is busy; gRPC is on port 9001 instead.",
    )


def test_ports_that_were_asked_for_need_no_note():
    found = config(HTTPOptions(port=81), GRPCOptions(port=91))

    assert port_notes(found, 81, 91) == ()
