"""What more users at a time do to throughput and latency.

JSON echo from 1 to 512 connections, beside bare uvicorn: more than throughput explains,
nobody should have to wait. Then 10 ms of work with `max_ongoing_requests=1`, beside Ray
Serve: who waits must not slow down who is served. `python -m tests.bench.users`
"""

from collections.abc import Mapping, Sequence
from functools import partial

from tests.bench import peers
from tests.bench.load import Load, post_json, side_by_side
from tests.bench.report import publish

USERS = (1, 8, 32, 128, 512)
ONE_AT_A_TIME_USERS = (1, 8, 64, 256)
ROUNDS = 3
SECONDS = 2


def measure(
    urls: Mapping[str, str], users: Sequence[int]
) -> dict[int, dict[str, Load]]:
    """Load every server with so many users at a time, one after the other."""
    return {
        count: side_by_side(
            {
                name: partial(post_json, f"{url}/", connections=count, seconds=SECONDS)
                for name, url in urls.items()
            },
            ROUNDS,
        )
        for count in users
    }


def row(users: int, found: Mapping[str, Load]) -> dict[str, object]:
    """One number of users; a wait of users ÷ throughput is what cannot be helped."""
    line: dict[str, object] = {"users": users}
    for name, load in found.items():
        line[f"{name}, requests/s"] = load.rate
        line[f"{name}, p50 ms"] = load.p50_ms
        line[f"{name}, p50 ÷ (users ÷ throughput)"] = (
            load.p50_ms * load.rate / 1_000 / users
        )
        line[f"{name}, failed"] = load.failures
    return line


def main() -> None:
    """Measure both."""
    with peers.bare_uvicorn() as raw, peers.workbench("echo") as ours:
        found = measure({"bare uvicorn": raw, "workbench": ours}, USERS)
    publish("users", [row(count, loads) for count, loads in found.items()])
    name = "one at a time"
    with peers.workbench(name) as ours:
        urls = {"workbench": ours}
        if not peers.has_ray_serve():
            found = measure(urls, ONE_AT_A_TIME_USERS)
        else:
            with peers.ray_serve(name) as theirs:
                urls["ray serve, best mode"] = theirs
                found = measure(urls, ONE_AT_A_TIME_USERS)
    publish(
        "users-one-at-a-time", [row(count, loads) for count, loads in found.items()]
    )


if __name__ == "__main__":
    main()
