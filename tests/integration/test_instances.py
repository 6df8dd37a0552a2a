"""Instances: who they belong to, how they are found, and that nothing of them stays."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import eventually
from workbench.instance import list_instances
from workbench.launcher import descendants

SCRIPT = """
import json, os, threading
from workbench import serve
from workbench import api

@serve.deployment
def hello(request):
    return "hello"

{start}
serve.run(hello.bind())
about = api.status().instance
print(json.dumps({{"id": about.id, "url": about.http_url, "pids": about.pids,
                   "notes": about.notes}}), flush=True)
{end}
"""


@pytest.fixture
def runtime_dir(tmp_path, monkeypatch):
    """A runtime directory of the test's own, so that it finds no other instance."""
    path = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(path))
    monkeypatch.setenv("WORKBENCH_SPARE_SHELLS", "1")
    return path


def run_script(tmp_path, *, start="", end=""):
    """Run the script; returns its process and, once it serves, what it printed."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(start=start, end=end))
    output = tmp_path / "printed"
    with output.open("w") as file:
        process = subprocess.Popen([sys.executable, path], stdout=file)
    printed = eventually(
        lambda: output.read_text().endswith("\n") or process.poll(), within_s=120
    )
    assert printed is True, f"the script ended with code {process.returncode}"
    return process, json.loads(output.read_text())


def everything_of(about):
    """All processes of an instance, by the launcher's descendants."""
    launcher = about["pids"]["launcher"]
    found = [launcher, *descendants(launcher)]
    assert {about["pids"]["controller"], about["pids"]["proxy"]} < set(found)
    return found


def assert_nothing_stays(about, processes, runtime_dir):
    left = lambda: [pid for pid in processes if _is_alive(pid)]  # noqa: E731
    assert eventually(lambda: not left(), within_s=60), left()
    assert not Path(f"/tmp/wb-{about['id']}").exists()
    assert list(runtime_dir.glob("*")) == []
    host, port = about["url"].removeprefix("http://").split(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


def _is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_an_instance_ends_with_its_script(tmp_path, runtime_dir):
    end = f"while not os.path.exists({str(tmp_path / 'go')!r}): threading.Event().wait(0.05)"
    process, about = run_script(tmp_path, end=end)
    processes = everything_of(about)

    (tmp_path / "go").touch()
    assert process.wait(60) == 0

    assert_nothing_stays(about, processes, runtime_dir)


def test_an_instance_ends_when_its_script_is_killed(tmp_path, runtime_dir):
    process, about = run_script(tmp_path, end="threading.Event().wait()")
    processes = everything_of(about)

    process.kill()
    process.wait(60)

    assert_nothing_stays(about, processes, runtime_dir)


def test_a_kept_instance_outlives_its_process_is_found_again_and_ends_by_command(
    tmp_path, runtime_dir
):
    process, about = run_script(tmp_path, start="serve.start(keep=True)")
    process.wait(60)
    processes = everything_of(about)

    again, found = run_script(tmp_path)
    again.wait(60)
    assert found["id"] == about["id"]
    command = [sys.executable, "-m", "workbench.cli"]
    shown = subprocess.run(
        [*command, "status"], capture_output=True, text=True, check=True
    )
    assert "default: RUNNING" in shown.stdout
    subprocess.run([*command, "down"], check=True, capture_output=True)

    assert_nothing_stays(about, processes, runtime_dir)


def test_a_killed_launcher_takes_its_instance_along(tmp_path, runtime_dir):
    process, about = run_script(tmp_path, start="serve.start(keep=True)")
    process.wait(60)
    everything = everything_of(about)
    launcher = about["pids"]["launcher"]
    workers = {about["pids"]["controller"], about["pids"]["proxy"]}

    os.kill(launcher, signal.SIGKILL)

    assert eventually(lambda: not any(_is_alive(pid) for pid in workers), within_s=60)
    assert eventually(lambda: list(list_instances(runtime_dir)) == [])
    assert eventually(lambda: not any(_is_alive(pid) for pid in everything))
    assert not Path(f"/tmp/wb-{about['id']}").exists()


def test_a_busy_default_port_means_the_next_free_one_and_a_note(tmp_path, runtime_dir):
    with _listening(8000):
        process, about = run_script(tmp_path, end="threading.Event().wait()")
        processes = everything_of(about)
        process.kill()
        process.wait(60)

    assert not about["url"].endswith(":8000")
    assert "8000" in about["notes"][0]
    assert_nothing_stays(about, processes, runtime_dir)


def test_a_busy_port_asked_for_by_number_is_an_error(tmp_path, runtime_dir):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        path = tmp_path / "script.py"
        path.write_text(
            "from workbench import serve\n"
            f"serve.start(http_options={{'port': {port}}})\n"
        )
        ended = subprocess.run(
            [sys.executable, path],
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )

    assert "PortBusyError" in ended.stderr
    assert str(port) in ended.stderr
    assert "next free one" in ended.stderr
    assert eventually(lambda: not list(runtime_dir.glob("*")))


ON_A_CLUSTER = """
import json, ray
ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
from workbench import api, serve

@serve.deployment
def hello(request):
    return "hello"

serve.run(hello.bind())
names = lambda: [a["name"] for a in ray.util.list_named_actors(all_namespaces=True)]
before, answer = names(), api.query("/").text
serve.shutdown()
print(json.dumps({"answer": answer, "before": before, "after": names(),
                  "cpus": ray.available_resources()["CPU"]}), flush=True)
"""


def test_a_script_that_has_a_ray_cluster_is_served_there_and_gets_it_back(
    tmp_path, runtime_dir
):
    path = tmp_path / "script.py"
    path.write_text(ON_A_CLUSTER)
    ended = subprocess.run(
        [sys.executable, path], capture_output=True, check=True, text=True
    )

    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["answer"] == "hello"
    assert "controller" in found["before"]
    assert (found["after"], found["cpus"]) == ([], 4.0)
    assert list(runtime_dir.glob("*")) == []


def _listening(port):
    """Occupy a port, or leave it to whoever has it."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return contextlib.nullcontext()
