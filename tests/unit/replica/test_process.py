"""HTTP calls to a replica's process, by a real router over its socket."""

import asyncio
import json
import threading

import pytest
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, StreamingResponse

from workbench.errors import BackPressureError
from workbench.replica.context import get_replica_context
from workbench.replica.exchange import WHOLE_PIECE_BYTES, WHOLE_WINDOW_BYTES
from workbench.replica.flow import WINDOW_BYTES
from workbench.request import current_request
from workbench.wire.messages import FailureKind

pytestmark = pytest.mark.anyio


# -- what comes in, what goes out ------------------------------------------------------


async def test_an_async_callable_gets_the_request_and_its_value_becomes_json(replica):
    class Echo:
        async def __call__(self, request):
            return {"got": await request.json(), "path": request.url.path}

    async with replica() as bench:
        await bench.load(Echo)
        answer = await bench.http(b'{"x": 1}').done()

    assert answer.status == 200
    assert json.loads(answer.body) == {"got": {"x": 1}, "path": "/p/x"}
    assert answer.head == "content-type: application/json\r\n"
    assert answer.reply.length == len(answer.body)


async def test_a_def_runs_in_a_thread_and_a_function_may_take_nothing(replica):
    def hello():
        return threading.current_thread().name

    async with replica() as bench:
        await bench.load(hello)
        answer = await bench.http().done()

    assert answer.body.startswith(b"user-code-")
    assert answer.head == "content-type: text/plain; charset=utf-8\r\n"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "BREW"])
async def test_every_verb_reaches_the_callable(replica, method):
    async def verb(request):
        return request.method

    async with replica() as bench:
        await bench.load(verb)
        answer = await bench.http(method=method).done()

    assert answer.body == method.encode()


async def test_a_starlette_response_goes_out_as_it_is_and_its_task_runs(replica):
    ran = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def respond(request):
        task = BackgroundTask(lambda: loop.call_soon_threadsafe(ran.set))
        response = JSONResponse({"a": 1}, 201, headers={"X-Own": "y"}, background=task)
        response.set_cookie("k", "v")
        return response

    async with replica() as bench:
        await bench.load(respond)
        answer = await bench.http().done()
        await asyncio.wait_for(ran.wait(), 10)

    assert (answer.status, answer.body) == (201, b'{"a":1}')
    assert "x-own: y\r\n" in answer.head
    assert "set-cookie: k=v" in answer.head
    assert "content-length" not in answer.head
    assert answer.reply.length == 7


async def test_a_file_response_declares_its_length_and_comes_in_pieces(
    replica, tmp_path
):
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(200_000))

    async def send_file(request):
        return FileResponse(path)

    async with replica() as bench:
        await bench.load(send_file)
        answer = await bench.http().done()
        while bench.process._server.ongoing:  # a thread still closes the file
            await asyncio.sleep(0)

    assert answer.reply.length == 200_000
    assert answer.body == bytes(200_000)


async def test_a_large_answer_is_sent_as_its_reader_takes_it(replica):
    body = bytes(range(256)) * 65536  # 16 MiB

    async def large():
        return body

    async with replica() as bench:
        await bench.load(large)
        answer = bench.http()
        await answer.until(lambda got: len(got.body) >= 256 * 1024)
        assert len(answer.body) <= WHOLE_WINDOW_BYTES + WHOLE_PIECE_BYTES
        taken = 0
        while not answer.is_over:
            taken, new = len(answer.body), len(answer.body) - taken
            answer.ticket.credit(new)
            seen = taken
            await answer.until(
                lambda got, seen=seen: got.is_over or len(got.body) > seen
            )

    assert answer.reply.length == len(body)
    assert answer.body == body


async def test_user_code_knows_its_replica_and_its_request(replica):
    class Who:
        def __init__(self):
            self.tag = get_replica_context().replica_tag

        def __call__(self):
            about, request = get_replica_context(), current_request.get()
            return [
                self.tag,
                about.servable_object is self,
                request.request_id,
                request.route,
                request.app_name,
            ]

    async with replica() as bench:
        await bench.load(Who)
        answer = await bench.http().done()

    assert json.loads(answer.body) == ["app#d#5ea7", True, "req-1", "/p", "app"]


# -- what goes wrong -------------------------------------------------------------------


async def test_an_exception_is_reported_with_the_users_frames_only(replica, caplog):
    async def broken(request):
        raise ValueError("no such digit")

    async with replica() as bench:
        await bench.load(broken)
        answer = await bench.http().done()

    failure = answer.failure
    assert (failure.kind, failure.error_type) == (FailureKind.USER, "ValueError")
    assert failure.message == "no such digit"
    assert "in broken" in failure.traceback
    assert "workbench/replica" not in failure.traceback
    assert "req-1" in caplog.text


async def test_an_exception_of_a_def_is_the_same(replica):
    def broken(request):
        raise SystemExit("leaving")

    async with replica() as bench:
        await bench.load(broken)
        answer = await bench.http().done()

    assert answer.failure.error_type == "SystemExit"


