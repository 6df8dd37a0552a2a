"""The sidebar with a real instance: from the button that starts it to its end."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.ui.callers import SteadyCaller
from tests.ui.notebook import Notebook
from tests.ui.sidebar import Sidebar
from workbench.instance import list_instances

_START_MS = 120_000
WORKBENCH = Path(sys.executable).with_name("workbench")
CELL = """%%serve talk
from workbench import serve

@serve.deployment(num_replicas=2)
class Talker:
    async def __call__(self, request):
        print("a word")
        return "a word"
"""


@pytest.fixture
def ended(lab):
    """Whatever happens, no instance stays."""
    yield
    subprocess.run([WORKBENCH, "down"], env=lab.environment(), check=False)


@pytest.fixture
def elsewhere(lab, tmp_path):
    """An instance that is not announced to Jupyter's server; ends with the test."""
    theirs = {**lab.environment(), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    subprocess.run([WORKBENCH, "up"], env=theirs, check=True, capture_output=True)
    try:
        yield next(list_instances(tmp_path))
    finally:
        subprocess.run([WORKBENCH, "down"], env=theirs, check=True)


def test_from_a_start_in_the_sidebar_to_a_stop(page, lab, ended, picture):
    sidebar = Sidebar(page).show()
    notebook = Notebook(page, lab)
    sidebar.remedy("start").click()
    expect(sidebar.notice("nothing_deployed")).to_be_visible(timeout=_START_MS)
    picture(page, "started")

    notebook.run(0, "%load_ext workbench")
    card = notebook.run(1, CELL)
    expect(card).to_contain_text("live", timeout=_START_MS)
    url = card.get_by_role("link").first.inner_text()
    expect(sidebar.rows("replica")).to_have_count(2)
    expect(sidebar.row("talk", "application")).to_contain_text(notebook.path)
    with SteadyCaller(url) as caller:
        look_closely(sidebar)
        picture(page, "busy")
        scale(sidebar, 3)
        harm_the_controller(sidebar, notebook, picture)
        expect(sidebar.row("Talker", "deployment")).to_contain_text("3/3")
    assert caller.failures == []

    sidebar.select(sidebar.rows("instance"))
    sidebar.act("stop")
    expect(sidebar.dialog).to_contain_text("This deletes talk.")
    sidebar.accept()
    expect(sidebar.notice("no_instance")).to_be_visible(timeout=_START_MS)
    assert list(list_instances(lab.runtime_dir)) == []


def look_closely(sidebar):
    """Rates, logs and plots of what runs."""
    busy = re.compile(r"[1-9].*/s")
    expect(sidebar.row("Talker").get_by_test_id("wb-rate")).to_have_text(busy)
    sidebar.select(sidebar.row("Talker", "deployment"))
    sidebar.act("logs")
    expect(sidebar.page.get_by_test_id("wb-log").first).to_contain_text("a word")
    sidebar.act("plots")
    plots = sidebar.page.get_by_test_id("wb-plots-view")
    expect(plots.locator("[data-chart=latency] canvas")).to_be_visible()


def scale(sidebar, count):
    """By the form of the details."""
    sidebar.details.get_by_label("Replicas").fill(str(count))
    sidebar.root.get_by_test_id("wb-scale-apply").click()
    expect(sidebar.row("Talker", "deployment")).to_contain_text(f"{count}/{count}")


def harm_the_controller(sidebar, notebook, picture):
    """Killed, it is back before anybody is told; hanging, it is told of."""
    first = controller_of(notebook)
    os.kill(first, signal.SIGKILL)
    second = controller_of(notebook, not_=first)
    os.kill(second, signal.SIGSTOP)
    away = sidebar.notice("controller_away")
    expect(away).to_be_visible()
    picture(sidebar.page, "controller away")
    os.kill(second, signal.SIGCONT)
    expect(away).to_be_hidden(timeout=_START_MS)


def test_an_instance_elsewhere_is_connected_to_and_forgotten(
    elsewhere, sidebar, picture
):
    sidebar.remedy("connect").click()
    sidebar.connect(elsewhere.url, elsewhere.token)
    expect(sidebar.notice("nothing_deployed")).to_be_visible()
    picture(sidebar.page)

    sidebar.select(sidebar.rows("instance"))
    sidebar.act("disconnect")
    expect(sidebar.notice("no_instance")).to_be_visible()


def controller_of(notebook, not_=0):
    """Process id of the controller that the notebook uses, once it is another one."""
    shown = notebook.run(2, CONTROLLER.format(not_=not_))
    return int(shown.inner_text())


CONTROLLER = """pid = {not_}
while pid == {not_}:
    try:
        pid = serve.status().instance.pids["controller"]
    except Exception:
        pass
print(pid)"""
