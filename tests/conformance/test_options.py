"""What the decorator takes, what a deployment says of itself, and what replicas get."""

import importlib
import os
import pickle

import pytest

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs


@behaviour("§0", "modules that ported programs import, and what they import from them")
@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("", "Application Deployment HTTPOptions RunTarget batch delete deployment"),
        ("", "get_app_handle get_deployment_handle get_multiplexed_model_id ingress"),
        ("", "get_replica_context multiplexed run run_many shutdown start status"),
        ("", "shutdown_async"),
        ("handle", "DeploymentHandle DeploymentResponse DeploymentResponseGenerator"),
        ("config", "HTTPOptions ProxyLocation RequestRouterConfig gRPCOptions"),
        ("config", "BackpressureConfig"),
        ("schema", "ServeApplicationSchema ServeDeploySchema ApplicationStatus"),
        ("exceptions", "BackPressureError RayServeException RequestCancelledError"),
        ("exceptions", "DeploymentUnavailableError"),
        ("metrics", "Counter Gauge Histogram"),
        ("context", "ReplicaContext"),
    ],
)
def test_import_paths(serve, module, names):
    found = importlib.import_module(f"{serve.__name__}.{module}".rstrip("."))

    assert [name for name in names.split() if not hasattr(found, name)] == []


@behaviour("§0", "a dict is taken where there is a config class")
def test_dicts_for_config_classes(serve, part):
    config = part("config").BackpressureConfig(status_code=429, retry_after_s=2)
    given = {"status_code": 429, "retry_after_s": 2}

    @serve.deployment(backpressure_config=config)
    class ByClass:
        pass

    @serve.deployment(backpressure_config=given)
    class ByDict:
        pass

    assert ByClass.backpressure_config == ByDict.backpressure_config


@behaviour("§0", "BackPressureError survives pickling")
def test_errors_pickle(serve, run, part):
    error = part("exceptions").RayServeException("full")

    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@behaviour("§1.1", "options of Ray Serve are known, and their limits")
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"placement_group_strategy": "PACK"}, ValueError),
        ({"placement_group_bundles": [{"CPU": 0.5}]}, ValueError),
        ({"placement_group_bundle_label_selector": [{"a": "b"}]}, ValueError),
        ({"max_replicas_per_node": 0}, ValueError),
        ({"max_replicas_per_node": 101}, ValueError),
        (
            {"max_replicas_per_node": 1, "placement_group_bundles": [{"CPU": 1}]},
            ValueError,
        ),
        ({"rolling_update_percentage": 0}, ValueError),
        ({"rolling_update_percentage": 2}, ValueError),
        ({"max_surge_percent": 101}, ValueError),
        ({"max_queued_requests": 0}, ValueError),
        ({"backpressure_config": {"status_code": 500}}, ValueError),
        ({"health_check_period_s": -1}, ValueError),
        ({"graceful_shutdown_timeout_s": -1}, ValueError),
        ({"no_such_option": 1}, TypeError),
    ],
    ids=str,
)
def test_limits_of_options(serve, options, error):
    with pytest.raises(error):

        @serve.deployment(**options)
        class Wrong:
            pass


@behaviour("§1.1", "every option that is not deprecated is taken")
def test_options_are_taken(serve, run):
    @serve.deployment(
        num_replicas=1,
        ray_actor_options={"num_cpus": 0.1, "memory": 1000, "resources": {}},
        max_ongoing_requests=7,
        max_queued_requests=70,
        graceful_shutdown_wait_loop_s=1,
        graceful_shutdown_timeout_s=5,
        health_check_period_s=3,
        health_check_timeout_s=4,
        max_constructor_retry_count=2,
        placement_group_strategy=None,
        placement_group_bundles=None,
        user_config=None,
    )
    class Model:
        def __call__(self):
            return "here"

    assert run(Model.bind()).remote().result() == "here"


@behaviour("§1.1, §1.5", "max_replicas_per_node leaves room for what takes the place")
def test_cap_of_a_node(serve, run):
    @serve.deployment(max_replicas_per_node=1, ray_actor_options={"num_cpus": 0.1})
    class Model:
        def __init__(self, word):
            self.word = word

        def __call__(self):
            return self.word

    assert run(Model.bind("one")).remote().result() == "one"
    assert run(Model.bind("two")).remote().result() == "two"


@behaviour("§1.2", "a deployment says what it was declared with, and compares")
def test_properties(serve):
    class Model:
        pass

    declared = serve.deployment(
        name="M", max_ongoing_requests=3, ray_actor_options={"num_cpus": 2}
    )
    made = declared(Model)

    assert made.func_or_class is Model
    assert (made.max_ongoing_requests, made.max_queued_requests) == (3, -1)
    assert made.ray_actor_options["num_cpus"] == 2
    assert repr(made) == "Deployment(name=M)"
    assert made == declared(Model)
    assert made != made.options(num_replicas=2)


@behaviour("§1.2", "a deployment's class may inherit its methods")
def test_inheritance(serve, run):
    class Above:
        def __call__(self):
            return self.word()

        def word(self):
            return "above"

    @serve.deployment
    class Below(Above):
        def word(self):
            return "below " + super().word()

    assert run(Below.bind()).remote().result() == "below above"


