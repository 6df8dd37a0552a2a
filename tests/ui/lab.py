"""A real Jupyter server below a base URL, with settings and runtime files of its own."""

import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from workbench.settings import process_environment

__all__ = ["Lab", "jupyter_lab"]

_START_S = 90
_LOOK_S = 0.1
# Or every page begins with a question.
_SETTINGS = {
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}


class Lab:
    """One Jupyter server; comes back at the same address when it is started again."""

    def __init__(self, home: Path, *, python: str = sys.executable) -> None:
        self._home = home
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._port = _free_port()
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{self._port}/user/x/"
        self.folder = home / "notebooks"
        self.runtime_dir = home / "runtime"
        self.log_path = home / "jupyter.log"
        for folder in (self.folder, self.runtime_dir):
            folder.mkdir(parents=True)
        for name, text in _SETTINGS.items():
            path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def start(self, app: str = "jupyterlab") -> Self:
        """Start it, and wait until it answers."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(app), env=self.environment(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_S
        pause = threading.Event()
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}api", timeout=5).close()
            except OSError:
                pause.wait(_LOOK_S)
            else:
                return self
        self.stop()
        msg = f"Jupyter's server did not come up:\n{self.log_path.read_text()}"
        raise RuntimeError(msg)

    def stop(self) -> None:
        """End it; its kernels end with it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def environment(self) -> dict[str, str]:
        """What its processes see: nothing of this machine's user.

        The token is here, so that it stands on no command line.
        """
        theirs = process_environment()
        clean = {key: value for key, value in theirs.items() if "JUPYTER" not in key}
        return {
            **clean,
            "JUPYTER_TOKEN": self.token,
            "JUPYTER_CONFIG_DIR": str(self._home / "config"),
            "JUPYTER_DATA_DIR": str(self._home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime_dir),
            "JUPYTERLAB_SETTINGS_DIR": str(self._home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self._home / "workspaces"),
            "IPYTHONDIR": str(self._home / "ipython"),
        }

    def _command(self, app: str) -> list[str]:
        return [
            *(self._python, "-m", app, "--no-browser", "--allow-root"),
            f"--ServerApp.port={self._port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.base_url=/user/x/",
            f"--ServerApp.root_dir={self.folder}",
            # If the run is killed, this ends too.
            "--ServerApp.shutdown_no_activity_timeout=900",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]


@contextmanager
def jupyter_lab() -> Iterator[Lab]:
    """JupyterLab for as long as the block."""
    with TemporaryDirectory() as home:
        lab = Lab(Path(home))
        try:
            yield lab.start()
        finally:
            lab.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
