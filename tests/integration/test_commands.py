"""Deploying from a terminal: config files, import paths, builders, reloading."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.cli import main
from workbench.import_path import forget_local_modules
from workbench.instance import find
from workbench.settings import Settings

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]

MODULE = """
    from pathlib import Path

    from workbench import serve

    @serve.deployment(user_config={"word": "code"})
    class Speaker:
        def __init__(self, name="nobody"):
            self.name = name

        def reconfigure(self, config):
            self.word = config["word"]

        def __call__(self, request):
            return f"{self.word} {self.name}"

    app = Speaker.bind()

    def build(args):
        return Speaker.bind(args["name"])

    @serve.deployment
    def read(request):
        return Path("data.txt").read_text()

    reader = read.bind()
"""


@pytest.fixture
def project(tmp_path):
    """A directory with a module, which this process forgets again."""
    (tmp_path / "spoken.py").write_text(textwrap.dedent(MODULE))
    yield tmp_path
    forget_local_modules(tmp_path)
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]


@pytest.fixture
def deploy(project):
    """Write a config file and deploy it."""

    def deploy(text, *options):
        path = project / "config.yaml"
        path.write_text(textwrap.dedent(text))
        return main(["deploy", str(path), "-d", str(project), *options])

    return deploy


def test_a_config_file_is_deployed_and_changed_in_place(
    app_name, deploy, http, url, capsys
):
    def file(word):
        return f"""
            applications:
            - name: {app_name}
              route_prefix: /{app_name}
              import_path: spoken:build
              args: {{name: bob}}
              deployments:
              - name: Speaker
                user_config: {{word: {word}}}
        """

    assert deploy(file("hello")) == 0
    assert http.get(url).text == "hello bob"
    pid = api.status().applications[app_name].deployments["Speaker"].replicas[0].pid

    assert deploy(file("bye")) == 0
    assert http.get(url).text == "bye bob"
    replicas = api.status().applications[app_name].deployments["Speaker"].replicas
    assert [each.pid for each in replicas] == [pid]
    assert f"{app_name}: {url}" in capsys.readouterr().out


def test_a_mistake_deploys_nothing_and_says_where(app_name, deploy, capsys):
    text = f"""
        applications:
        - {{name: {app_name}, route_prefix: /{app_name}, import_path: 'spoken:app'}}
        - {{name: other, route_prefix: /other, import_path: 'spoken:nope'}}
    """

    assert deploy(text) == 1

    assert "has no 'nope'" in capsys.readouterr().err
    assert app_name not in api.status().applications


def test_pruning_deletes_what_files_named_before_and_nothing_else(app_name, deploy):
    @serve.deployment
    def by_hand():
        return 1

    entry = "{{name: {0}, route_prefix: /{0}, import_path: 'spoken:app'}}"
    both = [entry.format(app_name), entry.format(f"{app_name}b")]
    serve.run(by_hand.bind(), name=f"{app_name}c", route_prefix=None)

    assert deploy(f"applications: [{', '.join(both)}]") == 0
    assert deploy(f"applications: [{both[0]}]") == 0
    assert f"{app_name}b" in api.status().applications
    assert deploy(f"applications: [{both[0]}]", "--prune") == 0

    left = set(api.status().applications)
    serve.delete(f"{app_name}c")
    assert {app_name, f"{app_name}c"} <= left
    assert f"{app_name}b" not in left


def test_replicas_run_in_the_working_dir(app_name, project, http, url):
    (project / "data.txt").write_text("from the directory")
    command = ["deploy", "spoken:reader", "--working-dir", str(project)]

    assert main([*command, "--name", app_name, "--route-prefix", f"/{app_name}"]) == 0

    assert http.get(url).text == "from the directory"


def test_run_reloads_and_ends_with_ctrl_c(app_name, project, http, url):
    file = find(Settings.from_environment().runtime_dir, only_kept=False)
    assert file is not None
    command = [sys.executable, "-m", "workbench.cli", "run", "spoken:build", "name=ann"]
    options = ["--address", file.url, "--name", app_name, "--reload"]
    process = subprocess.Popen(
        [*command, *options, "--route-prefix", f"/{app_name}"],
        cwd=project,
        env={**os.environ, "WORKBENCH_TOKEN": file.token},  # noqa: TID251 - a child's
    )
    try:
        assert eventually(lambda: http.get(url).text == "code ann", within_s=60)
        changed = textwrap.dedent(MODULE).replace('"code"', '"mended"')
        (project / "spoken.py").write_text(changed)
        assert eventually(lambda: http.get(url).text == "mended ann", within_s=60)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert app_name not in api.status().applications
