"""The reader: bytes in, requests out, wherever the bytes are split."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.proxy.request import INLINE_BODY_BYTES, RequestReader

CONVERSATION = (
    b"GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nX-Empty:\r\n\r\n"
    b"POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    b"\r\n"
    b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    b"GET /d HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    b"HEAD /e HTTP/1.0\r\n\r\n"
)


def read(*parts):
    reader = RequestReader()
    for part in parts:
        reader.feed(part)
    return reader


def read_one(head, body=b""):
    (request,) = read(head + b"\r\n\r\n" + body).requests
    return request


def facts(reader):
    return [
        (each.method, each.path, each.query, each.headers, b"".join(each.pieces))
        for each in reader.requests
        if each.is_complete
    ]


def test_a_conversation_is_read():
    assert facts(read(CONVERSATION)) == [
        ("GET", "/a b", b"x=1", [(b"host", b"h"), (b"x-empty", b"")], b""),
        ("POST", "/b", b"", [(b"content-length", b"3")], b"abc"),
        ("PUT", "/c", b"", [(b"transfer-encoding", b"chunked")], b"abcde"),
        ("GET", "/d", b"", [(b"connection", b"Upgrade"), (b"upgrade", b"h2c")], b""),
        ("HEAD", "/e", b"", [], b""),
    ]


@pytest.mark.parametrize("at", range(1, len(CONVERSATION)))
def test_it_is_read_the_same_when_split_anywhere(at):
    split = read(CONVERSATION[:at], CONVERSATION[at:])

    assert split.problem is None
    assert facts(split) == facts(read(CONVERSATION))


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12).map(sorted))
def test_it_is_read_the_same_in_any_pieces(cuts):
    edges = [0, *cuts, len(CONVERSATION)]
    parts = [CONVERSATION[start:end] for start, end in itertools.pairwise(edges)]

    assert facts(read(*parts)) == facts(read(CONVERSATION))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_garbage_never_raises(first, second):
    reader = read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + first)
    reader.feed(second)
    other = read(first, second)

    assert all(not each.is_complete or each.method for each in other.requests)


def test_requests_before_nonsense_are_kept_and_nothing_is_read_after_it():
    reader = read(b"GET /1 HTTP/1.1\r\n\r\nnonsense", b"GET /2 HTTP/1.1\r\n\r\n")

    assert [each.path for each in reader.requests] == ["/1"]
    assert reader.problem is not None
    assert reader.problem.status == 400


@pytest.mark.parametrize(
    ("line", "keeps_alive"),
    [
        (b"GET / HTTP/1.1", True),
        (b"GET / HTTP/1.1\r\nConnection: close", False),
        (b"GET / HTTP/1.0", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", True),
    ],
)
def test_whether_the_connection_goes_on(line, keeps_alive):
    assert read_one(line).keeps_alive == keeps_alive


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/a/%C3%A9", "/a/é", b"/a/%C3%A9", b""),
        (b"/a/%ff", "/a/\ufffd", b"/a/%ff", b""),
        (b"/a?b?c", "/a", b"/a", b"b?c"),
        (b"/a#b?c", "/a", b"/a", b""),
        (b"//a", "//a", b"//a", b""),
        (b"http://h:1/a?b", "/a", b"/a", b"b"),
        (b"http://h?b", "/", b"/", b"b"),
        (b"*", "*", b"*", b""),
    ],
)
def test_targets(target, path, raw_path, query):
    request = read_one(b"OPTIONS " + target + b" HTTP/1.1")

    assert (request.path, request.raw_path, request.query) == (path, raw_path, query)


@pytest.mark.parametrize(
    ("given_text", "default", "expected"),
    [
        (None, None, None),
        (None, 5.0, 5.0),
        (None, 0.0, None),
        (b"2.5", None, 2.5),
        (b"2.5", 5.0, 2.5),
        (b"0", 5.0, None),
        (b"-1", 5.0, None),
        (b"inf", 5.0, None),
        (b"soon", 5.0, 5.0),
        (b"nan", 5.0, 5.0),
    ],
)
def test_timeouts(given_text, default, expected):
    line = b"" if given_text is None else b"\r\nX-Request-Timeout-Seconds: "
    request = read_one(b"GET / HTTP/1.1" + line + (given_text or b""))

    assert request.timeout_s(default) == expected


@pytest.mark.parametrize(
    ("line", "is_streamed"),
    [
        (b"Content-Length: %d" % INLINE_BODY_BYTES, False),
        (b"Content-Length: %d" % (INLINE_BODY_BYTES + 1), True),
        (b"Transfer-Encoding: chunked", True),
    ],
)
def test_long_bodies_and_those_of_unknown_length_are_streamed(line, is_streamed):
    assert read_one(b"POST / HTTP/1.1\r\n" + line).is_streamed == is_streamed


def test_continue_is_taken_once():
    head = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-Continue"
    request = read_one(head)

    assert request.is_held_back
    assert request.take_continue()
    assert not request.take_continue()
    assert not request.is_held_back


@pytest.mark.parametrize(
    ("version", "body"), [(b"1.0", b""), (b"1.1", b"a"), (b"1.1", b"abc")]
)
def test_continue_is_not_due_in_http_10_or_once_the_body_comes(version, body):
    head = b"POST / HTTP/%b\r\nContent-Length: 3\r\nExpect: 100-continue" % version

    assert not read_one(head, body).take_continue()


def test_the_body_is_taken_as_it_comes():
    reader = read(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n", b"ab", b"cd")
    (request,) = reader.requests

    assert (request.take_body(), request.is_complete) == (b"abcd", False)
    reader.feed(b"ef")
    assert (request.take_body(), request.is_complete) == (b"ef", True)
    assert request.take_body() == b""


def test_a_head_may_come_in_small_parts_up_to_the_limit():
    reader = read(b"GET / HTTP/1.1\r\n")
    for number in range(60):
        reader.feed(b"X-%d: " % number + b"x" * 1000 + b"\r\n")
    reader.feed(b"\r\n")
    assert reader.problem is None
    assert len(reader.requests) == 1


def test_many_small_requests_in_one_read_are_no_large_head():
    reader = read(b"GET / HTTP/1.1\r\n\r\n" * 10_000 + b"GET /begun", b" HTTP/1.1\r\n")

    assert reader.problem is None
    assert (len(reader.requests), reader.is_mid_head) == (10_000, True)


def test_the_end_of_a_long_body_is_not_counted_to_the_next_head():
    head = b"POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"
    reader = read(head, b"x" * 200_000 + b"GET /next", b" HTTP/1.1\r\n\r\n")

    assert reader.problem is None
    assert [each.path for each in reader.requests] == ["/", "/next"]
