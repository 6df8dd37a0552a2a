"""Every action of the sidebar, from the page to the instance or the notebook."""

import json

import pytest
from playwright.sync_api import expect

from tests.ui.browser import wait_until_ready
from tests.ui.notebook import Notebook
from tests.ui.sidebar import Sidebar
from tests.ui.stage import application, deployment, records
from workbench.spec.application import Owner

URL = "http://127.0.0.1:8000/"


@pytest.fixture
def served(staged):
    """One application that nothing is wrong with."""
    return staged.show(default=application(Doubler=deployment(2), url=URL))


@pytest.fixture
def doubler(served, sidebar):
    """The sidebar, with the deployment's details open."""
    sidebar.select(sidebar.row("Doubler", "deployment"))
    return sidebar


def test_scale(served, doubler):
    doubler.details.get_by_label("Replicas").fill("4")
    doubler.root.get_by_test_id("wb-scale-apply").click()

    expect(doubler.rows("replica")).to_have_count(4)
    expect(doubler.row("Doubler", "deployment")).to_contain_text("4/4")
    assert ("scale", "default", "Doubler", 4) in served.asked


def test_delete_asks_first(served, sidebar, picture):
    sidebar.select(sidebar.row("default", "application"))
    sidebar.act("delete")
    expect(sidebar.dialog).to_contain_text("Delete default?")
    picture(sidebar.page)
    sidebar.dismiss()
    assert ("delete", "default") not in served.asked

    sidebar.act("delete")
    sidebar.accept()
    expect(sidebar.row("default")).to_be_hidden()
    assert ("delete", "default") in served.asked


def test_delete_without_asking_is_a_setting(served, sidebar):
    set_setting(sidebar.page, "askBeforeDelete", False)
    try:
        sidebar.select(sidebar.row("default", "application"))
        sidebar.act("delete")
        expect(sidebar.row("default")).to_be_hidden()
    finally:
        set_setting(sidebar.page, "askBeforeDelete", True)


def test_logs_with_filters(served, doubler, picture):
    page = doubler.page
    served.records = records(
        ("INFO", "loaded in 3 s"),
        ("WARNING", "a slow request"),
        ("ERROR", "Traceback …\nValueError: no number"),
        app="default",
        deployment="Doubler",
    )
    doubler.act("logs")
    lines = page.get_by_test_id("wb-log")
    expect(lines).to_have_count(3)
    picture(page)

    page.get_by_test_id("wb-log-level").select_option("WARNING")
    expect(lines).to_have_count(2)
    page.get_by_test_id("wb-log-text").fill("SLOW")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("a slow request")

    page.get_by_test_id("wb-log-text").fill("nothing like it")
    notice = page.locator("[data-testid=wb-notice][data-reason=log_filtered]")
    expect(notice).to_contain_text("No record fits the filters.")
    notice.get_by_role("button", name="Show all").click()
    expect(lines).to_have_count(3)

    lines.last.get_by_role("button", name="request-").click()
    expect(lines).to_have_count(1)
    queries = [query for kind, query in pairs(served) if kind == "logs"]
    assert queries[-1].request_id == "request-3"
    assert queries[-1].deployment == "Doubler"


def test_logs_follow_until_they_are_paused(served, doubler):
    page = doubler.page
    doubler.act("logs")
    notice = page.locator("[data-testid=wb-notice][data-reason=log_empty]")
    expect(notice).to_contain_text("Nothing has been said yet.")

    page.get_by_test_id("wb-log-follow").click()
    expect(page.get_by_test_id("wb-log-follow")).to_have_text("Follow")


def test_copy_as_curl(doubler):
    doubler.act("copy-curl")

    expect(doubler.page.locator(".Toastify__toast")).to_contain_text("Copied: curl")
    copied = doubler.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -X POST {URL} ")


def test_open_its_url(doubler):
    context = doubler.page.context
    context.route(URL, lambda route: route.fulfill(body="served"))
    with context.expect_page() as opening:
        doubler.act("open-url")

    expect(opening.value.locator("body")).to_have_text("served")
    opening.value.close()


def test_insert_code_that_calls_it(doubler, lab):
    notebook = Notebook(doubler.page, lab, cells=("first = 1",))
    doubler.act("insert-client")

    expect(notebook.cell(1)).to_contain_text("httpx.post")
    assert URL in notebook.sources()[1]
    assert notebook.sources()[0] == "first = 1"


def test_insert_a_template_where_there_is_no_notebook(served, sidebar):
    sidebar.root.get_by_test_id("wb-bar-insert").click()

    panel = sidebar.page.locator(".jp-NotebookPanel")
    expect(panel.locator(".jp-Cell").nth(0)).to_contain_text("%load_ext workbench")
    expect(panel.locator(".jp-Cell").nth(1)).to_contain_text("%%serve")


def test_go_to_the_cell_that_deployed_it(staged, sidebar, lab):
    cells = tuple(f"cell = {number}" for number in range(30))
    notebook = Notebook(sidebar.page, lab, name="owner.ipynb", cells=cells)
    cell = sidebar.page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.widgets[25].model.id"
    )
    owner = Owner(notebook=str(lab.folder / "owner.ipynb"), cell=cell)
    staged.show(default=application(Doubler=deployment(), owner=owner))
    notebook.close()

    sidebar.select(sidebar.row("default", "application"))
    sidebar.act("go-to-owner")

    active = notebook.root.locator(".jp-Cell.jp-mod-active")
    expect(active).to_contain_text("cell = 25")
    expect(active).to_be_in_viewport()


