"""Bodies of 64 KB to 10 MB, up and down, beside bare uvicorn.

One request at a time over one connection. `python -m tests.bench.bodies`
"""

import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from urllib.parse import urlsplit

from tests.bench import peers
from tests.bench.report import publish

KB, MB = 1_000, 1_000_000
ROUNDS = 12
CALLS_PER_ROUND = 8


class Client:
    """One connection. Plain sockets: a client that copies would hide the servers."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._socket = socket.create_connection((place.hostname, place.port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._room = bytearray(1 << 20)

    def up(self, body: bytes) -> None:
        """Send so much."""
        head = b"POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(
            body
        )
        self._socket.sendall(head)
        self._socket.sendall(body)
        self._read()

    def down(self, size: int) -> None:
        """Get so much."""
        self._socket.sendall(b"GET /%d HTTP/1.1\r\nHost: bench\r\n\r\n" % size)
        if (came := self._read()) != size:
            msg = f"{came} bytes came instead of {size}."
            raise ValueError(msg)

    def _read(self) -> int:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._socket.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(head)
        lines = dict(line.lower().split(b": ") for line in head.split(b"\r\n")[1:])
        size = int(lines[b"content-length"])
        missing = size - len(body)
        while missing:
            missing -= self._socket.recv_into(self._room, min(missing, 1 << 20))
        return size


def p50_ms(subjects: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """Time the subjects in turn; the median of each."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, call in subjects.items():
            call()  # the round before was another's: warm the caches again
            for _ in range(CALLS_PER_ROUND):
                begin = time.perf_counter()
                call()
                times[name].append(1_000 * (time.perf_counter() - begin))
    return {name: median(each) for name, each in times.items()}


def row(clients: Mapping[str, Client], way: str, size: int) -> dict[str, object]:
    """One size, one way; the ratio is to the first client."""
    given: object = bytes(size) if way == "up" else size
    subjects = {
        name: partial(getattr(client, way), given) for name, client in clients.items()
    }
    found = p50_ms(subjects)
    first, *others = found
    line: dict[str, object] = {"body": f"{size / MB:g} MB {way}"}
    line |= {f"{name}, p50 ms": found[name] for name in found}
    return line | {f"{name} × {first}": found[name] / found[first] for name in others}


def main() -> None:
    """Compare with bare uvicorn."""
    with peers.bare_uvicorn("bodies") as raw, peers.workbench("bodies") as ours:
        clients = {"bare uvicorn": Client(raw), "workbench": Client(ours)}
        rows = [
            row(clients, way, size)
            for size in (64 * KB, MB, 10 * MB)
            for way in ("up", "down")
        ]
    publish("bodies", rows)


if __name__ == "__main__":
    main()
