"""Builds what repo2docker would build from `binder/`, without docker.

Read off repo2docker 2026.4.0: packages of its base image, `requirements.txt` installed
from the repository's root, `postBuild`, and at each start `start`; the home directory
is the repository.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.settings import process_environment

ROOT = Path(__file__).parents[2]
# The versions of the base image, those that matter here.
_BASE = (
    "ipykernel==7.0.1",
    "ipywidgets==8.1.7",
    "jupyter-resource-usage==1.2.0",
    "jupyter_server==2.17.0",
    "jupyterhub==5.4.0",
    "jupyterlab==4.4.9",
    "notebook==7.4.7",
)
# What this checkout or a developer's shell may say, and no image has.
_FOREIGN = ("CONDA_", "JUPYTER", "PYTHON", "RAY_", "VIRTUAL_ENV", "WORKBENCH_")


@dataclass(frozen=True, kw_only=True)
class Image:
    """A repository and the environment built for it."""

    home: Path
    environment: Mapping[str, str]

    def at_start(self, *command: str) -> list[str]:
        """A command as a session begins it."""
        return [str(self.home / "binder" / "start"), *command]


def build(work: Path) -> Image:
    """Build below `work`; each step says how long it took."""
    home = work / "home"
    copy_repository(home)
    environment = {
        name: value
        for name, value in process_environment().items()
        if not name.startswith(_FOREIGN)
    }
    python = find_python((home / "binder" / "runtime.txt").read_text().strip())
    prefix = work / "env"
    step("environment", [python, "-m", "venv", str(prefix)], home, environment)
    environment["PATH"] = f"{prefix / 'bin'}:{environment['PATH']}"
    pip = ["python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    step("base packages", [*pip, *_BASE], home, environment)
    step("requirements", [*pip, "-r", "binder/requirements.txt"], home, environment)
    step("pip check", ["python", "-m", "pip", "check"], home, environment)
    # Only now: pip's cache and settings are those of the real home.
    environment["HOME"] = str(home)
    step("postBuild", ["./binder/postBuild"], home, environment)
    say_missing_libraries(home)
    return Image(home=home, environment=environment)


def copy_repository(home: Path) -> None:
    """All files that git knows or would take up, as a clone has them."""
    home.mkdir()
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).exists():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / name)


def find_python(runtime: str) -> str:
    """The interpreter that `runtime.txt` names."""
    version = runtime.removeprefix("python-")
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return str(Path(sys.base_prefix) / "bin" / f"python{version}")
    found = shutil.which(f"python{version}")
    if found is None:
        sys.exit(f"binder/runtime.txt asks for Python {version}, which is not here.")
    return found


def step(
    name: str, command: list[str], home: Path, environment: Mapping[str, str]
) -> None:
    """Run one step of the build; its failure is the end."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    taken = time.monotonic() - began
    print(f"  {name:<16}{taken:6.1f} s", flush=True)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stdout}{done.stderr}")


def say_missing_libraries(home: Path) -> None:
    """`apt.txt` is not installed here; say what of it is absent, where dpkg knows."""
    if shutil.which("dpkg-query") is None:
        return
    for name in (home / "binder" / "apt.txt").read_text().split():
        command = ["dpkg-query", "--show", name]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            print(f"  apt.txt names {name}, which this machine does not have")
