"""Starts and stops what is measured: Workbench, bare uvicorn and Ray Serve.

Each is a process that prints `READY <word>` and ends when its input closes.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from workbench.launcher import descendants

ROOT = Path(__file__).parents[2]
RAY_SERVE_PYTHON = ROOT / ".venv-peer" / "bin" / "python"
# What Ray Serve's documentation offers for speed: an HAProxy in front in place of its
# Python proxy, fewer thread hops in the replica, gRPC between replicas.
RAY_SERVE_BEST_MODE = (
    "RAY_SERVE_ENABLE_HA_PROXY=1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED=1",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT=1",
)
_STOP_TIMEOUT_S = 60


class Process:
    """A program of ours that says when it is ready and can be talked to by lines."""

    def __init__(self, command: Sequence[str], log: IO[str]) -> None:
        self._log = log
        self._popen = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for the benchmark, which then stops it
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def say(self, line: str) -> None:
        """Send the program a line."""
        assert self._popen.stdin
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()

    def hear(self, word: str) -> str:
        """Wait for a line that begins with the word; the rest of the line."""
        assert self._popen.stdout
        heard = []
        for line in self._popen.stdout:
            first, _, rest = line.strip().partition(" ")
            if first == word:
                return rest
            heard.append(line)
        self._log.seek(0)
        last_words = "".join(heard)[-2000:] + self._log.read()[-4000:]
        msg = f"{self._popen.args!r} ended without saying {word}:\n{last_words}"
        raise RuntimeError(msg)

    def end_input(self) -> None:
        """Tell the program to finish."""
        assert self._popen.stdin
        self._popen.stdin.close()

    def stop(self) -> None:
        """Have it end; kill it if it does not."""
        self.end_input()
        try:
            self._popen.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        assert self._popen.stdout
        self._popen.stdout.close()


@contextmanager
def running(command: Sequence[str]) -> Iterator[Process]:
    """Run a program for the time of the block."""
    with tempfile.TemporaryFile("w+") as log:
        process = Process(command, log)
        try:
            yield process
        finally:
            process.stop()


class Url(str):
    """Where a server answers, and the process that began it."""

    __slots__ = ("pid",)

    def __new__(cls, process: Process) -> Self:
        """Wait until it is known."""
        made = super().__new__(cls, process.hear("READY"))
        made.pid = process.pid
        return made

    pid: int


@contextmanager
def paused(servers: Sequence[Url]) -> Iterator[None]:
    """Stop servers for the time of the block, with all that they have started.

    Who runs one of them does not run the others beside it: idle, Ray Serve takes a
    fifth of what a server gets done on two cores.
    """
    family = [pid for each in servers for pid in (each.pid, *descendants(each.pid))]
    try:
        _signal(family, signal.SIGSTOP)
        yield
    finally:
        _signal(family, signal.SIGCONT)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def bare_uvicorn(app: str = "echo") -> Iterator[Url]:
    """A single uvicorn process with one of its applications; gives its URL."""
    with running([*module("bare_uvicorn"), app]) as process:
        yield Url(process)


@contextmanager
def workbench(app: str) -> Iterator[Url]:
    """An embedded instance of its own with one application of `apps`."""
    with isolated() as env, running([*env, *server("workbench", app)]) as process:
        yield Url(process)


@contextmanager
def ray_serve(app: str, *, best_mode: bool = True) -> Iterator[Url]:
    """Ray Serve in its best mode, or as it comes, with one application of `apps`."""
    env = ["env", "-u", "RAY_ADDRESS", *(RAY_SERVE_BEST_MODE if best_mode else ())]
    with running([*env, *server("ray", app)]) as process:
        yield Url(process)


def has_ray_serve() -> bool:
    """Say whether Ray Serve was installed for comparison, and how to if not."""
    if RAY_SERVE_PYTHON.exists():
        return True
    print("\nRay Serve is not compared with: `make bench-peer` installs it.")
    return False


def server(system: str, app: str) -> list[str]:
    """The command that serves one application until its input closes."""
    python = str(RAY_SERVE_PYTHON) if system == "ray" else sys.executable
    return [*module("server", python), system, app]


def module(name: str, python: str = sys.executable) -> list[str]:
    """The command that runs a module of this folder."""
    return [python, "-m", f"tests.bench.{name}"]


@contextmanager
def isolated() -> Iterator[list[str]]:
    """A prefix for a command that shall not find a developer's running instance."""
    with tempfile.TemporaryDirectory() as folder:
        unset = ("-u", "WORKBENCH_URL", "-u", "WORKBENCH_TOKEN", "-u", "RAY_ADDRESS")
        yield ["env", *unset, f"JUPYTER_RUNTIME_DIR={folder}"]
