"""The whole way: Jupyter's server, a real instance, and what a page sees of them."""

import asyncio
import os
import signal

import httpx
import pytest

from workbench import api, serve
from workbench.sidebar.messages import InstanceEvent, InstancesMessage, StartingMessage
from workbench.spec.events import HistoryEvent, SampleEvent, StatusEvent

pytestmark = pytest.mark.ray

_PATIENCE_S = 120


@serve.deployment(num_replicas=2)
class Greeter:
    def __call__(self, request):
        print("a greeting")  # noqa: T201 - what the logs should show
        return "hello"


@pytest.fixture
def ended():
    """Whatever happens, no instance stays."""
    yield
    api.shutdown()


async def test_from_nothing_to_a_deployment_and_back(ask, open_page, ended):
    page = await open_page()
    page.patience_s = _PATIENCE_S
    assert await page.listing() == ()

    code, started = await ask(
        "POST", "instances", "start", body={}, request_timeout=_PATIENCE_S
    )
    assert code == 200, started
    here = ("instances", started["id"])
    await page.event(HistoryEvent)
    texts = [each.text for each in page.read if isinstance(each, StartingMessage)]
    assert "starting Ray" in texts

    await asyncio.to_thread(serve.run, Greeter.bind(), name="hi")  # type: ignore[attr-defined]
    status = await page_status(page, lambda app: app.status == "RUNNING")
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(10):
            await client.get(status.applications["hi"].url)
    await page.until(lambda each: sampled(each, lambda one: one.requests_per_s > 0))

    _, logs = await ask("GET", *here, "logs", params={"wait_s": "10"})
    assert "a greeting" in [each["text"] for each in logs["records"]]

    code, _ = await ask(
        *("PUT", *here, "applications", "hi", "deployments", "Greeter", "scale"),
        body={"num_replicas": 1},
    )
    assert code == 200
    await page.until(lambda each: sampled(each, lambda one: one.replicas == 1))

    os.kill(status.instance.pids["controller"], signal.SIGKILL)
    await page.event(HistoryEvent)

    code, _ = await ask("DELETE", *here, "applications", "hi")
    assert code == 200
    code, _ = await ask("DELETE", *here, request_timeout=_PATIENCE_S)
    assert code == 200
    await page.listing(lambda found: not found)
    lists = [each for each in page.read if isinstance(each, InstancesMessage)]
    kinds = {
        found.problem.kind
        for each in lists
        for found in each.instances
        if found.problem
    }
    assert kinds <= {"controller_away"}


async def page_status(page, claim):
    """The next status in which the claim holds of our application."""

    def holds(message):
        return (
            isinstance(message, InstanceEvent)
            and isinstance(message.event, StatusEvent)
            and "hi" in message.event.status.applications
            and claim(message.event.status.applications["hi"])
        )

    return (await page.until(holds)).event.status


def sampled(message, claim):
    """Whether it is a sample in which the claim holds of our deployment."""
    return (
        isinstance(message, InstanceEvent)
        and isinstance(message.event, SampleEvent)
        and "hi#Greeter" in message.event.sample.deployments
        and claim(message.event.sample.deployments["hi#Greeter"])
    )
