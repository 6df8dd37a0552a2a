"""What each of our processes holds in memory, beside an actor that does nothing.

`python -m tests.bench.memory`
"""

from collections.abc import Iterator
from pathlib import Path

from tests.bench import peers
from tests.bench.load import post_json
from tests.bench.report import publish

# Spares workers of Ray's the 2 s which a library of JupyterLab's costs them; the empty
# actor is given the same, or it would look larger than it need be.
STUBS = peers.ROOT / "workbench" / "cluster" / "stubs"


def memory_mb(pid: int) -> dict[str, float]:
    """Resident, proportional and unshared size of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {}
    for line in lines:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) / 1024
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return {"RSS MB": sizes["Rss"], "PSS MB": sizes["Pss"], "USS MB": private}


def processes_with(setting: str) -> Iterator[tuple[int, str]]:
    """Process ids and command lines of all that were started with the setting."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            settings = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:  # it ended, or belongs to somebody else
            continue
        if setting.encode() in settings:
            yield int(folder.name), command.decode(errors="replace").strip()


def short_name(command: str) -> str:
    """What a reader knows the process by."""
    if command.startswith("ray::"):
        return command.split(maxsplit=1)[0]
    words = [Path(word).name for word in command.split() if not word.startswith("--")]
    if "-m" in words:
        return words[words.index("-m") + 1]
    scripts = [word for word in words if word.endswith(".py")]
    return scripts[0] if scripts else words[0]


def empty_actor() -> dict[str, object]:
    """The row everything else is compared with."""
    command = ["env", "-u", "RAY_ADDRESS", f"PYTHONPATH={STUBS}"]
    with peers.running([*command, *peers.module("empty_actor")]) as process:
        pid = int(process.hear("READY"))
        return {"process": "an empty Ray actor", **memory_mb(pid)}


def instance_rows() -> list[dict[str, object]]:
    """Every process of an instance that has answered some thousand requests."""
    with peers.isolated() as env:
        command = [*env, *peers.server("workbench", "echo")]
        with peers.running(command) as process:
            url = process.hear("READY")
            post_json(f"{url}/", connections=32, seconds=3)
            found = sorted(processes_with(env[-1]), key=lambda one: one[1])
            return [
                {"process": short_name(line), **memory_mb(pid)} for pid, line in found
            ]


def main() -> None:
    """One table: the empty actor, then the instance."""
    publish("memory", [empty_actor(), *instance_rows()])


if __name__ == "__main__":
    main()
