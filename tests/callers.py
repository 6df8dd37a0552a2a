"""Callers that keep an application busy, on Workbench or on Ray Serve."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx


@contextmanager
def load(url, callers):
    """So many callers at a time; gives the statuses they get."""
    ended, statuses = threading.Event(), []

    def ask():
        with httpx.Client(timeout=60, trust_env=False) as client:
            while not ended.is_set():
                statuses.append(client.get(url).status_code)

    with ThreadPoolExecutor(callers) as pool:
        for _ in range(callers):
            pool.submit(ask)
        try:
            yield statuses
        finally:
            ended.set()
