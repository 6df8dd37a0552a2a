"""Two questions about the instance itself: which applications run, and is it well?

Under Ray Serve's name, so that its clients need not change, and under our own. The
messages are so simple that they are written here by hand: Ray's own classes for them
may be in the same process, and protobuf has only one of each name.
"""

import grpc

from workbench.proxy.grpc.seams import Context, Routes

__all__ = ["InstanceService"]

_SERVICES = ("ray.serve.RayServeAPIService", "workbench.WorkbenchAPIService")
# Field 1, a string: `repeated application_names` in one answer, `message` in the other.
_FIELD_1 = b"\x0a"


class InstanceService(grpc.GenericRpcHandler):  # type: ignore[misc]  # untyped library
    """`ListApplications` and `Healthz`."""

    def __init__(self, router: Routes) -> None:
        self._router = router
        methods = {
            "Healthz": self._healthz,
            "ListApplications": self._list_applications,
        }
        self._handlers = {
            f"/{service}/{name}": grpc.unary_unary_rpc_method_handler(method)
            for service in _SERVICES
            for name, method in methods.items()
        }

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """How to answer calls of this path; None if it is none of these."""
        return self._handlers.get(handler_call_details.method)

    async def _list_applications(self, _request: bytes, context: Context) -> bytes:
        await self._check_ready(context)
        return b"".join(map(_text_field, sorted(self._router.ingresses)))

    async def _healthz(self, _request: bytes, context: Context) -> bytes:
        await self._check_ready(context)
        return _text_field("success")

    async def _check_ready(self, context: Context) -> None:
        if not self._router.is_ready:
            msg = "This proxy has not received its routes yet. Try again in a moment."
            await context.abort(grpc.StatusCode.UNAVAILABLE, msg)


def _text_field(text: str) -> bytes:
    data = text.encode()
    return _FIELD_1 + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    """Protobuf's variable-length integers: seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
