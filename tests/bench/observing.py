"""What it costs to observe: the JSON echo with and without, of one system, in turn.

Without the log of requests; as it comes; and when clients ask for times, or bring a trace.
`python -m tests.bench.observing`
"""

from functools import partial

from tests.bench import peers
from tests.bench.load import post_json, side_by_side
from tests.bench.report import publish

ROUNDS = 5
SECONDS = 2
_TRACE = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def main() -> None:
    """Compare all with the echo that logs no requests."""
    with peers.workbench("echo_silent") as silent, peers.workbench("echo") as usual:
        post = partial(post_json, connections=32, seconds=SECONDS)
        usually = partial(post, f"{usual}/")
        found = side_by_side(
            {
                "no access log": partial(post, f"{silent}/"),
                "as it comes": usually,
                "x-server-timing": partial(usually, header="x-server-timing: 1"),
                "traceparent": partial(usually, header=_TRACE),
            },
            ROUNDS,
        )
    first = found["no access log"]
    rows = [
        {
            "requests": name,
            "requests/s, 32 connections": load.rate,
            "× no access log": load.rate / first.rate,
            "p99 ms": load.p99_ms,
            "failed": load.failures,
        }
        for name, load in found.items()
    ]
    publish("observing", rows)


if __name__ == "__main__":
    main()
