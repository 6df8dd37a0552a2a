"""What `make demo` runs: the first notebook, executed and measured on this machine.

Executes `notebooks/01_first_deployment.ipynb` in a kernel of its own, shows what its
cells showed, loads the service while it is live, edits and re-runs the serving cell
under a steady client, and makes sure that nothing is left running at the end. Exit
code 0 means that every step did what it says.
"""

import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from workbench.settings import process_environment

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "01_first_deployment.ipynb"
CONNECTIONS = 32
LOAD_S = 4.0
EDITS = 9
PATIENCE_S = 120.0
END_S = 20.0


def main() -> None:
    """Run the demo."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workbench-demo-") as directory:
        environment = {**process_environment(), "JUPYTER_RUNTIME_DIR": directory}
        try:
            run_notebook(environment)
            left = wait_until_none_runs(directory)
            check(not left, f"still running after `%serve shutdown`: {left}")
            files = [each.name for each in Path(directory).iterdir()]
            check(not files, f"`%serve shutdown` left files: {files}")
        except BaseException:
            end_what_runs(directory, environment)
            raise
    say(f"\nEvery step worked and nothing is left running; {since(began)} in all.")


def run_notebook(environment: dict[str, str]) -> None:
    """Execute the notebook; measure before its last cell ends the instance."""
    with open_notebook(environment) as run:
        *cells, last = run.code_cells
        for cell in cells:
            run.execute(cell)
        served = [cell for cell in cells if cell.source.startswith("%%serve")]
        say("\nThe first card:", indented(text_of(served[0])))
        say("The card after the edit:", indented(text_of(served[-1])))
        url, body = report_answers(run)
        report_load(url, body)
        report_edits(run, served[-1], url, body)
        instance = run.value("serve.status().instance.id")
        run.execute(last)
    check(not answers_at(url), f"something still listens at {url}")
    home = Path("/tmp", f"wb-{instance}")
    check(not home.exists(), f"the instance's directory {home} is still there")


@contextmanager
def open_notebook(environment: dict[str, str]) -> Iterator["NotebookRun"]:
    """The notebook in a kernel of its own, which finds no instance but its own."""
    say(f"Executing {NOTEBOOK.relative_to(NOTEBOOK.parents[1])}")
    book = nbformat.read(NOTEBOOK, as_version=4)
    folder = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = NotebookClient(
        book,
        timeout=PATIENCE_S,
        kernel_name="python3",
        resources=folder,
        # Else it warns that the kernel's own loopback sockets are not encrypted.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    with client.setup_kernel(env=environment):
        yield NotebookRun(book, client)


class NotebookRun:
    """The notebook in its running kernel."""

    def __init__(self, book: Any, client: NotebookClient) -> None:
        self._book = book
        self._client = client
        self.code_cells = [cell for cell in book.cells if cell.cell_type == "code"]

    def execute(self, cell: Any, *, quietly: bool = False) -> None:
        """Run one cell; an error in it ends the demo."""
        began = time.monotonic()
        try:
            self._client.execute_cell(cell, self._book.cells.index(cell))
        except CellExecutionError as error:
            fail(f"this cell failed:\n\n{error}")
        if not quietly:
            first, _, _ = cell.source.partition("\n")
            say(f"  {first[:60]:<62}{since(began):>8}")

    def value(self, expression: str) -> Any:
        """The value of a Python expression in the kernel, by way of JSON."""
        source = f"import json; print(json.dumps({expression}))"
        cell = nbformat.v4.new_code_cell(source)
        self._book.cells.append(cell)
        self.execute(cell, quietly=True)
        return json.loads(text_of(cell))


def report_answers(run: NotebookRun) -> tuple[str, bytes]:
    """Check and show what the service answered; its URL and a request's body."""
    url = run.value("url")
    first, second = run.value("first"), run.value("second")
    labels = run.value("test_labels.tolist()")
    right = sum(map(int.__eq__, first["digits"], labels))
    say(f"It answers at {url}")
    say("  the first digits answered:", *first["digits"][:20])
    say("  what they are:            ", *labels[:20])
    accuracy = right / len(labels)
    say(f"  accuracy: {accuracy:.1%} of {len(labels)} held-out images")
    check(accuracy > 0.9, "fewer than 90 % of the answers are right")
    check("probabilities" not in first, "the first version had probabilities already")
    sums = [sum(each) for each in second["probabilities"]]
    check(all(abs(each - 1) < 0.01 for each in sums), "the probabilities do not add up")
    check(first["trained_at"] == second["trained_at"], "the edit trained a new model")
    say(f"  the edit kept the model that was trained at {second['trained_at']}")
    image = run.value("test_images[:1].tolist()")
    return url, json.dumps(image).encode()


