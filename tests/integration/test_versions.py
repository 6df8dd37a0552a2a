"""Every deploy is remembered; earlier versions come back without their author."""

import subprocess
import sys

import pytest

from tests.integration.conftest import eventually
from workbench import api, cli, serve
from workbench.errors import (
    ConstructorError,
    UnknownDeploymentError,
    UnknownVersionError,
)
from workbench.spec.application import Owner
from workbench.spec.status import EventKind, Step
from workbench.spec.versions import Outcome


def make_model(answer, *, is_broken=False, **options):
    """A deployment; with other answers it is another version."""

    @serve.deployment(**options)
    class Model:
        def __init__(self):
            if is_broken:
                raise ValueError("no weights")
            self.identity = str(id(self))

        def __call__(self, request):
            return {"answer": answer, "identity": self.identity}

    return Model


def deploy(name, app, **options):
    return api.deploy(app, name=name, route_prefix=f"/{name}", **options)


def told(name):
    """Number, outcome and whether it is what runs, newest first."""
    return [
        (each.number, str(each.outcome), each.is_current)
        for each in serve.versions(name)
    ]


def test_every_deploy_is_recorded_with_how_it_went(run, app_name):
    owner = Owner(notebook="digits.ipynb", cell="c1")
    deploy(app_name, make_model("one").bind(), owner=owner)
    with pytest.raises(ConstructorError):
        run(make_model("two", is_broken=True).bind())
    run(make_model("three", max_ongoing_requests=7).bind())

    found = serve.versions(app_name)
    newest, failed, first = found
    assert told(app_name) == [
        (3, "live", True),
        (2, "failed", False),
        (1, "live", False),
    ]
    assert "no weights" in failed.reason
    limits = [each.options["Model"].max_ongoing_requests for each in found]
    assert limits == [7, 5, 5]
    assert (first.owner, first.steps[0].step) == (owner, Step.START)
    assert newest.steps[0].reason.endswith("max_ongoing_requests 5 → 7")
    assert "digits.ipynb" in repr(found)
    assert "<table" in found._repr_html_()


def test_a_rollback_is_a_deploy_by_the_least_step(app_name, url, http):
    deploy(app_name, make_model("one").bind(), may_keep=True)
    before = http.get(url).json()
    deploy(app_name, make_model("two").bind(), may_keep=True)
    assert http.get(url).json() == {**before, "answer": "two"}

    deployed = api.rollback(app_name)

    steps = [e.step for e in deployed.events if e.kind is EventKind.STEP]
    assert steps == [Step.KEEP]
    assert http.get(url).json() == before
    newest, _, first = serve.versions(app_name)
    assert (newest.rollback_to, newest.version) == (1, first.version)
    assert newest.outcome is Outcome.LIVE
    # The other way round it is the same.
    serve.rollback(app_name)
    assert http.get(url).json() == {**before, "answer": "two"}


_ROLL_BACK = """
import sys
from workbench import serve
handle = serve.rollback(sys.argv[1], 1)
print(handle.remote(None).result(timeout_s=30)["answer"])
"""


def test_a_process_that_never_saw_the_code_brings_it_back(
    run, app_name, url, http, tmp_path
):
    run(make_model("one").bind())
    run(make_model("two").bind())

    done = subprocess.run(
        [sys.executable, "-c", _ROLL_BACK, app_name],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=60,
    )

    assert done.stdout.strip() == "one"
    assert http.get(url).json()["answer"] == "one"


def test_a_version_is_named_by_its_hash(run, app_name, url, http):
    run(make_model("one").bind())
    run(make_model("two").bind())
    run(make_model("three").bind())

    serve.rollback(app_name, serve.versions(app_name)[2].version)

    assert http.get(url).json()["answer"] == "one"


def test_a_diff_has_the_source_and_the_options(run, app_name):
    def before():
        return "a cat"

    def after():
        return "a dog"

    after.__name__ = after.__qualname__ = before.__name__
    run(serve.deployment(before).options(name="Model").bind())
    run(serve.deployment(after).options(name="Model", max_ongoing_requests=9).bind())

    found = serve.diff(app_name)

    assert (found.before.number, found.after.number) == (1, 2)
    assert "Model" in found.changes
    assert str(found).startswith(f"# {app_name}: version 1")
    assert not serve.diff(app_name, 1, 1)


def test_the_command_line_shows_compares_and_brings_back(
    run, app_name, url, http, capsys
):
    run(make_model("one").bind())
    run(make_model("two").bind())

    codes = [
        cli.main([verb, app_name, *more])
        for verb, *more in (("versions",), ("diff",), ("rollback", "1"))
    ]

    assert codes == [0, 0, 0]
    said = capsys.readouterr().out
    assert "● 2" in said
    assert "variable `answer` changed" in said
    assert f"{app_name} is live" in said
    assert http.get(url).json()["answer"] == "one"
    assert cli.main(["rollback", app_name, "9"]) == 1


def test_what_is_not_there_is_said(run, app_name):
    run(make_model("one").bind())

    with pytest.raises(UnknownVersionError, match="No other version"):
        serve.rollback(app_name)
    with pytest.raises(UnknownVersionError, match="no version '9'"):
        serve.rollback(app_name, 9)
    with pytest.raises(UnknownDeploymentError, match="no application 'nobody'"):
        serve.versions("nobody")


def test_good_bad_good_leaves_no_residue(run, app_name, url, http):
    def processes():
        found = serve.status().applications[app_name].deployments["Model"]
        return [each.pid for each in found.replicas]

    run(make_model("one").bind())
    with pytest.raises(ConstructorError):
        run(make_model("two", is_broken=True).bind())
    before = eventually(lambda: len(now := processes()) == 1 and now)
    run(make_model("one").bind())

    assert processes() == before
    assert http.get(url).json()["answer"] == "one"
    serve.delete(app_name)
    run(make_model("one").bind())
    assert told(app_name) == [(1, "live", True)]
