"""Options of gRPC: what cannot be is refused where it is written."""

import pytest

from workbench.serve.config import grpc_options, gRPCOptions


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"port": -1}, "between 0 and 65535"),
        ({"port": 65536}, "between 0 and 65535"),
        ({"request_timeout_s": 0}, "more than 0"),
        ({"ssl_certfile": "c"}, "go together"),
        ({"ssl_keyfile": "k"}, "go together"),
        ({"ssl_ca_certs": "a"}, "needs ssl_certfile"),
        ({"max_message_bytes": 0}, "between 1 and"),
        ({"max_message_bytes": 1 << 30}, "between 1 and"),
        ({"prot": 9000}, "Unknown gRPC option 'prot'"),
    ],
)
def test_a_wrong_value_is_named(options, text):
    with pytest.raises(ValueError, match=text):
        grpc_options(options)


@pytest.mark.parametrize("functions", ["module.add_X", 7])
def test_functions_are_a_list(functions):
    with pytest.raises(TypeError, match="is a list"):
        gRPCOptions(grpc_servicer_functions=functions)


def test_files_are_found_from_any_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    options = grpc_options({"ssl_certfile": "c.pem", "ssl_keyfile": "k.pem"})

    assert options is not None
    assert options.ssl_certfile == str(tmp_path / "c.pem")
    assert options.ssl_keyfile == str(tmp_path / "k.pem")


def test_without_options_there_are_none():
    assert grpc_options(None) is None
