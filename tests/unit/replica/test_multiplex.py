"""`@serve.multiplexed`: models loaded as they are asked for, and let go."""

import asyncio
import gc

import cloudpickle
import pytest

from workbench.replica.multiplex import (
    get_multiplexed_model_id,
    held_models,
    multiplexed,
    set_models_listener,
)
from workbench.request import RequestContext, current_request

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Server:
    def __init__(self):
        self.loads = []

    @multiplexed(max_num_models_per_replica=2)
    async def model(self, model_id):
        self.loads.append(model_id)
        await asyncio.sleep(0)
        return f"model {model_id}"


async def test_a_model_is_loaded_once():
    server = Server()

    assert await server.model("a") == "model a"
    assert await server.model("a") == "model a"
    assert server.loads == ["a"]


async def test_callers_share_one_load():
    server = Server()

    await asyncio.gather(*(server.model("a") for _ in range(5)))

    assert server.loads == ["a"]


async def test_the_model_not_asked_for_longest_is_let_go():
    server = Server()
    for model_id in ("a", "b", "a", "c"):
        await server.model(model_id)

    await server.model("a")
    assert server.loads == ["a", "b", "c"]
    await server.model("b")
    assert server.loads == ["a", "b", "c", "b"]


async def test_no_more_models_are_held_than_allowed_even_while_loading():
    alive, most = set(), 0

    class Model:
        def __init__(self, name):
            nonlocal most
            self.name = name
            alive.add(name)
            most = max(most, len(alive))

        def __del__(self):
            alive.discard(self.name)

    @multiplexed(max_num_models_per_replica=1)
    async def load(model_id):
        gc.collect()
        return Model(model_id)

    for name in "abab":
        await load(name)
    assert most == 1


async def test_an_async_finaliser_is_awaited_once():
    ended = []

    class Model:
        def __init__(self, name):
            self.name = name

        async def __del__(self):
            await asyncio.sleep(0)
            ended.append(self.name)

    @multiplexed(max_num_models_per_replica=1)
    async def load(model_id):
        return Model(model_id)

    for name in "abc":
        await load(name)
    gc.collect()
    assert ended == ["a", "b"]


async def test_sync_loaders_run_in_a_thread():
    @multiplexed
    def load(model_id):
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return model_id.upper()

    assert await load("a") == "A"


async def test_a_failed_load_reaches_its_callers_and_may_be_tried_again():
    attempts = []

    @multiplexed
    async def load(model_id):
        attempts.append(model_id)
        if len(attempts) == 1:
            raise OSError("disk")
        return model_id

    with pytest.raises(OSError, match="disk"):
        await load("a")
    assert await load("a") == "a"


async def test_a_caller_who_leaves_does_not_stop_the_load_of_others():
    go = asyncio.Event()

    @multiplexed
    async def load(model_id):
        await go.wait()
        return model_id

    leaving, staying = (asyncio.ensure_future(load("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    go.set()

    assert await staying == "a"


async def test_listeners_hear_of_models_that_come_and_go():
    seen = []
    set_models_listener(lambda: seen.append("x" in held_models()))
    try:
        server = Server()
        await server.model("x")
        await server.model("y")
        await server.model("z")
    finally:
        set_models_listener(lambda: None)

    assert seen[0]
    assert not seen[-1]


async def test_models_stay_when_new_code_takes_over_the_object():
    server = Server()
    await server.model("a")
    successor = object.__new__(Server)
    successor.__dict__ = server.__dict__

    await successor.model("a")
    assert server.loads == ["a"]


async def test_it_travels_without_its_models():
    server = Server()
    await server.model("a")

    copy = cloudpickle.loads(cloudpickle.dumps(Server))()

    assert await copy.model("a") == "model a"


@pytest.mark.parametrize(
    ("model_id", "error", "says"),
    [("", ValueError, "serve_multiplexed_model_id"), (3, TypeError, "as text; got 3")],
)
async def test_ids_that_cannot_be_are_refused(model_id, error, says):
    with pytest.raises(error, match=says):
        await Server().model(model_id)


def test_loaders_and_options_that_cannot_be_are_refused():
    with pytest.raises(TypeError, match="exactly one model id"):
        multiplexed(lambda a, b: None)
    with pytest.raises(TypeError, match="decorates a function"):
        multiplexed(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="or -1 for no limit; got 0"):
        multiplexed(max_num_models_per_replica=0)
    with pytest.raises(TypeError, match=r"whole number; got 1\.5"):
        multiplexed(max_num_models_per_replica=1.5)  # type: ignore[arg-type]


async def test_the_model_id_is_that_of_the_request():
    assert get_multiplexed_model_id() == ""
    token = current_request.set(RequestContext(multiplexed_model_id="m7"))
    try:
        assert get_multiplexed_model_id() == "m7"
    finally:
        current_request.reset(token)
