"""What the tree looks like: wide and narrow, light and dark, with and without a mouse."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.ui.browser import set_theme
from tests.ui.stage import application, deployment, records
from workbench.spec.status import ApplicationStatus, DeploymentStatus

HOSTILE = "<img src=x onerror='window.wasRun = true'>"


@pytest.fixture
def busy(staged):
    """Applications in all sorts of states."""
    return staged.show(
        text=application(
            Tokenizer=deployment(2), Summarizer=deployment(3), Gateway=deployment()
        ),
        digits=application(
            status=ApplicationStatus.DEPLOY_FAILED,
            message="ValueError: the model is missing",
            Classifier=deployment(
                status=DeploymentStatus.DEPLOY_FAILED,
                message="Cell In[4], line 7\nValueError: the model is missing",
            ),
        ),
        embeddings_with_a_long_name=application(
            url=None, EmbedderWithAnEvenLongerName=deployment(120)
        ),
    )


def test_the_tree_in_light_and_dark(busy, sidebar, picture):
    page = sidebar.page
    expect(sidebar.row("Gateway")).to_be_visible()
    expect(sidebar.rows("replica").first.get_by_test_id("wb-rate")).to_contain_text(
        "/s"
    )
    sidebar.select(sidebar.row("Tokenizer"))
    picture(page, "light")
    try:
        set_theme(page, "JupyterLab Dark")
        picture(page, "dark")
        sidebar.select(sidebar.row("digits"))
        picture(page, "dark failed")
    finally:
        set_theme(page, "JupyterLab Light")
    sidebar.select(sidebar.row("Classifier"))
    expect(sidebar.root.get_by_test_id("wb-message")).to_contain_text("line 7")
    picture(page, "failed")


@pytest.mark.parametrize("width", [220, 250])
def test_a_narrow_sidebar_cuts_nothing_off(busy, sidebar, picture, width):
    page = sidebar.page
    narrow(page, width)
    sidebar.select(sidebar.row("Tokenizer"))
    picture(page)

    beyond = page.evaluate(BEYOND)
    assert beyond == []


def test_the_tree_by_keyboard_alone(busy, sidebar, picture):
    page, press = sidebar.page, sidebar.page.keyboard.press
    top = sidebar.rows("instance").first
    expect(sidebar.row("Gateway")).to_be_visible()
    sidebar.root.get_by_test_id("wb-bar-start").focus()
    press("Tab")
    expect(top).to_be_focused()

    press("ArrowDown")
    expect(sidebar.row("text")).to_be_focused()
    press("ArrowLeft")
    expect(sidebar.row("text")).to_have_attribute("aria-expanded", "false")
    expect(sidebar.row("Gateway")).to_be_hidden()
    press("Enter")
    press("ArrowRight")
    expect(sidebar.row("Tokenizer")).to_be_focused()
    press("ArrowRight")
    expect(sidebar.rows("replica").first).to_be_focused()
    press("ArrowLeft")
    expect(sidebar.row("Tokenizer")).to_be_focused()
    picture(page)

    press("Tab")
    press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("data-testid", "wb-action-plots")
    press("Enter")
    expect(page.get_by_test_id("wb-plots-view")).to_be_visible()

    sidebar.row("text").focus()
    press("Delete")
    expect(sidebar.dialog).to_contain_text("Delete text?")
    press("Escape")
    expect(sidebar.dialog).to_be_hidden()
    press("End")
    expect(sidebar.row("EmbedderWithAnEvenLongerName")).to_be_focused()


def test_many_replicas_are_walked_through(staged, sidebar):
    staged.show(many=application(Wide=deployment(300)))
    row = sidebar.row("Wide", "deployment")
    row.focus()
    sidebar.page.keyboard.press("ArrowRight")
    expect(sidebar.rows("replica").first).to_be_visible()
    assert sidebar.rows("replica").count() < 100

    sidebar.page.keyboard.press("End")
    expect(sidebar.row("00012b", "replica")).to_be_focused()
    expect(sidebar.row("00012b", "replica")).to_be_in_viewport()


def test_what_users_write_is_text(staged, sidebar, picture):
    page = sidebar.page
    parts: dict[str, Any] = {HOSTILE: deployment(message=HOSTILE)}
    app = application(
        status=ApplicationStatus.DEPLOY_FAILED,
        message=HOSTILE,
        url=f"http://127.0.0.1:8000/{HOSTILE}",
        **parts,
    )
    staged.records = records(("ERROR", HOSTILE), app=HOSTILE, deployment=HOSTILE)
    staged.show(**{HOSTILE: app})

    sidebar.select(sidebar.row(HOSTILE, "application"))
    expect(sidebar.root.get_by_test_id("wb-message")).to_have_text(HOSTILE)
    sidebar.act("plots")
    plots = page.get_by_test_id("wb-plots-view")
    expect(plots).to_contain_text(HOSTILE)
    sidebar.act("logs")
    expect(page.get_by_test_id("wb-log").first).to_contain_text(HOSTILE)
    sidebar.act("delete")
    expect(sidebar.dialog).to_contain_text(HOSTILE)
    picture(page)
    sidebar.dismiss()
    sidebar.act("copy-curl")
    expect(page.locator(".Toastify__toast")).to_contain_text("<img")

    assert page.evaluate("window.wasRun") is None
    assert page.locator("img[src=x]").count() == 0


def narrow(page, width):
    """Narrower than JupyterLab makes it by itself."""
    limits = f"min-width: 0 !important; max-width: {width}px !important"
    page.add_style_tag(content=f"#workbench-sidebar {{ {limits} }}")


# What reaches beyond the sidebar's edge, or needs to be scrolled sideways.
BEYOND = """() => {
  const root = document.querySelector('[data-testid=wb-sidebar]');
  const right = root.getBoundingClientRect().right + 1;
  const found = [...root.querySelectorAll('*')].filter(node => {
    const box = node.getBoundingClientRect();
    return box.width > 0 && box.right > right;
  });
  return found.map(node => node.className.baseVal ?? node.className);
}"""
