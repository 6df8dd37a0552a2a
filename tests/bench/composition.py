"""Two deployments composed, and what a call from one replica to the other takes.

`python -m tests.bench.composition`
"""

import httpx

from tests.bench import peers
from tests.bench.report import publish
from tests.bench.throughput import rows


def handle_call(name: str, url: str) -> dict[str, object]:
    """Ask the first replica to time its calls to the second; the middle of three."""
    answers = [httpx.get(f"{url}/", timeout=60).json() for _ in range(3)]
    return {"system": name, **sorted(answers, key=lambda answer: answer["p50_ms"])[1]}


def main() -> None:
    """Compare with bare uvicorn doing the whole work, and with Ray Serve."""
    with peers.bare_uvicorn() as raw, peers.workbench("composition") as ours:
        publish("composition", rows({"bare uvicorn": raw, "workbench": ours}))
        calls = [handle_call("workbench", ours)]
        if peers.has_ray_serve():
            with peers.ray_serve("composition") as theirs:
                urls = {"ray serve, best mode": theirs, "workbench": ours}
                publish("composition-ray-serve", rows(urls))
                calls.append(handle_call("ray serve, best mode", theirs))
        publish("handle-call", calls)


if __name__ == "__main__":
    main()
