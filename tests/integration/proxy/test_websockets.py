"""WebSockets as the proxy speaks them: a real client, a router that tests drive."""

import contextlib
import threading

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.integration.proxy.door import (
    ECHO,
    MIB,
    PATIENCE_S,
    running_server,
    send_what_fits,
)
from workbench.spec.http import HTTPOptions
from workbench.wire.messages import FailureKind

HANDSHAKE = (
    b"GET /held HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
# An empty ping and a short text, with a mask of zeros.
PING = b"\x89\x80\0\0\0\0"
HELLO = b"\x81\x85\0\0\0\0hello"


@contextlib.contextmanager
def opened(server, path="/held", head=b"", **options):
    """A client whose WebSocket was accepted, and the call behind it."""
    options.setdefault("compression", None)
    url = f"ws://127.0.0.1:{server.port}{path}"
    calls = []

    def accept():
        calls.append(server.router.next_call())
        calls[0].accept(head)

    accepting = threading.Thread(target=accept)
    accepting.start()
    with connect(url, open_timeout=PATIENCE_S, proxy=None, **options) as client:
        accepting.join(PATIENCE_S)
        yield client, calls[0]


def refused(server, answer):
    """What a client gets whose WebSocket is turned down by `answer(call)`."""

    def turn_down():
        answer(server.router.next_call())

    answering = threading.Thread(target=turn_down)
    answering.start()
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"ws://127.0.0.1:{server.port}/held", proxy=None)
    answering.join(PATIENCE_S)
    return refusal.value.response


