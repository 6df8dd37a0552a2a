"""Socket options of a channel's connection; called by `channel` once it is believed."""

import asyncio
import socket
from typing import Final

__all__ = ["tune"]

# As much as the kernel allows without privileges, which is twice the default: a large
# body then stops half as often for want of room.
_SEND_BUFFER_BYTES: Final = 1024 * 1024

# A TCP peer whose host is gone is noticed by the kernel, which wants data answered
# within this time; pings see to it that there is data. A peer that is silent for longer
# is not taken for dead: user code may keep its loop busy for minutes.
_UNANSWERED_S: Final = 15.0


def tune(transport: asyncio.Transport) -> bool:
    """Set a TCP connection's options; return whether it is one."""
    sock: socket.socket = transport.get_extra_info("socket")
    if sock.family == socket.AF_UNIX:
        # Not so for TCP, whose buffers the kernel fits to the way by itself.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        return False
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int(_UNANSWERED_S * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return True
