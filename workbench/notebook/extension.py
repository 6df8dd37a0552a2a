"""What `%load_ext workbench` calls."""

from IPython.core.interactiveshell import InteractiveShell

from workbench import api
from workbench.notebook.magics import ServeMagics

__all__ = ["load_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give this shell `%%serve` and `%serve`."""
    ServeMagics(shell, api).register()
