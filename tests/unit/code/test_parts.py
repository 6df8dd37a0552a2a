"""What changed is named: parts of the code, and options from what to what."""

import textwrap

import pytest

from workbench.code.changes import changed_options, changed_parts
from workbench.spec.deployment import ActorOptions, DeploymentOptions

BASE = """
import tools
from workbench.replica.batching import batch
LIMIT = 5
LABELS = ["cat", "dog"]

def helper(x):
    return x + LIMIT

class Model:
    size = 3

    def __init__(self, weight=1):
        self.weight = weight

    @batch
    async def predict(self, items):
        return [helper(item) for item in items]

    def clean(self, x):
        return tools.clean(x)

    def label(self, x):
        return LABELS[x]
"""


@pytest.fixture
def changes(notebook):
    """Says what differs between two cells, and the files beside them."""

    def ship(source, tools, args):
        notebook.restart()
        notebook.module("tools", "import deep\n" + tools)
        notebook.module("deep", tools)
        notebook.cell(textwrap.dedent(source))
        return notebook.ship("Model", *args).parts

    def between(before, after, *, tools=("X = 1", "X = 1"), args=((), ())):
        old, new = map(ship, (before, after), tools, args)
        return changed_parts(old.code, new.code), changed_parts(old.init, new.init)

    return between


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("[helper(item)", "[-helper(item)", "method `predict` replaced"),
        ("@batch\n", "@batch(max_batch_size=3)\n", "method `predict` replaced"),
        ("x + LIMIT", "x - LIMIT", "function `helper` changed"),
        ("LIMIT = 5", "LIMIT = 7", "global `LIMIT` 5 → 7"),
        ('"dog"', '"fish"', "global `LABELS` changed"),
        ("size = 3", "size = 3.5", "`Model.size` 3 → 3.5"),
        ("def label", "def name", "method `name` added, method `label` removed"),
        ("class Model:", "class Model(dict):", "class `Model` changed"),
        ("# nothing", "# at all", ""),
    ],
)
def test_a_change_is_named(changes, before, after, says):
    source = BASE + "# nothing"

    code, _ = changes(source, source.replace(before, after))

    assert code == says


def test_many_methods_are_counted(changes):
    after = (
        BASE.replace("tools.clean(x)", "x")
        .replace("LABELS[x]", "x")
        .replace("helper(item) for", "item for")
    )

    code, init = changes(BASE, after)

    assert code.startswith(
        "3 methods replaced (`predict`, `clean`, `label`), "
        "function `helper` no longer used, 2 globals no longer used"
    )
    assert init == ""


def test_edited_local_modules_are_named_also_those_that_others_import(changes):
    code, _ = changes(BASE, BASE, tools=("X = 1", "X = 2"))

    assert code == "2 modules changed (`deep.py`, `tools.py`)"


def test_what_makes_the_instance_is_told_apart(changes):
    after = BASE.replace("self.weight = weight", "self.weight = -weight")

    code, init = changes(BASE, after, args=((1,), (2,)))

    assert code == "method `__init__` replaced"
    assert init == "argument `weight` 1 → 2, method `__init__` replaced"


def test_text_is_never_shown(changes):
    before, after = (BASE.replace("5", text) for text in ('"secret1"', '"secret2"'))

    code, init = changes(before, after, args=(("secret1",), ("secret2",)))

    assert code == "global `LIMIT` changed"
    assert init == "argument `weight` changed"


def test_unknown_parts_say_nothing():
    assert changed_parts({}, {"method A.b": "x"}) == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ({}, {"max_ongoing_requests": 10}, ["max_ongoing_requests 5 → 10"]),
        (
            {"ray_actor_options": ActorOptions(num_cpus=1.0)},
            {"ray_actor_options": ActorOptions(num_cpus=0.5, num_gpus=1.0)},
            ["ray_actor_options.num_cpus 1 → 0.5", "ray_actor_options.num_gpus 0 → 1"],
        ),
        (
            {"user_config": {"threshold": 0.5, "key": "secret"}},
            {"user_config": {"threshold": 0.7, "key": "other"}},
            ["user_config.threshold 0.5 → 0.7", "user_config.key changed"],
        ),
        ({}, {"user_config": [1, 2]}, ["user_config None → [1, 2]"]),
        ({}, {}, []),
    ],
)
def test_options_are_told_from_what_to_what(old, new, says):
    before, after = DeploymentOptions(**old), DeploymentOptions(**new)

    assert changed_options(before, after) == says
