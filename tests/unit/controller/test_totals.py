"""What Prometheus is told."""

from workbench.controller.totals import Totals
from workbench.observe.histogram import Histogram
from workbench.spec.metrics import DeploymentSample, ReplicaSample, Sample
from workbench.wire.messages import (
    Ended,
    Measured,
    MetricPoint,
    ReplicaMeasured,
    UserMetrics,
)


def ended(*took_ms, errors=0, answers=()):
    buckets = dict(Histogram(ms * 1e6 for ms in took_ms).buckets)
    return Ended(buckets, errors, list(answers))


def lines(totals, sample=None):
    text = totals.text(sample, {"app": "/a"})
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_requests_are_counted_and_sorted_into_the_histogram():
    totals = Totals()
    totals.take(Measured({}, {"app": ended(3, 30, errors=1)}, None))
    totals.take(Measured({}, {"app": ended(30)}, None))

    found = lines(totals)
    name = 'serve_http_request_latency_ms_bucket{application="app",le='
    assert f'{name}"2"}} 0' in found
    assert f'{name}"5"}} 1' in found
    assert f'{name}"50"}} 3' in found
    assert f'{name}"+Inf"}} 3' in found
    assert 'serve_http_request_latency_ms_count{application="app"} 3' in found


def test_answers_are_counted_by_method_and_status():
    totals = Totals()
    told = [("GET", "200", 2), ("GET", "404", 1), ("/t.Talk/Say", "NOT_FOUND", 1)]
    totals.take(Measured({}, {"app": ended(answers=told)}, None))
    totals.take(Measured({}, {"app": ended(answers=[("GET", "200", 1)])}, None))

    found = lines(totals)
    get = 'application="app",method="GET",route="/a"'
    say = 'application="app",method="/t.Talk/Say"'
    assert f'serve_num_http_requests{{{get},status_code="200"}} 3' in found
    assert f'serve_num_http_requests{{{get},status_code="404"}} 1' in found
    assert f'serve_num_http_error_requests{{{get},error_code="404"}} 1' in found
    assert f'serve_num_grpc_error_requests{{{say},error_code="NOT_FOUND"}} 1' in found
    assert not any("http_error" in each and "200" in each for each in found)


def test_calls_are_counted_by_deployment_over_all_replicas():
    totals = Totals()
    for name in ("r1", "r2"):
        state = ReplicaMeasured(name, "app#model", ended(1), 0, 0.0, 0)
        totals.take(Measured({}, {}, state))

    labels = '{application="app",deployment="model"}'
    assert f"serve_deployment_request_counter{labels} 2" in lines(totals)


def test_how_things_are_now_is_told():
    sample = Sample(
        at_s=1.0,
        deployments={"app#model": DeploymentSample(queued=4, replicas=1, target=2)},
        replicas={"r1": ReplicaSample(deployment="app#model", ongoing=3)},
    )

    found = lines(Totals(), sample)
    here = 'application="app",deployment="model"'
    assert f'serve_replica_processing_queries{{{here},replica="r1"}} 3' in found
    assert f"serve_deployment_queued_queries{{{here}}} 4" in found
    assert f"serve_deployment_target_replicas{{{here}}} 2" in found


def test_metrics_of_user_code_are_told_until_their_process_is_gone():
    totals = Totals()
    point = MetricPoint("asked", "counter", 'How "often"\n.', {"model": 'a"b'}, [2.5])
    took = MetricPoint("took", "histogram", "", {}, [3.0, 1, 2], [1.0])
    totals.take_users("r1", UserMetrics([point, took]))

    assert 'asked{model="a\\"b"} 2.5' in lines(totals)
    assert '# HELP asked How "often"\\n.\n# TYPE asked counter' in totals.text(None, {})
    assert lines(totals)[1:] == [
        'took_bucket{le="1"} 1',
        'took_bucket{le="+Inf"} 3',
        "took_sum 3",
        "took_count 3",
    ]
    totals.forget("r1")
    assert lines(totals) == []
