"""A live panel in a real kernel on a real instance, with the test as its page."""

from typing import Any

import pytest

from tests.notebook.kernel import Kernel, open_kernel

ECHO = """%%serve
from workbench import serve

@serve.deployment
class Echo:
    def __call__(self, request):
        return "echo"
"""


@pytest.fixture(scope="module")
def instance():
    """Ends the instance that the tests' cells start, whatever they do."""
    yield
    with open_kernel() as kernel:
        kernel.run("%load_ext workbench\n%serve shutdown")


@pytest.fixture
def kernel(instance):
    with open_kernel() as kernel:
        kernel.run("%load_ext workbench")
        kernel.run(ECHO)
        yield kernel
        kernel.run("%serve delete default")


def samples(kernel: Kernel, count: int) -> list[dict[str, Any]]:
    """The next samples that the panel sends to its page."""
    found = []
    for message in kernel.comm_messages():
        if message.get("kind") == "sample":
            found.append(message["sample"])
        if len(found) == count:
            break
    return found


def test_it_is_live_while_a_cell_runs(kernel: Kernel):
    kernel.run("panel = serve.panel()\npanel")
    kernel.start("import threading; threading.Event().wait(120)")

    first, second, third = samples(kernel, 3)

    assert first["at_s"] < second["at_s"] < third["at_s"]
    assert list(third["deployments"]) == ["default#Echo"]
    assert len(third["replicas"]) == 1
    kernel.interrupt()


def test_its_thread_ends_with_it(kernel: Kernel):
    kernel.run("panel = serve.panel()\npanel")
    feed = (
        "import threading\n[one for one in threading.enumerate() if 'feed' in one.name]"
    )
    assert "workbench-feed" in kernel.run(feed).text

    kernel.run("panel.close()")
    ended = kernel.run(
        f"for one in {feed.splitlines()[1]}: one.join(60)\nprint('over')"
    )

    assert "over" in ended.text
    assert "workbench-feed" not in kernel.run(feed).text


def test_what_was_measured_can_be_taken_as_a_frame(kernel: Kernel):
    pytest.importorskip("pandas")
    kernel.run("%serve query /")
    wait = (
        "for event in __import__('workbench').api.events():\n"
        "    sample = getattr(event, 'sample', None)\n"
        "    if sample and sample.applications['default'].p50_ms is not None: break"
    )
    kernel.run(wait)

    text = kernel.run("serve.metrics_frame().filter(like='p50').max().to_dict()").text

    assert "'Echo.p50_ms'" in text
    assert "nan" not in text
