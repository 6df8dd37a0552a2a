"""HTTP/1.1 as the proxy speaks it: real sockets, real uvicorn, a fake router."""

import json
import re
import shutil
import subprocess
import threading

import httpx
import pytest

from tests.integration.http_door import PATIENCE_S, ClosedError, running_server
from workbench.spec.http import HTTPOptions
from workbench.wire.messages import FailureKind

GET = b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n"
ECHO = b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"
MIB = 1024 * 1024


def post(body, *lines, path=b"/held"):
    """A POST with a content-length and further header lines."""
    size = b"Content-Length: %d" % len(body)
    head = b"\r\n".join((b"POST %b HTTP/1.1" % path, b"Host: h", size, *lines))
    return head + b"\r\n\r\n" + body


def send_what_fits(client, router, data):
    """Send until the server reads no more, however often it is given the time to."""
    client.socket.setblocking(False)
    sent = refusals = 0
    while sent < len(data) and refusals < 100:
        try:
            sent += client.socket.send(data[sent : sent + MIB])
        except BlockingIOError:
            refusals += 1
            router.settle()
    client.socket.settimeout(PATIENCE_S)
    return sent


@pytest.fixture(scope="module")
def shared_server():
    with running_server() as server:
        yield server


@pytest.fixture
def server(shared_server):
    """A server that no earlier test has left a call at."""
    assert shared_server.router.calls.empty()
    return shared_server


@pytest.fixture
def router(server):
    return server.router


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


class TestWhereRequestsGo:
    def test_unknown_path_is_404_and_says_where_to_look(self, client, server):
        answer = client.ask(b"GET /no%20where HTTP/1.1\r\nHost: h:1\r\n\r\n")

        assert answer.status == 404
        assert answer.body == (
            b"Path '/no where' not found. "
            b"Ping http://h:1/-/routes for available routes."
        )

    def test_health(self, client):
        answer = client.ask(b"GET /-/healthz HTTP/1.1\r\n\r\n")

        assert (answer.status, answer.body) == (200, b"success")

    def test_routes(self, client):
        answer = client.ask(b"GET /-/routes HTTP/1.1\r\n\r\n")

        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.body) == {"/held": "held", "/echo": "echo"}

    @pytest.mark.parametrize("path", [b"/held", b"/-/healthz", b"/-/routes"])
    def test_everything_is_503_before_the_first_table(self, path):
        with running_server() as server, server.client() as client:
            server.router.is_ready = False
            answer = client.ask(b"GET %b HTTP/1.1\r\n\r\n" % path)

            assert answer.status == 503
            assert b"has not received its routes yet" in answer.body

    def test_the_replica_learns_all_of_the_request(self, client, router):
        client.send(
            b"PUT /held/a%2Fb%20c/%C3%A9?x=1&y=%20 HTTP/1.1\r\n"
            b"Host: h\r\nX-Two: 1\r\nx-two: 2\r\n\r\n"
        )
        call = router.next_call()
        call.reply()
        client.read()
        message = call.message

        assert message.method == "PUT"
        assert message.path == "/held/a/b c/é"
        assert message.raw_path == b"/held/a%2Fb%20c/%C3%A9"
        assert message.query == b"x=1&y=%20"
        assert message.headers == [(b"host", b"h"), (b"x-two", b"1"), (b"x-two", b"2")]
        assert (message.root_path, message.scheme) == ("/held", "http")
        assert (message.http_version, message.more_body) == ("1.1", False)
        assert message.client == client.socket.getsockname()
        assert message.server == client.socket.getpeername()

    def test_a_root_path_stands_before_the_paths(self):
        options = HTTPOptions(root_path="/outer")
        with running_server(options) as server, server.client() as client:
            client.send(b"GET /held/x HTTP/1.1\r\n\r\n")
            call = server.router.next_call()
            call.reply()
            client.read()

            assert call.message.path == "/outer/held/x"
            assert call.message.raw_path == b"/outer/held/x"
            assert call.message.root_path == "/outer/held"

    def test_absolute_form_and_fragment_are_understood(self, client):
        answer = client.ask(b"GET http://other/echo/x?q#f HTTP/1.1\r\n\r\n")

        assert json.loads(answer.body)["path"] == "/echo/x"
        assert json.loads(answer.body)["query"] == "q"


class TestRequestIds:
    def test_a_given_id_travels_and_comes_back(self, client, router):
        client.send(b"GET /held HTTP/1.1\r\nX-Request-ID: my-id\r\n\r\n")
        call = router.next_call()
        call.reply()

        assert call.message.request_id == "my-id"
        assert client.read().headers["x-request-id"] == "my-id"

    @pytest.mark.parametrize("given", [b"", b"a b", b"\xe9", b"x" * 129])
    def test_an_unfit_id_is_replaced(self, client, given):
        answer = client.ask(b"GET /echo HTTP/1.1\r\nX-Request-ID: %b\r\n\r\n" % given)

        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])

    def test_every_answer_has_another_one(self, client):
        ids = {client.ask(ECHO).headers["x-request-id"] for _ in range(300)}

        assert len(ids) == 300

    def test_an_id_of_the_application_is_kept_as_the_only_one(self, client, router):
        client.send(GET)
        router.next_call().reply(head=b"x-request-id: own\r\n")

        assert client.read().headers["x-request-id"] == "own"


