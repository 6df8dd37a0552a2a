"""What routers and users are told."""

from dataclasses import replace

from tests.unit.controller.world import deployed, make_spec, running
from workbench.controller.observed import Observed
from workbench.controller.placement import explain
from workbench.controller.report import report_application, url_of
from workbench.controller.table import TableBuilder
from workbench.spec.status import ApplicationStatus, DeploymentStatus, ReplicaState
from workbench.spec.table import Address

HERE = Address(host_id="h", path="/tmp/x.sock", host="127.0.0.1", port=1)


def build(target, replicas, version=1):
    return TableBuilder().build(target, Observed(replicas), version)


def test_only_replicas_that_take_calls_are_in_the_table():
    spec = make_spec(num_replicas=3)
    states = (ReplicaState.RUNNING, ReplicaState.UPDATING, ReplicaState.STOPPING)
    replicas = [
        replace(running(spec, n), state=state, address=HERE)
        for n, state in enumerate(states)
    ]

    table = build(deployed(spec), replicas, version=7)

    (entry,) = table.deployments
    assert [each.id for each in entry.replicas] == ["Model-c1-0", "Model-c1-1"]
    assert (table.version, entry.key) == (7, "default#Model")


def test_a_failed_application_tells_callers_without_its_traceback():
    target = deployed(make_spec()).fail("default", "Traceback: secret")

    (entry,) = build(target, []).deployments

    assert "failed to deploy" in entry.failure
    assert "secret" not in entry.failure


def test_status_follows_the_worst_deployment():
    good, bad = make_spec("Good"), make_spec("Bad")
    target = deployed(good, bad).settle("default")

    report = report_application(
        target.applications["default"], [running(good)], "http://127.0.0.1:8000"
    )

    assert report.status is ApplicationStatus.UNHEALTHY
    assert report.deployments["Good"].status is DeploymentStatus.HEALTHY
    assert report.deployments["Bad"].status is DeploymentStatus.UNHEALTHY


def test_without_a_route_or_a_proxy_there_is_no_url():
    assert url_of("http://h", "/a") == "http://h/a"
    assert url_of("http://h", None) is None
    assert url_of("", "/a") is None


def test_a_reverted_deploy_serves_on_and_says_it_failed():
    old, new = make_spec(code="c1"), make_spec(code="c2")
    target = deployed(new, before=[old]).fail("default", "boom")

    report = report_application(target.applications["default"], [running(old)], "u")

    assert (report.status, report.message) == (ApplicationStatus.DEPLOY_FAILED, "boom")
    assert report.deployments["Model"].status is DeploymentStatus.HEALTHY


def test_what_fits_no_node_is_compared_with_the_largest():
    text = explain(
        "llm",
        bundle={"GPU": 1.0},
        labels={},
        nodes=[{"CPU": 4.0}],
        holders=[],
    )

    assert text == (
        "A replica of 'llm' needs 1 GPU; the largest node of the cluster has 0 GPU."
    )


def test_what_is_full_names_who_holds_it():
    text = explain(
        "ocr",
        bundle={"GPU": 1.0, "memory": 2.0**30},
        labels={},
        nodes=[{"GPU": 2.0, "memory": 2.0**33}],
        holders=[("default#llm", {"GPU": 2.0}), ("default#web", {"CPU": 1.0})],
    )

    assert "needs 1 GPU and 1.00 GiB memory" in text
    assert "default#llm holds 2 GPU" in text
    assert "web" not in text


def test_while_it_scales_up_a_deployment_is_not_called_unhealthy():
    spec = make_spec(num_replicas=2)
    app = deployed(spec).settle("default").applications["default"]

    report = report_application(app, [running(spec)], "u")

    assert report.status is ApplicationStatus.RUNNING
    assert report.deployments["Model"].status is DeploymentStatus.UPDATING


def test_a_deployment_that_cannot_get_its_replicas_says_why():
    spec = make_spec(num_replicas=2)
    app = deployed(spec).settle("default").applications["default"]
    reasons = {("default", "Model"): "no room"}

    missing = report_application(app, [running(spec)], "u", reasons)
    whole = report_application(app, [running(spec, n) for n in (1, 2)], "u", reasons)

    assert missing.deployments["Model"].status is DeploymentStatus.UNHEALTHY
    assert missing.deployments["Model"].message == "no room"
    assert whole.deployments["Model"].message == ""
