"""The reader: bytes in, requests out, wherever the bytes are split."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.proxy.reader import RequestReader
from workbench.proxy.request import INLINE_BODY_BYTES
from workbench.spec.http import HTTPOptions

CONVERSATION = (
    b"GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nX-Empty:\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    b"\r\n"
    b"PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    b"GET /d HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    b"POST /f HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 4\r\n\r\nGET "
    b"POST /g HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nf\r\nGET /x HTTP/1.1\r\n0\r\n\r\n"
    b"HEAD /e HTTP/1.0\r\n\r\n"
)
HOST = (b"host", b"h")
UPGRADE = [(b"connection", b"Upgrade"), (b"upgrade", b"h2c")]


def read(*parts):
    reader = RequestReader()
    for part in parts:
        reader.feed(part)
    return reader


def read_one(head, body=b""):
    (request,) = read(head + b"\r\nHost: h\r\n\r\n" + body).requests
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
        ("POST", "/b", b"", [HOST, (b"content-length", b"3")], b"abc"),
        ("PUT", "/c", b"", [HOST, (b"transfer-encoding", b"chunked")], b"abcde"),
        ("GET", "/d", b"", [HOST, *UPGRADE], b""),
        ("POST", "/f", b"", [HOST, *UPGRADE, (b"content-length", b"4")], b"GET "),
        (
            "POST",
            "/g",
            b"",
            [HOST, *UPGRADE, (b"transfer-encoding", b"chunked")],
            b"GET /x HTTP/1.1",
        ),
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
    reader = read(
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + first
    )
    reader.feed(second)
    other = read(first, second)

    assert all(not each.is_complete or each.method for each in other.requests)


def test_requests_before_nonsense_are_kept_and_nothing_is_read_after_it():
    reader = read(
        b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nnonsense",
        b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
    )

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
    reader = read(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n", b"ab", b"cd"
    )
    (request,) = reader.requests

    assert (request.take_body(), request.is_complete) == (b"abcd", False)
    reader.feed(b"ef")
    assert (request.take_body(), request.is_complete) == (b"ef", True)
    assert request.take_body() == b""


def test_a_head_may_come_in_small_parts_up_to_the_limit():
    reader = read(b"GET / HTTP/1.1\r\nHost: h\r\n")
    for number in range(60):
        reader.feed(b"X-%d: " % number + b"x" * 1000 + b"\r\n")
    reader.feed(b"\r\n")
    assert reader.problem is None
    assert len(reader.requests) == 1


def test_many_small_requests_in_one_read_are_no_large_head():
    reader = read(
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 10_000 + b"GET /begun", b" HTTP/1.1\r\n"
    )

    assert reader.problem is None
    assert (len(reader.requests), reader.is_mid_head) == (10_000, True)


def test_the_end_of_a_long_body_is_not_counted_to_the_next_head():
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n"
    reader = read(head, b"x" * 200_000 + b"GET /next", b" HTTP/1.1\r\nHost: h\r\n\r\n")

    assert reader.problem is None
    assert [each.path for each in reader.requests] == ["/", "/next"]


CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = {
    "two lengths": b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "one length twice": b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of lengths": b"Content-Length: 1, 1\r\n\r\na",
    "a length with a sign": b"Content-Length: +1\r\n\r\na",
    "a negative length": b"Content-Length: -1\r\n\r\na",
    "a hexadecimal length": b"Content-Length: 0x1\r\n\r\na",
    "a length in two parts": b"Content-Length: 1 0\r\n\r\na",
    "an empty length": b"Content-Length: \r\n\r\na",
    "an endless length": b"Content-Length: " + b"9" * 30 + b"\r\n\r\na",
    "length, then chunks": b"Content-Length: 1\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks, then length": CHUNKED + b"Content-Length: 1\r\n\r\n0\r\n\r\n",
    "chunks twice": CHUNKED * 2 + b"\r\n0\r\n\r\n",
    "chunked, chunked": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "identity, then chunks": b"Transfer-Encoding: identity\r\n" + CHUNKED + b"\r\n",
    "chunks, then identity": CHUNKED + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding like chunked": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"A: b\r\n c\r\n\r\n",
    "a space before a header": b" A: b\r\n\r\n",
    "a bare line feed": b"A: b\nB: c\r\n\r\n",
    "a bare carriage return": b"A: b\rc\r\n\r\n",
    "an end without return": b"A: b\r\n\n",
    "NUL in a name": b"A\0: b\r\n\r\n",
    "NUL in a value": b"A: \0\r\n\r\n",
    "no name": b": b\r\n\r\n",
    "a name beyond ASCII": b"\xc3\xa9: b\r\n\r\n",
    "two hosts": b"Host: other\r\n\r\n",
    "a trailer that is a length": CHUNKED + b"\r\n0\r\nContent-Length: 4\r\n\r\n",
    "a trailer that is a coding": CHUNKED + b"\r\n0\r\n" + CHUNKED + b"\r\n",
    "a folded trailer": CHUNKED + b"\r\n0\r\nA: b\r\n c\r\n\r\n",
    "a chunk's size with 0x": CHUNKED + b"\r\n0x1\r\na\r\n0\r\n\r\n",
    "a chunk's size with a sign": CHUNKED + b"\r\n-1\r\na\r\n0\r\n\r\n",
    "a chunk's size with a space": CHUNKED + b"\r\n1 \r\na\r\n0\r\n\r\n",
    "a chunk without a size": CHUNKED + b"\r\n\r\na\r\n0\r\n\r\n",
    "an endless size": CHUNKED + b"\r\n" + b"1" * 20 + b"\r\na\r\n0\r\n\r\n",
    "a size and a bare line feed": CHUNKED + b"\r\n1\na\r\n0\r\n\r\n",
    "an extension and a bare line feed": CHUNKED + b"\r\n1;x\n\r\na\r\n0\r\n\r\n",
    "an extension and a bare return": CHUNKED + b"\r\n1;x\rx\r\na\r\n0\r\n\r\n",
    "a chunk and a bare line feed": CHUNKED + b"\r\n1\r\na\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"\r\n1\r\nab\r\n0\r\n\r\n",
    "a last chunk and a bare line feed": CHUNKED + b"\r\n1\r\na\r\n0\n\n",
}


@pytest.mark.parametrize("attempt", SMUGGLED.values(), ids=SMUGGLED)
def test_what_two_servers_could_read_differently_is_refused(attempt):
    reader = read(b"POST / HTTP/1.1\r\nHost: h\r\n" + attempt)

    assert reader.problem is not None
    assert reader.problem.status in {400, 501}
    assert not any(each.is_complete for each in reader.requests)


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/1.2",
        b"GET / http/1.1",
        b"GET /a b HTTP/1.1",
        b"GET /\0 HTTP/1.1",
        b"GET /\t HTTP/1.1",
        b"get / HTTP/1.1",
        b"PRI * HTTP/2.0",
    ],
)
def test_a_request_line_is_exact(line):
    assert read(line + b"\r\nHost: h\r\n\r\n").problem is not None


def test_http_11_needs_a_host_and_http_10_does_not():
    assert read(b"GET / HTTP/1.1\r\n\r\n").problem is not None
    assert read(b"GET / HTTP/1.0\r\n\r\n").problem is None


def test_an_offer_does_not_turn_a_body_into_a_request():
    body = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    reader = read(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert [b"".join(each.pieces) for each in reader.requests] == [body]


@pytest.mark.parametrize(
    ("limit", "head", "status"),
    [
        ({"max_url_bytes": 3}, b"GET /abc HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        ({"max_url_bytes": 3}, b"GET /abc", 414),
        ({"max_headers": 2}, b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n", 431),
        ({"max_header_bytes": 9}, b"GET / HTTP/1.1\r\nHost: hhhh\r\n\r\n", 431),
        (
            {"max_body_bytes": 2},
            b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n",
            413,
        ),
        (
            {"max_body_bytes": 2},
            b"PUT / HTTP/1.1\r\nHost: h\r\n" + CHUNKED + b"\r\n3\r\nabc",
            413,
        ),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_limits(limit, head, status, step):
    reader = RequestReader(HTTPOptions(**limit))
    for at in range(0, len(head), step):
        reader.feed(head[at : at + step])

    assert reader.problem is not None
    assert reader.problem.status == status


def test_what_is_just_within_the_limits_is_taken():
    options = HTTPOptions(
        max_url_bytes=4, max_headers=2, max_header_bytes=40, max_body_bytes=3
    )
    reader = RequestReader(options)
    reader.feed(b"PUT /abc HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")

    assert reader.problem is None
    assert reader.requests[0].is_complete
