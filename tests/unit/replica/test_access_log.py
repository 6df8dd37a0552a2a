"""A line for each request that ended."""

import asyncio
import json
import logging

import pytest

from workbench.replica.access_log import AccessLog
from workbench.replica.log_format import formatter_for
from workbench.spec.deployment import DeploymentOptions, Kind, Version
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.replica import Seat

pytestmark = pytest.mark.anyio

SEAT = Seat(
    app="app",
    deployment="model",
    replica_id="r1",
    kind=Kind.CLASS,
    options=DeploymentOptions(),
    version=Version(code="", init="", placement="", config=""),
)


class Ended:
    """A call that has run."""

    request_id = "req"
    route = "/app"

    def describe(self):
        return "GET", "/app/x%0A", "200"


@pytest.fixture
def told():
    return []


@pytest.fixture
async def access_log(told):
    made = AccessLog(asyncio.get_running_loop(), told.append)
    made.begin(SEAT, None)
    return made


async def test_a_request_is_told_with_its_status_and_time(access_log, told):
    access_log.note(Ended(), 1_500_000)
    access_log.push()

    [said] = told
    assert (said.app, said.deployment, said.replica) == ("app", "model", "r1")
    [line] = said.lines
    assert (line.source, line.request_id) == ("access", "req")
    assert line.text == "GET /app/x%0A 200 1.5ms"


async def test_it_tells_by_itself(access_log, told):
    access_log.note(Ended(), 1)
    async with asyncio.timeout(10):
        while not told:
            await asyncio.sleep(0.01)


async def test_of_many_some_are_told_and_all_are_counted(access_log, told):
    for _ in range(1000):
        access_log.note(Ended(), 1)
    access_log.push()
    access_log.note(Ended(), 1)
    access_log.push()

    many, one = told
    assert len(many.lines) == 51
    assert many.lines[-1].text == "950 more requests ended in this half second."
    assert len(one.lines) == 1


async def test_a_file_gets_all(access_log, tmp_path):
    file = logging.FileHandler(tmp_path / "log")
    file.setFormatter(formatter_for(LoggingSpec(encoding="JSON"), SEAT))
    access_log.begin(SEAT, file)
    for _ in range(100):
        access_log.note(Ended(), 1_234_567)
    access_log.push()
    async with asyncio.timeout(10):
        while len(lines := (tmp_path / "log").read_text().splitlines()) < 100:
            await asyncio.sleep(0.01)
    file.close()

    told = json.loads(lines[0])
    assert told["message"] == "GET /app/x%0A 200 1.2ms"
    assert (told["method"], told["status"], told["latency_ms"]) == ("GET", "200", 1.235)
    assert (told["route"], told["request_id"], told["replica"]) == ("/app", "req", "r1")
