"""What `%load_ext workbench` and `%unload_ext workbench` call."""

from IPython.core.interactiveshell import InteractiveShell

from workbench import api
from workbench.notebook.magics import ServeMagics

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give this shell `%%serve` and `%serve`."""
    ServeMagics(shell, api).register()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take them away again; what is served goes on being served."""
    ServeMagics(shell, api).unregister()