class TestConnections:
    def test_a_connection_is_used_again_and_again(self, client):
        for number in range(5):
            answer = client.ask(post(b"%d" % number, path=b"/echo"))
            assert json.loads(answer.body)["body"] == str(number)
            assert "connection" not in answer.headers
            assert re.fullmatch(r"\w{3}, \d\d .* GMT", answer.headers["date"])

    def test_it_closes_when_the_client_says_so(self, client):
        answer = client.ask(b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n")

        assert answer.headers["connection"] == "close"
        client.assert_closed()

    def test_bytes_after_a_closing_request_are_ignored(self, client):
        answer = client.ask(b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n" + b"x!")

        assert answer.status == 200
        client.assert_closed()

    def test_http_10_closes(self, client):
        answer = client.ask(b"GET /echo HTTP/1.0\r\n\r\n")

        assert answer.headers["connection"] == "close"
        client.assert_closed()

    def test_http_10_keeps_alive_on_demand(self, client):
        request = b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

        for _ in range(2):
            answer = client.ask(request)
            assert answer.headers["connection"] == "keep-alive"

    def test_bytes_may_come_one_by_one(self, client):
        request = post(b"body", path=b"/echo") + ECHO
        for at in range(len(request)):
            client.send(request[at : at + 1])

        assert json.loads(client.read().body)["body"] == "body"
        assert json.loads(client.read().body)["method"] == "GET"

    def test_an_idle_connection_is_closed(self):
        options = HTTPOptions(keep_alive_timeout_s=0.05)
        with running_server(options, beat_s=0.02) as server, server.client() as client:
            client.ask(ECHO)

            client.assert_closed()

    def test_a_request_that_takes_longer_is_not_idle(self):
        options = HTTPOptions(keep_alive_timeout_s=0.02)
        with running_server(options, beat_s=0.01) as server, server.client() as client:
            client.send(GET)
            call = server.router.next_call()
            with server.client() as other:  # idle for as long, and closed for it
                other.ask(ECHO)
                other.assert_closed()
            call.reply(body=b"late")

            assert client.read().body == b"late"

    @pytest.mark.parametrize(
        "begun",
        [b"GET /echo HTT", b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"],
        ids=["head", "body"],
    )
    def test_a_request_that_is_never_finished_is_closed(self, begun):
        with (
            running_server(beat_s=0.02, patience_s=0.05) as server,
            server.client() as client,
        ):
            client.send(begun)

            client.assert_closed()


class TestPipelining:
    def test_answers_come_in_order_one_call_at_a_time(self, client, router):
        client.send(b"".join(post(b"%d" % number) for number in range(3)))
        for number in range(3):
            call = router.next_call()
            assert call.body == b"%d" % number
            assert router.calls.empty()
            call.reply(body=b"answer %d" % number)

        answers = [client.read().body for _ in range(3)]
        assert answers == [b"answer 0", b"answer 1", b"answer 2"]

    def test_thousands_at_once_are_answered(self, client):
        client.send(ECHO * 3000)

        assert {client.read().status for _ in range(3000)} == {200}

    def test_pages_of_the_proxy_keep_their_place(self, client, router):
        client.send(
            GET + b"GET /-/healthz HTTP/1.1\r\n\r\n" + b"GET /no HTTP/1.1\r\n\r\n"
        )
        router.next_call().reply(201)

        assert [client.read().status for _ in range(3)] == [201, 200, 404]

    def test_nonsense_after_a_request_is_refused_in_its_turn(self, client, router):
        client.send(GET + b"nonsense\r\n\r\n")
        router.next_call().reply(201)

        assert client.read().status == 201
        assert client.read().status == 400
        client.assert_closed()

    def test_much_more_than_is_answered_is_not_read(self):
        requests = GET * (64 * MIB // len(GET))
        with running_server() as server, server.client() as client:
            assert send_what_fits(client, server.router, requests) < len(requests)

    def test_trailers_do_not_become_headers_of_the_next_request(self, client, router):
        chunked = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(chunked + b"0\r\nX-Sneaky: 1\r\n\r\n" + GET)
        assert client.read().status == 200
        call = router.next_call()
        call.reply()

        assert call.message.headers == [(b"host", b"h")]
        assert client.read().status == 200


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
            b"POST /held HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
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
        client.send(b"POST /held HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
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
        client.send(b"POST /held HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
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
        client.send(b"HEAD /held HTTP/1.1\r\n\r\n")
        router.next_call().reply(body=b"12345")
        answer = client.read("HEAD")
        assert answer.headers["content-length"] == "5"

        client.send(b"HEAD /held HTTP/1.1\r\n\r\n")
        router.next_call().reply(length=77)
        assert client.read("HEAD").headers["content-length"] == "77"
        assert client.ask(b"HEAD /no HTTP/1.1\r\n\r\n", "HEAD").status == 404
        assert client.ask(ECHO).status == 200

    def test_head_of_a_stream_ends_with_its_head_and_the_call(self, client, router):
        client.send(b"HEAD /held HTTP/1.1\r\n\r\n")
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
        for _ in range(64):
            call.chunk(b"x" * MIB)
        router.settle()
        assert call.credited < 32 * MIB

        for _ in range(64):
            client.read_until(b"x\r\n")
        call.wait_until(lambda call: call.credited == 64 * MIB)
        call.end()
        assert client.read_until(b"\r\n\r\n") == b"0\r\n\r\n"


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
            b"GET /held HTTP/1.1\r\nX-Request-ID: me\r\n"
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
        client.send(b"GET /held HTTP/1.1\r\nX-Request-Timeout-Seconds: 0.05\r\n\r\n")
        call = router.next_call()
        call.reply(body=b"abc", more=True)

        with pytest.raises(ClosedError):
            client.read()
        assert call.is_cancelled


MALFORMED = {
    "no method": b"/ HTTP/1.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": b"GET / HTTP/x\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "space in a name": b"GET / HTTP/1.1\r\nA B: c\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nA : c\r\n\r\n",
    "folded line": b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "control character": b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: h\n\n",
    "path beyond ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length beside chunks": (
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    "chunks beside a length": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"
    ),
    "length that is no number": b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


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
        client.send(b"POST /held HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        call = router.next_call()
        client.send(b"zz\r\n")

        assert client.read().status == 400
        client.assert_closed()
        assert call.is_cancelled

    def test_a_malformed_chunk_in_the_first_read_calls_nobody(self, client, router):
        client.send(b"POST /held HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

        assert client.read().status == 400
        client.assert_closed()
        assert router.calls.empty()

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 70_000),
            b"GET / HTTP/1.1\r\nA: %b\r\n\r\n" % (b"x" * 70_000),
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 12_000,
            b"GET / HTTP/1.1\r\nA: " + b"x" * 500_000,
        ],
        ids=["target", "value", "many", "endless"],
    )
    def test_too_large_a_head_is_431_and_closes(self, client, head):
        assert client.ask(head).status == 431
        client.assert_closed()

    def test_a_large_head_is_taken(self, client):
        answer = client.ask(b"GET /echo HTTP/1.1\r\nA: %b\r\n\r\n" % (b"x" * 60_000))

        assert answer.status == 200

    @pytest.mark.parametrize(
        "endless", [b"0\r\nA: " + b"x" * 500_000, b"1;" + b"x" * 500_000]
    )
    def test_endless_trailers_and_extensions_are_refused(self, client, router, endless):
        client.send(b"POST /held HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        call = router.next_call()
        client.send(endless)

        assert client.read().status == 431
        assert call.is_cancelled

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket", 501),
            (b"CONNECT h:1 HTTP/1.1", 501),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked", 501),
            (b"GET / HTTP/2.0", 505),
        ],
        ids=["websocket", "connect", "coding", "version"],
    )
    def test_what_is_not_spoken_is_said_so(self, client, lines, status):
        answer = client.ask(lines + b"\r\n\r\n")

        assert answer.status == status
        assert b"is not supported" in answer.body
        client.assert_closed()

    def test_an_offer_of_http_2_is_not_taken_up(self, client):
        offer = b"GET /echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
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


class TestRealClients:
    def test_httpx(self, server):
        def pieces():
            yield b"one "
            yield b"two"

        with httpx.Client(trust_env=False) as client:
            answers = [client.post(f"{server.url}/echo", content=pieces())] * 2

        assert [each.json()["body"] for each in answers] == ["one two", "one two"]

    @pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
    @pytest.mark.parametrize(
        "options",
        [
            [],
            ["--http1.0"],
            ["--header", "Transfer-Encoding: chunked"],
            ["--header", "Expect: 100-continue"],
        ],
        ids=["plain", "http/1.0", "chunked", "expect"],
    )
    def test_curl(self, server, options, tmp_path):
        upload = tmp_path / "upload"
        upload.write_bytes(b"x" * 3 * MIB)
        command = ["curl", "--silent", "--fail", *options, "--data-binary"]
        command += [f"@{upload}", f"{server.url}/echo"]
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)

        assert len(json.loads(done.stdout)["body"]) == 3 * MIB
