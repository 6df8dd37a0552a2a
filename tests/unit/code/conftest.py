"""An author's notebook in this process, and a replica in one of its own."""

import itertools
import json
import linecache
import subprocess
import sys
import types
from pathlib import Path

import pytest

from workbench.code.ship import ship

REPOSITORY = Path(__file__).parents[3]
CELL_NUMBERS = itertools.count(1)

RECEIVE = """
import json, sys
from pathlib import Path
sys.path.insert(0, {repository!r})
from workbench.code.load import load_args, load_code
here = Path({directory!r})
target = load_code((here / "code").read_bytes())
args, kwargs = load_args((here / "args").read_bytes())
later = [path.read_bytes() for path in sorted(here.glob("later*"))]
def answer(value):
    print(json.dumps(value))
"""


class Notebook:
    """A `__main__` whose names are defined in cells, as IPython makes them."""

    def __init__(self, directory):
        self.directory = directory
        self.main = types.ModuleType("__main__")

    def cell(self, source):
        """Run a cell; gives the file name it was compiled under."""
        filename = f"{self.directory}/ipykernel_7/{next(CELL_NUMBERS)}.py"
        lines = source.splitlines(keepends=True)
        linecache.cache[filename] = (len(source), None, lines, filename)
        exec(compile(source, filename, "exec", dont_inherit=True), vars(self.main))
        return filename

    def module(self, name, source):
        """Write a file beside the notebook."""
        path = self.directory.joinpath(*name.split("/")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    def restart(self):
        """As a kernel restart: files stay, modules and names are gone."""
        self.forget_modules()
        self.main = sys.modules["__main__"] = types.ModuleType("__main__")

    def forget_modules(self):
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            search = getattr(module, "__path__", None) or [""]
            place = file or str(next(iter(search)))
            if place.startswith(str(self.directory)):
                del sys.modules[name]

    def get(self, name):
        found = vars(self.main)[name]
        return getattr(found, "func_or_class", found)

    def ship(self, name, *args, substitute=lambda _: None, **kwargs):
        target = self.get(name)
        root = self.directory
        return ship(target, args, kwargs, root=root, substitute=substitute)


@pytest.fixture(autouse=True)
def _own_main(monkeypatch):
    """Loading replaces `__main__`, and has modules found that came with the code."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    before = set(sys.meta_path)
    yield
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder in before]


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    made = Notebook(tmp_path)
    monkeypatch.setitem(sys.modules, "__main__", made.main)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield made
    made.forget_modules()


@pytest.fixture
def replica(tmp_path_factory):
    """Loads a shipment in another Python, runs code there, gives what it answers."""

    def run(shipment, code, *later):
        directory = tmp_path_factory.mktemp("replica")
        (directory / "code").write_bytes(shipment.code)
        (directory / "args").write_bytes(shipment.args)
        for number, each in enumerate(later):
            (directory / f"later{number}").write_bytes(each.code)
        receive = RECEIVE.format(repository=str(REPOSITORY), directory=str(directory))
        return run_python(receive + code, cwd=directory)

    return run


def run_python(code, cwd, *arguments, hash_seed="random"):
    """Run a program; gives the last line it printed, read as JSON."""
    done = subprocess.run(
        ["env", f"PYTHONHASHSEED={hash_seed}", sys.executable, "-c", code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
