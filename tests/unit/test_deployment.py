"""What users declare, and what is refused with advice."""

import pytest

from workbench import serve
from workbench.spec.deployment import ActorOptions, Kind


@serve.deployment
class Model:
    pass


def test_bare_and_with_options():
    other = serve.deployment(name="Other", num_replicas=2)(Model.func_or_class)

    assert (Model.name, Model.num_replicas) == ("Model", 1)
    assert (other.name, other.num_replicas) == ("Other", 2)
    assert repr(other) == "Deployment(name=Other)"


def test_options_make_a_copy():
    changed = Model.options(num_replicas=3, max_ongoing_requests=7)

    assert (changed.num_replicas, changed.max_ongoing_requests) == (3, 7)
    assert (Model.num_replicas, Model.max_ongoing_requests) == (1, 5)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"num_replicas": 0}, ValueError, "at least 1; got 0"),
        ({"num_replicas": "two"}, TypeError, "whole number; got 'two'"),
        ({"max_ongoing_requests": None}, TypeError, "max_ongoing_requests"),
        ({"max_queued_requests": -2}, ValueError, "max_queued_requests"),
        ({"user_config": {1, 2}}, ValueError, "JSON"),
        ({"version": "v1"}, ValueError, "worked out from the code"),
        ({"gang_scheduling_config": {}}, TypeError, "placement_group_bundles"),
        ({"rolling_update_percentage": 2}, ValueError, "at most 1; got 2"),
        ({"max_surge_percent": 101}, ValueError, "at most 100; got 101"),
        ({"max_constructor_retry_count": 0}, ValueError, "at least 1; got 0"),
        ({"graceful_shutdown_wait_loop_s": -1}, ValueError, "seconds"),
        ({"replicas": 2}, TypeError, "Unknown option 'replicas'.*num_replicas"),
        ({"name": "a#b"}, ValueError, "without '#'"),
        ({"ray_actor_options": {"cpu": 1}}, ValueError, r"\['cpu'\].*num_cpus"),
        ({"ray_actor_options": {"num_gpus": -1}}, ValueError, "-1 GPU"),
        ({"graceful_shutdown_timeout_s": -1}, ValueError, "seconds"),
    ],
)
def test_a_wrong_option_names_the_value(options, error, text):
    with pytest.raises(error, match=text):
        serve.deployment(**options)(Model.func_or_class)


def test_a_deployment_shows_its_options_as_they_were_given():
    made = Model.options(ray_actor_options={"num_gpus": 0.5})

    assert made.ray_actor_options == {"num_cpus": 1.0, "num_gpus": 0.5}
    assert made == Model.options(ray_actor_options={"num_gpus": 0.5})
    assert made != Model


def test_what_is_neither_class_nor_function_is_refused():
    with pytest.raises(TypeError, match="class or function; got 3"):
        serve.deployment(3)  # type: ignore[call-overload]


def test_a_deployment_cannot_be_called_and_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"Model\.bind"):
        Model()


def test_functions_take_no_arguments():
    @serve.deployment
    def function(request):
        return 1

    assert function.kind is Kind.FUNCTION
    with pytest.raises(ValueError, match="no arguments"):
        function.bind(1)


def test_ingress_marks_a_class_and_refuses_a_call_method():
    app = object()

    @serve.deployment
    @serve.ingress(app)
    class Api:
        pass

    assert Api.kind is Kind.ASGI
    assert Api.func_or_class.__serve_asgi_app__ is app
    with pytest.raises(ValueError, match="remove __call__"):
        serve.ingress(app)(type("Bad", (), {"__call__": print}))
    with pytest.raises(ValueError, match="class"):
        serve.ingress(app)(len)
    assert serve.deployment(serve.ingress(app)()).kind is Kind.ASGI


def test_a_bundle_holds_what_is_asked_for():
    options = ActorOptions.parse(
        {
            "num_gpus": 0.5,
            "memory": 10,
            "resources": {"tpu": 1},
            "accelerator_type": "A",
        }
    )

    assert options.bundle() == {
        "CPU": 1.0,
        "GPU": 0.5,
        "memory": 10,
        "tpu": 1,
        "accelerator_type:A": 0.001,
    }
    assert ActorOptions.parse({"num_cpus": 0}).bundle() == {}


def test_http_options_know_the_old_names():
    with pytest.raises(ValueError, match="use 'port'"):
        serve.start(http_options={"http_port": 1})
    with pytest.raises(ValueError, match="65535; got 70000"):
        serve.HTTPOptions(port=70000)
