"""Requests as the proxy takes them: real sockets, real uvicorn, a fake router."""

import json
import re
import socket
import threading

import pytest

from tests.integration.proxy.door import (
    ECHO,
    GET,
    MIB,
    post,
    running_server,
    send_what_fits,
)
from workbench.spec.http import HTTPOptions


class TestWhereRequestsGo:
    def test_unknown_path_is_404_and_says_where_to_look(self, client, server):
        answer = client.ask(b"GET /no%20where HTTP/1.1\r\nHost: h:1\r\n\r\n")

        assert answer.status == 404
        assert answer.body == (
            b"Path '/no where' not found. "
            b"Ping http://h:1/-/routes for available routes."
        )

    def test_health(self, client):
        answer = client.ask(b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n")

        assert (answer.status, answer.body) == (200, b"success")

    def test_routes(self, client):
        answer = client.ask(b"GET /-/routes HTTP/1.1\r\nHost: h\r\n\r\n")

        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.body) == {"/held": "held", "/echo": "echo"}

    @pytest.mark.parametrize("path", [b"/held", b"/-/healthz", b"/-/routes"])
    def test_everything_is_503_before_the_first_table(self, path):
        with running_server() as server, server.client() as client:
            server.router.is_ready = False
            answer = client.ask(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path)

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
            client.send(b"GET /held/x HTTP/1.1\r\nHost: h\r\n\r\n")
            call = server.router.next_call()
            call.reply()
            client.read()

            assert call.message.path == "/outer/held/x"
            assert call.message.raw_path == b"/outer/held/x"
            assert call.message.root_path == "/outer/held"

    def test_a_proxy_in_front_says_for_whom_it_asks(self, client, router):
        client.send(
            b"GET /held HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n"
            b"X-Forwarded-Proto: https\r\n\r\n"
        )
        call = router.next_call()
        call.reply()
        client.read()

        assert call.message.client == ("1.2.3.4", 0)
        assert call.message.scheme == "https"

    def test_absolute_form_and_fragment_are_understood(self, client):
        answer = client.ask(b"GET http://other/echo/x?q#f HTTP/1.1\r\nHost: h\r\n\r\n")

        assert json.loads(answer.body)["path"] == "/echo/x"
        assert json.loads(answer.body)["query"] == "q"


class TestRequestIds:
    def test_a_given_id_travels_and_comes_back(self, client, router):
        client.send(b"GET /held HTTP/1.1\r\nHost: h\r\nX-Request-ID: my-id\r\n\r\n")
        call = router.next_call()
        call.reply()

        assert call.message.request_id == "my-id"
        assert client.read().headers["x-request-id"] == "my-id"

    @pytest.mark.parametrize("given", [b"", b"a b", b"\xe9", b"x" * 129])
    def test_an_unfit_id_is_replaced(self, client, given):
        answer = client.ask(
            b"GET /echo HTTP/1.1\r\nHost: h\r\nX-Request-ID: %b\r\n\r\n" % given
        )

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
        answer = client.ask(
            b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )

        assert answer.headers["connection"] == "close"
        client.assert_closed()

    def test_bytes_after_a_closing_request_are_ignored(self, client):
        answer = client.ask(
            b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + b"x!"
        )

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
        [
            b"GET /echo HTT",
            b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
        ],
        ids=["head", "body"],
    )
    def test_a_request_that_is_never_finished_is_408_and_closes(self, begun):
        options = HTTPOptions(header_timeout_s=0.05, body_timeout_s=0.05)
        with (
            running_server(options, beat_s=0.02) as server,
            server.client() as client,
        ):
            client.send(begun)

            assert client.read().status == 408
            client.assert_closed()

    def test_a_client_that_says_nothing_is_closed(self):
        options = HTTPOptions(header_timeout_s=0.05)
        with (
            running_server(options, beat_s=0.02) as server,
            server.client() as client,
        ):
            client.assert_closed()

    def test_a_body_that_stops_coming_ends_its_call(self):
        options = HTTPOptions(body_timeout_s=0.05)
        with (
            running_server(options, beat_s=0.02) as server,
            server.client() as client,
        ):
            client.send(post(bytes(MIB))[: MIB // 2])
            call = server.router.next_call()
            call.wait_until(lambda call: len(call.body) > MIB // 4)
            call.use_body(len(call.body))

            assert client.read().status == 408
            client.assert_closed()
            call.wait_until(lambda call: call.is_cancelled)

    def test_a_replica_that_reads_slowly_is_no_fault_of_the_client(self):
        options = HTTPOptions(body_timeout_s=0.02, keep_alive_timeout_s=0.02)
        with (
            running_server(options, beat_s=0.01) as server,
            server.client() as client,
        ):
            body = bytes(8 * MIB)
            sending = threading.Thread(target=client.send, args=(post(body),))
            sending.start()
            call = server.router.next_call()
            with server.client() as other:  # idle for as long, and closed for it
                other.ask(ECHO)
                other.assert_closed()
            call.use_body(len(body))
            call.wait_until(lambda call: call.is_complete)
            call.reply(body=b"all")

            assert client.read().body == b"all"
            sending.join()

    def test_half_a_close_is_a_close(self, client, router):
        client.send(GET)
        call = router.next_call()
        client.socket.shutdown(socket.SHUT_WR)

        call.wait_until(lambda call: call.is_cancelled)
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
            GET
            + b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n"
            + b"GET /no HTTP/1.1\r\nHost: h\r\n\r\n"
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
        chunked = (
            b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        client.send(chunked + b"0\r\nX-Sneaky: 1\r\n\r\n" + GET)
        assert client.read().status == 200
        call = router.next_call()
        call.reply()

        assert call.message.headers == [(b"host", b"h")]
        assert client.read().status == 200
