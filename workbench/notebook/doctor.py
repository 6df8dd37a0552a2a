"""`%serve doctor`: what is in place, what is not, and what to do about it.

Every check is a function of `Surroundings`, which `surroundings` collects; so what is
said can be tested without breaking a machine. Nothing here
starts or changes anything, but that files of killed instances are swept up.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from html import escape

from IPython.core.interactiveshell import InteractiveShell

from workbench.notebook.display import MARKS, View, framed, mark, prose
from workbench.notebook.front_end import FrontEnd
from workbench.notebook.surroundings import Package, Place, Surroundings, collect
from workbench.spec.http import NO_HTTP

__all__ = ["Finding", "Verdict", "check", "diagnose"]

_GIB = 2**30
_SHM = "Shared memory"
_LEAST_PYTHON = (3, 11)
# Ray, controller, proxy and two spare processes need about this much.
_LEAST_MEMORY = 1 * _GIB
_SHM_MARGIN = 1.05


class Verdict(Enum):
    """What a check found."""

    GOOD = "good"
    BAD = "bad"
    ASIDE = "idle"
    """Neither: it does not matter here, or cannot be known."""


_SIGNS = {Verdict.GOOD: "✓", Verdict.BAD: "✕", Verdict.ASIDE: "○"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the diagnosis."""

    verdict: Verdict
    what: str
    said: str
    remedy: str = ""


def diagnose(shell: InteractiveShell | None) -> View:
    """Check everything, as seen from this shell (None: from a script)."""
    return _view(check(collect(shell)))


def check(found: Surroundings) -> list[Finding]:
    """All findings, in the order in which things depend on each other."""
    return [finding for each in _CHECKS for finding in each(found)]


def _good(what: str, said: str) -> Finding:
    return Finding(verdict=Verdict.GOOD, what=what, said=said)


def _aside(what: str, said: str, remedy: str = "") -> Finding:
    return Finding(verdict=Verdict.ASIDE, what=what, said=said, remedy=remedy)


def _bad(what: str, said: str, remedy: str) -> Finding:
    return Finding(verdict=Verdict.BAD, what=what, said=said, remedy=remedy)


def _versions(found: Surroundings) -> Iterator[Finding]:
    version = ".".join(map(str, found.python))
    if found.python >= _LEAST_PYTHON:
        yield _good("Python", f"{version} ({found.prefix})")
    else:
        yield _bad("Python", version, "Workbench needs Python 3.11 or newer.")
    yield _good("Workbench", found.workbench)
    if found.ray is None:
        yield _bad("Ray", "not installed", "`%pip install ray`, restart the kernel.")
    else:
        yield _good("Ray", found.ray)


def _front_end(found: Surroundings) -> Iterator[Finding]:
    said = {
        FrontEnd.TERMINAL: "a terminal: text, and no live plots",
        FrontEnd.SCRIPT: "a script: text, and no live plots",
        FrontEnd.VS_CODE: "VS Code: cards, and live plots by its Jupyter extension",
        FrontEnd.COLAB: "Colab: cards, and live plots by its widget manager",
        FrontEnd.JUPYTER: "JupyterLab or Notebook: cards, live plots and the sidebar",
        FrontEnd.HEADLESS: "a kernel without a page (nbclient, papermill): cards",
    }
    yield _aside("Front end", said[found.front_end])


def _widgets(found: Surroundings) -> Iterator[Finding]:
    if found.front_end in {FrontEnd.TERMINAL, FrontEnd.SCRIPT}:
        return
    missing = [each.name for each in found.widgets if each.version is None]
    if missing:
        yield _bad(
            "Live plots",
            f"not installed beside the kernel: {', '.join(missing)}",
            f"`%pip install {' '.join(missing)}`, restart the kernel. "
            "Until then `%serve panel` shows a table.",
        )
    else:
        said = ", ".join(f"{each.name} {each.version}" for each in found.widgets)
        yield _good("Live plots", said)
    if found.front_end is FrontEnd.JUPYTER:
        yield from (_page_side(each, found) for each in found.widget_pages)


def _page_side(page: Package, found: Surroundings) -> Finding:
    """The half of a widget package that JupyterLab loads must fit the kernel's."""
    what = f"{page.name} in JupyterLab"
    if page.version is None:
        return _bad(
            what,
            "not found among the extensions of Jupyter's server",
            f"`{found.server.pip} install {page.distribution}`, reload the page.",
        )
    if page.fits:
        return _good(what, page.version)
    return _bad(
        what,
        f"{page.version}, which does not fit {page.distribution} beside the kernel",
        f"`{found.server.pip} install --upgrade {page.distribution}`, reload the page.",
    )


def _sidebar(found: Surroundings) -> Iterator[Finding]:
    if found.front_end is not FrontEnd.JUPYTER:
        return
    server = found.server
    install = f"`{server.pip} install serve-workbench`"
    if server.jupyterlab is None:
        yield _aside("JupyterLab", f"not found in {server.prefix}")
    else:
        yield _good("JupyterLab", f"{server.jupyterlab} ({server.prefix})")
    yield _placed("Sidebar", server.labextension, f"{install}, reload the page.")
    yield _placed(
        "Server extension",
        server.extension,
        f"{install}, restart Jupyter's server.",
    )
    if server.answers is not None:
        if server.answers:
            yield _good("Server's answer", f"the sidebar's routes work at {server.url}")
        else:
            yield _bad(
                "Server's answer",
                f"{server.url} does not know the sidebar's routes",
                f"{install}, restart Jupyter's server: it loads extensions at start.",
            )


