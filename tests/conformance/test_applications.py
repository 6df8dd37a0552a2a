"""Deploying, composing, changing and deleting applications."""

import asyncio

import pytest

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs


@behaviour("a1, §1.1", "@serve.deployment bare, and with options")
def test_bare_and_with_options(serve):
    @serve.deployment
    class Bare:
        pass

    @serve.deployment(name="Other", num_replicas=2, ray_actor_options={"num_cpus": 0.1})
    class Named:
        pass

    assert (Bare.name, Bare.num_replicas) == ("Bare", 1)
    assert (Named.name, Named.num_replicas) == ("Other", 2)


@behaviour("a1, §1.1", "options that cannot be are refused at once")
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"num_replicas": 0}, ValueError),
        ({"max_ongoing_requests": 0}, ValueError),
        ({"name": "a#b"}, ValueError),
        ({"version": "1"}, ValueError),
        ({"ray_actor_options": {"max_restarts": 1}}, ValueError),
    ],
)
def test_impossible_options(serve, options, error):
    with pytest.raises(error):

        @serve.deployment(**options)
        class Wrong:
            pass


@behaviour("§1.1", "only classes and functions can be deployed")
def test_target_must_be_class_or_function(serve):
    with pytest.raises(TypeError):
        serve.deployment(num_replicas=1)(3)


@behaviour("a2", "bind, run, and a handle that works")
def test_run_returns_a_handle(serve, run):
    @serve.deployment
    class Hello:
        def __init__(self, greeting):
            self.greeting = greeting

        def __call__(self, name):
            return f"{self.greeting} {name}"

    assert run(Hello.bind("Hi")).remote("you").result() == "Hi you"


@behaviour("§1.2", "a function is a deployment, too; bind takes no arguments then")
def test_function_deployment(serve, run):
    @serve.deployment
    def double(number):
        return 2 * number

    with pytest.raises(ValueError):
        double.bind(1)
    assert run(double.bind()).remote(4).result() == 8


@behaviour("§1.2", "calling a deployment says what to do instead")
def test_calling_a_deployment(serve):
    @serve.deployment
    class Model:
        pass

    with pytest.raises(RuntimeError):
        Model()


@behaviour("a40, §1.2", "func_or_class is the undecorated class, for unit tests")
def test_func_or_class(serve):
    @serve.deployment
    class Model:
        def predict(self):
            return 3

    assert Model.func_or_class().predict() == 3


@behaviour("a18, §16.10", ".options() makes a changed copy")
def test_options_copy(serve):
    @serve.deployment
    class Model:
        pass

    changed = Model.options(num_replicas=3, name="Three")

    assert (changed.num_replicas, changed.name) == (3, "Three")
    assert (Model.num_replicas, Model.name) == (1, "Model")


@behaviour("a6, §1.2", "applications in arguments, at any depth, become handles")
def test_nested_applications(serve, run):
    @serve.deployment
    class Add:
        def __init__(self, number):
            self.number = number

        def __call__(self, value):
            return value + self.number

    @serve.deployment
    class Sum:
        def __init__(self, parts):
            self.parts = parts

        async def __call__(self, value):
            calls = [h.remote(value) for h in (*self.parts["list"], self.parts["one"])]
            return sum(await asyncio.gather(*calls))

    parts = {"list": [Add.bind(1), Add.bind(2)], "one": Add.bind(3)}
    assert run(Sum.bind(parts)).remote(10).result() == 36


@behaviour("§1.2, §16.9", "the same bound object is one deployment, equal ones are two")
def test_shared_and_separate_binds(serve, run, name):
    @serve.deployment
    class Leaf:
        def who(self):
            return serve_context().replica_id

    def serve_context():
        import importlib

        return importlib.import_module(module).get_replica_context()

    module = serve.__name__

    @serve.deployment
    class Root:
        def __init__(self, a, b, c):
            self.leaves = a, b, c

        async def __call__(self):
            found = [str(await leaf.who.remote()) for leaf in self.leaves]
            return found[0] == found[1], found[0] == found[2]

    shared = Leaf.bind()
    handle = run(Root.bind(shared, shared, Leaf.bind()))

    assert tuple(handle.remote().result()) == (True, False)
    assert len(serve.status().applications[name].deployments) == 3