def report_load(url: str, body: bytes) -> None:
    """Call it from many connections for a few seconds."""
    load = Load(url, body, CONNECTIONS)
    load.start()
    load.stop_after(LOAD_S)
    check(load.failed == 0, f"{load.failed} requests failed under load")
    taken = sorted(load.taken_s)
    p50, p99 = (taken[len(taken) * share // 100] * 1000 for share in (50, 99))
    say(
        f"\n{CONNECTIONS} connections for {LOAD_S:.0f} s, one image a request: "
        f"{len(taken) / LOAD_S:,.0f} requests/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    )


def report_edits(run: NotebookRun, cell: Any, url: str, body: bytes) -> None:
    """Edit and re-run the serving cell a few times while a client calls."""
    source = cell.source
    load = Load(url, body, 1)
    load.start()
    caller = httpx.Client(trust_env=False)
    taken = []
    for edit in range(1, EDITS + 1):
        marked = f'"trained_at": self.trained_at,\n            "edit": {edit},'
        cell.source = source.replace('"trained_at": self.trained_at,', marked)
        began = time.monotonic()
        run.execute(cell, quietly=True)
        answer = caller.post(url, content=body).json()
        taken.append(time.monotonic() - began)
        check(answer.get("edit") == edit, f"edit {edit} did not go live: {answer}")
        check("keep" in text_of(cell), f"edit {edit} was no keep:\n{text_of(cell)}")
    load.stop_after(0)
    check(load.failed == 0, f"{load.failed} requests failed while the code changed")
    say(
        f"{EDITS} edits under a steady client, from running the cell to the new code's "
        f"answer: median {statistics.median(taken) * 1000:.0f} ms; "
        f"{len(load.taken_s)} requests meanwhile, none failed"
    )


class Load:
    """Connections that each send one request after another, in a thread."""

    def __init__(self, url: str, body: bytes, connections: int) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._request = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._connections = connections
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._stop = threading.Event()
        self.taken_s: list[float] = []
        self.failed = 0

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop_after(self, seconds: float) -> None:
        """Stop after this time, when the requests on their way are answered."""
        self._thread.join(seconds)
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._call() for _ in range(self._connections)))

    async def _call(self) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        while not self._stop.is_set():
            began = time.perf_counter()
            writer.write(self._request)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
            except (OSError, EOFError):
                self.failed += 1
                return
            self.failed += not head.startswith(b"HTTP/1.1 200 ")
            self.taken_s.append(time.perf_counter() - began)
        writer.close()


def wait_until_none_runs(directory: str) -> list[str]:
    """Commands of what was started with `directory` and does not end in time."""
    deadline = time.monotonic() + END_S
    while (left := running_with(directory)) and time.monotonic() < deadline:
        threading.Event().wait(0.2)
    return list(left.values())


def end_what_runs(directory: str, environment: dict[str, str]) -> None:
    """After a failure: end the instance, by force where it does not end itself."""
    command = [sys.executable, "-m", "workbench.cli", "down"]
    subprocess.run(command, env=environment, capture_output=True, check=False)
    if wait_until_none_runs(directory):
        for pid in running_with(directory):
            os.kill(pid, signal.SIGKILL)


def running_with(directory: str) -> dict[int, str]:
    """Processes whose environment names `directory`: pid and command."""
    if not Path("/proc/self/environ").exists():
        return listed_with(directory)
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if directory.encode() in (process / "environ").read_bytes():
                command = (process / "cmdline").read_bytes().split(b"\0")
                found[int(process.name)] = b" ".join(command[:3]).decode()
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found


def listed_with(directory: str) -> dict[int, str]:
    """The same where there is no /proc: on macOS."""
    command = ["ps", "axeww", "-o", "pid=,command="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in listed.stdout.splitlines() if directory in line]
    return {int(pid): " ".join(command[:3]) for pid, *command in lines}


def answers_at(url: str) -> bool:
    """Whether anybody listens there."""
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def text_of(cell: Any) -> str:
    """What a cell showed, as plain text."""
    shown = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    ]
    return "".join(shown).strip()


def indented(text: str) -> str:
    """Under the line before."""
    return "\n" + "\n".join(f"    {line}" for line in text.splitlines())


def since(began: float) -> str:
    """The time that has passed."""
    return f"{time.monotonic() - began:.1f} s"


def check(holds: bool, otherwise: str) -> None:
    """End the demo unless something holds."""
    if not holds:
        fail(otherwise)


def fail(reason: str) -> NoReturn:
    """End the demo."""
    sys.exit(f"\nThe demo FAILED: {reason}")


def say(*words: object) -> None:
    """Print at once, also into a pipe."""
    print(*words, flush=True)


if __name__ == "__main__":
    main()
