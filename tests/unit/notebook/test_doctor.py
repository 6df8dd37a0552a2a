"""`%serve doctor`: what it says of what it finds, and where it looks."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.notebook.test_card import HOSTILE, tags
from workbench.instance import InstanceFile
from workbench.notebook.doctor import Finding, Verdict, check, diagnose
from workbench.notebook.front_end import FrontEnd, front_end
from workbench.notebook.jupyter_server import Package, Place, Server, read_server
from workbench.notebook.surroundings import FoundInstance, Surroundings
from workbench.settings import Settings

SIDEBAR = Place(kind="labextension", name="serve-workbench", path=Path("/x"))
EXTENSION = Place(kind="server extension", name="workbench", path=Path("/x"))
WELL = Surroundings(
    front_end=FrontEnd.JUPYTER,
    python=(3, 11, 7),
    prefix="/env",
    ray="2.60.0",
    widgets=(
        Package(name="anywidget", distribution="anywidget", version="0.11.0"),
        Package(name="ipywidgets", distribution="ipywidgets", version="8.1.9"),
    ),
    server=Server(
        prefix="/env",
        jupyterlab="4.6.6",
        labextension=SIDEBAR,
        extension=EXTENSION,
        url="http://127.0.0.1:8888/",
        answers=True,
    ),
    memory_bytes=8 * 2**30,
    shm_bytes=8 * 2**30,
    object_store_bytes=200 * 2**20,
)


def bad(found: Surroundings) -> list[Finding]:
    return [each for each in check(found) if each.verdict is Verdict.BAD]


def test_where_all_is_well_nothing_is_to_be_mended():
    assert not bad(WELL)


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        ({"python": (3, 10, 1)}, "Python", "3.11"),
        ({"ray": None}, "Ray", "`%pip install ray`"),
        ({"memory_bytes": 2**28}, "Memory", "WORKBENCH_SPARE_SHELLS"),
        ({"shm_bytes": 64 * 2**20}, "Shared memory", "--shm-size"),
        (
            {"port_is_free": False, "port_is_fixed": True},
            "Port",
            "unset it",
        ),
        (
            {"widgets": (replace(WELL.widgets[0], version=None),)},
            "Live plots",
            "`%pip install anywidget`",
        ),
        (
            {"widget_pages": (replace(WELL.widgets[0], fits=False),)},
            "anywidget in JupyterLab",
            "--upgrade anywidget",
        ),
        (
            {"server": replace(WELL.server, labextension=replace(SIDEBAR, path=None))},
            "Sidebar",
            "/env/bin/pip install serve-workbench",
        ),
        (
            {
                "server": replace(
                    WELL.server,
                    labextension=replace(SIDEBAR, switched_off=Path("/y.json")),
                )
            },
            "Sidebar",
            "`jupyter labextension enable serve-workbench`",
        ),
        (
            {
                "server": replace(
                    WELL.server, extension=replace(EXTENSION, switched_off=Path("/y"))
                )
            },
            "Server extension",
            "`jupyter server extension enable workbench`",
        ),
        (
            {"server": replace(WELL.server, answers=False)},
            "Server's answer",
            "restart Jupyter's server",
        ),
        (
            {"instances": (FoundInstance(id="i1", problem="No.", remedy="Do this."),)},
            "Instance i1",
            "Do this.",
        ),
        (
            {"instances": (FoundInstance(id="i1", http_url="http://h"),)},
            "Instance i1",
            "try again",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(changes, what, remedy):
    (finding,) = bad(replace(WELL, **changes))

    assert finding.what == what
    assert remedy in finding.remedy


def test_an_instance_without_a_proxy_is_well_and_said_to_have_no_http():
    found = replace(WELL, instances=(FoundInstance(id="i1", version="1"),))

    assert not bad(found)
    said = [each.said for each in check(found) if each.what == "Instance i1"]
    assert said == ["answers, Workbench 1; no HTTP: handles only"]


@pytest.mark.parametrize("kind", [FrontEnd.TERMINAL, FrontEnd.SCRIPT])
def test_where_no_widgets_can_be_shown_none_are_missed(kind):
    found = replace(WELL, front_end=kind, widgets=(), server=Server())

    assert not bad(found)


@pytest.mark.parametrize("kind", list(FrontEnd))
def test_every_front_end_is_named(kind):
    assert any(
        each.what == "Front end" for each in check(replace(WELL, front_end=kind))
    )


def test_it_runs_in_a_shell_and_in_a_script(notebook):
    (output,) = notebook.run("%serve doctor").output.outputs

    assert "Python" in output.data["text/plain"]
    assert "a terminal" in output.data["text/plain"]
    assert "a script" in diagnose(None).text


def test_files_of_killed_instances_are_told_and_swept(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    file = InstanceFile(
        id="gone",
        url="http://127.0.0.1:1",
        token="t",
        pid=2**22 + 1,  # above every pid of Linux
        is_kept=True,
        home=str(tmp_path / "elsewhere"),
        started_at=0.0,
    )
    file.write(tmp_path)

    text = diagnose(None).text

    assert "workbench-gone.json" in text
    assert not file.path(tmp_path).exists()


def test_what_is_found_is_never_html(notebook, monkeypatch):
    monkeypatch.setenv("WORKBENCH_URL", f"http://127.0.0.1:1/{HOSTILE}")

    view = diagnose(notebook.shell)

    assert "script" not in tags(view.html)
    assert "does not answer" in view.text


class FakeKernelShell:
    """As much of a kernel's shell as tells what it is."""

    kernel = object()

    def __init__(self, **names: str) -> None:
        self.user_ns = names


