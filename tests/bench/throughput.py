"""JSON echo through a proxy and one replica, beside its peers.

Throughput with 32 connections, latency with one. `python -m tests.bench.throughput`
"""

from collections.abc import Mapping
from functools import partial

from tests.bench import peers
from tests.bench.load import Load, post_json, side_by_side
from tests.bench.report import publish

ROUNDS = 5
SECONDS = 3


def measure(urls: Mapping[str, peers.Url], connections: int) -> dict[str, Load]:
    """Load each URL in turn, as if it were alone; the medians by name."""

    def post(url: peers.Url) -> Load:
        with peers.paused([each for each in urls.values() if each is not url]):
            once = partial(post_json, f"{url}/", connections=connections)
            once(seconds=1)  # it was paused itself, and has some catching up to do
            return once(seconds=SECONDS)

    subjects = {name: partial(post, url) for name, url in urls.items()}
    return side_by_side(subjects, ROUNDS)


def rows(urls: Mapping[str, peers.Url]) -> list[dict[str, object]]:
    """One row for each server; ratios are to the first."""
    busy, calm = measure(urls, 32), measure(urls, 1)
    first = next(iter(urls))
    return [
        {
            "server": name,
            "requests/s, 32 connections": busy[name].rate,
            f"× {first}": busy[name].rate / busy[first].rate,
            "p99 ms, 32 connections": busy[name].p99_ms,
            "p50 ms, 1 connection": calm[name].p50_ms,
            f"p50 × {first}": calm[name].p50_ms / calm[first].p50_ms,
            "failed": busy[name].failures + calm[name].failures,
        }
        for name in urls
    ]


def main() -> None:
    """Compare with bare uvicorn, then, where it is installed, with Ray Serve."""
    with peers.bare_uvicorn() as raw, peers.workbench("echo") as ours:
        publish("throughput", rows({"bare uvicorn": raw, "workbench": ours}))
        if peers.has_ray_serve():
            with peers.ray_serve("echo") as theirs:
                urls = {"ray serve, best mode": theirs, "workbench": ours}
                publish("throughput-ray-serve", rows(urls))


if __name__ == "__main__":
    main()