async def test_an_http_exception_is_its_status(replica):
    async def absent(request):
        raise HTTPException(404, "no such model", headers={"X-Why": "gone"})

    async with replica() as bench:
        await bench.load(absent)
        answer = await bench.http().done()

    assert (answer.status, answer.body) == (404, b"no such model")
    assert "x-why: gone" in answer.head


@pytest.mark.parametrize(("status", "body"), [(422, b'{"detail":{"a":1}}'), (204, b"")])
async def test_its_detail_may_be_any_value(replica, status, body):
    def refuse(request):
        raise HTTPException(status, {"a": 1})  # type: ignore[arg-type]  # as FastAPI's

    async with replica() as bench:
        await bench.load(refuse)
        answer = await bench.http().done()

    assert (answer.status, answer.body) == (status, body)


async def test_what_a_def_leaves_to_be_awaited_is_awaited(replica):
    async def later():
        return "awaited"

    def delegate(request):
        return later()

    async with replica() as bench:
        await bench.load(delegate)
        answer = await bench.http().done()

    assert answer.body == b"awaited"


async def test_back_pressure_further_down_is_passed_on(replica):
    async def busy(request):
        raise BackPressureError("5 calls wait")

    async with replica() as bench:
        await bench.load(busy)
        answer = await bench.http().done()

    assert answer.failure.kind is FailureKind.QUEUE_FULL


async def test_a_value_without_json_form_says_so(replica):
    async def strange(request):
        return {"a": object()}

    async with replica() as bench:
        await bench.load(strange)
        answer = await bench.http().done()

    assert "no JSON form" in answer.failure.message


async def test_a_class_without_call_says_what_to_add(replica):
    class Silent:
        def predict(self):
            return 1

    async with replica() as bench:
        await bench.load(Silent)
        answer = await bench.http().done()

    assert "has no __call__" in answer.failure.message


# -- streams ---------------------------------------------------------------------------


async def test_a_bare_async_generator_streams_its_first_chunk_at_once(replica):
    go_on = asyncio.Event()

    async def count(request):
        yield "one "
        await asyncio.get_running_loop().run_in_executor(None, proceed.wait, 10)
        yield "two"

    proceed = threading.Event()
    async with replica() as bench:
        await bench.load(count)
        answer = await bench.http().until(lambda got: got.body)
        assert (answer.body, answer.is_over) == (b"one ", False)
        proceed.set()
        await answer.done()

    assert answer.body == b"one two"
    assert answer.reply.more
    assert answer.head == "content-type: text/plain; charset=utf-8\r\n"
    go_on.set()


async def test_a_sync_generator_streams_from_one_thread(replica):
    def threads(request):
        for _ in range(20):
            yield {"thread": threading.get_ident()}

    async with replica() as bench:
        await bench.load(threads)
        answer = await bench.http().done()

    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert len(lines) == 20
    assert len({line["thread"] for line in lines}) == 1
    assert answer.head == "content-type: application/x-ndjson\r\n"


async def test_a_generator_that_never_waits_does_not_hold_its_chunks_back(replica):
    proceed = threading.Event()

    async def busy(request):
        yield b"first"
        proceed.wait(60)
        yield b"second"

    async with replica() as bench:
        await bench.load(busy)
        answer = await bench.http().until(lambda got: got.body)
        assert answer.body == b"first"
        proceed.set()
        await answer.done()

    assert answer.body == b"firstsecond"


async def test_a_generator_that_fails_before_its_first_item_is_a_plain_failure(replica):
    async def broken(request):
        if request:
            raise ValueError("early")
        yield b""

    async with replica() as bench:
        await bench.load(broken)
        answer = await bench.http().done()

    assert answer.reply is None
    assert answer.failure.message == "early"


async def test_a_generator_that_fails_later_cuts_the_stream(replica):
    def broken(request):
        yield b"some"
        raise ValueError("late")

    async with replica() as bench:
        await bench.load(broken)
        answer = await bench.http().done()

    assert answer.body == b"some"
    assert answer.failure.message == "late"


async def test_an_empty_generator_is_an_empty_answer(replica):
    async def nothing(request):
        if not request:
            yield b"something"

    async with replica() as bench:
        await bench.load(nothing)
        answer = await bench.http().done()

    assert (answer.status, answer.body, answer.reply.more) == (200, b"", False)


async def test_a_streaming_response_streams(replica):
    async def numbers():
        for number in range(3):
            yield f"{number}\n"

    async def respond(request):
        return StreamingResponse(numbers(), media_type="text/csv")

    async with replica() as bench:
        await bench.load(respond)
        answer = await bench.http().done()

    assert answer.body == b"0\n1\n2\n"
    assert "text/csv" in answer.head


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_generator_waits_for_its_reader(replica, is_async):
    made = 0

    def produce(request):
        nonlocal made
        for _ in range(200):
            made += 1
            yield bytes(16 * 1024)

    async def produce_async(request):
        for item in produce(request):
            yield item

    async with replica() as bench:
        await bench.load(produce_async if is_async else produce)
        answer = await bench.http().until(lambda got: len(got.body) >= 256 * 1024)
        await asyncio.sleep(0.05)
        assert made <= WINDOW_BYTES // (16 * 1024) + 8 + 2
        answer.ticket.credit(10_000_000)
        await answer.done()

    assert len(answer.body) == 200 * 16 * 1024


