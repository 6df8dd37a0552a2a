"""A 10 ms model behind `@serve.batch`: learnt waiting beside fixed settings.

Load that changes under each setting, from 64 clients to 1 and back, each as fast as it is
answered. Perfect batches would answer every client each 10 ms, were it not for the time
that requests take on their way: "no batches" answers each 10 ms after it came, and so
shows what of that a machine has left to give. `python -m tests.bench.batching`
"""

from statistics import mean

import httpx

from tests.bench import peers
from tests.bench.load import Load, post_json
from tests.bench.report import publish

MODEL_S = 0.010
CLIENTS = (64, 8, 1, 8, 64, 1)
SETTINGS: dict[str, dict[str, object]] = {
    "no batches": {"size": 0, "wait": 0},
    "auto": {"size": 64, "wait": "auto"},
    "64, no wait": {"size": 64, "wait": 0},
    "64, 1 ms": {"size": 64, "wait": 0.001},
    "64, 10 ms": {"size": 64, "wait": 0.01},
    "32, 5 ms": {"size": 32, "wait": 0.005},
    "8, 2 ms": {"size": 8, "wait": 0.002},
}
ROUNDS = 3
SECONDS = 1

Seen = dict[int, list[Load]]
"""What was seen with so many clients."""


def measure(url: str, setting: dict[str, object], seen: Seen) -> None:
    """Set it once, and let the load change."""
    httpx.put(url, json=setting, timeout=60).raise_for_status()
    for clients in CLIENTS:
        load = post_json(url, connections=clients, seconds=SECONDS)
        seen.setdefault(clients, []).append(load)


def row(name: str, seen: Seen) -> dict[str, object]:
    """One setting: its shares of what perfect batches would give."""
    shares = {
        clients: mean(load.rate for load in loads) * MODEL_S / clients
        for clients, loads in seen.items()
    }
    return {
        "size, wait": name,
        **{f"{clients} clients": share for clients, share in shares.items()},
        "mean": mean(shares.values()),
        "p50 ms, 64 clients": mean(load.p50_ms for load in seen[64]),
        "p50 ms, 1 client": mean(load.p50_ms for load in seen[1]),
        "failed": sum(load.failures for loads in seen.values() for load in loads),
    }


def main() -> None:
    """Print the shares; settings take turns."""
    found: dict[str, Seen] = {name: {} for name in SETTINGS}
    with peers.workbench("batching") as ours:
        measure(f"{ours}/", SETTINGS["auto"], {})
        for _ in range(ROUNDS):
            for name, setting in SETTINGS.items():
                measure(f"{ours}/", setting, found[name])
    rows = [row(name, seen) for name, seen in found.items()]
    publish("batching", rows, "Shares of what perfect batches give.")


if __name__ == "__main__":
    main()
