"""The panel's Jupyter widget: its script, and the channel to its views.

Imported only when a panel is shown, since anywidget may be missing.
"""

from collections.abc import Callable
from pathlib import Path

import anywidget
import msgspec
import traitlets

from workbench.notebook.panel_messages import PageMessage, PanelMessage

__all__ = ["SCRIPT", "PanelWidget"]

SCRIPT = Path(__file__).parents[1] / "static" / "panel.js"
"""One ES module, charts and all; `extension/` builds it."""


class PanelWidget(anywidget.AnyWidget):
    """Shows what it is sent; says what its views say."""

    _esm = SCRIPT.read_text(encoding="utf-8")
    app = traitlets.Unicode().tag(sync=True)
    first = traitlets.Dict().tag(sync=True)
    """What there was when the panel was made: shown before anything is sent."""

    def __init__(
        self,
        *,
        app: str,
        first: dict[str, object],
        on_message: Callable[[PageMessage], None],
    ) -> None:
        super().__init__(app=app, first=first)
        self._on_message = on_message
        self.on_msg(self._hear)

    def tell(self, message: PanelMessage) -> None:
        """Send to all views; from any thread."""
        self.send(msgspec.to_builtins(message))

    def _hear(self, _widget: object, content: object, _buffers: object) -> None:
        self._on_message(msgspec.convert(content, PageMessage))
