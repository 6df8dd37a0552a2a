"""Serves one application by Workbench or by Ray Serve until its input closes.

Started by `peers`, with the Python of the environment that has the system.
"""

import importlib
import socket
import sys

from tests.bench.apps import APPS


def main():
    """Read the system's and the application's name, serve, and say where."""
    system, app = sys.argv[1:]
    start = {"workbench": start_workbench, "ray": start_ray_serve}[system]
    stop, url = start(APPS[app])
    print(f"READY {url}", flush=True)
    sys.stdin.read()
    stop()


def start_workbench(app):
    """Everything is as a user gets it."""
    serve = importlib.import_module("workbench.serve")
    serve.run(app(serve))
    return serve.shutdown, serve.status().instance.http_url


def start_ray_serve(app):
    """Its fastest settings: its environment is set by `peers`, access log off."""
    ray = importlib.import_module("ray")
    serve = importlib.import_module("ray.serve")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": port},
        logging_config={"enable_access_log": False},
    )
    serve.run(app(serve))
    # Not serve.shutdown: in this mode it waits 30 s and then gives up.
    return ray.shutdown, f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    main()
