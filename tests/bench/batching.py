"""A 10 ms model behind `@serve.batch`: learnt waiting beside fixed settings.

Load that changes under each setting, from 64 clients to 1 and back, each as fast as it is
answered. Perfect batches hold all clients, always: "told how many" waits for exactly as
many items as there are clients, which no server knows. It cannot answer each client every
10 ms, since no request is on its way while the model runs; "no batches" can, as far as the
machine has that to give. `python -m tests.bench.batching`
"""

from statistics import mean

import httpx

from tests.bench import peers
from tests.bench.load import Load, post_json
from tests.bench.report import publish

MODEL_S = 0.010
CLIENTS = (64, 8, 1, 8, 64, 1)
PERFECT = "told how many"
SETTINGS: dict[str, dict[str, object]] = {
    PERFECT: {"size": "clients", "wait": 0.5},
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
    """Set it once, unless it is to be told of the load, and let the load change."""
    tune(url, setting, CLIENTS[0])
    for clients in CLIENTS:
        if setting["size"] == "clients":
            tune(url, setting, clients)
        load = post_json(url, connections=clients, seconds=SECONDS)
        seen.setdefault(clients, []).append(load)


def tune(url: str, setting: dict[str, object], clients: int) -> None:
    """Have batches wait by the setting."""
    size = setting["size"] if setting["size"] != "clients" else clients
    httpx.put(url, json={**setting, "size": size}, timeout=60).raise_for_status()


def rates(seen: Seen) -> dict[int, float]:
    """Answers a second with so many clients."""
    return {n: mean(load.rate for load in loads) for n, loads in seen.items()}


def row(name: str, seen: Seen, perfect: Seen) -> dict[str, object]:
    """One setting: what it gives, beside what perfect batches give."""
    rate, best = rates(seen), rates(perfect)
    shares = {clients: rate[clients] / best[clients] for clients in rate}
    return {
        "size, wait": name,
        **{f"{clients} clients": share for clients, share in shares.items()},
        "mean": mean(shares.values()),
        "of one each 10 ms, 64 clients": rate[64] * MODEL_S / 64,
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
    rows = [row(name, seen, found[PERFECT]) for name, seen in found.items()]
    publish("batching", rows, "Shares of what perfect batches give.")


if __name__ == "__main__":
    main()
