"""Reading RPCs from generated code, of whatever age."""

import pytest

from tests.talk import generated
from workbench.errors import StartError
from workbench.proxy.grpc.services import Rpc, read_services

grpc = pytest.importorskip("grpc", reason="needs the extra [grpc]")

pb2, pb2_grpc = generated()


def test_every_rpc_is_found_with_its_cardinality_and_its_messages():
    found = read_services([pb2_grpc.add_TalkServicer_to_server])

    kinds = {path: (rpc.streams_in, rpc.streams_out) for path, rpc in found.items()}
    assert kinds == {
        "/talk.Talk/__call__": (False, False),
        "/talk.Talk/Say": (False, False),
        "/talk.Talk/Count": (False, True),
        "/talk.Talk/Sum": (True, False),
        "/talk.Talk/Chat": (True, True),
    }
    assert found["/talk.Talk/Say"] == Rpc(
        path="/talk.Talk/Say",
        streams_in=False,
        streams_out=False,
        request_type="talk_pb2:Words.FromString",
        answer_type="",
        answer_name="talk.Answer",
    )


def test_names_are_parts_of_the_path():
    rpc = read_services([pb2_grpc.add_TalkServicer_to_server])["/talk.Talk/Say"]

    assert (rpc.service, rpc.method) == ("talk.Talk", "Say")


def test_several_services_are_one_table():
    functions = [
        pb2_grpc.add_TalkServicer_to_server,
        pb2_grpc.add_AsideServicer_to_server,
    ]

    services = {rpc.service for rpc in read_services(functions).values()}
    assert services == {"talk.Talk", "talk.Aside"}


def read(data):
    """Reads what is no protobuf."""
    return data


def write(value):
    """Writes what is no protobuf."""
    return value


def add_of_old_tools(servicer, server, **codec):
    handler = grpc.unary_unary_rpc_method_handler(
        servicer.Get,
        request_deserializer=codec.get("read", read),
        response_serializer=codec.get("write", write),
    )
    generic = grpc.method_handlers_generic_handler("own.Bytes", {"Get": handler})
    server.add_generic_rpc_handlers((generic,))


def test_code_of_older_tools_is_read_too():
    [rpc] = read_services([add_of_old_tools]).values()

    assert rpc.path == "/own.Bytes/Get"
    assert rpc.request_type == f"{__name__}:read"
    assert (rpc.answer_type, rpc.answer_name) == (f"{__name__}:write", "")


def test_messages_may_stay_bytes():
    def add(servicer, server):
        add_of_old_tools(servicer, server, read=None, write=None)

    [rpc] = read_services([add]).values()

    assert (rpc.request_type, rpc.answer_type) == ("", "")


def test_a_reader_that_replicas_could_not_find_is_an_error():
    def add(servicer, server):
        add_of_old_tools(servicer, server, read=lambda data: data)

    with pytest.raises(StartError, match=r"/own\.Bytes/Get reads or writes"):
        read_services([add])


def add_nothing(servicer, server):
    """Registers no service."""


def test_a_function_that_registers_nothing_is_an_error():
    with pytest.raises(StartError, match="add_nothing registers no gRPC"):
        read_services([add_nothing])
