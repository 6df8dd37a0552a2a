"""What holds for every test: its markers, its time limit and its isolation."""

import signal

import hypothesis
import pytest

# No test judges by how long an example took: machines are shared, and slow at times.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")

# Whoever starts the tests in the background (`nohup`, some runners) has them ignore Ctrl-C,
# and so all that they start; several tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Folders whose tests start real processes.
_WITH_PROCESSES = (
    "tests/conformance/",
    "tests/integration/",
    "tests/notebook/",
    "tests/ui/",
)
# Tests with a browser: while one is open, this thread can run no asyncio loop.
_WITH_BROWSER = "tests/ui/"
# Generous: a start of Ray alone takes 4 to 20 s on a busy machine.
_PROCESS_TIMEOUT_S = 300

# What a developer's shell may hold and no test may see.
_FOREIGN_SETTINGS = (
    "RAY_ADDRESS",
    "WORKBENCH_HTTP_HOST",
    "WORKBENCH_HTTP_PORT",
    "WORKBENCH_KEPT_VERSIONS",
    "WORKBENCH_NUM_CPUS",
    "WORKBENCH_OBJECT_STORE_MB",
    "WORKBENCH_SPARE_SHELLS",
    "WORKBENCH_START_TIMEOUT_S",
    "WORKBENCH_TOKEN",
    "WORKBENCH_URL",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes, give it time, and run it after the rest."""
    for item in items:
        if item.nodeid.startswith(_WITH_PROCESSES):
            item.add_marker(pytest.mark.ray)
        if "ray" in item.keywords and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_PROCESS_TIMEOUT_S))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """First what needs no process, last what needs a browser."""
    if item.nodeid.startswith(_WITH_BROWSER):
        return 2
    return int(item.get_closest_marker("ray") is not None)


@pytest.fixture(scope="session", autouse=True)
def _own_surroundings(tmp_path_factory):
    """No test finds a developer's instance, or leaves a file of its own beside it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _FOREIGN_SETTINGS:
            patch.delenv(name, raising=False)
        # A ledger's entries, on machines with none: enough to see who gets which.
        patch.setenv("WORKBENCH_NUM_GPUS", "2")
        patch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        patch.setenv("WORKBENCH_STATE_DIR", str(tmp_path_factory.mktemp("saved")))
        yield


@pytest.fixture(scope="session")
def anyio_backend():
    """Run `@pytest.mark.anyio` tests on asyncio, which is what the product runs on."""
    return "asyncio"


@pytest.fixture
def span_exporter():
    """Holds the spans that have ended."""
    memory = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter"
    )
    return memory.InMemorySpanExporter()


@pytest.fixture
def tracer_provider(span_exporter):
    """Makes spans, by the real SDK, and hands each over as it ends."""
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(span_exporter))
    return provider
