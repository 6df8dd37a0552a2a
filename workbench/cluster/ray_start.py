"""Bring Ray up for an instance: an embedded one of its own, or one that runs already."""

import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["RayPlan", "end_ray", "prepare_environment", "start_ray"]

# Imported by Ray's workers before they are given work: what every process of ours
# needs, and the pydantic parts that Ray itself imports at its first message (110 ms).
_PRELOAD = (
    "ray._common.pydantic_compat",
    "pydantic.v1.fields",
    "starlette.requests",
    "starlette.responses",
    "orjson",
    "uvloop",
    "msgspec",
    "workbench.wire.messages",
)
# A killed raylet is noticed after 1.3 s with these, 13.7 s with Ray's defaults.
_QUICK_HEALTH_CHECKS = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
# The first Ray whose GCS can keep in files what it knows.
_FIRST_WITH_ROCKSDB = (2, 60)
# Workers that Ray starts ahead: controller, proxy and two shells.
_PRESTARTED_WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RayPlan:
    """How to get a Ray cluster."""

    address: str | None
    """Connect to this one; None starts one."""
    temp_dir: Path
    num_cpus: int
    num_gpus: int | None = None
    """None: those that Ray finds."""
    object_store_mb: int
    token: str


def prepare_environment(plan: RayPlan, environ: MutableMapping[str, str]) -> None:
    """Set what Ray and all its processes read; call before `ray` is imported."""
    environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if plan.address is not None:
        return
    stubs = str(Path(__file__).parent / "stubs")
    sys.path.insert(0, stubs)
    inherited = environ.get("PYTHONPATH")
    environ["PYTHONPATH"] = f"{stubs}:{inherited}" if inherited else stubs
    # Without byte code every process of Ray compiles its imports again (2 × slower).
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ["RAY_preload_python_modules"] = ",".join(_PRELOAD)
    environ["RAY_worker_maximum_startup_concurrency"] = str(_PRESTARTED_WORKERS)
    # Ray's workers run at nice 15: proxy and replicas would lose to any other process.
    environ["RAY_worker_niceness"] = "0"
    # On a busy machine the raylet may take longer than Ray's 30 s.
    environ["RAY_raylet_start_wait_time_s"] = "120"
    environ["RAY_AUTH_MODE"] = "token"
    environ["RAY_AUTH_TOKEN"] = plan.token
    environ.pop("RAY_ADDRESS", None)
    environ.update(_QUICK_HEALTH_CHECKS)
    if _ray_release() >= _FIRST_WITH_ROCKSDB:
        # So that another GCS goes on where one ended; see `vital`.
        environ["RAY_gcs_storage"] = "rocksdb"
        environ["RAY_gcs_storage_path"] = str(plan.temp_dir / "gcs")


def _ray_release() -> tuple[int, int]:
    major, minor = version("ray").split(".")[:2]
    return int(major), int(minor)


def start_ray(plan: RayPlan) -> str:
    """Start or join the cluster and return Ray's version."""
    import ray  # noqa: PLC0415 - only after prepare_environment

    from workbench.cluster.ray_cluster import NAMESPACE  # noqa: PLC0415 - as above

    common: dict[str, Any] = {
        "namespace": NAMESPACE,
        "log_to_driver": False,
        "configure_logging": False,
    }
    if plan.address is not None:
        ray.init(address=plan.address, **common)
    else:
        ray.init(
            include_dashboard=False,
            num_cpus=plan.num_cpus,
            num_gpus=plan.num_gpus,
            object_store_memory=plan.object_store_mb * 2**20,
            _temp_dir=str(plan.temp_dir),
            **common,
        )
    return str(ray.__version__)


def end_ray() -> None:
    """Leave the cluster; an embedded one ends with that."""
    import ray  # noqa: PLC0415 - as above

    ray.shutdown()
