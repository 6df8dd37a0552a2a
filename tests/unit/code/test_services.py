"""gRPC services as users name them, and as the proxy gets them."""

import importlib
import importlib.util
import json
import sys
from dataclasses import asdict

import pytest

from workbench.code.services import load_services, offer_services, pack_services
from workbench.errors import StartError
from workbench.spec.grpc import GRPCOptions, GrpcSpec

pytest.importorskip("grpc_health", reason="needs the extra [grpc]")

MODULE = "own_services"


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A directory with a module of generated code, as it were."""
    tmp_path.joinpath(f"{MODULE}.py").write_text(
        "from own_messages import Message\n"
        "def add_TalkServicer_to_server(servicer, server):\n"
        "    server.add(Message)\n"
    )
    tmp_path.joinpath("own_messages.py").write_text("class Message:\n    pass\n")
    yield tmp_path
    for name in (MODULE, "own_messages"):
        sys.modules.pop(name, None)


def packed(root, *functions):
    spec = pack_services(GRPCOptions(grpc_servicer_functions=functions), root)
    assert spec is not None
    return spec


@pytest.mark.parametrize("path", ["{}.add_{}", "{}:add_{}"])
def test_an_import_path_is_found_beside_the_script(beside, path):
    path = path.format(MODULE, "TalkServicer_to_server")
    [function] = load_services(packed(beside, path))

    assert function.__name__ == "add_TalkServicer_to_server"


def test_modules_travel_with_the_functions(beside):
    spec = packed(beside, f"{MODULE}.add_TalkServicer_to_server")
    for name in (MODULE, "own_messages"):
        sys.modules.pop(name)
        beside.joinpath(f"{name}.py").unlink()

    [function] = load_services(spec)

    assert function.__globals__["Message"].__module__ == "own_messages"


def test_replicas_can_import_the_modules_without_running_any(beside):
    spec = packed(beside, f"{MODULE}.add_TalkServicer_to_server")
    for name in (MODULE, "own_messages"):
        sys.modules.pop(name)
    offer_services(spec.services)

    assert MODULE not in sys.modules
    assert importlib.import_module("own_messages").Message


def test_a_function_itself_will_do(beside, monkeypatch):
    monkeypatch.syspath_prepend(str(beside))
    given = importlib.import_module(MODULE).add_TalkServicer_to_server

    [function] = load_services(packed(beside, given))

    assert function.__name__ == given.__name__


def test_a_function_of_the_notebook_travels_by_value(tmp_path):
    space = {"__name__": "__main__"}
    exec("def add_own(servicer, server): return 7", space)

    [function] = load_services(packed(tmp_path, space["add_own"]))

    assert function(None, None) == 7


@pytest.mark.parametrize("given", [None, GRPCOptions(), GRPCOptions(port=9)])
def test_without_functions_there_is_no_server(tmp_path, given):
    assert pack_services(given, tmp_path) is None


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        ("nowhere_at_all.add", ModuleNotFoundError, "nowhere_at_all"),
        (f"{MODULE}.add_Other", ValueError, "has .'add_TalkServicer_to_server'"),
        (f"{MODULE}.Message.x", ModuleNotFoundError, "not a package"),
        ("add", ValueError, "no import path"),
        (7, TypeError, "got 7"),
    ],
)
def test_what_leads_nowhere_is_named(beside, path, error, text):
    with pytest.raises(error, match=text):
        packed(beside, path)


def test_missing_packages_are_named_with_the_line_that_installs_them(
    beside, monkeypatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(StartError, match="grpcio-health-checking") as refusal:
        packed(beside, f"{MODULE}.add_TalkServicer_to_server")

    assert refusal.value.hint == "pip install 'serve-workbench[grpc]'"


def test_services_that_cannot_be_imported_in_the_proxy_are_an_error(beside):
    beside.joinpath("own_messages.py").write_text(
        "import sys\nif hasattr(sys, 'in_proxy'): raise OSError('no such library')\n"
        "class Message: pass\n"
    )
    spec = packed(beside, f"{MODULE}.add_TalkServicer_to_server")
    for name in (MODULE, "own_messages"):
        sys.modules.pop(name)
    sys.in_proxy = True  # type: ignore[attr-defined]
    try:
        with pytest.raises(StartError, match="no such library"):
            load_services(spec)
    finally:
        del sys.in_proxy  # type: ignore[attr-defined]


def test_a_spec_goes_through_json(beside):
    options = GRPCOptions(
        port=9100, grpc_servicer_functions=[f"{MODULE}.add_TalkServicer_to_server"]
    )
    spec = pack_services(options, beside)
    assert spec is not None

    assert GrpcSpec.load(json.loads(json.dumps(asdict(spec)))) == GrpcSpec(
        options=GRPCOptions(port=9100), services=spec.services
    )