@behaviour("a6, §3", "methods of handles, sync and async, by attribute")
def test_handle_methods(serve, run):
    @serve.deployment
    class Model:
        def sync(self, a, b=2):
            return a + b

        async def async_(self, a):
            return a

    handle = run(Model.bind())

    assert handle.sync.remote(1, b=5).result() == 6
    assert handle.async_.remote("x").result() == "x"


@behaviour("a15, §2", "a failed constructor is a RuntimeError with the reason")
def test_failed_constructor(serve, run, name):
    @serve.deployment
    class Broken:
        def __init__(self):
            raise ValueError("no weights here")

    with pytest.raises(RuntimeError):
        run(Broken.bind())
    status = serve.status().applications[name]
    assert str(status.status).rpartition(".")[2] == "DEPLOY_FAILED"


@behaviour("a15", "status of what runs")
def test_status(serve, run, name):
    @serve.deployment
    class Model:
        pass

    run(Model.bind())

    app = serve.status().applications[name]
    assert app.status == "RUNNING"
    assert app.deployments["Model"].status == "HEALTHY"
    assert app.deployments["Model"].replica_states == {"RUNNING": 1}


@behaviour("a16, §16.24", "a failed update leaves the old version serving")
@differs("a single replica is stopped before the new one is known to start")
def test_failed_update_keeps_the_old(serve, run, http, url):
    def version(number, fails):
        @serve.deployment(name="Model")
        class Model:
            def __init__(self):
                if fails:
                    raise ValueError("not this one")

            def __call__(self, request):
                return str(number)

        return Model.bind()

    run(version(1, fails=False))
    with pytest.raises(RuntimeError):
        run(version(2, fails=True))

    assert http.get(url).text == "1"


@behaviour("a16", "run again under the same name updates in place; delete ends it")
def test_update_and_delete(serve, run, name, http, url):
    def version(number):
        @serve.deployment(name="Model")
        def answer(request):
            return str(number)

        return answer.bind()

    run(version(1))
    assert http.get(url).text == "1"
    run(version(2))
    assert http.get(url).text == "2"
    serve.delete(name)
    assert http.get(url).status_code == 404
    serve.delete("no such application")


@behaviour("a17, §1.3", "user_config reaches reconfigure, and again when it changes")
def test_user_config(serve, run):
    @serve.deployment(user_config={"n": 1})
    class Model:
        def __init__(self):
            self.seen = []

        def reconfigure(self, config):
            self.seen.append(config["n"])

        def __call__(self):
            return self.seen

    assert run(Model.bind()).remote().result() == [1]
    changed = Model.options(user_config={"n": 2})
    assert run(changed.bind()).remote().result()[-1] == 2


@behaviour("§16.11", "user_config has JSON's types: tuples become lists")
def test_user_config_is_json(serve, run):
    @serve.deployment(user_config={"pair": (1, 2)})
    class Model:
        def reconfigure(self, config):
            self.pair = config["pair"]

        def __call__(self):
            return self.pair

    assert list(run(Model.bind()).remote().result()) == [1, 2]
    with pytest.raises(ValueError):
        Model.options(user_config={"bad": object()})


@behaviour("a36, §1.4", "get_replica_context, in constructors too, not outside")
def test_replica_context(serve, run, name):
    module = serve.__name__

    @serve.deployment
    class Model:
        def __init__(self):
            import importlib

            self.here = importlib.import_module(module).get_replica_context()

        def __call__(self):
            return self.here.app_name, self.here.deployment

    assert tuple(run(Model.bind()).remote().result()) == (name, "Model")
    with pytest.raises(Exception):
        serve.get_replica_context()


@behaviour("§1.3, §1.4", "ranks 0..N-1, in the context and by reconfigure")
def test_ranks(serve, run, eventually):
    module = serve.__name__

    @serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.1})
    class Model:
        def reconfigure(self, user_config, rank):
            self.told = user_config["a"], rank.rank

        def __call__(self):
            import importlib

            here = importlib.import_module(module).get_replica_context()
            rank = here.rank
            return rank.rank, rank.node_rank, here.world_size, *self.told

    handle = run(Model.options(user_config={"a": 1}).bind())

    def answers():
        return {tuple(handle.remote().result()) for _ in range(8)}

    wanted = {(0, 0, 2, 1, 0), (1, 0, 2, 1, 1)}
    eventually(lambda: answers() == wanted)


