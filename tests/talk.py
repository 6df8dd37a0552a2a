"""The gRPC service of the tests: `talk.proto`, compiled when it is first asked for."""

import atexit
import functools
import importlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("grpc", "grpc_reflection", "grpc_tools")
FUNCTIONS = [
    "talk_pb2_grpc.add_TalkServicer_to_server",
    "talk_pb2_grpc.add_AsideServicer_to_server",
]
_PROTO = Path(__file__).with_name("talk.proto")


@functools.cache
def generated() -> tuple[Any, Any]:
    """Modules `talk_pb2` and `talk_pb2_grpc`, importable from now on."""
    for name in NEEDED:
        pytest.importorskip(name, reason="needs the extra [grpc] and grpcio-tools")
    from grpc_tools import protoc

    folder = Path(tempfile.mkdtemp(prefix="talk-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copy(_PROTO, folder)
    arguments = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python")]
    failed = protoc.main(["protoc", f"-I{folder}", *arguments, "talk.proto"])
    assert not failed, "protoc could not compile talk.proto"
    sys.path.append(str(folder))
    return importlib.import_module("talk_pb2"), importlib.import_module("talk_pb2_grpc")
