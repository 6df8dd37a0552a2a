"""Where the reader sees what a cell shows."""

import sys
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Protocol

__all__ = ["FrontEnd", "Shell", "front_end"]


class Shell(Protocol):
    """What tells one shell of IPython from another; a kernel's also has `kernel`."""

    user_ns: dict[str, Any]


class FrontEnd(Enum):
    """What kind of program shows the outputs."""

    SCRIPT = auto()
    TERMINAL = auto()
    JUPYTER = auto()
    VS_CODE = auto()
    COLAB = auto()
    HEADLESS = auto()
    """A kernel that no page is known to look at: nbclient, papermill."""


def front_end(shell: Shell | None, environ: Mapping[str, str]) -> FrontEnd:
    """As far as the shell and the environment tell."""
    if shell is None:
        return FrontEnd.SCRIPT
    if not hasattr(shell, "kernel"):
        return FrontEnd.TERMINAL
    if "google.colab" in sys.modules:
        return FrontEnd.COLAB
    if "__vsc_ipynb_file__" in shell.user_ns or "VSCODE_PID" in environ:
        return FrontEnd.VS_CODE
    # Jupyter's server names the notebook for the kernels that it starts.
    if "JPY_SESSION_NAME" in environ:
        return FrontEnd.JUPYTER
    return FrontEnd.HEADLESS
