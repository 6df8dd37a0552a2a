"""Logs, metrics and traces: what is told of what runs."""

import importlib
import json
import logging
import re

import pytest

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs


def speaker(serve, **options):
    """Logs by the logger that ported programs use."""

    @serve.deployment(**options)
    class Speaker:
        async def __call__(self, request):
            logger = logging.getLogger("ray.serve")
            logger.debug("whispered")
            logger.info("said")
            return "ok"

        def speak(self):
            logging.getLogger("ray.serve").warning("spoken")

    return Speaker


@pytest.fixture
def lines(eventually, tmp_path):
    """Waits until the only file holds a text; gives its lines."""

    def lines(text):
        def found():
            files = list(tmp_path.glob("replica_*Speaker*.log"))
            told = files[0].read_text() if files else ""
            return told.splitlines() if text in told else None

        return eventually(found)

    return lines


@behaviour("§16 29", "the logger ray.serve says in which request it was used")
def test_records_carry_the_request(serve, run, http, url, name, lines, tmp_path):
    config = {"encoding": "JSON", "logs_dir": str(tmp_path)}
    run(speaker(serve, logging_config=config).bind())
    http.get(url, headers={"x-request-id": "req-1"})

    told = [json.loads(each) for each in lines("said")]
    said = next(each for each in told if each["message"] == "said")
    assert said["levelname"] == "INFO"
    assert said["request_id"] == "req-1"
    assert said["application"] == name
    assert said["deployment"].endswith("Speaker")
    assert said["replica"]
    assert said["route"].startswith(f"/{name}")


@behaviour("§13.2", "as text, a record begins with level, time, replica and request")
def test_text_records(serve, run, http, url, lines, tmp_path):
    config = {"logs_dir": str(tmp_path)}
    run(speaker(serve, logging_config=config).bind())
    http.get(url, headers={"x-request-id": "req-1"})

    line = next(each for each in lines("-- said") if "-- said" in each)
    assert re.match(r"INFO \d{4}-\d\d-\d\d [\d:,]+ \S+ \S+ req-1 -- said$", line)


@behaviour("a31, §13.2", "a line tells of each request: method, route, status, time")
def test_access_log(serve, run, http, url, name, lines, tmp_path):
    config = {"logs_dir": str(tmp_path)}
    handle = run(speaker(serve, logging_config=config).bind())
    http.get(url, headers={"x-request-id": "req-1"})
    handle.speak.remote().result()

    told = "\n".join(lines("CALL"))
    assert re.search(rf"req-1 -- GET /{name} 200 [\d.]+ms", told)
    assert re.search(r"-- CALL speak OK [\d.]+ms", told)


@behaviour("§13.2", "enable_access_log=False mutes it")
def test_access_log_off(serve, run, http, url, lines, tmp_path):
    config = {"logs_dir": str(tmp_path), "enable_access_log": False}
    handle = run(speaker(serve, logging_config=config).bind())
    http.get(url)
    handle.speak.remote().result()

    assert "GET" not in "\n".join(lines("spoken"))


@behaviour("§13.2", "log_level decides what is logged")
def test_log_level(serve, run, http, url, part, lines, tmp_path):
    config = part("schema").LoggingConfig(log_level="DEBUG", logs_dir=str(tmp_path))
    run(speaker(serve, logging_config=config).bind())
    http.get(url)

    assert lines("whispered")


@behaviour("§13.2", "a deployment's logging_config comes before the application's")
def test_precedence(serve, run, http, url, lines, tmp_path):
    own = {"logs_dir": str(tmp_path), "log_level": "WARNING"}
    app = speaker(serve, logging_config=own).bind()
    handle = run(app, logging_config={"logs_dir": str(tmp_path), "log_level": "DEBUG"})
    http.get(url)
    handle.speak.remote().result()

    told = "\n".join(lines("spoken"))
    assert "whispered" not in told
    assert "said" not in told


@behaviour("§13.2", "an application's logging_config is for those that have none")
def test_application_level(serve, run, http, url, lines, tmp_path):
    config = {"logs_dir": str(tmp_path), "log_level": "DEBUG"}
    run(speaker(serve).bind(), logging_config=config)
    http.get(url)

    assert lines("whispered")


@behaviour("§13.2", "what logging_config does not know is refused")
@pytest.mark.parametrize(
    "config",
    [
        {"leveling": "INFO"},
        {"encoding": "XML"},
        {"log_level": "LOUD"},
        {"additional_log_standard_attrs": ["thread_nam"]},
    ],
)
def test_unknown_options(serve, config):
    with pytest.raises(Exception):
        speaker(serve, logging_config=config)


@behaviour("a32, §13.1", "built-in metrics have Ray Serve's names and tags")
def test_built_in_metrics(system, serve, run, http, url, name, eventually):
    if system == "ray":
        pytest.skip("its metrics are told by the dashboard's agent, which is not there")

    @serve.deployment
    class Model:
        @serve.batch(max_batch_size=2, batch_wait_timeout_s=0.0)
        async def predict(self, items):
            return items

        async def __call__(self, request):
            return await self.predict(1)

    run(Model.bind())
    http.get(url)
    api = importlib.import_module("workbench.api")
    tags = f'application="{name}",method="GET",route="/{name}",status_code="200"'
    metrics = (
        "serve_http_request_latency_ms_bucket",
        "serve_deployment_request_counter",
        "serve_deployment_error_counter",
        "serve_deployment_processing_latency_ms_bucket",
        "serve_replica_processing_queries",
        "serve_deployment_replica_healthy",
        "serve_deployment_queued_queries",
        "serve_actual_batch_size_bucket",
        "serve_batch_wait_time_ms_bucket",
        "serve_batch_execution_time_ms_bucket",
        "serve_batch_queue_length",
        "serve_batches_processed",
    )

    def is_told():
        # Proxy and replica tell each in its own time.
        text = api.metrics()
        return f"serve_num_http_requests{{{tags}}} 1" in text and all(
            re.search(rf'{metric}{{[^}}]*application="{name}"', text)
            for metric in metrics
        )

    assert eventually(is_told)


@behaviour("§13", "TracingConfig: off, and one trace in a hundred, if not said")
def test_tracing_config(part):
    config = part("schema").TracingConfig

    assert (config().enabled, config().sampling_ratio) == (False, 0.01)
    assert config(enabled=True).exporter_import_path == ""
    with pytest.raises(ValueError):
        config(sampling_ratio=1.5)


@behaviour("§13", "get_trace_context is None where nothing is traced")
def test_no_trace_context(serve, run):
    @serve.deployment
    class Model:
        def __call__(self):
            return serve.get_trace_context() is None

    assert serve.get_trace_context() is None
    assert run(Model.bind()).remote().result(timeout_s=60)


@behaviour("§4.6", "traceparent goes along with the calls that a request causes")
@differs("only with a tracing_config, and in OpenTelemetry's own context")
def test_trace(serve, run, http, url):
    @serve.deployment
    class Inner:
        def __call__(self):
            return serve.trace_headers()

    @serve.deployment
    class Outer:
        def __init__(self, inner):
            self.inner = inner

        async def __call__(self, request):
            return [serve.trace_headers(), await self.inner.remote()]

    run(Outer.bind(Inner.bind()))
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"traceparent": f"00-{trace}-{span}-01", "tracestate": "a=1"}
    answer = http.get(url, headers=headers)

    steps = [answer.headers["traceparent"]]
    steps += [each["traceparent"] for each in answer.json()]
    assert {each.split("-")[1] for each in steps} == {trace}
    assert len({span, *(each.split("-")[2] for each in steps)}) == 4
