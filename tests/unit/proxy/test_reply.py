"""Answers as bytes."""

import pytest

from workbench.proxy.reply import (
    BodyFramer,
    Framing,
    Page,
    WrongLengthError,
    page_reply,
    render_head,
    render_whole,
)
from workbench.wire.messages import HttpReply

DATE = b"date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"


def reply(status=200, head=b"a: b\r\n"):
    return HttpReply(1, status, head, None, more=False)


def framer(status=200, length=None, *, is_head=False, is_http_10=False):
    return BodyFramer(status, length, is_head=is_head, is_http_10=is_http_10)


def framed(framer, *pieces):
    parts = [b"".join(framer.frame((piece,), len(piece))) for piece in pieces]
    return b"".join((*parts, *framer.end()))


def test_a_whole_answer():
    assert render_whole(reply(), b"body", "id", DATE) == (
        b"HTTP/1.1 200 OK\r\n"
        b"a: b\r\n"
        b"content-length: 4\r\n"
        b"x-request-id: id\r\n"
        b"date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
        b"\r\n"
        b"body"
    )


def test_a_body_may_be_a_view():
    assert render_whole(reply(), memoryview(b"body"), "id", b"").endswith(
        b"\r\n\r\nbody"
    )


def test_a_request_id_of_the_application_is_not_doubled():
    own = reply(head=b"x-request-id: own\r\n")

    assert render_whole(own, b"", "id", DATE).count(b"x-request-id") == 1


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (404, b"HTTP/1.1 404 Not Found"),
        (499, b"HTTP/1.1 499 Client Closed Request"),
        (777, b"HTTP/1.1 777 "),
        (100, b"HTTP/1.1 500 Internal Server Error"),
        (-1, b"HTTP/1.1 500 Internal Server Error"),
        (1000, b"HTTP/1.1 500 Internal Server Error"),
    ],
)
def test_status_lines(status, line):
    assert render_head(reply(status), b"", "id", b"").startswith(line + b"\r\n")


def test_a_page_is_text():
    page = page_reply(Page(404, "not here"))

    assert page.status == 404
    assert page.head == b"content-type: text/plain; charset=utf-8\r\n"


@pytest.mark.parametrize(
    ("framer", "framing", "line"),
    [
        (framer(), Framing.CHUNKED, b"transfer-encoding: chunked\r\n"),
        (framer(length=5), Framing.SIZED, b"content-length: 5\r\n"),
        (framer(is_http_10=True), Framing.UNTIL_CLOSE, b""),
        (framer(length=5, is_http_10=True), Framing.SIZED, b"content-length: 5\r\n"),
        (framer(is_head=True), Framing.NONE, b""),
        (framer(length=5, is_head=True), Framing.NONE, b"content-length: 5\r\n"),
        (framer(204, 5), Framing.NONE, b""),
        (framer(304, 5), Framing.NONE, b"content-length: 5\r\n"),
    ],
)
def test_how_the_end_of_a_body_is_told(framer, framing, line):
    assert (framer.framing, framer.line) == (framing, line)


def test_chunks():
    assert framed(framer(), b"abc", b"", b"x" * 16) == (
        b"3\r\nabc\r\n10\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n"
    )


def test_a_large_chunk_is_not_copied():
    large = b"x" * 100_000

    assert any(piece is large for piece in framer().frame((large,), len(large)))


def test_a_sized_body():
    assert framed(framer(length=5), b"abc", b"de") == b"abcde"


@pytest.mark.parametrize("body", [b"abcd", b"abcdef"])
def test_a_body_of_another_length_than_declared_is_an_error(body):
    with pytest.raises(WrongLengthError):
        framed(framer(length=5), body)


def test_a_body_until_close():
    assert framed(framer(is_http_10=True), b"abc", b"de") == b"abcde"
