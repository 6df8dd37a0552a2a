"""Where nothing can be shown, the sidebar says why, and what mends it."""

from playwright.sync_api import expect

from tests.ui.notebook import Notebook
from tests.ui.sidebar import Sidebar
from tests.ui.stage import StagedInstance, application, deployment


def test_no_instance(sidebar, picture):
    expect(sidebar.notice("no_instance")).to_contain_text("No instance runs.")
    for command in ("insert-template", "start", "connect"):
        expect(sidebar.remedy(command)).to_be_enabled()
    picture(sidebar.page)


def test_nothing_deployed(staged, sidebar, lab, picture):
    notice = sidebar.notice("nothing_deployed")
    expect(notice).to_contain_text("Nothing is deployed here.")
    picture(sidebar.page)

    notebook = Notebook(sidebar.page, lab)
    sidebar.remedy("insert-template").click()

    assert notebook.sources()[0] == "%load_ext workbench"
    assert notebook.sources()[1].startswith("%%serve")


def test_a_token_that_is_out_of_date(announce, unknown, sidebar, picture):
    announce(unknown, token="f" * 64)

    notice = sidebar.notice("wrong_token")
    expect(notice).to_contain_text("refuses the token")
    expect(sidebar.remedy("stop")).to_be_enabled()
    picture(sidebar.page)


def test_another_version(announce, sidebar, picture):
    with StagedInstance("older", version="0.0.1") as older:
        announce(older)
        older.show(default=application(Doubler=deployment()))

        notice = sidebar.notice("version_mismatch")
        expect(notice).to_contain_text("0.0.1")
        expect(sidebar.row("Doubler", "deployment")).to_be_visible()
        picture(sidebar.page)
    expect(sidebar.notice("controller_away")).to_be_visible()


def test_an_instance_that_is_away_comes_back_by_itself(staged, sidebar, picture):
    staged.show(default=application(Doubler=deployment()))
    expect(sidebar.row("Doubler")).to_be_visible()

    staged.go()
    expect(sidebar.notice("controller_away")).to_contain_text("does not answer")
    picture(sidebar.page)
    staged.come()
    expect(sidebar.notice("controller_away")).to_be_hidden()
    expect(sidebar.row("Doubler")).to_be_visible()


def test_a_server_that_restarts_is_found_again(
    staged, sidebar, lab, picture, page_errors
):
    staged.show(default=application(Doubler=deployment()))
    expect(sidebar.row("Doubler")).to_be_visible()

    lab.stop()
    notice = sidebar.notice("server_gone")
    expect(notice).to_contain_text("Jupyter's server does not answer.")
    picture(sidebar.page)
    lab.start()

    expect(sidebar.root).to_have_attribute("data-link", "open")
    expect(notice).to_be_hidden()
    expect(sidebar.row("Doubler")).to_be_visible()
    # JupyterLab's own requests, which nobody caught.
    page_errors[:] = [each for each in page_errors if each != "Failed to fetch"]


def test_two_browsers_see_the_same(staged, open_page):
    sidebars = [Sidebar(open_page()).show() for _ in range(2)]
    staged.show(default=application(Doubler=deployment(2)))
    for sidebar in sidebars:
        expect(sidebar.rows("replica")).to_have_count(2)

    first, second = sidebars
    first.select(first.row("Doubler", "deployment"))
    first.details.get_by_label("Replicas").fill("3")
    first.root.get_by_test_id("wb-scale-apply").click()

    expect(second.rows("replica")).to_have_count(3)
    assert staged.opened == 1


def test_a_sidebar_that_is_not_seen_asks_for_nothing(staged, page):
    opened: list[object] = []
    # Playwright marks what it calls, and a built-in method takes no mark.
    page.on("websocket", lambda socket: opened.append(socket))  # noqa: PLW0108
    sidebar = Sidebar(page)
    page.evaluate("window.jupyterapp.commands.execute('filebrowser:activate')")
    assert not feeds(opened)

    with page.expect_websocket(is_feed) as waiting:
        sidebar.show()
    expect(sidebar.notice("nothing_deployed")).to_be_visible()
    sidebar.hide()

    assert waiting.value.is_closed() or waiting.value.wait_for_event("close")
    assert len(feeds(opened)) == 1


def is_feed(socket):
    return socket.url.endswith("/user/x/workbench/feed")


def feeds(sockets):
    return [socket for socket in sockets if is_feed(socket)]