@pytest.mark.parametrize(
    ("shell", "environ", "kind"),
    [
        (FakeKernelShell(), {"JPY_SESSION_NAME": "/a.ipynb"}, FrontEnd.JUPYTER),
        (FakeKernelShell(), {"VSCODE_PID": "1"}, FrontEnd.VS_CODE),
        (FakeKernelShell(__vsc_ipynb_file__="/a.ipynb"), {}, FrontEnd.VS_CODE),
        (FakeKernelShell(), {}, FrontEnd.HEADLESS),
        (None, {}, FrontEnd.SCRIPT),
    ],
)
def test_the_front_end_is_known_by_what_it_leaves(shell, environ, kind):
    assert front_end(shell, environ) is kind


def test_colab_is_known_by_its_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", sys)

    assert front_end(FakeKernelShell(), {}) is FrontEnd.COLAB


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def jupyter(tmp_path, monkeypatch):
    """Folders of the user's own, in which Jupyter looks."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    return tmp_path


def read(tmp_path: Path) -> Server:
    return read_server({}, Settings(runtime_dir=tmp_path))


def test_an_extension_that_the_user_switched_off_is_seen(jupyter):
    package = jupyter / "data/labextensions/serve-workbench/package.json"
    write(package, {"version": "9.9"})
    config = jupyter / "config/labconfig/page_config.json"
    write(config, {"disabledExtensions": {"serve-workbench": True}})
    server_config = jupyter / "config/jupyter_server_config.json"
    off = {"ServerApp": {"jpserver_extensions": {"workbench": False}}}
    write(server_config, off)

    server = read(jupyter)

    assert server.labextension.version == "9.9"
    assert server.labextension.switched_off == config
    assert server.extension.switched_off == server_config


def test_an_extension_that_the_user_switched_on_counts_first(jupyter):
    on = {"ServerApp": {"jpserver_extensions": {"workbench": True}}}
    write(jupyter / "config/jupyter_server_config.d/w.json", on)

    assert read(jupyter).extension.is_enabled


@pytest.mark.parametrize(
    ("name", "kernel", "folder", "page", "fits"),
    [
        ("ipywidgets", "8.1.9", "@jupyter-widgets/jupyterlab-manager", "5.0.16", True),
        ("ipywidgets", "7.8.0", "@jupyter-widgets/jupyterlab-manager", "5.0.16", False),
        ("anywidget", "0.11.0", "anywidget", "0.11.4", True),
        ("anywidget", "0.11.0", "anywidget", "0.9.13", False),
    ],
)
def test_the_halves_of_a_widget_package_must_fit(
    jupyter, name, kernel, folder, page, fits
):
    package = jupyter / "data/labextensions" / folder / "package.json"
    write(package, {"version": page})
    widget = Package(name=name, distribution=name, version=kernel)

    (found,) = read(jupyter).pages_for((widget,))

    assert (found.version, found.fits) == (page, fits)
