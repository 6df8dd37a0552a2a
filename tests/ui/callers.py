"""A client that goes on calling, and remembers what came."""

import threading
from types import TracebackType
from typing import Self

import httpx

__all__ = ["SteadyCaller"]

_PAUSE_S = 0.02
_PATIENCE_S = 60


class SteadyCaller:
    """Calls a URL again and again in threads, until its block ends."""

    def __init__(self, url: str, *, clients: int = 2, body: object = (1, 2, 3)) -> None:
        self._url = url
        self._body = body
        self._done = threading.Event()
        self._heard = threading.Condition()
        self._threads = [threading.Thread(target=self._call) for _ in range(clients)]
        self.answers: set[str] = set()
        self.failures: list[str] = []
        self.count = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, answer: str) -> None:
        """Until this is answered."""
        with self._heard:
            assert self._heard.wait_for(lambda: answer in self.answers, _PATIENCE_S)

    def _call(self) -> None:
        with httpx.Client(trust_env=False, timeout=_PATIENCE_S) as client:
            while not self._done.wait(_PAUSE_S):
                try:
                    answer = client.post(self._url, json=self._body)
                    text, ok = answer.text, answer.is_success
                except httpx.HTTPError as error:
                    text, ok = repr(error), False
                with self._heard:
                    self.count += 1
                    if ok:
                        self.answers.add(text)
                    else:
                        self.failures.append(text)
                    self._heard.notify_all()
