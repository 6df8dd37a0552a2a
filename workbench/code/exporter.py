"""How spans leave proxies and replicas: the user's function on its way there, or files.

A front end packs the function, with the modules that are the user's own;
`load_processors` calls it where spans are made.
"""

import base64
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from workbench.code.load import load_code
from workbench.code.named import find_callable, split_path
from workbench.code.ship import ship_functions
from workbench.errors import StartError
from workbench.observe.spans import to_file
from workbench.spec.tracing import TracingConfig, TracingSpec

__all__ = ["load_processors", "pack_exporter"]


_SDK = "opentelemetry.sdk.trace"


def pack_exporter(config: TracingConfig | None, root: Path) -> TracingSpec | None:
    """What proxies and replicas are told; None: no spans are made.

    Raises:
        StartError: OpenTelemetry's SDK is not installed.
        ModuleNotFoundError: the import path names a module that is not there.
        ValueError: the import path names no function.
        ShippingError: the function cannot travel.
    """
    if config is None:
        return None
    _check_installed()
    exporter = ""
    if given := config.exporter_import_path:
        function = _find(given, root)
        exporter = base64.b64encode(ship_functions([function], root=root)).decode()
    return TracingSpec(exporter=exporter, sampling_ratio=config.sampling_ratio)


def load_processors(spec: TracingSpec, name: str) -> list[object]:
    """The span processors for this process, whose name its file has if it writes one.

    Raises:
        StartError: the user's function cannot be imported, raises, or gives no list.
    """
    if not spec.exporter:
        return [to_file(Path(spec.directory) / f"{name}.jsonl")]
    try:
        loaded = load_code(base64.b64decode(spec.exporter))
        assert isinstance(loaded, list)
        made = loaded[0]()
    except Exception as error:
        msg = f"The exporter of tracing_config failed: {type(error).__name__}: {error}"
        raise StartError(msg, "It is called in each proxy and replica.") from error
    if not isinstance(made, list):
        msg = f"The exporter of tracing_config returned {made!r}, no list."
        raise StartError(msg, "Return a list of OpenTelemetry's span processors.")
    return made


def _check_installed() -> None:
    try:
        found = importlib.util.find_spec(_SDK)
    except ModuleNotFoundError:
        found = None
    if found is None:
        msg = "tracing_config needs a package that is not installed: opentelemetry-sdk."
        raise StartError(msg, "pip install 'serve-workbench[otel]'")


def _find(given: str | Callable[[], object], root: Path) -> Callable[..., object]:
    if not isinstance(given, str):
        return given
    module_name, _ = split_path(given)
    if not module_name:
        msg = f"exporter_import_path is 'module:function'; got {given!r}."
        raise ValueError(msg)
    return find_callable(given, root, _missing)


def _missing(module: ModuleType, name: str) -> str:
    return f"{module.__name__} has no function {name!r} to export spans with."
