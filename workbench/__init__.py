"""Workbench: from a notebook cell to a fast, live HTTP service on Ray.

Where things are, in the order of a deploy:

    serve         the public names, shaped like ray.serve
    api           what they and every other front end call
    build         a bound application → what is sent to an instance
    client        one connection to an instance: control API and handles
    start         starting an instance; `launcher` and `host` are its processes
    gateway       the control API's server, in the controller's process
    controller    what should run → actions
    replica       one process of user code
    proxy         HTTP in, calls out
    routing       choosing a replica
    wire          the protocol between all of them
    code          user code as a value: versions, shipping, loading
    notebook      the magics and what cells show
    sidebar       the Jupyter server extension; its page lies in extension/
    cluster       Ray; nothing else imports it

Importing this package imports neither Ray nor IPython nor FastAPI.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]

__version__ = "0.1.0"


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Add the magics: `%load_ext workbench`."""
    from workbench.notebook.extension import load_ipython_extension as load  # noqa: PLC0415 - only notebooks pay for IPython

    load(shell)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """Take the magics away: `%unload_ext workbench`."""
    from workbench.notebook.extension import unload_ipython_extension as unload  # noqa: PLC0415 - as above

    unload(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where `jupyter-builder develop` finds the page that was built."""
    return [{"src": "labextension", "dest": "serve-workbench"}]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """What Jupyter's server loads: the routes that the sidebar's page talks to."""
    from workbench.sidebar.app import SidebarApp  # noqa: PLC0415 - only Jupyter's server pays for it

    return [{"module": "workbench.sidebar.app", "app": SidebarApp}]
