"""What Ray Serve has and Workbench has not is refused by its name, with advice."""

import pytest

from workbench import serve
from workbench.errors import WorkbenchError
from workbench.serve import autoscaling_policy
from workbench.serve.config import HTTPOptions, ProxyLocation, RequestRouterConfig


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: serve.start(http_port=1), r"http_port.*http_options=\{'port'"),
        (lambda: serve.start(controller_options={"a": 1}), "takes no options"),
        (lambda: HTTPOptions(proxy_location="Disabled"), "beside http_options"),
        (lambda: serve.start(speed=1), "no option 'speed'"),
        (lambda: HTTPOptions(middlewares=[1]), "middleware into the FastAPI app"),
        (lambda: HTTPOptions(speed=1), "Unknown HTTP option 'speed'"),
        (
            lambda: RequestRouterConfig(initial_backoff_s=1),
            "initial_backoff_s.*nothing",
        ),
        (
            lambda: serve.deployment(deployment_actors=[1]),
            "deployment_actors.*Ray actor",
        ),
        (lambda: serve.get_deployment_actor, "get_if_exists"),
        (lambda: autoscaling_policy.PrometheusQueryMixin, "a process of its own"),
        (lambda: serve.no_such_name, "no 'no_such_name'"),
    ],
)
def test_by_name_with_advice(call, text):
    with pytest.raises((TypeError, ValueError, AttributeError), match=text):
        call()


def test_what_asks_for_nothing_is_taken():
    assert HTTPOptions(middlewares=[], num_cpus=0, root_url="").port is None
    serve.deployment(deployment_actors=None, max_replicas_per_node=None)
    assert ProxyLocation("EveryNode") == "EveryNode"


def test_a_refusal_is_an_error_of_ours():
    with pytest.raises(WorkbenchError) as caught:
        serve.start(controller_options={"runtime_env": {}})

    assert "takes no options" in str(caught.value)
