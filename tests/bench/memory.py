"""What each of our processes holds in memory, beside an actor that does nothing.

`python -m tests.bench.memory`
"""

from collections import defaultdict
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


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Process ids and names of all that the process started, and what those started."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # pid (name) state parent ...; the name may hold spaces.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended
            continue
        children[parent].append(int(stat.parent.name))
    waiting = [(pid, "")]
    while waiting:
        one, parent_name = waiting.pop()
        name = short_name(Path(f"/proc/{one}/cmdline").read_bytes())
        if name == parent_name == "workbench.launcher":
            name = "workbench.host"  # the launcher's fork, still under its command line
        waiting += [(child, name) for child in children[one]]
        if one != pid:
            yield one, name


def short_name(command_line: bytes) -> str:
    """What a reader knows the process by."""
    words = command_line.decode(errors="replace").replace("\0", " ").split()
    program = Path(words[0]).name
    if not program.startswith("python"):
        return program if not words[0].startswith("ray::") else words[0]
    if "-m" in words:
        return words[words.index("-m") + 1]
    return Path(next(word for word in words if word.endswith(".py"))).name


def whose(name: str) -> str:
    """Say whether Workbench adds the process or Ray brings it."""
    ours = ("workbench.", "ray::Control", "ray::Proxy", "ray::Replica")
    return "workbench" if name.startswith(ours) else "ray"


def empty_actor() -> dict[str, float]:
    """What everything else is compared with."""
    command = ["env", "-u", "RAY_ADDRESS", f"PYTHONPATH={STUBS}"]
    with peers.running([*command, *peers.module("empty_actor")]) as process:
        return memory_mb(int(process.hear("READY")))


def instance() -> list[tuple[str, dict[str, float]]]:
    """Every process of an instance that has answered some thousand requests."""
    with peers.isolated() as env:
        command = [*env, *peers.server("workbench", "echo")]
        with peers.running(command) as process:
            url = process.hear("READY")
            post_json(f"{url}/", connections=32, seconds=3)
            return [(name, memory_mb(pid)) for pid, name in descendants(process.pid)]


def main() -> None:
    """One table: the empty actor, then the instance, our processes first."""
    empty = empty_actor()
    rows: list[dict[str, object]] = [
        {
            "process": name,
            "whose": whose(name),
            **sizes,
            "RSS above empty actor": sizes["RSS MB"] - empty["RSS MB"],
            "USS above empty actor": sizes["USS MB"] - empty["USS MB"],
        }
        for name, sizes in [("an empty Ray actor", empty), *instance()]
    ]
    rows.sort(key=lambda row: (row["whose"] == "ray", row["process"]))
    publish("memory", rows)


if __name__ == "__main__":
    main()
