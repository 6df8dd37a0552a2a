"""A Gradio page, mounted into FastAPI behind a route prefix."""

import importlib.util
import json

import pytest

from workbench import serve

# Only looked for here: to import it takes seconds, and the replica does that.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="needs the extra [gradio]"
)

NO_ANALYTICS = {"runtime_env": {"env_vars": {"GRADIO_ANALYTICS_ENABLED": "False"}}}


def page():
    import gradio
    from fastapi import FastAPI

    with gradio.Blocks(title="Greetings") as blocks:
        name, greeting = gradio.Textbox(), gradio.Textbox()
        button = gradio.Button("Greet")
        button.click(lambda name: f"Hello {name}!", name, greeting, api_name="greet")
    return gradio.mount_gradio_app(FastAPI(), blocks, path="/page")


@serve.deployment(ray_actor_options=NO_ANALYTICS)
@serve.ingress(page)
class Page:
    pass


@pytest.mark.timeout(180)
def test_a_mounted_page_is_shown_and_answers_calls(run, http, url):
    run(Page.bind())

    shown = http.get(f"{url}/page/")
    assert "Greetings" in shown.text
    assert http.get(f"{url}/page/config").json()["root"] == f"{url}/page"

    calls = f"{url}/page/gradio_api/call/greet"
    event_id = http.post(calls, json={"data": ["Ada"]}).json()["event_id"]
    events = http.get(f"{calls}/{event_id}").text.splitlines()
    at = events.index("event: complete")
    assert json.loads(events[at + 1].removeprefix("data: ")) == ["Hello Ada!"]
