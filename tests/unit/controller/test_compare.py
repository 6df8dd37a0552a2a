"""A diff of two deploys: their source as it travelled, and their options."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.unit.controller.world import make_request, make_spec
from workbench.code.blob import LocalModule, pack
from workbench.controller.compare import compare
from workbench.controller.history import History
from workbench.spec.autoscaling import AutoscalingPolicy

BLOBS: dict[str, bytes] = {}


def deployed(history, number, cell, *, module="X = 1\n", also=(), **options):
    """One more deploy, of a cell and a module beside it."""
    BLOBS[f"blob-c{number}"] = pack(
        b"never read",
        sources={f"/tmp/ipykernel_{number}/{number}77.py": cell},
        modules=(LocalModule("tools", "/home/ann/tools.py", module, None, ()),),
        main=SimpleNamespace(),
    )
    spec = make_spec(code=f"c{number}", **options)
    return history.begin(make_request(spec, *also), float(number))


def diff_of(history):
    before, after = history.applications["default"]
    return compare("default", before, after, current=2, blob=BLOBS.__getitem__)


CELL = "class Model:\n    def f(self):\n        return 1\n"


def test_cells_are_compared_whatever_their_kernel_called_them():
    history = deployed(History(), 1, CELL)
    history = deployed(history, 2, CELL.replace("1", "2"))

    found = diff_of(history)

    first, second = history.applications["default"]
    assert found.source.splitlines() == [
        f"--- cell of Model (version 1, {first.version})",
        f"+++ cell of Model (version 2, {second.version})",
        "@@ -1,3 +1,3 @@",
        " class Model:",
        "     def f(self):",
        "-        return 1",
        "+        return 2",
    ]
    assert found.changes == {"Model": "code changed"}
    assert (found.before.is_current, found.after.is_current) == (False, True)


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        (None, "one", "added"),
        ("one", "two", "changed"),
        ("one", None, "removed"),
        ("one", "one", None),
    ],
)
def test_another_policy_of_the_application_is_told(was, is_now, said):
    history = deployed(deployed(History(), 1, CELL), 2, CELL)
    before, after = (
        replace(
            record,
            request=replace(
                record.request,
                application=replace(
                    record.request.application,
                    autoscaling_policy=name
                    and AutoscalingPolicy(policy_function=name, code=name),
                ),
            ),
        )
        for record, name in zip(
            history.applications["default"], (was, is_now), strict=True
        )
    )

    found = compare("default", before, after, current=2, blob=BLOBS.__getitem__)

    assert found.changes.get("autoscaling_policy") == said


def test_edited_local_modules_are_compared():
    history = deployed(History(), 1, CELL)
    history = deployed(history, 2, CELL, module="X = 2\n")

    source = diff_of(history).source

    assert source.startswith("--- /home/ann/tools.py")
    assert "+X = 2" in source
    assert "cell" not in source


def test_options_deployments_and_routes_that_differ_are_said():
    BLOBS["blob-o"] = BLOBS["blob-p"] = pack(
        b"", sources={}, modules=(), main=SimpleNamespace()
    )
    history = deployed(History(), 1, CELL, also=[make_spec("Old", code="o")])
    history = deployed(
        history, 1, CELL, also=[make_spec("New", code="p")], max_ongoing_requests=9
    )
    first, second = history.applications["default"]
    app = replace(second.request.application, route_prefix="/x")
    second = replace(second, request=replace(second.request, application=app))

    found = compare("default", first, second, current=2, blob=BLOBS.__getitem__)

    assert found.source == ""
    assert found.changes == {
        "Model": "max_ongoing_requests 5 → 9",
        "Old": "removed",
        "New": "added",
        "route": "/ → /x",
    }


@pytest.mark.parametrize("cell", [CELL, ""])
def test_what_is_the_same_has_no_diff(cell):
    history = deployed(deployed(History(), 1, cell), 1, cell)

    found = diff_of(history)

    assert (found.changes, found.source) == ({}, "")
