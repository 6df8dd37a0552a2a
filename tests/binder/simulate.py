"""What `make binder-test` runs: `binder/` built and used as on a Binder, in 2 GB.

Builds an environment from `binder/` alone, starts JupyterLab with `binder/start`, opens
and runs every notebook, and watches the memory of all that runs. Minutes long. Exit
code 0 means that everything ran and stayed below the limit.
"""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bench.report import table
from tests.binder.image import Image, build
from tests.binder.lab import Lab
from tests.binder.memory import MemoryWatch, end_all
from tests.demo import running_with, wait_until_none_runs
from workbench.settings import new_token

LIMIT_MB = 2048.0
OPENED = "notebooks/01_first_deployment.ipynb"
BASE_URL = "/user/reader/"
START_S = 60.0


def main() -> None:
    """Build, run, measure."""
    # Ended from outside, it ends what it started and leaves no directory.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    work = Path(tempfile.mkdtemp(prefix="workbench-binder-"))
    try:
        print("Building from binder/", flush=True)
        image = build(work)
        runtime = work / "run"
        with MemoryWatch(runtime, LIMIT_MB) as watch:
            with open_lab(image, runtime) as lab:
                rows = list(run_notebooks(lab, image, watch))
            left = wait_until_none_runs(str(runtime))
        print(f"\n{table(rows)}")
        if left or watch.is_over:
            sys.exit(f"over {LIMIT_MB:.0f} MB" if watch.is_over else f"left: {left}")
    finally:
        shutil.rmtree(work)
    print(f"\nAll notebooks ran, one after another, below {LIMIT_MB:.0f} MB.")


@contextmanager
def open_lab(image: Image, runtime: Path) -> Iterator[Lab]:
    """JupyterLab as a session starts it."""
    runtime.mkdir()
    token, port = new_token(), free_port()
    environment = {
        **image.environment,
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_TOKEN": token,
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        f"--ServerApp.base_url={BASE_URL}",
    ]
    with (runtime / "lab.log").open("w") as log:
        server = subprocess.Popen(
            image.at_start("jupyter", "lab", *options),
            cwd=image.home,
            env=environment,
            stdout=log,
            stderr=log,
        )
    lab = Lab(f"http://127.0.0.1:{port}{BASE_URL}", token)
    try:
        wait_until_up(lab, server)
        yield lab
        lab.shut_down()
        server.wait(START_S)
    except BaseException:
        print((runtime / "lab.log").read_text(), file=sys.stderr)
        raise
    finally:
        end_all(running_with(str(runtime)))


def wait_until_up(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    """Until the page that the badge opens is there, and our part of the server."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            lab.get("api/status")
            break
        except httpx.TransportError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            threading.Event().wait(0.2)
    assert "jupyter-config-data" in lab.get(f"lab/tree/{OPENED}").text
    lab.get("workbench/instances")


def run_notebooks(
    lab: Lab, image: Image, watch: MemoryWatch
) -> Iterator[dict[str, object]]:
    """Run each; a row of figures for each."""
    for path in sorted((image.home / "notebooks").glob("*.ipynb")):
        watch.forget_peak()
        before, began = watch.now_mb, time.monotonic()
        try:
            lab.run(str(path.relative_to(image.home)))
        except (AssertionError, httpx.HTTPError):
            if watch.is_over:  # so the kernel was ended
                sys.exit(f"{path.stem} went over the limit:\n{largest(watch)}")
            raise
        yield {
            "notebook": path.stem,
            "seconds": f"{time.monotonic() - began:.0f}",
            "before, MB": f"{before:.0f}",
            "peak, MB": f"{watch.peak_mb:.0f}",
        }
        print(f"\n{path.stem}:\n{largest(watch)}", flush=True)


def largest(watch: MemoryWatch) -> str:
    """What used the most at the peak."""
    sizes = sorted(watch.at_peak.items(), key=lambda item: -item[1])
    lines = [f"  {size:6.0f} MB  {command}" for command, size in sizes[:10]]
    return "\n".join([f"  {watch.peak_mb:6.0f} MB in all, of these", *lines])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
