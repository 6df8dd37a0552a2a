"""The control API lets in who knows the token, and answers in its own words."""

import httpx
import msgspec
import pytest

from tests.unit.controller.world import make_request, make_spec
from workbench.controller.target import RouteTakenError
from workbench.errors import ScaleError, UnknownDeploymentError
from workbench.gateway.app import make_app
from workbench.spec.logs import LogPage, LogQuery
from workbench.spec.status import DeployEvent, EventKind, ServeStatus
from workbench.spec.versions import Outcome, VersionDiff, VersionList, VersionRecord

pytestmark = pytest.mark.anyio


class Versions:
    """Knows one application."""

    def __init__(self, asked):
        self.asked = asked

    def list(self, name):
        self._check(name)
        return VersionList(app=name, records=(RECORD,))

    async def diff(self, name, before, after):
        self._check(name)
        self.asked.append((name, before, after))
        return VersionDiff(app=name, before=RECORD, after=RECORD, changes={}, source="")

    async def rollback(self, name, version):
        self._check(name)
        self.asked.append((name, version))
        yield DeployEvent(kind=EventKind.LIVE, at_s=0.1)

    def _check(self, name):
        if name != "known":
            raise UnknownDeploymentError("There is no such application.")


RECORD = VersionRecord(number=1, version="abc", deployed_at_s=0.0, outcome=Outcome.LIVE)


class Backend:
    """Remembers what it was asked for."""

    def __init__(self):
        self.asked: list[object] = []
        self.error = None
        self.versions = Versions(self.asked)

    def status(self):
        return ServeStatus()

    async def deploy(self, request):
        if self.error:
            raise self.error
        self.asked.append(request)
        yield DeployEvent(kind=EventKind.STEP, at_s=0.0, deployment="Model")
        yield DeployEvent(kind=EventKind.LIVE, at_s=0.1)

    async def delete(self, name):
        self.asked.append(name)
        return name == "known"

    async def scale(self, app, deployment, num_replicas):
        if self.error:
            raise self.error
        self.asked.append((app, deployment, num_replicas))

    def metrics(self):
        return "serve_num_http_requests 3\n"

    async def logs(self, query):
        self.asked.append(query)
        return LogPage(records=(), next=7)

    async def shutdown(self):
        self.asked.append("shutdown")


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def client(backend):
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(make_app(backend, "secret")),
        base_url="http://127.0.0.1",
        headers={"authorization": "Bearer secret"},
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "secret"},
        {"authorization": ""},
        {"origin": "http://evil.example"},
    ],
)
async def test_who_has_no_token_or_comes_from_a_page_is_refused(
    client, backend, headers
):
    answer = await client.post("/api/shutdown", headers=headers)

    assert (answer.status_code, backend.asked) == (401, [])
    assert answer.json()["error"] == "WrongTokenError"


async def test_a_deploy_answers_with_a_line_per_event(client, backend):
    wish = make_request(make_spec())

    answer = await client.put("/api/applications/default", content=_pack(wish))

    events = [
        msgspec.json.decode(line, type=DeployEvent) for line in answer.iter_lines()
    ]
    assert [event.kind for event in events] == [EventKind.STEP, EventKind.LIVE]
    assert backend.asked == [wish]


async def test_a_deploy_that_cannot_be_read_says_where(client):
    answer = await client.put("/api/applications/x", content=_pack({"application": 3}))

    assert answer.status_code == 400
    assert "$.application" in answer.json()["message"]


async def test_a_taken_route_is_a_conflict(client, backend):
    backend.error = RouteTakenError("Route '/' belongs to another.")

    answer = await client.put(
        "/api/applications/x", content=_pack(make_request(make_spec()))
    )

    assert (answer.status_code, answer.json()["error"]) == (409, "DeployError")


async def test_deleting_says_whether_there_was_anything(client):
    known = await client.delete("/api/applications/known")
    other = await client.delete("/api/applications/other")

    assert known.json() == {"deleted": True}
    assert other.json() == {"deleted": False}


async def test_scaling_names_application_and_deployment(client, backend):
    answer = await client.put(
        "/api/applications/my%20app/deployments/Model/scale", json={"num_replicas": 3}
    )

    assert answer.json() == {"scaled": True}
    assert backend.asked == [("my app", "Model", 3)]


@pytest.mark.parametrize(
    ("error", "status"),
    [(UnknownDeploymentError("none"), 404), (ScaleError("no", "Do so."), 400)],
)
async def test_what_cannot_be_scaled_is_refused_with_advice(
    client, backend, error, status
):
    backend.error = error

    answer = await client.put(
        "/api/applications/a/deployments/b/scale", json={"num_replicas": 3}
    )

    assert answer.status_code == status
    assert answer.json() == {
        "error": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
    }


@pytest.mark.parametrize("body", [b"", b"3", b'{"num_replicas": "many"}', b"{}"])
async def test_a_number_that_cannot_be_read_is_refused(client, backend, body):
    answer = await client.put("/api/applications/a/deployments/b/scale", content=body)

    assert (answer.status_code, answer.json()["error"]) == (400, "ScaleError")
    assert backend.asked == []


async def test_log_filters_are_parameters(client, backend):
    answer = await client.get(
        "/api/logs",
        params={"app": "a", "after": "5", "wait_s": "0.5", "level": "ERROR"},
    )

    assert answer.json() == {"records": [], "next": 7, "dropped": 0}
    assert backend.asked == [LogQuery(app="a", after=5, wait_s=0.5, level="ERROR")]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("limit", "few", "limit"),
        ("limit", "0", "limit must be 1 to"),
        ("level", "loud", "level must be one of DEBUG"),
        ("colour", "red", "no filter colour; there are app, deployment"),
    ],
)
async def test_a_bad_filter_is_named(client, backend, name, value, says):
    answer = await client.get("/api/logs", params={name: value})

    assert (answer.status_code, answer.json()["error"]) == (400, "LogQueryError")
    assert says in answer.json()["message"]
    assert backend.asked == []


def _pack(value):
    return msgspec.msgpack.encode(value)


async def test_versions_are_listed_compared_and_brought_back(client, backend):
    path = "/api/applications/known"

    listed = await client.get(f"{path}/versions")
    compared = await client.get(f"{path}/diff", params={"from": "1"})
    rolled_back = await client.post(f"{path}/rollback", params={"version": "abc"})

    found = msgspec.json.decode(listed.content, type=VersionList)
    assert found.records == (RECORD,)
    assert msgspec.json.decode(compared.content, type=VersionDiff).app == "known"
    assert msgspec.json.decode(rolled_back.content)["kind"] == "live"
    assert backend.asked == [("known", "1", ""), ("known", "abc")]


@pytest.mark.parametrize(
    ("verb", "what"), [("GET", "versions"), ("GET", "diff"), ("POST", "rollback")]
)
async def test_versions_of_what_is_unknown_are_not_found(client, verb, what):
    answer = await client.request(verb, f"/api/applications/nobody/{what}")

    assert answer.status_code == 404
    assert answer.json()["error"] == "UnknownDeploymentError"