def _placed(what: str, place: Place, remedy: str) -> Finding:
    if place.path is None:
        return _bad(
            what, "not installed in the environment of Jupyter's server", remedy
        )
    if not place.is_enabled:
        how = f"`jupyter {place.kind} enable {place.name}`"
        return _bad(what, f"installed, but switched off by {place.switched_off}", how)
    version = f" {place.version}" if place.version else ""
    return _good(what, f"enabled{version} ({place.path})")


def _instances(found: Surroundings) -> Iterator[Finding]:
    if found.orphans:
        count = len(found.orphans)
        yield _aside(
            "Instance files",
            f"{count} left by {'an instance that was' if count == 1 else 'instances'} "
            f"killed: {', '.join(found.orphans)}",
            "Nothing to do: they are removed now.",
        )
    if not found.instances:
        yield _aside("Instance", "none runs", "A `%%serve` cell starts one.")
    for each in found.instances:
        what = f"Instance {each.id}"
        if each.problem:
            yield _bad(what, each.problem, each.remedy)
        elif not each.http_url:
            yield _good(what, f"answers, Workbench {each.version}; {NO_HTTP}")
        elif not each.answers_http:
            yield _bad(
                what,
                f"its control API answers, but nothing does at {each.http_url}",
                "The proxy may be restarting: try again; "
                "if it stays so, `%serve shutdown` and serve again.",
            )
        else:
            yield _good(what, f"answers at {each.http_url}, Workbench {each.version}")


def _port(found: Surroundings) -> Iterator[Finding]:
    if found.instances:
        return
    if found.port_is_free:
        yield _good("Port", f"{found.port} is free")
    elif found.port_is_fixed:
        yield _bad(
            "Port",
            f"{found.port}, which WORKBENCH_HTTP_PORT names, is taken",
            "Name another, or unset it: the next free one from 8000 is used then.",
        )
    else:
        yield _aside("Port", f"{found.port} is taken: the next free one will be used")


def _memory(found: Surroundings) -> Iterator[Finding]:
    if found.memory_bytes is None:
        yield _aside("Memory", "how much is free cannot be read here")
    elif found.memory_bytes >= _LEAST_MEMORY:
        yield _good("Memory", f"{found.memory_bytes / _GIB:.1f} GiB free")
    else:
        yield _bad(
            "Memory",
            f"{found.memory_bytes / _GIB:.1f} GiB free; an instance takes about 0.8",
            "Shut down other kernels, or set WORKBENCH_SPARE_SHELLS=0.",
        )


def _shared_memory(found: Surroundings) -> Iterator[Finding]:
    if found.shm_bytes is None:
        yield _aside(_SHM, "no /dev/shm: Ray keeps shared objects in files")
        return
    needed = found.object_store_bytes * _SHM_MARGIN
    said = f"{found.shm_bytes / 2**20:,.0f} MiB free in /dev/shm"
    if found.shm_bytes >= needed or found.instances:
        yield _good(_SHM, said)
    else:
        yield _bad(
            _SHM,
            f"{said}; the object store takes {found.object_store_bytes / 2**20:,.0f}",
            "Start the container with --shm-size=1g, or set WORKBENCH_OBJECT_STORE_MB.",
        )


_CHECKS: tuple[Callable[[Surroundings], Iterator[Finding]], ...] = (
    _versions,
    _front_end,
    _widgets,
    _sidebar,
    _instances,
    _port,
    _memory,
    _shared_memory,
)


def _view(findings: list[Finding]) -> View:
    bad = sum(each.verdict is Verdict.BAD for each in findings)
    gist = (
        f"{MARKS['bad']} {bad} thing{'s' if bad > 1 else ''} to mend"
        if bad
        else f"{MARKS['good']} Everything is in place"
    )
    width = max(len(each.what) for each in findings)
    lines = [
        f"  {_SIGNS[each.verdict]} {each.what:<{width}}  {each.said}"
        + (f"\n    {'':<{width}}  → {each.remedy}" if each.remedy else "")
        for each in findings
    ]
    kind = "bad" if bad else "good"
    title = escape(gist.partition(" ")[2])
    return View(
        line=gist,
        text="\n".join([gist, *lines]),
        html=framed(
            f'<div class="wb-head"><span>{mark(kind)}'
            f'<span class="wb-name">{title}</span></span></div>',
            f'<table class="wb-table">{"".join(map(_row, findings))}</table>',
        ),
    )


def _row(each: Finding) -> str:
    remedy = f'<div class="wb-soft">→ {prose(each.remedy)}</div>' if each.remedy else ""
    return (
        f'<tr><td><span class="wb-{each.verdict.value}">{_SIGNS[each.verdict]}</span>'
        f"</td><td>{escape(each.what)}</td><td>{prose(each.said)}{remedy}</td></tr>"
    )
