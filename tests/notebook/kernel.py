"""A kernel as JupyterLab starts it, and what its cells show."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PATIENCE_S = 120


@dataclass
class Shown:
    """The outputs of one cell as plain text; a display that changed shows its last."""

    outputs: dict[str, str] = field(default_factory=dict)
    error: str = ""
    """Name of the exception that ended the cell."""

    @property
    def text(self) -> str:
        return _COLOUR.sub("", "\n".join(self.outputs.values()))

    def take(self, message: dict[str, Any]) -> str:
        """Add one message of the kernel; its text."""
        content = message["content"]
        text: str
        match message["msg_type"]:
            case "stream":
                text = content["text"]
            case "display_data" | "update_display_data" | "execute_result":
                text = content["data"].get("text/plain", "")
            case "error":
                text = "\n".join(content["traceback"])
                self.error = content["ename"]
            case _:
                return ""
        key = content.get("transient", {}).get("display_id") or str(len(self.outputs))
        self.outputs[key] = text
        return text


class Kernel:
    """Runs cells one after another."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def run(
        self, cell: str, on_output: Callable[[str], object] = lambda _: None
    ) -> Shown:
        """Run a cell to its end; `on_output` hears each text as it is shown."""
        shown = Shown()
        self._client.execute_interactive(
            cell,
            timeout=_PATIENCE_S,
            allow_stdin=False,
            output_hook=lambda message: on_output(shown.take(message)),
        )
        return shown

    def complete(self, code: str) -> list[str]:
        """What JupyterLab offers on Tab at the end of the code."""
        reply = self._client.complete(code, len(code), reply=True, timeout=_PATIENCE_S)
        matches: list[str] = reply["content"]["matches"]
        return matches

    def start(self, cell: str) -> None:
        """Have a cell run, and do not wait for it."""
        self._client.execute(cell, allow_stdin=False)

    def comm_messages(self) -> Iterator[dict[str, Any]]:
        """What widgets send to their page, as it comes."""
        while True:
            message = self._client.get_iopub_msg(timeout=_PATIENCE_S)
            if message["msg_type"] == "comm_msg":
                data = message["content"]["data"]
                if data.get("method") == "custom":
                    yield data["content"]

    def interrupt(self) -> None:
        """What the notebook's stop button does."""
        self._manager.interrupt_kernel()


@contextmanager
def open_kernel() -> Iterator[Kernel]:
    """A fresh kernel; what it started may outlive it."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