@behaviour("§1.2", "two deployments of one name in an application get numbers")
def test_names_are_numbered(serve, run, name):
    @serve.deployment
    class Leaf:
        def __init__(self, number):
            self.number = number

        def __call__(self):
            return self.number

    @serve.deployment
    class Root:
        def __init__(self, *leaves):
            self.leaves = leaves

        async def __call__(self):
            return [await leaf.remote() for leaf in self.leaves]

    assert run(Root.bind(Leaf.bind(1), Leaf.bind(2))).remote().result() == [1, 2]
    found = set(serve.status().applications[name].deployments)
    assert found == {"Root", "Leaf", "Leaf_1"}


@behaviour("§1.1", "a constructor that fails at first is tried again")
def test_constructor_is_tried_again(serve, run, tmp_path):
    tries = tmp_path / "tries"

    @serve.deployment(max_constructor_retry_count=3)
    class Model:
        def __init__(self):
            with tries.open("a") as file:
                file.write("x")
            if len(tries.read_text()) < 3:
                raise ValueError("not yet")

        def __call__(self):
            return "up"

    assert run(Model.bind()).remote().result() == "up"
    assert tries.read_text() == "xxx"


@behaviour("§1.3", "a user_config without reconfigure, or a failing one, is an error")
def test_user_config_needs_reconfigure(serve, run):
    @serve.deployment(user_config={"a": 1}, max_constructor_retry_count=1)
    class Without:
        pass

    @serve.deployment(user_config={"a": 1}, max_constructor_retry_count=1)
    class Failing:
        def reconfigure(self, config):
            raise ValueError("not that")

    with pytest.raises(RuntimeError):
        run(Without.bind())
    with pytest.raises(RuntimeError):
        run(Failing.bind())


@behaviour("§1.5", "more replicas, or another cap, restart nothing")
@differs("serve.run gives every call a new version and replaces all replicas")
def test_light_options_restart_nothing(serve, run):
    @serve.deployment(max_ongoing_requests=2, ray_actor_options={"num_cpus": 0.1})
    class Model:
        def __call__(self):
            return os.getpid()

    before = run(Model.bind()).remote().result()
    handle = run(Model.options(max_ongoing_requests=9, num_replicas=2).bind())

    assert before in {handle.remote().result() for _ in range(50)}


@behaviour("a26", "replicas share a GPU by fractions, and see only theirs")
def test_fractions_of_gpus(serve, run):
    @serve.deployment(
        num_replicas=2, ray_actor_options={"num_cpus": 0.1, "num_gpus": 0.5}
    )
    class Half:
        def __call__(self):
            return os.environ["CUDA_VISIBLE_DEVICES"]  # noqa: TID251 - user code

    @serve.deployment(ray_actor_options={"num_cpus": 0.1, "num_gpus": 1})
    class Whole:
        def __init__(self, half):
            self.half = half

        async def __call__(self):
            halves = [await self.half.remote() for _ in range(20)]
            own = os.environ["CUDA_VISIBLE_DEVICES"]  # noqa: TID251 - user code
            return own, sorted(set(halves))

    own, halves = run(Whole.bind(Half.bind())).remote().result()

    assert {own, *halves} <= {"0", "1"}
    assert len(halves) == 1
    assert own != halves[0]


@behaviour("a39, §1.1", "workers that a replica starts go into its placement group")
def test_placement_group(serve, run):
    @serve.deployment(
        ray_actor_options={"num_cpus": 1},
        placement_group_bundles=[{"CPU": 1}, {"CPU": 1}],
        placement_group_strategy="PACK",
    )
    class Engine:
        def __init__(self):
            import ray

            @ray.remote(num_cpus=1)
            class Worker:
                def group(self):
                    group = ray.util.get_current_placement_group()
                    return group and group.id.hex()

            self.worker = Worker.remote()

        async def __call__(self):
            import ray

            own = ray.util.get_current_placement_group()
            theirs = await self.worker.group.remote()
            return own and own.id.hex() == theirs, own and own.bundle_count

    handle = run(Engine.bind())

    assert tuple(handle.remote().result(timeout_s=60)) == (True, 2)


@behaviour("a39", "a replica may start Ray tasks and actors of its own")
def test_ray_inside_a_replica(serve, run):
    @serve.deployment
    class Model:
        async def __call__(self, number):
            import ray

            @ray.remote(num_cpus=0.1)
            def double(x):
                return 2 * x

            return await double.remote(number)

    assert run(Model.bind()).remote(4).result(timeout_s=60) == 8


@behaviour("a26, §11.2", "runtime_env's working_dir and py_modules reach the replica")
@differs("for actors they must be URIs of archives; a local directory is refused")
def test_directories(serve, run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights.txt").write_text("weights")

    @serve.deployment(
        ray_actor_options={"runtime_env": {"working_dir": str(tmp_path / "data")}}
    )
    class Model:
        def __call__(self):
            from pathlib import Path

            return Path("weights.txt").read_text()

    assert run(Model.bind()).remote().result() == "weights"
