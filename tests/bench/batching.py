"""A 10 ms model behind `@serve.batch`: learnt waiting beside fixed settings.

Load that changes: 64 clients, then 8, then 1, each as fast as it is answered. Perfect
batches would answer every client each 10 ms. `python -m tests.bench.batching`
"""

from functools import partial

import httpx

from tests.bench import peers
from tests.bench.load import Load, post_json, side_by_side
from tests.bench.report import publish

MODEL_S = 0.010
CLIENTS = (64, 8, 1)
SETTINGS: dict[str, dict[str, object]] = {
    "auto": {"size": 64, "wait": "auto"},
    "64, no wait": {"size": 64, "wait": 0},
    "64, 1 ms": {"size": 64, "wait": 0.001},
    "64, 10 ms": {"size": 64, "wait": 0.01},
    "32, 5 ms": {"size": 32, "wait": 0.005},
    "8, 2 ms": {"size": 8, "wait": 0.002},
}
ROUNDS = 3
SECONDS = 2


def measure(url: str, setting: dict[str, object], clients: int) -> Load:
    """Load the model under one setting."""
    httpx.put(url, json=setting, timeout=60).raise_for_status()
    return post_json(url, connections=clients, seconds=SECONDS)


def rows(url: str) -> list[dict[str, object]]:
    """One row for each setting: its share of what perfect batches would give."""
    found = {
        clients: side_by_side(
            {
                name: partial(measure, url, setting, clients)
                for name, setting in SETTINGS.items()
            },
            ROUNDS,
        )
        for clients in CLIENTS
    }
    shares = {
        name: [found[n][name].rate * MODEL_S / n for n in CLIENTS] for name in SETTINGS
    }
    return [
        {
            "size, wait": name,
            **{f"{n} clients": share for n, share in zip(CLIENTS, all_, strict=True)},
            "mean": sum(all_) / len(all_),
            "p50 ms, 64 clients": found[64][name].p50_ms,
            "p50 ms, 1 client": found[1][name].p50_ms,
        }
        for name, all_ in shares.items()
    ]


def main() -> None:
    """Print the shares."""
    with peers.workbench("batching") as ours:
        publish("batching", rows(f"{ours}/"), "Shares of what perfect batches give.")


if __name__ == "__main__":
    main()
