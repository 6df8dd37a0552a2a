"""Requests that do not end well: failed, late, malformed, cut by a stop."""

import re

import pytest

from tests.integration.proxy.door import ECHO, GET, ClosedError, post, running_server
from workbench.spec.http import HTTPOptions
from workbench.wire.messages import FailureKind

MALFORMED = {
    "no method": b"/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": b"GET / HTTP/x\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "space in a name": b"GET / HTTP/1.1\r\nHost: h\r\nA B: c\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost: h\r\nA : c\r\n\r\n",
    "folded line": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
    "control character": b"GET / HTTP/1.1\r\nHost: h\r\nA: \x00\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: h\n\n",
    "path beyond ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length beside chunks": (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    "chunks beside a length": (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"
    ),
    "length that is no number": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


class TestFailures:
    @pytest.mark.parametrize(
        ("kind", "status", "text"),
        [
            (FailureKind.USER, 500, "Internal Server Error"),
            (FailureKind.UNREADABLE, 500, "Internal Server Error"),
            (FailureKind.NO_SUCH_METHOD, 500, "Internal Server Error"),
            (FailureKind.REPLICA_LOST, 500, "Internal Server Error: the replica"),
            (FailureKind.UNAVAILABLE, 503, "why"),
            (FailureKind.QUEUE_FULL, 503, "why"),
            (FailureKind.CANCELLED, 499, "why"),
        ],
    )
    def test_each_kind_has_its_status(self, client, router, kind, status, text):
        client.send(GET)
        router.next_call().fail(kind)
        answer = client.read()

        assert answer.status == status
        assert answer.body.decode().startswith(text)
        assert b"secret" not in answer.body
        assert client.ask(ECHO).status == 200

    def test_after_the_first_byte_the_connection_is_cut(self, client, router):
        client.send(GET)
        call = router.next_call()
        call.reply(body=b"abc", more=True)
        call.fail(FailureKind.REPLICA_LOST)

        with pytest.raises(ClosedError):
            client.read()

    def test_a_client_that_leaves_cancels_its_call(self, client, router):
        client.send(GET)
        call = router.next_call()
        client.socket.close()

        call.wait_until(lambda call: call.is_cancelled)

    def test_a_client_that_leaves_a_stream_cancels_its_call(self, client, router):
        client.send(GET)
        call = router.next_call()
        call.reply(body=b"abc", more=True)
        client.read_until(b"abc")
        client.socket.close()

        call.wait_until(lambda call: call.is_cancelled)

    def test_a_client_that_leaves_during_its_upload_cancels_its_call(
        self, client, router
    ):
        client.send(post(b"x" * 200_000)[:100_000])
        call = router.next_call()
        client.socket.close()

        call.wait_until(lambda call: call.is_cancelled)


class TestTimeouts:
    def test_by_header(self, client, router):
        client.send(
            b"GET /held HTTP/1.1\r\nHost: h\r\nX-Request-ID: me\r\n"
            b"X-Request-Timeout-Seconds: 0.05\r\n\r\n"
        )
        call = router.next_call()
        answer = client.read()

        assert answer.status == 408
        assert answer.body == b"Request me timed out after 0.05s."
        assert call.is_cancelled
        assert client.ask(ECHO).status == 200

    def test_by_option(self):
        options = HTTPOptions(request_timeout_s=0.05)
        with running_server(options) as server, server.client() as client:
            assert client.ask(GET).status == 408
            assert server.router.next_call().is_cancelled

    def test_a_stream_is_cut(self, client, router):
        client.send(
            b"GET /held HTTP/1.1\r\nHost: h\r\nX-Request-Timeout-Seconds: 0.05\r\n\r\n"
        )
        call = router.next_call()
        call.reply(body=b"abc", more=True)

        with pytest.raises(ClosedError):
            client.read()
        assert call.is_cancelled


class TestRefusals:
    @pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
    def test_malformed_input_is_400_and_closes(self, client, router, request_):
        answer = client.ask(request_)

        assert answer.status == 400
        assert answer.body.startswith(b"Malformed request: ")
        assert answer.headers["connection"] == "close"
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
        client.assert_closed()
        assert router.calls.empty()

    def test_a_malformed_chunk_withdraws_the_call(self, client, router):
        client.send(
            b"POST /held HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        call = router.next_call()
        client.send(b"zz\r\n")

        assert client.read().status == 400
        client.assert_closed()
        assert call.is_cancelled

    def test_a_malformed_chunk_in_the_first_read_calls_nobody(self, client, router):
        client.send(
            b"POST /held HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        )

        assert client.read().status == 400
        client.assert_closed()
        assert router.calls.empty()

    @pytest.mark.parametrize(
        "head",
        [
            b"GET / HTTP/1.1\r\nHost: h\r\nA: %b\r\n\r\n" % (b"x" * 70_000),
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 12_000,
            b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 500_000,
        ],
        ids=["value", "many", "endless"],
    )
    def test_too_large_a_head_is_431_and_closes(self, client, head):
        assert client.ask(head).status == 431
        client.assert_closed()

    def test_too_long_a_path_is_414_and_closes(self, client):
        target = b"/%b" % (b"x" * 20_000)
        answer = client.ask(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target)

        assert answer.status == 414
        client.assert_closed()

    @pytest.mark.parametrize(
        "head",
        [b"Content-Length: 11\r\nExpect: 100-continue", b"Transfer-Encoding: chunked"],
    )
    def test_too_long_a_body_is_413_and_closes(self, head):
        options = HTTPOptions(max_body_bytes=10)
        with running_server(options) as server, server.client() as client:
            assert client.ask(post(bytes(10), path=b"/echo")).status == 200
            client.send(b"POST /held HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n" % head)
            if head.startswith(b"T"):
                client.send(b"a\r\n0123456789\r\n")
                call = server.router.next_call()
                call.wait_until(lambda call: len(call.body) == 10)
                client.send(b"1\r\na\r\n")
                call.wait_until(lambda call: call.is_cancelled)

            assert client.read().status == 413
            client.assert_closed()

    def test_a_large_head_is_taken(self, client):
        answer = client.ask(
            b"GET /echo HTTP/1.1\r\nHost: h\r\nA: %b\r\n\r\n" % (b"x" * 60_000)
        )

        assert answer.status == 200

    @pytest.mark.parametrize(
        "endless", [b"0\r\nA: " + b"x" * 500_000, b"1;" + b"x" * 500_000]
    )
    def test_endless_trailers_and_extensions_are_refused(self, client, router, endless):
        client.send(
            b"POST /held HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        call = router.next_call()
        client.send(endless)

        assert client.read().status == 431
        assert call.is_cancelled

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            (b"CONNECT h:1 HTTP/1.1", 501),
            (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked", 501),
            (b"GET / HTTP/2.0", 505),
        ],
        ids=["connect", "coding", "version"],
    )
    def test_what_is_not_spoken_is_said_so(self, client, lines, status):
        answer = client.ask(lines + b"\r\n\r\n")

        assert answer.status == status
        assert b"is not supported" in answer.body
        client.assert_closed()

    def test_an_offer_of_http_2_is_not_taken_up(self, client):
        offer = b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        client.send(offer * 2 + ECHO)

        assert [client.read().status for _ in range(3)] == [200, 200, 200]


class TestGracefulStop:
    def test_idle_connections_close_and_running_requests_finish(self):
        with running_server() as server:
            idle, busy = server.client(), server.client()
            with idle, busy:
                idle.ask(ECHO)
                busy.send(GET)
                call = server.router.next_call()
                closing = server.begin_closing()
                idle.assert_closed()
                call.reply(body=b"done")
                answer = busy.read()

                assert (answer.body, answer.headers["connection"]) == (b"done", "close")
                busy.assert_closed()
                closing.result(10)
                with pytest.raises(ConnectionRefusedError):
                    server.client()

    def test_what_does_not_finish_is_cut(self):
        with running_server() as server, server.client() as client:
            client.send(GET)
            call = server.router.next_call()
            server.begin_closing().result(10)

            client.assert_closed()
            call.wait_until(lambda call: call.is_cancelled)
