"""What user code says reaches the controller, soon, once, and with its request."""

# ruff: noqa: T201 - prints are what is tested

import asyncio
import contextlib
import io
import logging
import os
import sys

import pytest

from workbench.replica.logs import ReplicaLogs
from workbench.request import RequestContext, current_request
from workbench.spec.deployment import DeploymentOptions, Kind, Version
from workbench.spec.replica import Seat

pytestmark = pytest.mark.anyio

SEAT = Seat(
    app="app",
    deployment="Model",
    kind=Kind.CLASS,
    options=DeploymentOptions(),
    version=Version(code="", init="", placement="", config=""),
    replica_id="r1",
)


class Controller:
    """Takes what it is told, unless it is away."""

    def __init__(self):
        self.is_away = False
        self.told = []
        self._changed = asyncio.Event()

    def tell(self, said):
        if not self.is_away:
            self.told.append(said)
            self._changed.set()
        return not self.is_away

    @property
    def lines(self):
        return [line for said in self.told for line in said.lines]

    @property
    def texts(self):
        return [line.text for line in self.lines]

    async def until(self, count):
        async with asyncio.timeout(10):
            while len(self.lines) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.lines


@pytest.fixture
def controller():
    return Controller()


@pytest.fixture
async def logs(controller):
    """Begun in each test: before it, pytest puts another standard output in place."""
    made = ReplicaLogs(asyncio.get_running_loop(), controller.tell)
    yield made
    made.end()


@pytest.fixture
def logger():
    made = logging.getLogger("tests.shop")
    made.setLevel(logging.INFO)
    yield made
    made.handlers.clear()
    made.propagate = True
    made.setLevel(logging.NOTSET)


async def test_prints_say_where_they_come_from(logs, controller):
    logs.begin(SEAT)
    print("to stdout")
    print("to stderr", file=sys.stderr)

    out, err = await controller.until(2)

    assert (out.text, out.source, out.level) == ("to stdout", "stdout", "INFO")
    assert (err.text, err.source, err.level) == ("to stderr", "stderr", "INFO")
    (said, *_) = controller.told
    assert (said.app, said.deployment, said.replica) == ("app", "Model", "r1")


async def test_what_is_said_in_one_turn_is_told_in_one_message(logs, controller):
    logs.begin(SEAT)
    for n in range(10):
        print(n)

    await controller.until(10)

    assert len(controller.told) == 1


async def test_log_records_have_level_source_and_request(logs, controller, logger):
    logs.begin(SEAT)
    current_request.set(RequestContext("req-1"))

    logger.info("for %s", "sale")
    logger.debug("below what the user configured")

    (line,) = await controller.until(1)
    assert (line.text, line.level, line.source, line.request_id) == (
        "for sale",
        "INFO",
        "tests.shop",
        "req-1",
    )


async def test_a_level_between_two_counts_as_the_lower(logs, controller, logger):
    logs.begin(SEAT)
    logger.log(logging.WARNING + 5, "success")

    (line,) = await controller.until(1)
    assert line.level == "WARNING"


async def test_a_record_that_a_handler_prints_is_told_once(logs, controller, logger):
    logs.begin(SEAT)
    logger.addHandler(logging.StreamHandler())  # writes to the standard error of now
    logger.propagate = False

    logger.info("once")
    print("then")

    await controller.until(2)
    assert controller.texts == ["once", "then"]


async def test_basic_config_still_works_in_user_code(logs):
    logs.begin(SEAT)
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        logging.basicConfig(stream=io.StringIO())
        assert len(root.handlers) == 1
    finally:
        root.handlers = before


async def test_a_logged_exception_has_its_traceback(logs, controller, logger):
    logs.begin(SEAT)
    try:
        int("broken")
    except ValueError:
        logger.exception("It failed")

    (line,) = await controller.until(1)
    assert line.text.startswith("It failed\nTraceback")
    assert line.text.endswith("literal for int() with base 10: 'broken'")


async def test_a_format_that_does_not_fit_is_told_as_it_is(logs, controller, logger):
    logs.begin(SEAT)
    with contextlib.suppress(TypeError):  # which pytest's own handler raises
        logger.info("%d apples", "no")

    (line,) = await controller.until(1)
    assert line.text == "%d apples ('no',)"


async def test_an_error_does_not_wait_for_the_next_push(logs, controller, logger):
    logs.begin(SEAT)
    print("first")
    await controller.until(1)
    print("second")
    loop = asyncio.get_running_loop()
    before = loop.time()

    logger.error("broken")

    await controller.until(3)
    assert loop.time() - before < 0.4  # the pause between two pushes is 0.5 s
    assert controller.texts == ["first", "second", "broken"]


async def test_while_the_controller_is_away_lines_wait(logs, controller):
    logs.begin(SEAT)
    controller.is_away = True
    print("early")
    await asyncio.sleep(0)
    assert not logs.push()
    print("late")
    controller.is_away = False

    await controller.until(2)

    assert controller.texts == ["early", "late"]


async def test_a_line_that_is_begun_is_told_if_nobody_ends_it(logs, controller):
    logs.begin(SEAT)
    print("working", end="")
    print("said", file=sys.stderr)

    await controller.until(2)

    assert controller.texts == ["said", "working"]


async def test_too_much_is_counted(logs, controller):
    logs.begin(SEAT)
    for n in range(3000):
        print(n)

    await controller.until(1)

    dropped = sum(each.dropped for each in controller.told)
    assert dropped > 0
    assert len(controller.lines) + dropped == 3000


async def test_in_the_end_all_is_told_and_everything_as_before(controller):
    before = sys.stdout, sys.stderr, logging.Logger.callHandlers
    logs = ReplicaLogs(asyncio.get_running_loop(), controller.tell)
    logs.begin(SEAT)
    print("last words", end="")

    logs.end()

    assert controller.texts == ["last words"]
    assert (sys.stdout, sys.stderr, logging.Logger.callHandlers) == before


@pytest.mark.filterwarnings("ignore:.*fork")
async def test_a_forked_child_writes_past_us(logs):
    logs.begin(SEAT)
    child = os.fork()
    if not child:
        os._exit(0 if not hasattr(sys.stdout, "tell_begun") else 1)

    _, status = await asyncio.to_thread(os.waitpid, child, 0)

    assert status == 0
