"""The logger `ray.serve` in a replica."""

import json
import logging

import pytest

from workbench.replica.serve_log import ServeLog
from workbench.request import RequestContext, current_request
from workbench.spec.deployment import DeploymentOptions, Kind, Version
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.replica import Seat

log = logging.getLogger("ray.serve")


def seat(**config):
    spec = LoggingSpec(**config) if config else None
    return Seat(
        app="app",
        deployment="model",
        replica_id="r1",
        kind=Kind.CLASS,
        options=DeploymentOptions(logging_config=spec),
        version=Version(code="", init="", placement="", config=""),
    )


@pytest.fixture
def serve_log():
    before = log.propagate, log.level
    made = ServeLog()
    yield made
    made.end()
    for name in ("ray.serve", "workbench.serve"):
        logging.getLogger(name).propagate = before[0]
    log.setLevel(before[1])


@pytest.fixture
def _request():
    token = current_request.set(RequestContext("req", "/route", "app"))
    yield
    current_request.reset(token)


@pytest.mark.usefixtures("_request")
def test_a_record_says_who_logged_it_in_which_request(serve_log, capsys):
    serve_log.follow(seat())
    log.info("hello %s", "you")
    log.debug("unheard")

    line = capsys.readouterr().err
    assert line.startswith("INFO ")
    assert line.endswith(" app_model r1 req -- hello you\n")


@pytest.mark.usefixtures("_request")
def test_json_is_an_object_on_a_line(serve_log, capsys):
    attributes = ["name", "threadName"]
    serve_log.follow(seat(encoding="JSON", additional_log_standard_attrs=attributes))
    log.info("hello", extra={"shoe_size": 43})

    told = json.loads(capsys.readouterr().err)
    assert told["message"] == "hello"
    assert (told["application"], told["deployment"], told["replica"]) == (
        "app",
        "model",
        "r1",
    )
    assert (told["request_id"], told["route"]) == ("req", "/route")
    assert (told["name"], told["shoe_size"]) == ("ray.serve", 43)


def test_a_traceback_is_told(serve_log, capsys):
    serve_log.follow(seat(encoding="JSON"))
    log.error("failed", exc_info=ValueError("bad"))

    assert "ValueError: bad" in json.loads(capsys.readouterr().err)["exc_text"]


def test_a_level_may_change_while_it_runs(serve_log, capsys):
    serve_log.follow(seat(log_level="ERROR"))
    log.warning("unheard")
    serve_log.follow(seat(log_level="DEBUG"))
    log.debug("heard")

    assert capsys.readouterr().err.count("\n") == 1


def test_a_directory_gets_a_file_of_each_replica(serve_log, tmp_path, capsys):
    serve_log.follow(seat(logs_dir=str(tmp_path / "logs")))
    log.info("hello")

    [file] = (tmp_path / "logs").iterdir()
    assert file.name == "replica_app_model_r1.log"
    assert file.read_text().endswith("-- hello\n")


def test_a_directory_that_cannot_be_is_told(serve_log, tmp_path, capsys):
    (tmp_path / "file").touch()
    serve_log.follow(seat(logs_dir=str(tmp_path / "file" / "logs")))

    assert "logs_dir" in capsys.readouterr().err
