"""Everything that is said on a channel.

Each message is a MessagePack array whose first element is its tag; bulk data (bodies,
pickles and their out-of-band buffers) travels beside it as raw buffers, never in it.
Structs rather than dataclasses: made in 180 ns where a frozen dataclass takes 1,050.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeAlias

import msgspec

from workbench.request import Extras
from workbench.spec.table import Table, TableChange
from workbench.wire.sharing_messages import (
    Lent,
    Returned,
    SegmentGone,
    SegmentMapped,
    SegmentShown,
)

__all__ = [
    "SOCKET_PART_BYTES",
    "Accessed",
    "Body",
    "Buffers",
    "Call",
    "Cancel",
    "Challenge",
    "Chunk",
    "Command",
    "Credit",
    "Drain",
    "Drained",
    "End",
    "Ended",
    "Failure",
    "FailureKind",
    "Free",
    "GrpcCall",
    "Hello",
    "HttpCall",
    "HttpReply",
    "Line",
    "Measured",
    "Message",
    "MetricPoint",
    "Models",
    "Ping",
    "Pong",
    "Proof",
    "Queued",
    "QueuedElsewhere",
    "Ready",
    "Reject",
    "ReplicaMeasured",
    "Reported",
    "Result",
    "Said",
    "SocketAccept",
    "SocketCall",
    "SocketClose",
    "SocketPart",
    "Spent",
    "Subscribe",
    "TableChanged",
    "TableSeen",
    "TableUpdate",
    "UserMetrics",
    "Wake",
]

Buffers: TypeAlias = Sequence[bytes | memoryview]

SOCKET_PART_BYTES = 64
"""What a `SocketPart` counts for beside its bytes, so that empty ones are bounded too."""


class _Message(msgspec.Struct, frozen=True, array_like=True):
    pass


# -- opening a channel -------------------------------------------------------------


class Hello(_Message, frozen=True, tag=1):
    """Client → server: who I am, and a nonce for you to prove yourself with."""

    version: int
    nonce: bytes


class Challenge(_Message, frozen=True, tag=2):
    """Server → client: my proof for your nonce, and a nonce for you."""

    proof: bytes
    nonce: bytes


class Proof(_Message, frozen=True, tag=3):
    """Client → server: my proof for your nonce."""

    proof: bytes


class Ready(_Message, frozen=True, tag=4):
    """Server → client: believed; speak."""


# -- router → replica ---------------------------------------------------------------


class Call(_Message, frozen=True, tag=10):
    """Run a method. Buffers: the pickled (args, kwargs) and its out-of-band parts."""

    id: int
    method: str
    request_id: str
    stream: bool
    extras: Extras | None = None
    streams: int = 0
    """How many of its arguments are streams, which follow as `Body`."""


class GrpcCall(Call, frozen=True, tag=54):
    """Answer a gRPC request. Buffer: the message, unless messages follow as `Body`.

    Answered as any `Call`; every message is a buffer as it was on the client's line. In
    a `Result`, a last `Chunk` or a `Failure` a `workbench.wire.grpc.Outcome` may follow.
    """

    path: str = ""
    """`/package.Service/Method`."""
    more: bool = False
    """The client sends a stream: a message in each `Body` but the last, empty one."""
    request_type: str = ""
    """What reads messages, as `module:name`; empty: they stay bytes."""
    answer_type: str = ""
    """What writes messages, as `module:name`; empty: they are bytes, or protobuf's."""
    answer_name: str = ""
    """Full name of the protobuf message to answer with, where it is known."""
    metadata: list[tuple[str, bytes]] = []
    peer: str = ""
    identities: list[bytes] | None = None
    auth: dict[str, list[bytes]] = {}
    """gRPC's auth context, where there is TLS."""


class HttpCall(_Message, frozen=True, tag=11):
    """Answer an HTTP request. Buffer: the body, or its beginning if `more_body`."""

    id: int
    method: str
    path: str
    """Percent-decoded path, whole (the prefix is in `root_path` too)."""
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    root_path: str
    http_version: str
    scheme: str
    client: tuple[str, int] | None
    server: tuple[str, int] | None
    request_id: str
    more_body: bool
    extras: Extras | None = None


class Body(_Message, frozen=True, tag=12):
    """More of a request's body. Buffer: the bytes (may be empty)."""

    id: int
    last: bool


