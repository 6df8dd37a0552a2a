"""Frames survive any cut, and nothing but frames gets through."""

import contextlib
import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import ProtocolError
from workbench.wire import framing
from workbench.wire.framing import MAX_FRAME_BYTES, Decoder, Piece, encode, join
from workbench.wire.messages import (
    Body,
    Call,
    Cancel,
    Credit,
    Failure,
    FailureKind,
    HttpCall,
    HttpReply,
    Ping,
    Reject,
    Result,
)

HTTP_CALL = HttpCall(
    id=7,
    method="POST",
    path="/echo/ä",
    raw_path=b"/echo/%C3%A4",
    query=b"a=1",
    headers=[(b"host", b"localhost"), (b"x", b"\xff")],
    root_path="/echo",
    http_version="1.1",
    scheme="http",
    client=("127.0.0.1", 40000),
    server=None,
    request_id="r-1",
    more_body=True,
)
ids = st.integers(0, 2**63)
messages = st.one_of(
    st.just(Ping()),
    st.just(HTTP_CALL),
    st.builds(Call, id=ids, method=st.text(), request_id=st.text(), stream=...),
    st.builds(Body, id=ids, last=...),
    st.builds(Cancel, id=ids),
    st.builds(Credit, id=ids, size=ids),
    st.builds(Reject, id=ids, ongoing=ids, draining=...),
    st.builds(Result, id=ids),
    st.builds(
        HttpReply,
        id=ids,
        status=st.integers(100, 599),
        head=st.binary(max_size=300),
        length=st.none() | ids,
        more=...,
    ),
    st.builds(
        Failure,
        id=ids,
        kind=st.sampled_from(FailureKind),
        error_type=st.text(),
        message=st.text(),
    ),
)
# Around the size from which frames are collected apart and buffers are not joined.
big = st.integers(framing._BIG - 300, framing._BIG + 300).map(bytes)
buffers = st.lists(st.binary(max_size=100) | big, max_size=4)
frames = st.lists(st.tuples(messages, buffers), max_size=8)
sizes = st.lists(
    st.integers(1, 40) | st.integers(1, 2 * framing._BIG), min_size=1, max_size=20
)


def to_bytes(frames) -> bytes:
    pieces: list[Piece] = []
    size = 0
    for message, parts in frames:
        size += encode(message, parts, pieces)
    data = b"".join(join(pieces))
    assert len(data) == size
    return data


def plain(frames):
    return [(message, [bytes(each) for each in bufs]) for message, bufs in frames]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut at these sizes, again and again."""
    parts, start, turn = [], 0, 0
    while start < len(data):
        end = start + sizes[turn % len(sizes)] + (turn // len(sizes)) ** 2
        parts.append(data[start:end])
        start, turn = end, turn + 1
    return parts


@given(frames, sizes)
@settings(max_examples=150)
def test_what_was_sent_arrives_however_it_is_cut(sent, sizes):
    decoder = Decoder()

    received = [
        frame for part in cut(to_bytes(sent), sizes) for frame in decoder.feed(part)
    ]

    assert plain(received) == sent


@given(st.lists(st.tuples(messages, st.lists(st.binary(max_size=9), max_size=3))))
@settings(max_examples=30)
def test_it_arrives_byte_by_byte_too(sent):
    decoder = Decoder()

    received = [
        frame for byte in to_bytes(sent) for frame in decoder.feed(bytes([byte]))
    ]

    assert plain(received) == sent


@given(st.binary(max_size=300), sizes)
def test_garbage_is_refused_or_waited_for(garbage, sizes):
    decoder = Decoder()
    with contextlib.suppress(ProtocolError):
        for part in cut(garbage, sizes):
            decoder.feed(part)


@given(frames, st.integers(0), st.integers(1, 255))
def test_a_damaged_stream_ends_in_nothing_worse_than_a_protocol_error(
    sent, where, change
):
    data = bytearray(to_bytes(sent) or b"\0")
    data[where % len(data)] ^= change
    with contextlib.suppress(ProtocolError):
        Decoder().feed(bytes(data))


def prefix(size: int, header: int, count: int) -> bytes:
    return struct.pack("<III", size, header, count)


@pytest.mark.parametrize(
    "data",
    [
        prefix(0, 0, 0),
        prefix(11, 0, 0),
        prefix(MAX_FRAME_BYTES + 1, 1, 0),
        prefix(16, 5, 0) + b"abcd",
        prefix(16, 3, 0) + b"abcd",
        prefix(16, 4, 2**32 - 1) + b"abcd",
        prefix(16, 4, 0) + b"\xc1\xc1\xc1\xc1",
        prefix(14, 2, 0) + msgspec.msgpack.encode([99]),
        prefix(14, 2, 0) + msgspec.msgpack.encode([13]),
        prefix(18, 2, 2) + struct.pack("<I", 1) + msgspec.msgpack.encode([30]),
    ],
    ids=[
        "nothing",
        "smaller than its prefix",
        "too large",
        "header beyond its end",
        "bytes that belong to nothing",
        "buffers without number",
        "no MessagePack",
        "unknown message",
        "fields missing",
        "buffer beyond its end",
    ],
)
def test_malformed_frames_are_refused(data):
    with pytest.raises(ProtocolError):
        Decoder().feed(data)


def test_a_frame_too_large_to_travel_is_refused_before_anything_is_written():
    class Huge(bytes):
        def __len__(self):
            return MAX_FRAME_BYTES

    pieces: list[Piece] = []
    with pytest.raises(ProtocolError, match=r"Call of .* bytes"):
        encode(Call(1, "__call__", "", stream=False), [Huge()], pieces)

    assert pieces == []


def test_text_that_is_not_unicode_is_refused_before_anything_is_written():
    pieces: list[Piece] = []
    with pytest.raises(ProtocolError, match="Call with text"):
        encode(Call(1, "\udc80", "", stream=False), (), pieces)

    assert pieces == []


def test_big_buffers_are_neither_copied_when_sent_nor_shared_when_received():
    payload = memoryview(bytes(framing._BIG))
    pieces: list[Piece] = []
    encode(Result(1), [b"small", payload], pieces)
    written = list(join(pieces))
    data = b"".join(written)

    decoder = Decoder()
    ((_, received),) = decoder.feed(data[:100]) or decoder.feed(data[100:])

    assert len(written) == 2
    assert written[1] is payload
    assert not memoryview(received[1]).readonly


def test_announcing_a_big_frame_takes_no_memory():
    decoder = Decoder()

    decoder.feed(prefix(MAX_FRAME_BYTES, 2, 1))

    assert b"".join(decoder._parts) == prefix(MAX_FRAME_BYTES, 2, 1)
