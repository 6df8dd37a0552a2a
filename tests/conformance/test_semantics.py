"""Small semantics that ported programs rest on."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs


@behaviour("a24, §2, §16.1", "another process finds what runs, and calls it by name")
def test_another_process(serve, run, name, elsewhere):
    @serve.deployment
    class Model:
        def __call__(self, word):
            return f"{word} back"

    run(Model.bind())
    call = f"serve.get_app_handle({name!r}).remote('come').result(timeout_s=60)"
    package = serve.__name__.rpartition(".")[0]
    code = f"from {package} import serve; print({call})"
    if package == "ray":
        code = f"import ray; ray.init(namespace='serve', log_to_driver=False); {code}"

    assert "come back" in elsewhere(code, program=["-c"]).stdout


@behaviour("a24, §2", "replicas find applications and deployments by name")
def test_names_in_replicas(serve, run, name):
    module = serve.__name__

    @serve.deployment
    class Leaf:
        def __call__(self):
            return "leaf"

    @serve.deployment
    class Root:
        def __init__(self, leaf):
            import importlib

            serve = importlib.import_module(module)
            self.peer = serve.get_deployment_handle("Leaf")
            self.app = serve.get_app_handle

        async def __call__(self, other):
            return await self.peer.remote(), await self.app(other).remote()

    serve.run(Leaf.bind(), name=f"{name}b", route_prefix=None)
    try:
        found = run(Root.bind(Leaf.bind())).remote(f"{name}b").result()
    finally:
        serve.delete(f"{name}b")

    assert tuple(found) == ("leaf", "leaf")


@behaviour("§2", "run_many deploys several applications")
def test_run_many(serve, name, http, base_url):
    @serve.deployment(ray_actor_options={"num_cpus": 0.1})
    class Model:
        def __init__(self, word):
            self.word = word

        def __call__(self, request=None):
            return self.word

    handles = serve.run_many(
        [
            serve.RunTarget(Model.bind("a"), name=name, route_prefix=f"/{name}"),
            serve.RunTarget(Model.bind("b"), name=f"{name}b", route_prefix=None),
        ]
    )

    assert [each.remote().result() for each in handles] == ["a", "b"]
    assert http.get(f"{base_url}/{name}").text == "a"
    serve.delete(f"{name}b")
    with pytest.raises(ValueError):
        serve.run_many([])


@behaviour("§2", "without a route, an application is reached by handle only")
def test_no_route(serve, run, name, http, base_url):
    @serve.deployment
    def answer():
        return 1

    assert run(answer.bind(), route_prefix=None).remote().result() == 1
    assert http.get(f"{base_url}/{name}").status_code == 404
    assert f"/{name}" not in http.get(f"{base_url}/-/routes").json()


WITHOUT_PROXIES = """
{prepare}

@serve.deployment
def hello(request):
    return "hello"

