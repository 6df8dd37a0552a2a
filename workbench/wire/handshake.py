"""How both ends of a new connection prove that they know the instance's secret.

    client                            server
      │── Hello(version, nonce c) ──────►│
      │◄── Challenge(proof, nonce s) ────│   HMAC-SHA256(secret, "server" + c + s)
      │── Proof(proof) ─────────────────►│   HMAC-SHA256(secret, "client" + c + s)
      │◄── Ready ────────────────────────│

Used by `channel`; no I/O. Until it is over only these four messages are decoded, and
none larger than `_LIMIT`. The labels keep a proof from being sent back to its maker;
both nonces in each proof keep it from being used twice. It says who is there and
hides nothing: what follows is neither encrypted nor signed.
"""

import hmac
import secrets
from collections.abc import Generator
from typing import Final, TypeAlias, TypeVar

import msgspec

from workbench.errors import ProtocolError
from workbench.wire.framing import Piece, encode, read_frame
from workbench.wire.messages import Challenge, Hello, Message, Proof, Ready

__all__ = ["PROTOCOL_VERSION", "Handshake", "client_side", "server_side"]

PROTOCOL_VERSION: Final = 2
"""Ends of different versions refuse each other; changes with any message or frame."""

_LIMIT: Final = 256
_NONCE_SIZE: Final = 32

_decoder: "msgspec.msgpack.Decoder[Message]" = msgspec.msgpack.Decoder(
    Hello | Challenge | Proof | Ready
)

Side: TypeAlias = Generator[bytes, Message, bytes]
"""One end's part: is sent each message, yields the bytes to answer it with."""

M = TypeVar("M", Hello, Challenge, Proof, Ready)


class Handshake:
    """One end's part, fed with bytes as they come."""

    def __init__(self, side: Side) -> None:
        self.is_done = False
        """The peer is believed."""
        self.rest = b""
        """Received and not read: once done, what follows the handshake."""
        self._side = side

    def start(self) -> bytes:
        """Return what to send before anything has come."""
        return next(self._side)

    def feed(self, data: bytes) -> bytes:
        """Take what was received and return what to send.

        Raises:
            ProtocolError: the peer must not be believed; close the connection.
        """
        self.rest += data
        answers = b""
        while not self.is_done and (message := self._take()) is not None:
            try:
                answers += self._side.send(message)
            except StopIteration as last:
                answers += last.value
                self.is_done = True
        return answers

    def _take(self) -> Message | None:
        frame = read_frame(self.rest, 0, _LIMIT, _decoder)
        if frame is None:
            return None
        message, buffers, end = frame
        if buffers:
            msg = "A peer sent data before it had proved to know the secret."
            raise ProtocolError(msg)
        self.rest = self.rest[end:]
        return message


def client_side(secret: bytes) -> Side:
    """The part of the end that connects."""
    mine = secrets.token_bytes(_NONCE_SIZE)
    challenge = _expect(Challenge, (yield _frame(Hello(PROTOCOL_VERSION, mine))))
    nonces = mine + _checked(challenge.nonce)
    _check_proof(challenge.proof, _prove(secret, b"server", nonces))
    _expect(Ready, (yield _frame(Proof(_prove(secret, b"client", nonces)))))
    return b""


def server_side(secret: bytes) -> Side:
    """The part of the end that listens."""
    hello = _expect(Hello, (yield b""))
    if hello.version != PROTOCOL_VERSION:
        msg = f"A peer speaks version {hello.version} of the wire protocol; "
        msg += f"this end speaks {PROTOCOL_VERSION}."
        raise ProtocolError(msg)
    mine = secrets.token_bytes(_NONCE_SIZE)
    nonces = _checked(hello.nonce) + mine
    challenge = Challenge(_prove(secret, b"server", nonces), mine)
    proof = _expect(Proof, (yield _frame(challenge)))
    _check_proof(proof.proof, _prove(secret, b"client", nonces))
    return _frame(Ready())


def _expect(kind: type[M], message: Message) -> M:
    if isinstance(message, kind):
        return message
    msg = f"Got {type(message).__name__} where {kind.__name__} was due."
    raise ProtocolError(msg)


def _checked(nonce: bytes) -> bytes:
    # A fixed size, since two nonces of other sizes could be the same bytes together.
    if len(nonce) != _NONCE_SIZE:
        msg = f"Got a nonce of {len(nonce)} bytes where {_NONCE_SIZE} were due."
        raise ProtocolError(msg)
    return nonce


def _prove(secret: bytes, label: bytes, nonces: bytes) -> bytes:
    return hmac.digest(secret, label + nonces, "sha256")


def _check_proof(given: bytes, right: bytes) -> None:
    if not hmac.compare_digest(given, right):
        msg = "A peer does not know this instance's secret."
        hint = "It belongs to another instance; use the URL or address of this one."
        raise ProtocolError(msg, hint)


def _frame(message: Message) -> bytes:
    pieces: list[Piece] = []
    encode(message, (), pieces)
    return b"".join(pieces)