class Cancel(_Message, frozen=True, tag=13):
    """The caller is gone; stop the call, free its slot, answer nothing."""

    id: int


class Credit(_Message, frozen=True, tag=14):
    """The peer may send `size` more bytes of this call's stream (either way)."""

    id: int
    size: int


class Drained(_Message, frozen=True, tag=15):
    """Answer to `Drain`: no further call will come on this channel."""


# -- replica → router ---------------------------------------------------------------


class Reject(_Message, frozen=True, tag=20):
    """Not taken: all slots are busy, or the replica is stopping. Route it elsewhere."""

    id: int
    ongoing: int
    draining: bool


class Free(_Message, frozen=True, tag=21):
    """A slot opened at a replica that rejected you."""


class Result(_Message, frozen=True, tag=22):
    """What the method returned. Buffers: its pickle and the out-of-band parts."""

    id: int


class Spent(msgspec.Struct, frozen=True, array_like=True):
    """What of a call's time at the replica went where, up to this answer's beginning."""

    batch_ns: int
    """Waiting for a batch to be run."""
    code_ns: int
    """All else."""


class HttpReply(_Message, frozen=True, tag=23):
    """Status line and headers. Buffer: the body, or its beginning if `more`."""

    id: int
    status: int
    head: bytes
    """Header lines as they go out, each ended by CRLF, without content-length,
    transfer-encoding, connection, date and server: those are the proxy's."""
    length: int | None
    """Content-length that the application declared, if any."""
    more: bool
    spent: Spent | None = None
    """For a call that is timed."""


class Chunk(_Message, frozen=True, tag=24):
    """One item of a stream. Buffers: body bytes, or a pickle and its parts."""

    id: int


class End(_Message, frozen=True, tag=25):
    """The stream is complete."""

    id: int


class FailureKind(IntEnum):
    """Whose fault a failure is, hence how the caller sees it."""

    USER = 1
    NO_SUCH_METHOD = 2
    NOT_STREAMING = 3
    CANCELLED = 4
    REPLICA_LOST = 5
    UNAVAILABLE = 6
    QUEUE_FULL = 7
    UNREADABLE = 8
    TIMED_OUT = 9


class Failure(_Message, frozen=True, tag=26):
    """The call failed. Buffer, if any: the pickled exception."""

    id: int
    kind: FailureKind
    error_type: str
    message: str
    traceback: str = ""
    status: int = 0
    """HTTP status that says it, where it is not the usual one of its kind."""
    retry_after_s: float | None = None
    spent: Spent | None = None
    """For a call that is timed."""


class Drain(_Message, frozen=True, tag=27):
    """This replica is stopping: send nothing new and say `Drained`."""


# -- WebSockets ---------------------------------------------------------------------


class SocketCall(HttpCall, frozen=True, tag=50):
    """Router → replica: open a WebSocket.

    Answered with `SocketAccept`; or turned down with an `HttpReply`, as any request.
    """

    subprotocols: list[str] = []
    """Those the client offers."""


class SocketAccept(_Message, frozen=True, tag=51):
    """Replica → router: the WebSocket is open."""

    id: int
    head: bytes
    """Header lines for the handshake's answer, as in `HttpReply`; the subprotocol, if
    one was chosen, is among them."""


class SocketPart(_Message, frozen=True, tag=52):
    """Either way: a message, or part of one. Buffer: the bytes; they take credit."""

    id: int
    is_text: bool
    more: bool
    """Whether the message goes on."""


class SocketClose(_Message, frozen=True, tag=53):
    """Either way: the WebSocket is closed.

    A replica says it last of all. Told that the client has closed, it says `End` once
    its application has returned.
    """

    id: int
    code: int
    reason: str


class Models(_Message, frozen=True, tag=60):
    """Which models this replica holds; first if it has any, and when it changes."""

    ids: list[str]


class Queued(_Message, frozen=True, tag=61):
    """Router → controller: so many calls to a deployment with a limit wait here."""

    deployment: str
    count: int


class QueuedElsewhere(_Message, frozen=True, tag=62):
    """Controller → router: so many calls to it wait in other routers."""

    deployment: str
    count: int


class Wake(_Message, frozen=True, tag=64):
    """Router → controller: a call waits here for a deployment that has no replica."""

    deployment: str


