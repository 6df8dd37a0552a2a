"""A real Jupyter server with the extension, and instances for it to find."""

import json
import os
import time

import pytest

# Imported, not named as a plugin: its hooks and fixtures hold in this folder only.
from pytest_jupyter.jupyter_server import *  # noqa: F403

from tests.sidebar.fake_instance import FakeInstance
from tests.sidebar.page import Page
from workbench.instance import InstanceFile


@pytest.fixture  # type: ignore[no-redef]
def jp_server_config():
    return {"ServerApp": {"jpserver_extensions": {"workbench": True}}}


@pytest.fixture  # type: ignore[no-redef]
def jp_base_url():
    return "/user/x/"


@pytest.fixture
def instance():
    """Something that answers as a control API does."""
    with FakeInstance() as made:
        yield made


@pytest.fixture
def announce(jp_runtime_dir):
    """Writes an instance's file, as its launcher does; takes it away at the end."""
    files = []

    def write(instance, *, token=None, is_kept=True, pid=None):
        file = InstanceFile(
            id=instance.id,
            url=instance.url,
            token=token or instance.token,
            pid=pid or os.getpid(),
            is_kept=is_kept,
            home=str(jp_runtime_dir / "home"),
            started_at=time.time(),
        )
        file.write(jp_runtime_dir)
        files.append(file)
        return file

    yield write
    for file in files:
        file.remove(jp_runtime_dir)


@pytest.fixture
def ask(jp_fetch):
    """Send one request as the page does; returns status and decoded answer."""

    async def send(verb, *path, body=None, **options):
        content = json.dumps(body) if body is not None else None
        answer = await jp_fetch(
            "workbench",
            *path,
            method=verb,
            body=content,
            raise_error=False,
            allow_nonstandard_methods=True,
            **options,
        )
        return answer.code, json.loads(answer.body)

    return send


@pytest.fixture
def open_page(jp_ws_fetch, jp_asyncio_loop):
    """Open the feed as a page does."""
    pages = []

    async def open_one():
        page = Page(await jp_ws_fetch("workbench", "feed"))
        pages.append(page)
        return page

    yield open_one
    for page in pages:
        page.close()
