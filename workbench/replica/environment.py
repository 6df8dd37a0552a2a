"""What a replica may use of its machine, said in the ways that libraries listen to.

Called by `replica` before any code of the user is loaded: most libraries read these
variables once, as they are imported.
"""

import importlib
import importlib.util
import math
import sys
from collections.abc import Mapping

from workbench.settings import process_environment
from workbench.spec.replica import Seat

__all__ = ["environment_of", "limit_threads", "take_seat"]

# Read by OpenMP, MKL, OpenBLAS, numexpr and PyTorch.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def environment_of(seat: Seat) -> dict[str, str]:
    """Variables that keep code to what its seat may use; the user's own win."""
    options = seat.options.ray_actor_options
    threads = str(max(1, math.ceil(options.num_cpus)))
    variables = dict.fromkeys(_THREAD_VARIABLES, threads)
    if seat.gpu_ids is not None:
        # Empty hides all GPUs; without the variable a process sees every one.
        variables["CUDA_VISIBLE_DEVICES"] = ",".join(seat.gpu_ids)
    given = options.runtime_env.get("env_vars")
    if isinstance(given, Mapping):
        variables |= {str(name): str(value) for name, value in given.items()}
    return variables


def take_seat(seat: Seat) -> None:
    """Keep this process to its seat from now on."""
    variables = environment_of(seat)
    process_environment().update(variables)
    limit_threads(int(variables["OMP_NUM_THREADS"]))


def limit_threads(count: int | None) -> None:
    """Limit what has read its variables already: numpy's BLAS, if numpy is loaded.

    None limits nothing; the next time then takes 1 ms, where the first takes 10.
    """
    if "numpy" in sys.modules and importlib.util.find_spec("threadpoolctl"):
        threadpoolctl = importlib.import_module("threadpoolctl")
        threadpoolctl.threadpool_limits(limits=count)
