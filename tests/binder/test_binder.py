"""What `binder/` says fits the project; the measuring that `make binder-test` does."""

import os
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from tests.binder.memory import MemoryWatch
from workbench.settings import Settings, process_environment

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"


def test_a_session_begins_with_settings_that_workbench_reads(monkeypatch):
    for name in [
        each for each in process_environment() if each.startswith("WORKBENCH_")
    ]:
        monkeypatch.delenv(name)  # what tests are run with is not a session's
    shown = subprocess.run(
        [BINDER / "start", "env", "-0"], capture_output=True, text=True, check=True
    ).stdout
    variables = dict(line.split("=", 1) for line in shown.split("\0") if line)
    ours = {name for name in variables if name.startswith("WORKBENCH_")}

    assert ours == set(re.findall(r"WORKBENCH_\w+", (BINDER / "start").read_text()))
    documented = (ROOT / "workbench" / "settings.py").read_text()
    assert all(f'"{name}"' in documented for name in ours)
    for name in ours:
        monkeypatch.setenv(name, variables[name])
    settings = Settings.from_environment()
    assert (settings.num_cpus, settings.object_store_mb) == (8, 80)


def test_what_it_installs_are_extras_of_the_project():
    (extras,) = re.findall(r"\.\[(.+)\]", (BINDER / "requirements.txt").read_text())

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_its_python_is_one_that_the_project_supports():
    version = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


@pytest.fixture
def greedy(tmp_path):
    """A process of this directory that holds 100 MB until it is told to end."""
    source = "held = bytearray(100 * 2**20); print('held', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        env={**process_environment(), "MARKER": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux only")
class TestMemoryWatch:
    def test_counts_what_processes_of_a_directory_use(self, greedy, tmp_path):
        with MemoryWatch(tmp_path, 1000) as watch:
            wait_until(lambda: watch.peak_mb)

        assert 100 < watch.peak_mb < 200
        assert [command.split()[-1] for command in watch.at_peak] == [f"({greedy.pid})"]
        assert not watch.is_over

    def test_ends_all_of_them_above_the_limit(self, greedy, tmp_path):
        with MemoryWatch(tmp_path, 50) as watch:
            assert greedy.wait(60) == -9

        assert watch.is_over

    def test_knows_nothing_of_others(self, greedy, tmp_path):
        with MemoryWatch(tmp_path / "another", 50) as watch:
            wait_until(lambda: watch.rounds > 1)

        assert watch.peak_mb == 0
        assert os.getpgid(greedy.pid)


def wait_until(holds, within_s=60.0):
    ended = threading.Event()
    timer = threading.Timer(within_s, ended.set)
    timer.start()
    while not holds():
        assert not ended.wait(0.05), "not in time"
    timer.cancel()
