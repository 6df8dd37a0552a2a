"""All settings that come from the environment; the only module that reads it."""

import os
import secrets
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Settings", "new_token", "process_environment"]

# Logical CPUs an embedded instance offers per real one. Ray's CPUs are a ledger, not
# a limit: with one per core, a composition of three one-CPU deployments would never
# be placed on a two-core laptop.
_CPUS_PER_CORE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says, read once and passed on."""

    url: str | None = None
    """`WORKBENCH_URL`: control API to use; none is looked for or started then."""
    token: str | None = None
    """`WORKBENCH_TOKEN`: token for `url`."""
    ray_address: str | None = None
    """`RAY_ADDRESS`: a running Ray cluster to serve on, in place of an embedded one."""
    http_host: str = "127.0.0.1"
    """`WORKBENCH_HTTP_HOST`: where the proxy listens."""
    http_port: int | None = None
    """`WORKBENCH_HTTP_PORT`: None is 8000, or the next free one."""
    num_cpus: int = _CPUS_PER_CORE * (os.cpu_count() or 1)
    """`WORKBENCH_NUM_CPUS`: logical CPUs of an embedded instance."""
    num_gpus: int | None = None
    """`WORKBENCH_NUM_GPUS`: GPUs of an embedded instance; None is those there are."""
    object_store_mb: int = 200
    """`WORKBENCH_OBJECT_STORE_MB`: size of an embedded instance's object store."""
    spare_shells: int = 2
    """`WORKBENCH_SPARE_SHELLS`: warm processes kept ready for new replicas, and more
    for a while after many started at a time; 0 keeps none."""
    kept_versions: int = 10
    """`WORKBENCH_KEPT_VERSIONS`: of each application, to bring back without its author."""
    start_timeout_s: float = 120.0
    """`WORKBENCH_START_TIMEOUT_S`: patience while an instance comes up."""
    runtime_dir: Path = field(default_factory=Path)
    """`JUPYTER_RUNTIME_DIR`: where instance files lie (Jupyter's own default)."""
    state_dir: Path = field(default_factory=Path)
    """`WORKBENCH_STATE_DIR`: where instances that are kept save what is deployed, each
    in a directory of its own; else `workbench/saved` in Jupyter's data directory."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment.

        Raises:
            ValueError: a variable that should be a number is not one.
        """
        env = os.environ
        default = cls()
        port = env.get("WORKBENCH_HTTP_PORT")
        return cls(
            url=env.get("WORKBENCH_URL"),
            token=env.get("WORKBENCH_TOKEN"),
            ray_address=env.get("RAY_ADDRESS") or None,
            http_host=env.get("WORKBENCH_HTTP_HOST", default.http_host),
            http_port=int(port) if port else None,
            num_cpus=_number("WORKBENCH_NUM_CPUS", default.num_cpus),
            num_gpus=int(gpus) if (gpus := env.get("WORKBENCH_NUM_GPUS")) else None,
            object_store_mb=_number(
                "WORKBENCH_OBJECT_STORE_MB", default.object_store_mb
            ),
            spare_shells=_number("WORKBENCH_SPARE_SHELLS", default.spare_shells),
            kept_versions=_number("WORKBENCH_KEPT_VERSIONS", default.kept_versions),
            start_timeout_s=_number(
                "WORKBENCH_START_TIMEOUT_S", int(default.start_timeout_s)
            ),
            runtime_dir=_jupyter_runtime_dir(),
            state_dir=_state_dir(),
        )


def _number(name: str, default: int) -> int:
    text = os.environ.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        msg = f"{name}={text!r} is not a whole number; unset it or give one."
        raise ValueError(msg) from None


def new_token() -> str:
    """A fresh secret for one instance (256 bits, hex: what Ray's token file holds)."""
    return secrets.token_hex(32)


def _jupyter_runtime_dir() -> Path:
    """Where Jupyter keeps runtime files, by the same rules as jupyter_core.paths."""
    if named := os.environ.get("JUPYTER_RUNTIME_DIR"):
        return Path(named)
    return _jupyter_data_dir() / "runtime"


def _jupyter_data_dir() -> Path:
    """Where Jupyter keeps what lasts, by the same rules."""
    if data := os.environ.get("JUPYTER_DATA_DIR"):
        return Path(data)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Jupyter"
    share = os.environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    return Path(share) / "jupyter"


def _state_dir() -> Path:
    if named := os.environ.get("WORKBENCH_STATE_DIR"):
        return Path(named)
    return _jupyter_data_dir() / "workbench" / "saved"


def process_environment() -> MutableMapping[str, str]:
    """This process's own environment, for the one caller that must change it."""
    return os.environ
