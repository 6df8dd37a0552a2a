"""A user of Ray Serve in miniature: runs the programs that come in as JSON lines.

Started by `redeploy`, with the Python that has Ray Serve. Each program makes an `app`,
which is served by `serve.run`; when each began, on the clock that all processes share,
is said for each.
"""

import json
import socket
import sys
import time
from typing import Any

import ray
from ray import serve


def main():
    """Start Ray Serve as it comes, then run programs until the input closes."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ray.init(num_cpus=16, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    print(f"READY http://127.0.0.1:{port}", flush=True)
    for line in sys.stdin:
        print(f"CELL {json.dumps(run(json.loads(line)))}", flush=True)
    serve.shutdown()
    ray.shutdown()


def run(program):
    """Run one program; when it began and how long it took."""
    names: dict[str, Any] = {"__name__": "__main__"}
    begin = time.monotonic()
    exec(program, names)
    serve.run(names["app"], name="bench", route_prefix="/")
    return {"began_s": begin, "took_s": time.monotonic() - begin}


if __name__ == "__main__":
    main()