# -- either way, and controller → router --------------------------------------------


class Ping(_Message, frozen=True, tag=30):
    """Is anybody there?"""


class Pong(_Message, frozen=True, tag=31):
    """Yes."""


class Subscribe(_Message, frozen=True, tag=40):
    """Router → controller: send me the table now, and its changes from then on."""

    name: str


class TableUpdate(_Message, frozen=True, tag=41):
    """Controller → router: the whole table."""

    table: Table


class TableChanged(_Message, frozen=True, tag=45):
    """Controller → router: what is other in the table now.

    Of use to one that has the table before it; another subscribes again.
    """

    change: TableChange


class Command(_Message, frozen=True, tag=46):
    """Controller → replica process: take a step. Buffer: the pickled request."""

    id: str
    step: str
    """The method of `workbench.replica.replica.Replica` that takes it."""


class Reported(_Message, frozen=True, tag=47):
    """Replica process → controller: how a command went.

    The other fields as in `workbench.spec.replica.Report`.
    """

    id: str
    error: str
    refused: str
    took_s: float


class TableSeen(_Message, frozen=True, tag=42):
    """Router → controller: I route by the table of this number (or a later one)."""

    version: int


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """Calls that ended within the last beat."""

    buckets: dict[int, int]
    """How long they took: a `workbench.observe.histogram` of nanoseconds."""
    errors: int
    answers: list[tuple[str, str, int]] = []
    """At a proxy: how often a method was answered with a status."""


class ReplicaMeasured(msgspec.Struct, frozen=True, array_like=True):
    """How a replica is; `calls` are those of the last beat, all else is of now."""

    id: str
    deployment: str
    """Key: `application#deployment`."""
    calls: Ended
    ongoing: int
    cpu_cores: float
    memory_bytes: int
    stats: dict[str, float] = {}
    """What its `record_autoscaling_stats` said last."""


class Measured(_Message, frozen=True, tag=43):
    """Router → controller: what this process measured in the last half second.

    What is not named has not changed since the last time, but for calls that wait or
    are on their way: there are no others than those named.
    """

    queued: dict[str, int]
    """Calls that wait in this process, by the deployment's key."""
    applications: dict[str, Ended]
    """At a proxy: HTTP requests by application."""
    replica: ReplicaMeasured | None
    in_flight: dict[str, int] = {}
    """Calls of this process that replicas have, by the deployment's key."""
    oldest_queued_s: dict[str, float] = {}
    """How long the one has waited that has waited longest."""


class MetricPoint(msgspec.Struct, frozen=True, array_like=True):
    """A metric of user code, for one set of tags, as it is now."""

    name: str
    kind: str
    """`counter`, `gauge` or `histogram`."""
    description: str
    tags: dict[str, str]
    numbers: list[float]
    """The value; of a histogram its sum, then the counts between the bounds."""
    bounds: list[float] = []


class UserMetrics(_Message, frozen=True, tag=63):
    """Replica → controller: all metrics of its user code."""

    points: list[MetricPoint]


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One thing that user code said; fields as in `workbench.spec.logs.LogRecord`."""

    at_s: float
    level: str
    source: str
    request_id: str
    text: str


class Said(_Message, frozen=True, tag=44):
    """Replica → controller: what its user code said since the last time."""

    app: str
    deployment: str
    replica: str
    lines: list[Line]
    """Oldest first."""
    dropped: int
    """Lines that were lost since the last time, for want of room."""


class Accessed(Said, frozen=True, tag=70):
    """Replica → controller: a line for each request that it has ended."""


Message: TypeAlias = (
    Hello
    | Challenge
    | Proof
    | Ready
    | Call
    | GrpcCall
    | HttpCall
    | Body
    | Cancel
    | Credit
    | Drained
    | Reject
    | Free
    | Result
    | HttpReply
    | Chunk
    | End
    | Failure
    | Drain
    | Models
    | UserMetrics
    | Queued
    | QueuedElsewhere
    | Wake
    | Ping
    | Pong
    | Subscribe
    | TableUpdate
    | TableChanged
    | Command
    | Reported
    | TableSeen
    | Measured
    | Said
    | Accessed
    | SocketCall
    | SocketAccept
    | SocketPart
    | SocketClose
    | SegmentShown
    | SegmentMapped
    | Lent
    | Returned
    | SegmentGone
)