serve.start(proxy_location="Disabled")
handle = serve.run(hello.bind(), route_prefix="/hello")
print(handle.remote(None).result(), "beside", len(serve.status().proxies), "proxies")
serve.shutdown()
"""


@behaviour("§2, §11.1", "proxy_location Disabled: no proxies, and handles work")
def test_without_proxies(serve, system, tmp_path):
    path = tmp_path / "handles_only.py"
    prepare = f"from {serve.__name__.removesuffix('.serve')} import serve"
    if system == "ray":
        prepare += "\nimport ray\nray.init('local', num_cpus=2)"
    path.write_text(WITHOUT_PROXIES.format(prepare=prepare))
    # Where no instance is found, the script starts one of its own.
    environ = dict(os.environ) | {"JUPYTER_RUNTIME_DIR": str(tmp_path)}  # noqa: TID251
    environ.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, path],
        check=False,
        env=environ,
        capture_output=True,
        text=True,
        timeout=150,
    )

    assert done.returncode == 0, done.stderr
    assert "hello beside 0 proxies" in done.stdout


@behaviour("§2", "start is no error where Serve runs")
def test_start_again(serve):
    serve.start()
    serve.start(http_options={"keep_alive_timeout_s": 90})


@behaviour("§2", "start refuses what is not, also where Serve runs")
@differs("once it runs, all that start is given is passed over")
def test_start_with_what_is_not(serve):
    with pytest.raises((TypeError, ValueError)):
        serve.start(http_port=1)
    with pytest.raises(ValueError):
        serve.start(proxy_location="Nowhere")


@behaviour("§4.1", "HTTP options: what belongs together, and what is gone")
@pytest.mark.parametrize(
    "options",
    [
        {"ssl_certfile": "a.pem"},
        {"middlewares": [1]},
        {"num_cpus": 1},
    ],
    ids=str,
)
def test_http_options(serve, part, options):
    assert part("config").HTTPOptions(middlewares=[], num_cpus=0, location=None)
    with pytest.raises(ValueError):
        part("config").HTTPOptions(**options)


@behaviour("§2, §16.25", "a first deploy that failed stays, and is mended or deleted")
def test_failed_first_deploy(serve, run, name):
    def version(fails):
        @serve.deployment(name="Model", max_constructor_retry_count=1)
        class Model:
            def __init__(self):
                if fails:
                    raise ValueError("broken")

            def __call__(self):
                return "mended"

        return Model.bind()

    with pytest.raises(RuntimeError):
        run(version(True))
    assert name in serve.status().applications
    assert run(version(False)).remote().result() == "mended"


@behaviour("§16.26", "a handle of a deleted application fails, or finds the next one")
def test_handle_of_a_deleted_application(serve, run, name):
    @serve.deployment
    def answer():
        return 1

    handle = run(answer.bind())
    assert handle.remote().result() == 1
    serve.delete(name)
    with pytest.raises(Exception):
        handle.remote().result(timeout_s=5)

    assert run(answer.bind()).remote().result(timeout_s=60) == 1


@behaviour("§16.7", "an argument that is still computed holds no slot")
def test_slow_arguments_hold_no_slot(serve, run, tmp_path):
    gate = tmp_path / "open"

    @serve.deployment
    class Slow:
        async def __call__(self):
            while not gate.exists():
                await asyncio.sleep(0.01)
            return "slow"

    @serve.deployment(max_ongoing_requests=1)
    class Fast:
        def __call__(self, value):
            return value

    @serve.deployment
    class Root:
        def __init__(self, slow, fast):
            self.slow, self.fast = slow, fast

        async def __call__(self):
            waiting = self.fast.remote(self.slow.remote())
            first = await self.fast.remote("first")
            gate.touch()
            return first, await waiting

    handle = run(Root.bind(Slow.bind(), Fast.bind()))

    assert tuple(handle.remote().result(timeout_s=30)) == ("first", "slow")


@behaviour("§16.8", "a cycle through a deployment of cap 1 waits for itself")
def test_a_cycle_at_cap_1(serve, run, name):
    module = serve.__name__

    @serve.deployment(max_ongoing_requests=1)
    class Model:
        async def __call__(self, depth):
            import importlib

            if depth == 0:
                return "bottom"
            own = importlib.import_module(module).get_deployment_handle("Model", name)
            return await own.remote(depth - 1)

    handle = run(Model.bind())
    assert handle.remote(0).result() == "bottom"
    response = handle.remote(1)
    with pytest.raises(TimeoutError):
        response.result(timeout_s=1)
    response.cancel()


@behaviour("§16.12, §1.3", "reconfigure is done before the first request")
def test_reconfigure_comes_first(serve, run):
    @serve.deployment(user_config={"ready": True})
    class Model:
        def __init__(self):
            self.ready = False

        async def reconfigure(self, config):
            await asyncio.sleep(0.2)
            self.ready = config["ready"]

        def __call__(self):
            return self.ready

    assert run(Model.bind()).remote().result() is True


@behaviour("§16.14", "locks and events made in the constructor work in methods")
def test_locks_of_the_constructor(serve, run):
    @serve.deployment
    class Model:
        def __init__(self):
            self.lock, self.event = asyncio.Lock(), asyncio.Event()

        async def wait(self):
            await self.event.wait()
            return "woken"

        async def wake(self):
            async with self.lock:
                self.event.set()

    handle = run(Model.bind())
    waiting = handle.wait.remote()
    handle.wake.remote().result()

    assert waiting.result(timeout_s=10) == "woken"


@behaviour("§1.4", "sync methods keep the request's context; executors are there")
def test_threads_and_context(serve, run):
    module = serve.__name__

    @serve.deployment
    class Model:
        def name(self):
            import importlib

            return importlib.import_module(module).get_replica_context().deployment

        async def thread(self):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, threading.get_ident)

    handle = run(Model.bind())

    assert handle.name.remote().result() == "Model"
    assert handle.thread.remote().result() > 0


@behaviour("§16.15", "request.client is the client itself")
def test_client_address(serve, run, http, url):
    @serve.deployment
    class Model:
        def __call__(self, request):
            return request.client.host

    assert http.get(run(Model.bind()) and url).text == "127.0.0.1"


@behaviour("§16.18", "404 is text, a body that does not fit is FastAPI's JSON")
def test_forms_of_errors(serve, run, http, url, base_url):
    from fastapi import FastAPI

    app = FastAPI()

    @serve.deployment
    @serve.ingress(app)
    class Api:
        @app.get("/double")
        def double(self, number: int):
            return 2 * number

    run(Api.bind())

    missing = http.get(f"{base_url}/no-such-route")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/plain")
    wrong = http.get(f"{url}/double", params={"number": "x"})
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["loc"] == ["query", "number"]


@behaviour("§4.4", "methods of an ingress class are called by handle, too")
def test_handles_of_an_ingress(serve, run):
    from fastapi import FastAPI

    app = FastAPI()

    @serve.deployment
    @serve.ingress(app)
    class Api:
        @app.get("/double")
        def double(self, number: int):
            return 2 * number

        def triple(self, number):
            return 3 * number

    handle = run(Api.bind())

    assert handle.double.remote(2).result() == 4
    assert handle.triple.remote(2).result() == 6


@behaviour("§4.4", "any ASGI app is served, with a class around it or without")
def test_other_asgi_apps(serve, run, http, url):
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(request):
        return PlainTextResponse(f"hello {request.scope['root_path']}")

    app = Starlette(routes=[Route("/hello", hello)])

    @serve.deployment
    @serve.ingress(app)
    class Api:
        pass

    run(Api.bind())
    assert http.get(f"{url}/hello").text == f"hello {url[url.rindex('/') :]}"
    run(serve.deployment(serve.ingress(app)()).bind())
    assert http.get(f"{url}/hello").status_code == 200


@behaviour("§4.3, §4.4", "background tasks of a response run")
def test_background_tasks(serve, run, http, url, tmp_path, eventually):
    done = tmp_path / "done"

    @serve.deployment
    class Model:
        def __call__(self, request):
            from starlette.background import BackgroundTask
            from starlette.responses import PlainTextResponse

            return PlainTextResponse("ok", background=BackgroundTask(done.touch))

    run(Model.bind())

    assert http.get(url).text == "ok"
    assert eventually(done.exists)


@behaviour("§16.27", "a replica that dies in a stream: what came stays, then an error")
def test_death_in_a_stream(serve, run):
    @serve.deployment
    class Model:
        def count(self):
            yield 1
            yield 2
            os._exit(1)

    stream = run(Model.bind()).options(stream=True).count.remote()

    got = []
    with pytest.raises(Exception):
        for item in stream:
            got.append(item)  # noqa: PERF402 - what came before the error
    assert got == [1, 2][: len(got)]


@behaviour("a25, §3", "a call that a replica took and died with is an error")
def test_death_in_a_call(serve, run):
    @serve.deployment
    class Model:
        def crash(self):
            os._exit(1)

    with pytest.raises(Exception):
        run(Model.bind()).crash.remote().result(timeout_s=30)


@behaviour("§1.3, §16.28", "an async __del__ is awaited when a replica stops")
def test_async_destructor(serve, run, name, tmp_path, eventually):
    trace = tmp_path / "trace"

    @serve.deployment
    class Model:
        def __call__(self):
            return 1

        async def __del__(self):
            await asyncio.sleep(0.01)
            trace.touch()

    run(Model.bind()).remote().result()
    serve.delete(name)

    assert eventually(trace.exists)


@behaviour("§16.30", "a replica's tag names application, deployment and itself")
def test_replica_tag(serve, run, name):
    module = serve.__name__

    @serve.deployment
    class Model:
        def __call__(self):
            import importlib

            here = importlib.import_module(module).get_replica_context()
            return here.replica_tag, here.app_name, here.deployment

    tag, app, deployment = run(Model.bind()).remote().result()

    assert (app, deployment) == (name, "Model")
    assert "Model" in tag or len(tag) >= 8


@behaviour("a27, §1.1", "a call that runs is finished before its replica stops")
def test_graceful_stop(serve, run, name, tmp_path):
    started, gate = tmp_path / "started", tmp_path / "open"

    @serve.deployment(graceful_shutdown_timeout_s=30, graceful_shutdown_wait_loop_s=0.1)
    class Model:
        async def __call__(self):
            started.touch()
            while not gate.exists():
                await asyncio.sleep(0.01)
            return "finished"

    response = run(Model.bind()).remote()
    while not started.exists():
        threading.Event().wait(0.01)
    deleting = threading.Thread(target=serve.delete, args=(name,))
    deleting.start()
    while (app := serve.status().applications.get(name)) and deleting.is_alive():
        if str(app.status).endswith("DELETING"):
            break
        threading.Event().wait(0.05)
    gate.touch()

    assert response.result(timeout_s=30) == "finished"
    deleting.join(60)


@behaviour(
    "§1.1", "a call that never ends is cut off after graceful_shutdown_timeout_s"
)
def test_shutdown_is_bounded(serve, run, name):
    @serve.deployment(
        graceful_shutdown_timeout_s=0.5, graceful_shutdown_wait_loop_s=0.1
    )
    class Model:
        async def __call__(self):
            await asyncio.Event().wait()

        def ready(self):
            return True

    handle = run(Model.bind())
    response = handle.remote()
    assert handle.ready.remote().result()
    serve.delete(name)

    with pytest.raises(Exception):
        response.result(timeout_s=30)


@behaviour("§1.4", "blocking code in a method does not make its replica unhealthy")
def test_blocked_code_is_not_sick(serve, run):
    import time

    @serve.deployment(health_check_period_s=0.3, health_check_timeout_s=1)
    class Model:
        async def block(self):
            time.sleep(3)  # noqa: TID251, ASYNC251 - the mistake that is shown
            return os.getpid()

        def pid(self):
            return os.getpid()

    handle = run(Model.bind())
    before = handle.pid.remote().result()

    assert handle.block.remote().result(timeout_s=60) == before


@behaviour("§6", "a batched function gets a list for each parameter")
def test_batch_parameters(serve, run):
    @serve.deployment
    class Model:
        @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.2)
        async def add(self, a, b):
            return [x + y for x, y in zip(a, b, strict=True)]

        async def __call__(self, a, b):
            return await self.add(a, b)

    handle = run(Model.bind())
    calls = [handle.remote(n, b=10 * n) for n in range(4)]

    assert [each.result() for each in calls] == [0, 11, 22, 33]
