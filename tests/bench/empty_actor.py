"""An actor that does nothing, on a Ray of its own: what `memory` compares with."""

import os
import sys

import ray


@ray.remote(num_cpus=0)
class Empty:
    async def pid(self):
        return os.getpid()


def main():
    """Keep the actor until the input closes."""
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    actor = Empty.remote()
    print(f"READY {ray.get(actor.pid.remote())}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
