"""Jupyter's own guards stand before every route; secrets stay in the server."""

import json

import pytest
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httpclient import HTTPClientError
from tornado.httputil import HTTPHeaders

ROUTES = [
    ("GET", "instances"),
    ("POST", "instances"),
    ("POST", "instances/start"),
    ("DELETE", "instances/i1"),
    ("GET", "instances/i1/logs"),
    ("DELETE", "instances/i1/applications/a"),
    ("PUT", "instances/i1/applications/a/deployments/d/scale"),
    ("GET", "feed"),
]
WRITES = [(verb, path) for verb, path in ROUTES if verb != "GET"]


class _Page(JupyterHandler):
    @web.authenticated
    def get(self):
        self.finish(self.xsrf_token)


class Browser:
    """Sends requests as a page does that has logged in: with cookies alone."""

    def __init__(self, fetch, base_url):
        self._fetch = fetch
        self._base_url = base_url
        self.cookies: dict[str, str] = {}

    @property
    def cookie(self):
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def send(self, verb, path, *, headers=None):
        answer = await self._fetch(
            self._base_url + path,
            method=verb,
            headers=HTTPHeaders({"Cookie": self.cookie, **(headers or {})}),
            body=None if verb in {"GET", "DELETE"} else "{}",
            raise_error=False,
            follow_redirects=False,
        )
        for header in answer.headers.get_list("Set-Cookie"):
            name, _, rest = header.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer


@pytest.fixture
def log_in(http_server_client, jp_serverapp, jp_base_url):
    """Open a browser and log in."""

    async def logged_in():
        browser = Browser(http_server_client.fetch, jp_base_url)
        token = jp_serverapp.identity_provider.token
        await browser.send("GET", f"api/status?token={token}")
        # As every page does that Jupyter serves.
        jp_serverapp.web_app.add_handlers(".*", [(f"{jp_base_url}page", _Page)])
        await browser.send("GET", "page")
        return browser

    return logged_in


@pytest.mark.parametrize(("verb", "path"), ROUTES)
async def test_who_is_not_logged_in_is_refused(
    http_server_client, jp_serverapp, jp_base_url, verb, path
):
    answer = await http_server_client.fetch(
        f"{jp_base_url}workbench/{path}",
        method=verb,
        body=None if verb in {"GET", "DELETE"} else "{}",
        raise_error=False,
        follow_redirects=False,
    )

    assert answer.code == 403


@pytest.mark.parametrize(("verb", "path"), WRITES)
async def test_a_write_without_the_xsrf_header_is_refused(log_in, verb, path):
    browser = await log_in()

    answer = await browser.send(verb, f"workbench/{path}")

    assert answer.code == 403
    assert "_xsrf" in answer.body.decode()


async def test_with_cookie_and_xsrf_header_a_write_passes(log_in):
    browser = await log_in()
    headers = {"X-XSRFToken": browser.cookies["_xsrf"]}

    answer = await browser.send("DELETE", "workbench/instances/i1", headers=headers)

    assert answer.code == 404
    assert "There is no instance" in json.loads(answer.body)["message"]


async def test_the_feed_is_for_who_is_logged_in(jp_ws_fetch):
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("workbench", "feed", headers={"Authorization": "token x"})

    assert refused.value.code == 403


@pytest.fixture
def open_feed(log_in, jp_ws_fetch, jp_http_port):
    """Open the feed as a page of some origin does, with the user's cookies."""
    host = f"127.0.0.1:{jp_http_port}"

    async def opened(origin=f"http://{host}"):
        browser = await log_in()
        headers = {
            "Cookie": browser.cookie,
            "Authorization": "",
            "Host": host,
            "Origin": origin,
        }
        return await jp_ws_fetch("workbench", "feed", headers=headers)

    return opened


async def test_the_feed_is_for_jupyters_own_pages(open_feed):
    socket = await open_feed()

    assert "instances" in await socket.read_message()
    socket.close()


async def test_the_feed_is_not_for_pages_of_another_origin(open_feed):
    with pytest.raises(HTTPClientError) as refused:
        await open_feed(origin="http://evil.example")

    assert refused.value.code == 403


class ReadersOnly(Authorizer):
    """Lets everybody look and nobody act."""

    def is_authorized(self, handler, user, action, resource):
        return (action, resource) == ("read", "workbench")


async def test_who_may_only_look_can_change_nothing(
    ask, jp_web_app, jp_serverapp, open_page
):
    jp_web_app.settings["authorizer"] = ReadersOnly(parent=jp_serverapp)

    assert (await ask("GET", "instances"))[0] == 200
    assert (await ask("DELETE", "instances", "i1"))[0] == 403
    assert await (await open_page()).listing() == ()


async def test_an_open_sidebar_does_not_keep_an_idle_server_alive(ask, jp_web_app):
    await ask("GET", "instances")
    assert "api_last_activity" not in jp_web_app.settings

    await ask("DELETE", "instances", "i1")
    assert "api_last_activity" in jp_web_app.settings
