"""Arrays and bytes of 1 KB to 256 MB, as argument and result of calls between replicas.

Beside Ray Serve twice: in its best mode for small calls (gRPC between replicas), and as
it comes, which passes large values through Ray's object store.
`python -m tests.bench.values`
"""

import itertools
from collections.abc import Mapping

import httpx

from tests.bench import peers
from tests.bench.report import publish

KB, MB = 1_000, 1_000_000
SIZES = (KB, 64 * KB, MB, 10 * MB, 64 * MB, 256 * MB)
KINDS = ("array", "bytes")
WAYS = ("argument", "result")
ROUNDS = 2


def measure(urls: Mapping[str, str], kind: str, way: str, size: int) -> dict[str, dict]:
    """Have each system measure in turn; the better of its rounds."""
    asked: dict[str, str | int] = {"kind": kind, "way": way, "size": size}
    found: dict[str, dict] = {}
    for _, (name, url) in itertools.product(range(ROUNDS), urls.items()):
        answer = httpx.get(f"{url}/", params=asked, timeout=120)
        one = answer.json() if answer.status_code == 200 else {}
        found[name] = min(found.get(name, one), one, key=_p50_ms)
    return found


def row(urls: Mapping[str, str], kind: str, way: str, size: int) -> dict[str, object]:
    """One size of one kind, one way, in all systems; ratios are to the first."""
    found = measure(urls, kind, way, size)
    first, *others = found
    line: dict[str, object] = {"value": f"{kind} as {way}", "MB": size / MB}
    line |= {f"{name}, p50 ms": _p50_ms(found[name]) for name in found}
    line |= {
        f"{name} × {first}": _p50_ms(found[name]) / _p50_ms(found[first])
        for name in others
    }
    return line | {
        f"{name}, peak MB more": found[name].get("more_mb", "") for name in found
    }


def compare(urls: Mapping[str, str]) -> list[dict[str, object]]:
    """A row for each kind, way and size."""
    asked = itertools.product(KINDS, WAYS, SIZES)
    return [row(urls, kind, way, size) for kind, way, size in asked]


def main() -> None:
    """Workbench alone, or beside both forms of Ray Serve, one after the other."""
    with peers.workbench("values") as ours:
        if not peers.has_ray_serve():
            publish("values", compare({"workbench": ours}))
            return
        for name, peer in (("best mode", peers.ray_serve), ("as it comes", _plain)):
            with peer("values") as theirs:
                urls = {"workbench": ours, f"ray serve, {name}": theirs}
                publish(f"values-ray-serve-{name.replace(' ', '-')}", compare(urls))


def _plain(app: str):
    return peers.ray_serve(app, best_mode=False)


def _p50_ms(found: Mapping[str, float]) -> float:
    return found.get("p50_ms", float("inf"))


if __name__ == "__main__":
    main()
