"""The listening socket of a proxy: the port asked for, or the next free one."""

import errno
import socket

from workbench.errors import PortBusyError, StartError
from workbench.spec.http import DEFAULT_PORT

__all__ = ["open_port"]

_PORTS_TRIED = 100
_BACKLOG = 2048


def open_port(
    host: str, port: int | None, *, first: int = DEFAULT_PORT
) -> socket.socket:
    """Listen on a port (0: any free one); None: `first`, or the next free one above.

    Raises:
        PortBusyError: the port, or every port tried, is taken.
        StartError: this host cannot listen there at all.
    """
    if port is not None:
        return _listen(host, port)
    for candidate in range(first, first + _PORTS_TRIED):
        try:
            return _listen(host, candidate)
        except PortBusyError:
            continue
    last = first + _PORTS_TRIED - 1
    msg = f"All ports from {first} to {last} of {host} are in use."
    raise PortBusyError(msg, "Name a free port.")


def _listen(host: str, port: int) -> socket.socket:
    """Bind and listen in one go.

    SO_REUSEADDR lets a proxy come back while old connections linger, but also lets two
    sockets bind the same port so long as neither listens: only listening tells.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # IPv4 where a name has both, since that is what the URLs will say.
        found.sort(key=lambda each: each[0] != socket.AF_INET)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(_BACKLOG)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            msg = f"Port {port} of {host} is in use by another process."
            raise PortBusyError(msg) from None
        msg = f"Cannot listen on port {port} of {host}: {error.strerror}."
        hint = "Choose an address of this machine, and a port above 1023."
        raise StartError(msg, hint) from None
    return sock
