"""JSON echo in FastAPI, beside the same application on uvicorn alone.

`python -m tests.bench.fastapi`
"""

from tests.bench import peers
from tests.bench.report import publish
from tests.bench.throughput import rows


def main() -> None:
    """Compare with a single FastAPI-on-uvicorn process, and with Ray Serve."""
    with peers.bare_uvicorn("fastapi") as raw, peers.workbench("fastapi") as ours:
        publish("fastapi", rows({"FastAPI on uvicorn": raw, "workbench": ours}))
        if peers.has_ray_serve():
            with peers.ray_serve("fastapi") as theirs:
                urls = {"ray serve, best mode": theirs, "workbench": ours}
                publish("fastapi-ray-serve", rows(urls))


if __name__ == "__main__":
    main()
