"""The extension as Jupyter's server knows it; imported at every start of a server."""

from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.extension.application import ExtensionApp

from workbench import __version__
from workbench.settings import Settings
from workbench.sidebar.desk import Desk
from workbench.sidebar.handlers import ROUTES

__all__ = ["SidebarApp"]


class SidebarApp(ExtensionApp):
    """Adds the sidebar's routes; opens connections only once a page asks."""

    name = "workbench"
    version = __version__
    description = "Workbench: deployments of notebooks, live in the sidebar."

    def initialize_settings(self) -> None:
        """Make what the routes share."""
        assert self.serverapp is not None
        self.settings["workbench_desk"] = Desk(
            _settings(), Path(self.serverapp.data_dir)
        )

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """Close what was opened; instances run on."""
        await self.settings["workbench_desk"].close()


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except ValueError:
        # Told to whoever starts an instance; until then all but starting works.
        return Settings(runtime_dir=Path(jupyter_runtime_dir()))
