"""The channel between a widget and its page, with the test in the page's place."""

import queue
from collections.abc import Callable
from typing import Any

from tests.unit.notebook.fake_source import PATIENCE_S


class FakeComm:
    """What ipywidgets wants of a comm; remembers what was sent to the page."""

    def __init__(self, data: dict[str, Any] | None = None, **_: object) -> None:
        self.comm_id = "comm"
        self.opened_with = (data or {}).get("state", {})
        self.is_closed = False
        self._sent: queue.Queue[dict[str, Any]] = queue.Queue()
        self._heard: Callable[[dict[str, Any]], None] = lambda _: None

    def send(self, data: dict[str, Any], **_: object) -> None:
        if data["method"] == "custom":
            self._sent.put(data["content"])

    def on_msg(self, heard: Callable[[dict[str, Any]], None]) -> None:
        self._heard = heard

    def close(self, *_: object, **__: object) -> None:
        self.is_closed = True

    def say(self, kind: str, **content: object) -> None:
        """The page sends a message."""
        data = {"method": "custom", "content": {"kind": kind, **content}}
        self._heard({"content": {"data": data}, "buffers": []})

    def next(self, *kinds: str) -> dict[str, Any]:
        """The next message to the page that is of one of these kinds."""
        while (content := self._sent.get(timeout=PATIENCE_S))["kind"] not in kinds:
            pass
        return content

    def drain(self) -> list[dict[str, Any]]:
        """All that was sent since."""
        found = []
        while not self._sent.empty():
            found.append(self._sent.get())
        return found