# -- uploads ---------------------------------------------------------------------------


async def test_an_upload_is_read_as_it_comes_and_credited(replica):
    sizes: list[int] = []

    async def read(request):
        sizes.extend([len(chunk) async for chunk in request.stream()])
        return sum(sizes)

    async with replica() as bench:
        await bench.load(read)
        answer = bench.http(b"12345", more_body=True)
        await answer.until(lambda got: got.credit == 5)
        answer.ticket.send_body(b"678", last=False)
        await answer.until(lambda got: got.credit == 8)
        answer.ticket.send_body(b"9", last=True)
        await answer.done()

    assert answer.body == b"9"
    assert sizes[:3] == [5, 3, 1]


async def test_an_upload_may_be_answered_unread(replica):
    async def refuse(request):
        raise HTTPException(413, "too much")

    async with replica() as bench:
        await bench.load(refuse)
        answer = await bench.http(b"123", more_body=True).done()
        answer.ticket.send_body(b"rest", last=True)
        again = await bench.http(b"123").done()

    assert answer.status == again.status == 413


# -- slots and cancellation ------------------------------------------------------------


@pytest.mark.parametrize("is_async", [True, False])
async def test_never_more_calls_run_than_there_are_slots(replica, is_async):
    lock, running, most = threading.Lock(), 0, 0

    def enter(step):
        nonlocal running, most
        with lock:
            running += step
            most = max(most, running)

    async def slow_async(request):
        enter(1)
        await asyncio.sleep(0.002)
        enter(-1)

    def slow(request):
        enter(1)
        threading.Event().wait(0.002)
        enter(-1)

    async with replica() as bench:
        target = slow_async if is_async else slow
        await bench.load(target, max_ongoing_requests=3)
        await bench.route(limit=50)  # a router that believes in many more slots
        answers = [bench.http() for _ in range(50)]
        await asyncio.gather(*(answer.done() for answer in answers))
        about = await bench.process.describe()

    assert [answer.status for answer in answers] == [200] * 50
    assert (most, about.ongoing) == (3, 0)


async def test_a_cancelled_call_frees_its_slot_at_once(replica):
    ended = threading.Event()

    async def wait(request):
        if request.query_params["a"] == "2":
            return "served"
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with replica() as bench:
        await bench.load(wait, max_ongoing_requests=1)
        stuck = bench.http()
        await _until_ongoing(bench, 1)
        stuck.ticket.cancel()
        answer = await bench.http(query=b"a=2").done()

    assert answer.body == b"served"
    assert ended.is_set()


async def test_a_cancelled_def_keeps_its_slot_until_its_thread_is_done(replica):
    proceed, order = threading.Event(), []

    def work(request):
        name = request.query_params["a"]
        if name == "1":
            proceed.wait(60)
        order.append(name)
        return name

    async with replica() as bench:
        await bench.load(work, max_ongoing_requests=1)
        stuck = bench.http()
        await _until_ongoing(bench, 1)
        stuck.ticket.cancel()
        later = bench.http(query=b"a=2")
        assert (await bench.process.describe()).ongoing == 1
        proceed.set()
        await later.done()

    assert order == ["1", "2"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_cancelling_closes_the_generator(replica, is_async):
    closed = threading.Event()

    def items(request):
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.set()

    async def items_async(request):
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.set()

    async with replica() as bench:
        await bench.load(items_async if is_async else items)
        answer = await bench.http().until(lambda got: len(got.body) > 5000)
        answer.ticket.cancel()
        assert await asyncio.to_thread(closed.wait, 10)
        await _until_ongoing(bench, 0)


async def test_a_router_that_leaves_takes_its_calls_with_it(replica):
    cancelled = threading.Event()

    async def wait(request):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with replica() as bench:
        await bench.load(wait)
        bench.http()
        await _until_ongoing(bench, 1)
        await bench.router.close()
        assert await asyncio.to_thread(cancelled.wait, 10)
        await _until_ongoing(bench, 0)


async def test_tasks_of_asyncio_work_in_a_call(replica):
    async def use(request):
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.sleep(0, "slept"))
        return [await task, asyncio.current_task() is not None]

    async with replica() as bench:
        await bench.load(use)
        answer = await bench.http().done()

    assert json.loads(answer.body) == ["slept", True]


async def _until_ongoing(bench, count):
    async with asyncio.timeout(10):
        while (await bench.process.describe()).ongoing != count:
            await asyncio.sleep(0.001)
