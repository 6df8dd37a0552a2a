"""How a WebSocket opens: what the client must have said, and what it is answered.

Called by `upgrade`. Pure; what speaks the protocol afterwards (`websockets`, without
its I/O) is made here, with the extensions that both sides agreed on.
"""

import base64
import binascii
import hashlib
import logging

import msgspec
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from workbench.proxy.reply import Page
from workbench.proxy.request import Request
from workbench.spec.http import HTTPOptions
from workbench.wire.messages import HttpCall, SocketAccept, SocketCall

__all__ = ["Codec", "Handshake", "HandshakeError", "socket_call"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION = b"13"
_KEY_BYTES = 16
# A smaller window than the largest: 32 KiB a connection in place of 256.
_WINDOW_BITS = 12

# It would say a line for each connection that closes.
_logger = logging.getLogger("workbench.proxy.websocket")
_logger.setLevel(logging.WARNING)

Codec = ServerProtocol
"""Frames to bytes and back, for one connection."""


class HandshakeError(Exception):
    """This cannot become a WebSocket; `page` says why."""

    def __init__(self, status: int, text: str, head: bytes = b"") -> None:
        super().__init__(text)
        self.page = Page(status, text, head=head)


class Handshake:
    """One client's request for a WebSocket, found to be in order.

    Raises:
        HandshakeError: it is not.
    """

    def __init__(self, request: Request, options: HTTPOptions) -> None:
        headers = dict(request.headers)
        if request.method != "GET" or request.version != "1.1":
            msg = "A WebSocket is asked for with GET, in HTTP/1.1."
            raise HandshakeError(405, msg, b"allow: GET\r\n")
        if headers.get(b"sec-websocket-version") != _VERSION:
            msg = "This server speaks version 13 of the WebSocket protocol."
            raise HandshakeError(426, msg, b"sec-websocket-version: 13\r\n")
        self._key = headers.get(b"sec-websocket-key", b"")
        if not _is_key(self._key):
            raise HandshakeError(400, "Sec-WebSocket-Key must be 16 bytes in Base64.")
        factory = ServerPerMessageDeflateFactory(
            server_max_window_bits=_WINDOW_BITS,
            client_max_window_bits=_WINDOW_BITS,
            compress_settings={"memLevel": 5},
        )
        self.codec = Codec(
            extensions=[factory] if options.websocket_compression else None,
            state=OPEN,
            max_size=options.max_websocket_message_bytes,
            logger=_logger,
        )
        self._extensions = _negotiate(self.codec, request)

    def answer(self, accept: SocketAccept, request_id: str, date_line: bytes) -> bytes:
        """The bytes after which the connection is a WebSocket."""
        digest = hashlib.sha1(self._key + _GUID, usedforsecurity=False).digest()
        lines = [
            b"HTTP/1.1 101 Switching Protocols\r\n",
            accept.head,
            b"upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ",
            base64.b64encode(digest),
            b"\r\n",
        ]
        if self._extensions:
            lines.append(b"sec-websocket-extensions: %b\r\n" % self._extensions)
        if b"x-request-id:" not in accept.head:
            lines.append(b"x-request-id: %b\r\n" % request_id.encode("ascii"))
        return b"".join((*lines, date_line, b"\r\n"))


def socket_call(call: HttpCall) -> SocketCall:
    """The request as it travels, with the subprotocols that the client offers."""
    offered = [
        name.strip().decode("latin-1")
        for header, value in call.headers
        if header == b"sec-websocket-protocol"
        for name in value.split(b",")
    ]
    fields = {name: getattr(call, name) for name in call.__struct_fields__}
    if call.extras is not None:
        # It is about the time to the answer, and a socket stays open long after that.
        fields["extras"] = msgspec.structs.replace(call.extras, timeout_s=None)
    return SocketCall(**fields, subprotocols=[name for name in offered if name])


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def _negotiate(codec: Codec, request: Request) -> bytes:
    headers = Headers()
    for name, value in request.headers:
        if name == b"sec-websocket-extensions":
            headers["Sec-WebSocket-Extensions"] = value.decode("latin-1")
    try:
        answer, codec.extensions = codec.process_extensions(headers)
    except InvalidHandshake as error:
        raise HandshakeError(400, f"Sec-WebSocket-Extensions: {error}.") from None
    return (answer or "").encode("ascii")
