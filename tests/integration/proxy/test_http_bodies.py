"""Bodies both ways: in one piece, streamed, held back."""

import threading

import pytest

from tests.integration.proxy.door import ECHO, GET, MIB, post, send_what_fits
from workbench.wire.messages import FailureKind


class TestBodies:
    def test_a_small_body_travels_inline_even_in_two_parts(self, client, router):
        request = post(b"x" * 60_000)
        client.send(request[:1000])
        client.send(request[1000:])
        call = router.next_call()
        call.reply()

        assert (call.message.more_body, len(call.body)) == (False, 60_000)
        assert client.read().status == 200

    def test_a_chunked_body_that_comes_whole_travels_inline(self, client, router):
        client.send(
            b"POST /held HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        call = router.next_call()
        call.reply()

        assert (call.message.more_body, bytes(call.body)) == (False, b"abcde")
        assert client.read().status == 200

    def test_a_long_body_begins_to_travel_before_it_ends(self, client, router):
        body = b"x" * 200_000
        request = post(body)
        client.send(request[:50_000])
        call = router.next_call()
        assert call.message.more_body
        client.send(request[50_000:])
        call.wait_until(lambda call: call.is_complete)
        call.reply()

        assert call.body == body
        assert client.read().status == 200

    def test_chunks_travel_as_they_come(self, client, router):
        client.send(
            b"POST /held HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        call = router.next_call()
        client.send(b"3\r\nabc\r\n")
        call.wait_until(lambda call: call.body == b"abc")
        client.send(b"2\r\nde\r\n0\r\n\r\n")
        call.wait_until(lambda call: call.is_complete)
        call.reply(body=bytes(call.body))

        assert client.read().body == b"abcde"
        assert client.ask(ECHO).status == 200

    def test_no_more_is_read_than_the_replica_takes(self, client, router):
        size = 64 * MIB
        client.send(
            b"POST /held HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size
        )
        call = router.next_call()
        sent = send_what_fits(client, router, b"x" * size)
        assert sent < size
        assert MIB <= len(call.body) < 2 * MIB

        rest = threading.Thread(target=client.send, args=(b"x" * (size - sent),))
        rest.start()
        used = 0
        while not call.is_complete:
            call.wait_until(lambda call: call.is_complete or len(call.body) > used)  # noqa: B023
            assert len(call.body) - used < 2 * MIB
            call.use_body(len(call.body) - used)
            used = len(call.body)
        rest.join()
        call.reply(201)

        assert len(call.body) == size
        assert client.read().status == 201

    def test_an_answer_may_come_before_the_body_and_the_connection_lives(
        self, client, router
    ):
        request = post(b"x" * 200_000)
        client.send(request[:50_000])
        router.next_call().reply(413, b"too much")
        assert client.read().status == 413
        client.send(request[50_000:] + ECHO)

        assert client.read().status == 200

    def test_an_unknown_path_does_not_end_the_connection_under_an_upload(self, client):
        request = post(b"x" * 300_000, path=b"/no")
        client.send(request)

        assert client.read().status == 404
        assert client.ask(ECHO).status == 200


class TestExpectContinue:
    def test_a_small_body_is_asked_for_and_waited_for(self, client, router):
        request = post(b"body", b"Expect: 100-continue")
        client.send(request[:-4])
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        call = router.next_call()
        call.reply()

        assert (bytes(call.body), call.message.more_body) == (b"body", False)
        assert client.read().status == 200

    def test_a_long_body_is_asked_for_once_it_has_a_place_to_go(self, client, router):
        request = post(b"x" * 100_000, b"Expect: 100-continue")
        client.send(request[:-100_000])
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        call = router.next_call()
        client.send(request[-100_000:])
        call.wait_until(lambda call: call.is_complete)
        call.reply()

        assert client.read().status == 200
        assert client.ask(ECHO).status == 200

    def test_a_body_with_no_place_to_go_is_not_asked_for(self, client):
        request = post(b"x" * 100_000, b"Expect: 100-continue", path=b"/no")
        answer = client.ask(request[:-100_000])

        assert (answer.status, answer.headers["connection"]) == (404, "close")
        client.assert_closed()

    def test_a_body_that_comes_unasked_is_not_asked_for(self, client):
        request = post(b"body", b"Expect: 100-continue", path=b"/echo")

        assert client.ask(request).status == 200


class TestAnswers:
    def test_content_length_date_and_connection_are_the_proxys(self, client, router):
        client.send(GET)
        router.next_call().reply(418, b"teapot", head=b"x-own: 1\r\n")
        answer = client.read()

        assert (answer.status, answer.body) == (418, b"teapot")
        assert set(answer.headers) == {
            "x-own",
            "content-length",
            "x-request-id",
            "date",
        }

    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 5 * MIB])
    def test_bodies_of_any_size(self, client, router, size):
        client.send(GET)
        router.next_call().reply(body=b"x" * size)
        answer = client.read()

        assert (answer.headers["content-length"], len(answer.body)) == (str(size), size)

    def test_head_has_the_length_and_no_body(self, client, router):
        client.send(b"HEAD /held HTTP/1.1\r\nHost: h\r\n\r\n")
        router.next_call().reply(body=b"12345")
        answer = client.read("HEAD")
        assert answer.headers["content-length"] == "5"

        client.send(b"HEAD /held HTTP/1.1\r\nHost: h\r\n\r\n")
        router.next_call().reply(length=77)
        assert client.read("HEAD").headers["content-length"] == "77"
        assert client.ask(b"HEAD /no HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD").status == 404
        assert client.ask(ECHO).status == 200

    def test_head_of_a_stream_ends_with_its_head_and_the_call(self, client, router):
        client.send(b"HEAD /held HTTP/1.1\r\nHost: h\r\n\r\n")
        call = router.next_call()
        call.reply(body=b"first", more=True)

        assert client.read("HEAD").status == 200
        call.wait_until(lambda call: call.is_cancelled)
        assert client.ask(ECHO).status == 200

    @pytest.mark.parametrize("status", [204, 304])
    def test_statuses_without_a_body_have_none(self, client, router, status):
        client.send(GET)
        router.next_call().reply(status, b"ignored")
        answer = client.read()

        assert answer.status == status
        assert "content-length" not in answer.headers
        assert client.ask(ECHO).status == 200

    def test_a_status_that_is_none_becomes_500(self, client, router):
        client.send(GET)
        router.next_call().reply(100, b"x")

        assert client.read().status == 500


