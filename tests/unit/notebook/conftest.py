"""A real IPython shell with our magics on a fake backend."""

import re
from dataclasses import dataclass

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from traitlets.config import Config

from tests.unit.notebook.fake_backend import FakeBackend
from workbench.notebook.magics import ServeMagics

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ran:
    """What a cell did."""

    error: BaseException | None
    output: CapturedIO

    @property
    def shown(self) -> str:
        """Everything a reader sees of it, without colours."""
        return _COLOUR.sub("", self.output.stdout + self.output.stderr)


class Notebook:
    """Cells are run one after another, as with Shift+Enter."""

    def __init__(self, shell: InteractiveShell, backend: FakeBackend) -> None:
        self.shell = shell
        self.backend = backend
        self.namespace = shell.user_ns

    def run(self, cell: str) -> Ran:
        with capture_output() as output:
            result = self.shell.run_cell(cell, store_history=True)
        return Ran(result.error_in_exec or result.error_before_exec, output)


@pytest.fixture(scope="session")
def shell(tmp_path_factory):
    config = Config({"HistoryManager": {"enabled": False}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


@pytest.fixture
def notebook(shell):
    shell.reset()
    backend = FakeBackend()
    magics = ServeMagics(shell, backend)
    magics.register()
    made = Notebook(shell, backend)
    made.run("from workbench.deployment import deployment")
    yield made
    magics.unregister()
