"""The extension as a Jupyter server loads it."""

import asyncio
import subprocess
import sys

# What the server's environment may lack, and what would slow its start.
NOT_NEEDED = {"IPython", "cloudpickle", "fastapi", "httptools", "ray", "uvloop"}
NOT_AT_START = {"certifi", "httpx", "starlette", "uvicorn"}


def output_of(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, check=True, text=True
    )
    return done.stdout + done.stderr


def test_importing_it_loads_nothing_heavy():
    # Beside what Jupyter's server has loaded when it comes to extensions.
    code = """
import sys, jupyter_server.serverapp
before = set(sys.modules)
import workbench.sidebar.app
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""
    loaded = set(output_of("-c", code).split())

    assert not loaded & (NOT_NEEDED | NOT_AT_START)


def test_jupyter_lists_it_as_fine():
    listed = output_of("-m", "jupyter_server.extension.serverextension", "list")

    ours = [line for line in listed.splitlines() if "workbench" in line]
    assert any("OK" in line for line in ours), listed


async def test_it_ends_with_the_server(
    instance, announce, open_page, jp_serverapp, jp_fetch
):
    announce(instance)
    page = await open_page()
    await page.until(lambda each: hasattr(each, "event"))

    await jp_serverapp.extension_manager.stop_all_extensions()

    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith("workbench")]