def test_plots_stand_beside_the_notebook(doubler, lab, picture):
    page = doubler.page
    notebook = Notebook(page, lab)
    with page.expect_response(_saves_the_layout):  # or a reload would not find it
        doubler.act("plots")

    plots = page.get_by_test_id("wb-plots-view")
    expect(plots.locator("[data-chart=latency] canvas")).to_be_visible()
    expect(notebook.root).to_be_visible()
    picture(page)
    left, right = notebook.root.bounding_box(), plots.bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"] + 1

    page.evaluate(LAYOUT_KEPT, "workbench-plots")
    page.reload()
    wait_until_ready(page)
    expect(plots.locator("[data-chart=latency] canvas")).to_be_visible()


def _saves_the_layout(response):
    request = response.request
    return request.method == "PUT" and "plots" in (request.post_data or "")


def test_connect_to_an_instance_elsewhere_and_forget_it(unknown, sidebar, picture):
    unknown.show(far=application(Doubler=deployment()))
    sidebar.remedy("connect").click()
    picture(sidebar.page)
    sidebar.connect(unknown.url, unknown.token)
    expect(sidebar.row("far", "application")).to_be_visible()
    assert unknown.token not in sidebar.page.content()

    sidebar.select(sidebar.rows("instance"))
    sidebar.act("disconnect")
    expect(sidebar.notice("no_instance")).to_be_visible()
    assert ("shutdown",) not in unknown.asked


@pytest.mark.parametrize(
    ("token", "reason"),
    [("f" * 64, "refuses the token"), ("", "The token is missing.")],
    ids=["wrong", "missing"],
)
def test_connect_with_a_token_that_is(unknown, sidebar, picture, token, reason):
    sidebar.remedy("connect").click()
    sidebar.connect(unknown.url, token)

    expect(sidebar.dialog).to_contain_text(reason)
    picture(sidebar.page)
    sidebar.accept()
    expect(sidebar.notice("no_instance")).to_be_visible()


def test_connect_to_what_does_not_answer(unknown, sidebar):
    unknown.go()
    sidebar.remedy("connect").click()
    sidebar.connect(unknown.url, unknown.token)

    expect(sidebar.dialog).to_contain_text(str(unknown.port))
    sidebar.accept()


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("instance", ("Logs", "Stop this instance …")),
        ("application", ("Live plots", "Copy as curl", "Go to its cell", "Delete …")),
        ("deployment", ("Scale …", "Open its URL", "Insert code that calls it")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_palette_has_what_can_be_done_to_an(served, sidebar, kind, labels):
    page = sidebar.page
    sidebar.select(sidebar.rows(kind))
    page.keyboard.press("ControlOrMeta+Shift+C")
    palette = page.locator(".jp-ModalCommandPalette")
    palette.locator("input").fill("workbench")

    for label in (*ALWAYS, *labels):
        item = palette.locator(".lm-CommandPalette-itemLabel").get_by_text(label)
        expect(item.first).to_be_visible()


def test_the_launcher_makes_a_notebook_that_serves(page):
    page.locator(".jp-LauncherCard", has_text="New service").click()

    cells = page.locator(".jp-NotebookPanel .jp-Cell")
    expect(cells).to_have_count(3)
    expect(cells.nth(1)).to_contain_text("%%serve")


def test_settings_say_what_they_do(page, picture):
    page.evaluate(
        "window.jupyterapp.commands.execute('settingeditor:open', {query: 'Workbench'})"
    )
    editor = page.locator("#setting-editor, .jp-SettingsPanel").first

    for title in ("Minutes of history", "Ask before deleting", "Lines in a log view"):
        expect(editor).to_contain_text(title)
    picture(page)


def test_the_context_menu_has_what_the_buttons_have(served, sidebar, picture):
    sidebar.row("Doubler", "deployment").click(button="right")
    menu = sidebar.page.locator(".lm-Menu")

    for label in ("Live plots", "Logs", "Scale …", "Copy as curl"):
        expect(menu.get_by_text(label, exact=True)).to_be_visible()
    picture(sidebar.page)


# What needs no line of the tree.
ALWAYS = (
    "Show Workbench",
    "Start an instance",
    "Connect to an instance …",
    "Insert a %%serve cell",
    "New service",
)


def pairs(instance):
    """What it was asked with one argument."""
    return [each for each in instance.asked if len(each) == 2]


# JupyterLab writes its layout down a while after it has changed.
LAYOUT_KEPT = """async name => {
  const { serviceManager } = window.jupyterapp;
  const id = decodeURIComponent(location.pathname.split('/workspaces/')[1]);
  for (;;) {
    const { data } = await serviceManager.workspaces.fetch(id);
    if (Object.keys(data).some(key => key.startsWith(name))) return;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}"""


def set_setting(page, name, value):
    """Write what the settings editor would, and load the page anew."""
    page.evaluate(
        "([id, raw]) => window.jupyterapp.serviceManager.settings.save(id, raw)",
        ["serve-workbench:sidebar", json.dumps({name: value})],
    )
    page.reload()
    wait_until_ready(page)
    Sidebar(page).show()
