"""`%serve panel`: the live panel where widgets can be shown, else a table of now."""

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from workbench.notebook.backend import Backend
from workbench.notebook.display import show
from workbench.notebook.metrics_view import metrics_view
from workbench.spec.events import SampleEvent
from workbench.spec.metrics import Sample

__all__ = ["show_panel"]

# A sample comes twice a second; one in this many events is surely among them.
_EVENTS = 20


def show_panel(shell: InteractiveShell, backend: Backend, app: str | None) -> None:
    """Show it; a terminal gets text, and so does a kernel without widget packages."""
    if not hasattr(shell, "kernel"):
        show(metrics_view(_measure(backend), app, "Live plots need a notebook."))
        return
    try:
        from workbench.notebook.panel import panel  # noqa: PLC0415 - may be missing
    except ImportError as error:
        advice = f"Live plots need a package that is missing ({error.name}): run "
        note = f"{advice}`%pip install anywidget`, restart the kernel."
        show(metrics_view(_measure(backend), app, note))
        return
    display(panel(app) if app is not None else panel())


def _measure(backend: Backend) -> Sample | None:
    """What is measured now; None where nothing runs."""
    if backend.status().instance is None:
        return None
    events = backend.events()
    for _, event in zip(range(_EVENTS), events, strict=False):
        if isinstance(event, SampleEvent):
            return event.sample
    return None
