"""Instance files: written whole, private, and swept up when their process is gone."""

import json
import os
import subprocess
import sys

import pytest

from workbench.instance import InstanceFile, channel_secret, find, list_instances
from workbench.settings import Settings


def make(name, *, pid=None, kept=False, started_at=1.0, home=""):
    return InstanceFile(
        id=name,
        url="http://127.0.0.1:1",
        token="t",
        pid=os.getpid() if pid is None else pid,
        is_kept=kept,
        home=str(home),
        started_at=started_at,
    )


@pytest.fixture
def dead_pid():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_written_file_is_found_and_private(tmp_path):
    make("one").write(tmp_path / "runtime")

    (found,) = list_instances(tmp_path / "runtime")

    assert found == make("one")
    assert found.path(tmp_path / "runtime").stat().st_mode & 0o777 == 0o600


def test_the_file_of_a_dead_process_is_removed(tmp_path, dead_pid):
    make("gone", pid=dead_pid).write(tmp_path)

    assert list(list_instances(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_instance_left_is_removed_but_nothing_else(tmp_path, dead_pid):
    left, other = tmp_path / "wb-gone", tmp_path / "precious"
    for directory in (left, other):
        (directory / "r").mkdir(parents=True)
    make("gone", pid=dead_pid, home=left).write(tmp_path / "runtime")
    make("forged", pid=dead_pid, home=other).write(tmp_path / "runtime")

    assert list(list_instances(tmp_path / "runtime")) == []
    assert (left.exists(), other.exists()) == (False, True)


def test_a_file_that_is_no_instance_is_passed_over(tmp_path):
    (tmp_path / "workbench-x.json").write_text("{half")

    assert list(list_instances(tmp_path)) == []


def test_a_file_of_a_later_version_is_read_for_what_we_know(tmp_path):
    make("one").write(tmp_path)
    path = make("one").path(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "good"}))

    assert list(list_instances(tmp_path)) == [make("one")]


def test_a_kept_instance_is_preferred_even_to_a_newer_one(tmp_path):
    make("script", started_at=3.0).write(tmp_path)
    make("old", kept=True, started_at=1.0).write(tmp_path)
    make("new", kept=True, started_at=2.0).write(tmp_path)

    found = find(tmp_path, only_kept=False)

    assert found is not None
    assert found.id == "new"


def test_who_wants_a_kept_instance_gets_no_other(tmp_path):
    make("script").write(tmp_path)

    assert find(tmp_path, only_kept=True) is None
    assert find(tmp_path, only_kept=False) == make("script")


def test_the_channel_secret_depends_on_the_token_and_hides_it():
    assert channel_secret("a") == channel_secret("a") != channel_secret("b")
    assert b"token" not in channel_secret("token")


def test_settings_name_a_bad_number(monkeypatch):
    monkeypatch.setenv("WORKBENCH_SPARE_SHELLS", "many")

    with pytest.raises(ValueError, match="WORKBENCH_SPARE_SHELLS='many'"):
        Settings.from_environment()


def test_settings_find_jupyters_runtime_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))

    assert Settings.from_environment().runtime_dir == tmp_path / "runtime"