class TestStreams:
    def test_every_chunk_comes_at_once(self, client, router):
        client.send(GET)
        call = router.next_call()
        call.reply(head=b"x-own: 1\r\n", body=b"one", more=True)
        assert b"transfer-encoding: chunked" in client.read_until(b"\r\n\r\n")
        assert client.read_until(b"one\r\n") == b"3\r\none\r\n"
        call.chunk(b"twelve bytes")
        assert client.read_until(b"bytes\r\n") == b"c\r\ntwelve bytes\r\n"
        call.chunk(b"")
        call.end()

        assert client.read_until(b"\r\n\r\n") == b"0\r\n\r\n"
        assert client.ask(ECHO).status == 200

    def test_a_declared_length_is_used(self, client, router):
        client.send(GET)
        call = router.next_call()
        call.reply(length=6, more=True)
        call.chunk(b"abc")
        call.chunk(b"def")
        call.end()
        answer = client.read()

        assert (answer.headers["content-length"], answer.body) == ("6", b"abcdef")
        assert client.ask(ECHO).status == 200

    @pytest.mark.parametrize("body", [b"abc", b"abcdefg"], ids=["short", "long"])
    def test_a_body_of_another_length_than_declared_is_cut(self, client, router, body):
        client.send(GET)
        call = router.next_call()
        call.reply(length=6, more=True)
        call.chunk(body)
        call.end()

        client.read_until(b"\r\n\r\n")
        assert len(client.read_rest()) < 6

    def test_http_10_gets_a_stream_that_ends_with_the_connection(self, client, router):
        client.send(b"GET /held HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        call = router.next_call()
        call.reply(more=True)
        call.chunk(b"abc")
        call.end()
        answer = client.read()

        assert (answer.headers["connection"], answer.body) == ("close", b"abc")
        assert "transfer-encoding" not in answer.headers

    def test_an_http_10_stream_that_breaks_ends_with_a_reset(self, client, router):
        client.send(b"GET /held HTTP/1.0\r\n\r\n")
        call = router.next_call()
        call.reply(more=True, body=b"abc")
        client.read_until(b"abc")
        call.fail(FailureKind.REPLICA_LOST)

        with pytest.raises(ConnectionResetError):
            client.socket.recv(1)

    def test_a_client_that_reads_gives_credit(self, client, router):
        client.send(GET)
        call = router.next_call()
        call.reply(more=True)
        client.read_until(b"\r\n\r\n")
        for _ in range(10):
            call.chunk(b"x" * 50_000)
            client.read_until(b"x\r\n")

        call.wait_until(lambda call: call.credited == 500_000)

    def test_a_client_that_does_not_read_holds_credit_back(self, client, router):
        client.send(GET)
        call = router.next_call()
        call.reply(more=True)
        client.read_until(b"\r\n\r\n")
        for _ in range(32):
            call.chunk(b"x" * MIB)
        router.settle()
        assert call.credited < 16 * MIB

        for _ in range(32):
            client.read_until(b"x\r\n")
        call.wait_until(lambda call: call.credited == 32 * MIB)
        call.end()
        assert client.read_until(b"\r\n\r\n") == b"0\r\n\r\n"