@behaviour("§1.3, §16.28", "constructors may be async, and so may __del__")
def test_async_constructor(serve, run):
    @serve.deployment
    class Model:
        async def __init__(self):
            await asyncio.sleep(0)
            self.ready = True

        def __call__(self):
            return self.ready

    assert run(Model.bind()).remote().result() is True


@behaviour("a24, §2", "handles by name; unknown ones are errors")
def test_handles_by_name(serve, run, name):
    @serve.deployment
    class Model:
        def __call__(self):
            return 1

    run(Model.bind())

    assert serve.get_app_handle(name).remote().result() == 1
    assert serve.get_deployment_handle("Model", name).remote().result() == 1
    with pytest.raises(KeyError):
        serve.get_deployment_handle("Nope", name)
    with pytest.raises(Exception):
        serve.get_app_handle("no such application")


@behaviour("a14", "several applications by route; a route has one owner")
def test_routes_have_one_owner(serve, run, name):
    @serve.deployment
    def answer():
        return 1

    run(answer.bind())
    with pytest.raises(Exception):
        serve.run(answer.bind(), name="other", route_prefix=f"/{name}")
    serve.delete("other")


@behaviour("§2", "route prefixes that cannot be are refused")
@pytest.mark.parametrize("prefix", ["no-slash", "/ends/", "/{braces}"])
def test_impossible_routes(serve, prefix):
    @serve.deployment
    def answer():
        return 1

    with pytest.raises(ValueError):
        serve.run(answer.bind(), name="impossible", route_prefix=prefix)


@behaviour("§2", "run takes an application, nothing else")
def test_run_takes_an_application(serve):
    with pytest.raises(TypeError):
        serve.run("model", name="wrong")


@behaviour("a25, §10", "a replica that crashes is replaced")
def test_crashed_replica_is_replaced(serve, run, eventually):
    import os

    @serve.deployment(health_check_period_s=1)
    class Model:
        def pid(self):
            return os.getpid()

        def crash(self):
            os._exit(1)

    handle = run(Model.bind())
    before = handle.pid.remote().result()
    with pytest.raises(Exception):
        handle.crash.remote().result()

    def is_back():
        try:
            return handle.pid.remote().result(timeout_s=5) != before
        except Exception:  # noqa: BLE001 - each system fails in its own way
            return False

    assert eventually(is_back)


@behaviour("a25, §1.3", "a check_health that raises has the replica replaced")
def test_unhealthy_replica_is_replaced(serve, run, eventually):
    import os

    @serve.deployment(health_check_period_s=0.2, health_check_timeout_s=5)
    class Model:
        def __init__(self):
            self.is_sick = False

        def check_health(self):
            if self.is_sick:
                raise RuntimeError("sick")

        def pid(self):
            return os.getpid()

        def fall_sick(self):
            self.is_sick = True

    handle = run(Model.bind())
    before = handle.pid.remote().result()
    handle.fall_sick.remote().result()

    def is_new():
        try:
            return handle.pid.remote().result(timeout_s=5) != before
        except Exception:  # noqa: BLE001 - each system fails in its own way
            return False

    assert eventually(is_new)


@behaviour("a26", "runtime_env's variables, and threads kept to the CPUs asked for")
def test_environment(serve, run):
    import os

    @serve.deployment(
        ray_actor_options={"num_cpus": 0.5, "runtime_env": {"env_vars": {"MY": "x"}}}
    )
    class Model:
        def __call__(self):
            found = os.environ  # noqa: TID251 - what user code would read
            return found["MY"], found.get("CUDA_VISIBLE_DEVICES", "")

    assert tuple(run(Model.bind()).remote().result()) == ("x", "")


@behaviour("b34, §1.5", "unchanged code is not deployed anew")
@differs("serve.run gives every call a new version and replaces all replicas")
def test_unchanged_code_keeps_its_replicas(serve, run):
    import os

    @serve.deployment
    class Model:
        def __call__(self):
            return os.getpid()

    first = run(Model.bind()).remote().result()
    assert run(Model.bind()).remote().result() == first
