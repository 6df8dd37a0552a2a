"""A script that is run as `__main__` ships like a notebook."""

import subprocess
import sys

import pytest

from tests.unit.code.conftest import REPOSITORY
from workbench.code.blob import unpack

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {repository!r})
from workbench import serve
from workbench.code.ship import ship
import helpers
from helpers import Tool

@serve.deployment
class Model:
    def __init__(self, tool):
        self.tool = tool
    def __call__(self):
        return helpers.where() + self.tool.name
    def fail(self):
        raise ValueError(__name__)

if __name__ == "__main__":
    made = ship(Model.func_or_class, (Tool("x"),), {{}}, root=Path(__file__).parent,
                substitute=lambda _: None)
    Path("code").write_bytes(made.code)
    Path("args").write_bytes(made.args)
    print(made.code_hash, made.init_hash)
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "helpers.py").write_text(
        "class Tool:\n    def __init__(self, name): self.name = name\n"
        "def where(): return 'here '\n"
    )
    path = tmp_path / "app" / "main.py"
    path.write_text(SCRIPT.format(repository=str(REPOSITORY)))
    return path


def run(path, *options):
    command = [sys.executable, *options, str(path)]
    return subprocess.run(
        command, cwd=path.parents[1], capture_output=True, check=True, text=True
    ).stdout


class Shipped:
    def __init__(self, directory):
        self.code = (directory / "code").read_bytes()
        self.args = (directory / "args").read_bytes()


def test_a_script_works_elsewhere_and_shows_its_lines(script, replica):
    run(script)
    shipped = Shipped(script.parents[1])
    hidden = script.parent.rename(script.parents[1] / "moved")
    answer = replica(
        shipped,
        """
import inspect, pickle, traceback, multiprocessing
model = target(*args)
try:
    model.fail()
except ValueError as error:
    text = traceback.format_exc()
with multiprocessing.get_context("spawn").Pool(1) as pool:
    absolute = pool.map(abs, [-1])
answer([model(), str(error) if False else text, inspect.getsource(target)[:17],
        type(pickle.loads(pickle.dumps(model))) is target, absolute])
""",
    )

    assert hidden.exists()
    assert answer[0] == "here x"
    assert "raise ValueError(__name__)" in answer[1]
    assert answer[1].endswith("ValueError: __main__\n")
    assert answer[2:] == ["@serve.deployment", True, [1]]


def test_what_is_shipped_is_the_scripts_own(script):
    run(script)
    blob = unpack(Shipped(script.parents[1]).code)

    assert [module.name for module in blob.modules] == ["helpers"]
    assert list(blob.sources) == [str(script)]


def test_running_it_again_gives_the_same_hashes(script):
    first = run(script)
    script.write_text(
        script.read_text().replace("\nclass Model", "\n# new\n\nclass Model")
    )

    assert run(script) == first
