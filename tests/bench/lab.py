"""A real JupyterLab in a headless Chromium, for what can only be measured there."""

import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect, sync_playwright

from workbench.client import Client
from workbench.instance import find
from workbench.settings import process_environment

__all__ = ["Lab", "Notebook", "jupyter_lab", "lab_page"]

_START_S = 60
_CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_NO_NEWS = '{"fetchNews": "false", "checkForUpdates": false}'
# The execution indicator says 'idle' before there is a kernel, and a cell that is run
# then is dropped without a word: so ask the application.
_OPEN = """async path => {
  const panel = await window.jupyterapp.commands.execute(
    'docmanager:open', { path, factory: 'Notebook' });
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
_CLOSE = """async () => {
  const { shell, serviceManager } = window.jupyterapp;
  for (const widget of Array.from(shell.widgets('main'))) {
    await widget.context?.save();
    widget.close();
  }
  await serviceManager.sessions.shutdownAll();
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A Jupyter server that runs."""

    url: str
    token: str
    folder: Path


@contextmanager
def jupyter_lab() -> Iterator[Lab]:
    """JupyterLab below a base URL, with settings and runtime files of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        settings = home / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(_NO_NEWS)
        (home / "notebooks").mkdir()
        port, token = _free_port(), secrets.token_hex(16)
        lab = Lab(
            url=f"http://127.0.0.1:{port}/user/x/",
            token=token,
            folder=home / "notebooks",
        )
        with (home / "lab.log").open("w+b") as log:
            process = subprocess.Popen(
                _command(port, lab.folder),
                env=_environment(home, token),
                stdout=log,
                stderr=log,
            )
            try:
                _wait_for(lab, process, home / "lab.log")
                yield lab
            finally:
                process.terminate()
                process.wait()
                _end_instance(home / "runtime")


@contextmanager
def lab_page(lab: Lab, *, width: int = 1280) -> Iterator[Page]:
    """JupyterLab in a browser; its kernels end with the block."""
    chromium = shutil.which("chromium")
    if chromium is None:
        msg = "This needs Chromium; on Debian and Ubuntu: apt-get install chromium"
        raise SystemExit(msg)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_CHROMIUM)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(f"{lab.url}lab?token={lab.token}&reset")
        page.wait_for_function("window.jupyterapp")
        page.evaluate("async () => { await window.jupyterapp.restored }")
        try:
            yield page
        finally:
            page.evaluate(_CLOSE)
            browser.close()


class Notebook:
    """One open notebook, driven as a user does: click, type, Shift+Enter."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self._page = page
        name = f"{secrets.token_hex(4)}.ipynb"
        kernel = {"name": "python3", "display_name": "Python 3"}
        book = nbformat.v4.new_notebook(
            metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_code_cell()]
        )
        nbformat.write(book, lab.folder / name)
        self.root = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        page.evaluate(_OPEN, name)
        self.cell(0).wait_for()

    def cell(self, index: int) -> Locator:
        """A cell by its place."""
        return self.root.locator(".jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """What a cell shows."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def run(self, index: int, source: str, *, waits: bool = True) -> Locator:
        """Run one cell; its outputs, once it has ended."""
        self.cell(index).locator(".cm-content").click()
        self._page.keyboard.press("ControlOrMeta+a")
        # One input event: no auto-indent, no auto-closed brackets.
        self._page.keyboard.insert_text(source)
        prompt = self.cell(index).locator(".jp-InputArea-prompt")
        old = re.escape(prompt.inner_text())
        self._page.keyboard.press("Shift+Enter")
        if waits:
            ended = re.compile(rf"^(?!{old}$)\[\d+\]:$")
            expect(prompt).to_have_text(ended, timeout=120_000)
        return self.output(index)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _command(port: int, folder: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.base_url=/user/x/",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
        # If the benchmark is killed, this ends too.
        "--ServerApp.shutdown_no_activity_timeout=900",
    ]


def _environment(home: Path, token: str) -> dict[str, str]:
    """No setting of this machine's user is seen; the token is on no command line."""
    theirs = process_environment()
    clean = {key: value for key, value in theirs.items() if "JUPYTER" not in key}
    return {
        **clean,
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }


def _end_instance(runtime_dir: Path) -> None:
    """A notebook's instance outlives its kernel, and must not outlive this."""
    file = find(runtime_dir, only_kept=False)
    if file is not None:
        client = Client(file.url, file.token)
        client.shutdown()
        client.close()


def _wait_for(lab: Lab, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    pause = threading.Event()
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{lab.url}api", timeout=1).close()
        except OSError:
            pause.wait(0.1)
        else:
            return
    msg = f"JupyterLab did not come up:\n{log.read_text()}"
    raise RuntimeError(msg)