class TestOpening:
    def test_the_replica_learns_all_of_the_request(self, server):
        with opened(
            server,
            "/held/a?b=c",
            subprotocols=["one", "two"],
            additional_headers={"X-Own": "1"},
        ) as (_, call):
            message = call.message

            assert (message.path, message.query) == ("/held/a", b"b=c")
            assert message.subprotocols == ["one", "two"]
            assert (b"x-own", b"1") in message.headers
            assert message.root_path == "/held"

    def test_headers_and_subprotocol_of_the_application_come_back(self, server):
        head = b"x-own: 1\r\nsec-websocket-protocol: two\r\n"
        with opened(server, head=head, subprotocols=["one", "two"]) as (client, _):
            assert client.subprotocol == "two"
            assert client.response.headers["x-own"] == "1"
            assert "x-request-id" in client.response.headers

    def test_a_replica_may_answer_it_as_a_request(self, server):
        response = refused(server, lambda call: call.reply(403, b"no"))

        assert (response.status_code, response.body) == (403, b"no")

    def test_a_failure_before_it_opens_is_a_page(self, server):
        response = refused(server, lambda call: call.fail(FailureKind.QUEUE_FULL))

        assert (response.status_code, response.body) == (503, b"why")

    def test_an_unknown_path_is_404(self, server):
        with pytest.raises(InvalidStatus) as refusal:
            connect(f"ws://127.0.0.1:{server.port}/nowhere", proxy=None)

        assert refusal.value.response.status_code == 404

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ((b"GET", b"PUT"), 405),
            ((b"Version: 13", b"Version: 8"), 426),
            ((b"AAAA==", b""), 400),
            ((b"Host: h", b"Host: h\r\nContent-Length: 1"), 400),
            ((b"Host: h", b"Host: h\r\nSec-WebSocket-Extensions: ,;="), 101),
        ],
    )
    def test_what_is_no_handshake_is_said_so(self, server, client, change, status):
        client.send(HANDSHAKE.replace(*change) + b"\r\n")
        if status == 101:  # nobody asked for compression, nobody reads what it says
            server.router.next_call().accept()

        assert int(client.read_until(b"\r\n").split()[1]) == status

    def test_frames_may_follow_the_handshake_at_once(self, server, client):
        client.send(HANDSHAKE + b"\r\n" + HELLO)
        call = server.router.next_call()
        call.accept()

        assert call.next_message() == "hello"

    def test_a_client_that_leaves_before_it_opens_cancels_the_call(
        self, server, client
    ):
        client.send(HANDSHAKE + b"\r\n")
        call = server.router.next_call()
        client.socket.close()

        call.wait_until(lambda call: call.is_cancelled)

    def test_a_timeout_is_about_the_opening_only(self):
        options = HTTPOptions(request_timeout_s=0.05)
        with running_server(options) as server:
            with pytest.raises(InvalidStatus) as refusal:
                connect(f"ws://127.0.0.1:{server.port}/held", proxy=None)
            assert refusal.value.response.status_code == 408
            server.router.next_call()
        with running_server(HTTPOptions(request_timeout_s=5)) as server:  # noqa: SIM117
            with opened(server) as (_, call):
                assert call.message.extras.timeout_s is None

    def test_an_application_may_take_its_time_to_accept(self):
        options = HTTPOptions(body_timeout_s=0.02, keep_alive_timeout_s=0.02)
        with (
            running_server(options, beat_s=0.01) as server,
            server.client() as client,
        ):
            client.send(HANDSHAKE + b"\r\n" + HELLO[:3])
            call = server.router.next_call()
            client.send(HELLO[3:])
            with server.client() as other:  # idle for as long, and closed for it
                other.ask(ECHO)
                other.assert_closed()
            call.accept()

            assert call.next_message() == "hello"

    def test_what_comes_before_it_opens_is_held_back(self, server, client):
        client.send(HANDSHAKE + b"\r\n")
        server.router.next_call()
        everything = HELLO * (64 * MIB // len(HELLO))

        assert send_what_fits(client, server.router, everything) < len(everything)

    def test_requests_before_it_are_answered_first(self, server, client):
        client.send(ECHO + HANDSHAKE + b"\r\n" + HELLO)
        assert client.read().status == 200
        call = server.router.next_call()
        call.accept()

        assert call.next_message() == "hello"


class TestMessages:
    @pytest.mark.parametrize("message", ["ä€", b"\0\xff", "", b"", "x" * MIB])
    def test_both_ways(self, server, message):
        with opened(server) as (client, call):
            client.send(message)
            assert call.next_message() == message
            call.part(message)
            assert client.recv() == message

    def test_fragments_are_one_message(self, server):
        with opened(server) as (client, call):
            client.send(iter(["a", "b", "", "c"]))
            assert call.next_message() == "abc"
            for piece in ("d", "e"):
                call.part(piece, more=True)
            call.part("f")

            assert client.recv() == "def"

    def test_compression_if_both_want_it(self):
        with running_server(HTTPOptions(websocket_compression=True)) as server:  # noqa: SIM117
            with opened(server, compression="deflate") as (client, call):
                assert (
                    "permessage-deflate"
                    in client.response.headers["sec-websocket-extensions"]
                )
                client.send("x" * MIB)
                assert call.next_message() == "x" * MIB
                call.part("y" * MIB)
                assert client.recv() == "y" * MIB

    def test_a_ping_is_answered(self, server):
        with opened(server) as (client, _):
            assert client.ping().wait(PATIENCE_S)

    def test_too_long_a_message_closes(self):
        options = HTTPOptions(max_websocket_message_bytes=1000)
        with running_server(options) as server, opened(server) as (client, call):
            client.send("x" * 1000)
            assert call.next_message() == "x" * 1000
            client.send("x" * 1001)

            assert _close_of(client)[0] == 1009
            call.wait_until(lambda call: call.closed)
            assert call.closed[0] == 1009

    def test_fragments_count_together(self):
        options = HTTPOptions(max_websocket_message_bytes=1000)
        with running_server(options) as server, opened(server) as (client, _):
            with contextlib.suppress(ConnectionClosed):
                client.send(iter(["x" * 400] * 3))

            assert _close_of(client)[0] == 1009


class TestHoldingBack:
    def test_no_more_is_read_than_the_application_takes(self, server, client):
        client.send(HANDSHAKE + b"\r\n")
        call = server.router.next_call()
        call.accept()
        client.read_until(b"\r\n\r\n")
        message = b"\x82\xff" + (60_000).to_bytes(8) + bytes(4) + bytes(60_000)
        everything = message * (64 * MIB // len(message))

        sent = send_what_fits(client, server.router, everything)
        assert sent < len(everything)

        rest = threading.Thread(target=client.send, args=(everything[sent:],))
        rest.start()
        for _ in range(len(everything) // len(message)):
            assert len(call.next_message()) == 60_000
        rest.join(PATIENCE_S)

    def test_empty_messages_are_held_back_too(self, server, client):
        client.send(HANDSHAKE + b"\r\n")
        call = server.router.next_call()
        call.accept()
        everything = b"\x82\x80\0\0\0\0" * (16 * MIB // 6)

        assert send_what_fits(client, server.router, everything) < len(everything)

    def test_pings_are_not_answered_without_end(self, server, client):
        client.send(HANDSHAKE + b"\r\n")
        server.router.next_call().accept()
        everything = PING * (64 * MIB // len(PING))

        assert send_what_fits(client, server.router, everything) < len(everything)

    def test_a_client_that_does_not_read_holds_credit_back(self, server, client):
        client.send(HANDSHAKE + b"\r\n")
        call = server.router.next_call()
        call.accept()
        client.read_until(b"\r\n\r\n")
        sent = 0
        while sent - call.credited < 16 * MIB:
            call.part(bytes(MIB))
            sent += MIB
            server.router.settle()
            assert sent < 256 * MIB

        received = 0
        while received < sent:
            received += len(client.socket.recv(MIB))
        call.wait_until(lambda call: call.credited >= sent)


class TestClosing:
    def test_by_the_client(self, server):
        with opened(server) as (client, call):
            client.close(4001, "enough")
            call.wait_until(lambda call: call.closed)

        assert call.closed == (4001, "enough")

    def test_by_the_application(self, server):
        with opened(server) as (client, call):
            call.close(4002, "done")

            assert _close_of(client) == (4002, "done")
        assert call.closed is None

    def test_a_client_that_vanishes(self, server):
        with opened(server) as (client, call):
            client.socket.shutdown(2)
            call.wait_until(lambda call: call.closed)

        assert call.closed[0] == 1006

    def test_the_replica_is_lost(self, server):
        with opened(server) as (client, call):
            call.fail(FailureKind.REPLICA_LOST)

            assert _close_of(client)[0] == 1011

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            (b"\x81\x05hello", 1002),  # not masked
            (b"\x83\x80\0\0\0\0", 1002),  # no such opcode
            (b"\x80\x80\0\0\0\0", 1002),  # continues nothing
            (b"\xc1\x80\0\0\0\0", 1002),  # compressed, which was not agreed
            (b"\x88\x81\0\0\0\0a", 1002),  # half a code
        ],
    )
    def test_what_is_no_frame_closes(self, server, client, frame, code):
        client.send(HANDSHAKE + b"\r\n")
        call = server.router.next_call()
        call.accept()
        client.read_until(b"\r\n\r\n")
        client.send(frame)

        close = client.read_rest()
        assert close[0] == 0x88
        assert int.from_bytes(close[2:4]) == code
        call.wait_until(lambda call: call.closed)
        assert call.closed[0] == code

    def test_a_client_that_never_answers_the_close_is_cut(self):
        with running_server(beat_s=0.01) as server, server.client() as client:
            client.send(HANDSHAKE + b"\r\n")
            call = server.router.next_call()
            call.accept()
            call.close()
            client.read_until(b"\x88\x02\x03\xe8")

            assert client.read_rest() == b""

    def test_a_server_that_stops_says_so(self):
        with running_server() as server, opened(server) as (client, call):
            server.begin_closing()

            assert _close_of(client)[0] == 1012
            call.wait_until(lambda call: call.closed)
            assert call.closed[0] == 1012


class TestKeepingAlive:
    OPTIONS = HTTPOptions(
        websocket_ping_interval_s=0.02,
        websocket_ping_timeout_s=0.02,
        keep_alive_timeout_s=0.02,
    )

    def test_a_client_that_answers_pings_stays(self):
        with running_server(self.OPTIONS, beat_s=0.01) as server:  # noqa: SIM117
            with opened(server) as (client, call), server.client() as silent:
                silent.send(HANDSHAKE + b"\r\n")
                server.router.next_call().accept()
                silent.read_rest()  # gone, after a ping that it did not answer

                client.send("here")
                assert call.next_message() == "here"

    def test_a_client_that_does_not_is_closed(self):
        with running_server(self.OPTIONS, beat_s=0.01) as server:  # noqa: SIM117
            with server.client() as client:
                client.send(HANDSHAKE + b"\r\n")
                call = server.router.next_call()
                call.accept()
                client.read_until(b"\r\n\r\n")

                assert client.read_rest().startswith(b"\x89\x00\x88")
                call.wait_until(lambda call: call.closed)
                assert call.closed[0] == 1011


def _close_of(client):
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=PATIENCE_S)
    received = closed.value.rcvd
    assert received is not None, "the connection ended without a close"
    return received.code, received.reason
