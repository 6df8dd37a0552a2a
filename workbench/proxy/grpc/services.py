"""Which RPCs there are: read from the functions that a user's generated code has.

Each `add_XServicer_to_server` is called once with a servicer that has every method and
a server that takes nothing but notes.
"""

import logging
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pool

from workbench.code.services import Servicer
from workbench.errors import StartError

if TYPE_CHECKING:
    import grpc

__all__ = ["Rpc", "read_services"]

_log = logging.getLogger("workbench.proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One method of a service."""

    path: str
    """`/package.Service/Method`."""
    streams_in: bool
    streams_out: bool
    request_type: str
    answer_type: str
    answer_name: str
    """These three as in `workbench.wire.messages.GrpcCall`."""

    @property
    def service(self) -> str:
        """Full name of its service."""
        return self.path[1:].rpartition("/")[0]

    @property
    def method(self) -> str:
        """Its own name, which is that of the deployment's method."""
        return self.path.rpartition("/")[2]


def read_services(functions: Iterable[Servicer]) -> dict[str, Rpc]:
    """Every RPC of these services, by path.

    Raises:
        StartError: a function registers nothing, or messages have types that replicas
            cannot find.
    """
    found: dict[str, Rpc] = {}
    for function in functions:
        notes = _Notes()
        function(notes.servicer, notes)
        handlers = notes.handlers()
        if not handlers:
            name = getattr(function, "__name__", repr(function))
            msg = f"{name} registers no gRPC service."
            raise StartError(msg, "Give the generated add_XServicer_to_server.")
        for path, handler in handlers.items():
            if path in found:
                _log.warning("Two services have %s; the later one counts", path)
            found[path] = _rpc(path, handler)
    return found


class _EveryMethod:
    """A servicer that has whatever method it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.asked.append(name)
        return _never_called


def _never_called(*_: object) -> None:
    """Stands for a method."""


class _Notes:
    """Takes what generated code tells a `grpc.Server`."""

    def __init__(self) -> None:
        self.servicer = _EveryMethod()
        self._generic: list[Any] = []
        self._registered: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[Any]) -> None:
        """As generated code of any version calls it."""
        self._generic += generic_rpc_handlers

    def add_registered_method_handlers(
        self,
        service_name: str,
        method_handlers: Mapping[str, "grpc.RpcMethodHandler"],
    ) -> None:
        """As newer generated code calls it, too."""
        for name, handler in method_handlers.items():
            self._registered[f"/{service_name}/{name}"] = handler

    def handlers(self) -> dict[str, "grpc.RpcMethodHandler"]:
        """All that was told, by path."""
        found = dict(self._registered)
        for generic in self._generic:
            for name in self.servicer.asked:
                path = f"/{generic.service_name()}/{name}"
                handler = generic.service(_Details(path))
                if handler is not None:
                    found[path] = handler
        return found


@dataclass(frozen=True, slots=True)
class _Details:
    """A `grpc.HandlerCallDetails`: what a generic handler is asked about."""

    method: str
    invocation_metadata: tuple[()] = ()


def _rpc(path: str, handler: "grpc.RpcMethodHandler") -> Rpc:
    answer_name = _answer_name(path)
    writes = handler.response_serializer
    return Rpc(
        path=path,
        streams_in=bool(handler.request_streaming),
        streams_out=bool(handler.response_streaming),
        request_type=_import_name(path, handler.request_deserializer),
        answer_type="" if answer_name else _import_name(path, writes),
        answer_name=answer_name,
    )


def _answer_name(path: str) -> str:
    """Full name of the protobuf message that it answers with; empty if it is none."""
    service, _, method = path[1:].rpartition("/")
    try:
        about = descriptor_pool.Default().FindServiceByName(service)
        return str(about.methods_by_name[method].output_type.full_name)
    except KeyError:
        return ""


def _import_name(path: str, function: Any) -> str:
    """`module:name` by which replicas find it; empty if there is none."""
    if function is None:
        return ""
    owner = getattr(function, "__self__", None) or getattr(
        function, "__objclass__", None
    )
    if isinstance(owner, type):
        module, name = owner.__module__, f"{owner.__qualname__}.{function.__name__}"
    else:
        module = getattr(function, "__module__", "") or ""
        name = getattr(function, "__qualname__", "")
    if _can_find(module, name):
        return f"{module}:{name}"
    msg = f"{path} reads or writes messages by {function!r}, which has no import name."
    raise StartError(msg, "Define it at the top of a module, and not in __main__.")


def _can_find(module: str, name: str) -> bool:
    if not module or not name or module == "__main__":
        return False
    found: Any = sys.modules.get(module) or import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return callable(found)
