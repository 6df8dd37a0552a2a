"""How long `pip install .` takes from a clean clone: `python -m tests.bench.install`.

A fresh environment, and no Node on the PATH: the build brings its own. What pip has
downloaded before, it may take from its cache.
"""

import shutil
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.report import ROOT, publish
from workbench.settings import process_environment

_OUTPUTS = (
    "share/jupyter/labextensions/serve-workbench/package.json",
    "etc/jupyter/jupyter_server_config.d/serve-workbench.json",
)
_SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")


def main() -> None:
    """Clone, install, and look that the page came with it."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        tools = tools_without_node(home / "bin")
        clone, env = home / "clone", home / "env"
        run("git", "clone", "--quiet", str(ROOT), str(clone))
        run(shutil.which("python3") or "python3", "-m", "venv", str(env))
        begin = time.perf_counter()
        run(str(env / "bin" / "pip"), "install", "--quiet", str(clone), path=tools)
        took_s = time.perf_counter() - begin
        missing = [name for name in _OUTPUTS if not (env / name).exists()]
        if missing:
            raise SystemExit(f"not installed: {missing}")
    publish("install", [{"pip install, no Node on PATH": "clean clone", "s": took_s}])


def tools_without_node(folder: Path) -> str:
    """A PATH with everything of the system but Node."""
    folder.mkdir()
    for each in _SYSTEM:
        for tool in Path(each).iterdir():
            link = folder / tool.name
            if tool.name not in {"node", "nodejs", "npm", "npx"} and not link.exists():
                link.symlink_to(tool)
    return str(folder)


def run(*words: str, path: str | None = None) -> None:
    """Run a command to its end."""
    theirs = process_environment()
    env = {**theirs, "PATH": path} if path else dict(theirs)
    subprocess.run(words, check=True, env=env)


if __name__ == "__main__":
    main()
