"""What is measured of real traffic, as a front end that follows the events sees it."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.errors import InstanceError
from workbench.spec.events import HistoryEvent, SampleEvent, StatusEvent

PATIENCE_S = 60.0


class Follower:
    """Reads the events of the instance; fails when a claim takes too long to hold."""

    def __init__(self, stream):
        self._stream = stream

    def next(self, kind):
        """The next event of a kind."""
        return next(event for event in self._stream if isinstance(event, kind))

    def until(self, claim):
        """The next sample for which a claim holds."""
        deadline = time.monotonic() + PATIENCE_S
        last = None
        for event in self._stream:
            if isinstance(event, SampleEvent):
                last = event.sample
                if claim(last):
                    return last
            assert time.monotonic() < deadline, f"last seen: {last!r}"
        raise AssertionError


@contextmanager
def following():
    with closing(api.events()) as stream:
        yield Follower(stream)


@contextmanager
def traffic(url):
    """One client that asks again and again."""
    over = threading.Event()

    def ask():
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not over.is_set():
                client.get(url)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield
        finally:
            over.set()
        asking.result()


@serve.deployment(max_ongoing_requests=2)
class Gated:
    """`/wait` waits until the user_config says "open"; `/bad` fails."""

    def __init__(self):
        self.gate = threading.Event()

    def __call__(self, request):
        if request.url.path.endswith("/bad"):
            raise ValueError("bad")
        if request.url.path.endswith("/wait"):
            self.gate.wait(120)
        return "done"

    def reconfigure(self, config):
        if config == "open":
            self.gate.set()

    async def get(self):
        return "got"


@serve.deployment
class Front:
    def __init__(self, back):
        self.back = back

    async def __call__(self, request):
        return await self.back.remote()


@serve.deployment(max_ongoing_requests=1)
class Back:
    async def __call__(self):
        return "back"


def test_traffic_is_seen_with_its_latency_and_over_when_it_is(run, url, app_name):
    run(Gated.bind())
    key = f"{app_name}#Gated"

    with following() as follower:
        first = follower.next(StatusEvent).status
        assert (
            first.applications[app_name].deployments["Gated"].target_num_replicas == 1
        )
        with traffic(url):
            seen = follower.until(lambda it: it.deployments[key].requests_per_s > 10)
            busy = follower.until(lambda it: it.replicas)
        calm = follower.until(lambda it: not it.deployments[key].requests_per_s)
        rest = follower.until(lambda it: it.deployments[key].p50_ms is None)

    deployment, application = seen.deployments[key], seen.applications[app_name]
    assert application.requests_per_s > 0
    assert 0 < deployment.p50_ms <= deployment.p95_ms <= deployment.p99_ms < 30_000
    assert 0 < application.p50_ms < 30_000
    assert (deployment.replicas, deployment.target) == (1, 1)
    assert deployment.errors_per_s == application.errors_per_s == 0
    (replica,) = [each for each in busy.replicas.values() if each.deployment == key]
    assert replica.memory_bytes > 20_000_000
    assert replica.cpu_cores >= 0
    assert calm.deployments[key].ongoing == 0
    assert rest.applications[app_name].requests_per_s == 0


def test_running_and_waiting_calls_are_counted_while_they_run_and_wait(
    run, url, app_name
):
    handle = run(Gated.bind())
    key = f"{app_name}#Gated"

    with following() as follower, ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(httpx.get, f"{url}/wait", timeout=120) for _ in range(5)]
        full = follower.until(
            lambda it: (
                (it.deployments[key].ongoing, it.deployments[key].queued) == (2, 3)
            )
        )
        handles = handle.get.remote()
        more = follower.until(lambda it: it.deployments[key].queued == 4)
        run(Gated.options(user_config="open").bind())
        assert {each.result(60).text for each in asked} == {"done"}
        assert handles.result(timeout_s=60) == "got"
        follower.until(
            lambda it: (
                (it.deployments[key].ongoing, it.deployments[key].queued) == (0, 0)
            )
        )

    assert full.deployments[key].requests_per_s == 0
    assert [
        each.ongoing for each in more.replicas.values() if each.deployment == key
    ] == [2]


def test_failures_are_counted_where_they_happen(run, http, url, app_name):
    run(Gated.bind())
    key = f"{app_name}#Gated"

    # Replica and proxy tell of the same failure each in their own beat.
    seen: dict[str, Any] = {}

    def both_told(it):
        deployment, application = it.deployments[key], it.applications[app_name]
        if deployment.errors_per_s:
            seen.setdefault("deployment", deployment)
        if application.errors_per_s:
            seen.setdefault("application", application)
        return len(seen) == 2

    def neither_goes_on(it):
        told = it.deployments[key].errors_per_s, it.applications[app_name].errors_per_s
        return told == (0, 0)

    with following() as follower:
        for _ in range(5):
            assert http.get(f"{url}/bad").status_code == 500
        follower.until(both_told)
        follower.until(neither_goes_on)

    for each in seen.values():
        assert each.requests_per_s >= each.errors_per_s


def test_calls_between_replicas_are_counted_for_the_one_called(run, url, app_name):
    run(Front.bind(Back.bind()))

    with following() as follower, traffic(url):
        seen = follower.until(
            lambda it: all(
                it.deployments[f"{app_name}#{name}"].requests_per_s > 5
                for name in ("Front", "Back")
            )
        )

    front, back = (seen.deployments[f"{app_name}#{name}"] for name in ("Front", "Back"))
    assert back.p50_ms < front.p50_ms


def test_who_comes_late_gets_the_history_and_the_status_as_it_changes(
    run, http, url, app_name
):
    run(Gated.bind())
    key = f"{app_name}#Gated"
    with following() as follower:
        http.get(url)
        follower.until(lambda it: it.deployments[key].requests_per_s)

    with following() as late, following() as other:
        history = late.next(HistoryEvent).samples
        other.next(HistoryEvent)
        run(Gated.options(num_replicas=2).bind())
        changed = [late.next(StatusEvent).status, other.next(StatusEvent).status]
        both = late.until(lambda it: it.deployments[key].replicas == 2)

    assert any(
        each.deployments[key].requests_per_s
        for each in history
        if key in each.deployments
    )
    assert not any(each.replicas for each in history)
    for status in changed:
        assert (
            status.applications[app_name].deployments["Gated"].target_num_replicas == 2
        )
    assert both.deployments[key].target == 2


def test_a_deleted_application_leaves_the_samples(run, app_name):
    run(Gated.bind())

    with following() as follower:
        follower.until(lambda it: f"{app_name}#Gated" in it.deployments)
        serve.delete(app_name)
        after = follower.until(lambda it: f"{app_name}#Gated" not in it.deployments)

    assert app_name not in after.applications


def test_after_the_controllers_death_one_follows_anew(run, url, app_name):
    run(Gated.bind())
    key = f"{app_name}#Gated"
    instance = serve.status().instance
    assert instance is not None
    pid = instance.pids["controller"]

    with following() as follower:
        follower.next(SampleEvent)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(InstanceError, match="does not answer"):
            follower.until(lambda _: False)

    def resumed():
        try:
            with following() as follower, traffic(url):
                return follower.until(lambda it: it.deployments[key].requests_per_s)
        except InstanceError:
            return None

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{url}/wait", timeout=120)
        seen = eventually(resumed, within_s=60)
        assert seen.deployments[key].replicas == 1
        # What was going on all the while is known again.
        with following() as follower:
            follower.until(lambda it: it.deployments[key].ongoing == 1)
        run(Gated.options(user_config="open").bind())
        assert waiting.result(60).text == "done"


def test_prometheus_is_told_of_requests_and_of_what_user_code_counts(
    run, http, url, instance
):
    from workbench import api
    from workbench.serve import metrics

    @serve.deployment
    class Counting:
        def __init__(self):
            self.asked = metrics.Counter("asked", "Questions.", tag_keys=("who",))

        async def __call__(self, request):
            self.asked.inc(tags={"who": request.query_params["who"]})
            return "ok"

    run(Counting.bind())
    for _ in range(3):
        http.get(url, params={"who": "me"})
    app = url.rpartition("/")[2]

    def is_told():
        text = api.metrics()
        return (
            f'serve_num_http_requests{{application="{app}",method="GET",'
            f'route="/{app}",status_code="200"}} 3'
            in text
            and f'asked{{who="me",application="{app}",deployment="Counting"' in text
        )

    eventually(is_told)
