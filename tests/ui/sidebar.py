"""The sidebar as its reader knows it: lines by name, buttons by what they do."""

from playwright.sync_api import Locator, Page

__all__ = ["Sidebar"]


class Sidebar:
    """Workbench's sidebar in one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.get_by_test_id("wb-sidebar")
        self.tree = page.get_by_test_id("wb-tree")
        self.details = page.get_by_test_id("wb-details")
        self.dialog = page.locator(".jp-Dialog-content")

    def show(self) -> "Sidebar":
        """Open it, as a click on its icon does."""
        self.page.evaluate("window.jupyterapp.commands.execute('workbench:show')")
        self.root.wait_for()
        return self

    def hide(self) -> None:
        """Show another sidebar in its place."""
        self.page.evaluate("window.jupyterapp.commands.execute('filebrowser:activate')")
        self.root.wait_for(state="detached")

    def row(self, name: str, kind: str = "") -> Locator:
        """The lines of this name."""
        of_kind = f'[data-kind="{kind}"]' if kind else ""
        return self.root.locator(f'[data-testid=wb-row][data-name="{name}"]{of_kind}')

    def rows(self, kind: str) -> Locator:
        """All lines of a kind."""
        return self.root.locator(f'[data-testid=wb-row][data-kind="{kind}"]')

    def select(self, row: Locator) -> None:
        """Click a line: its details come up."""
        row.locator(".wb-Row-name").first.click()
        self.details.wait_for()

    def act(self, action: str) -> None:
        """Press a button of the details."""
        self.root.get_by_test_id(f"wb-action-{action}").click()

    def remedy(self, command: str) -> Locator:
        """The button below a sentence that says what is wrong."""
        return self.root.get_by_test_id(f"wb-remedy-{command}")

    def notice(self, reason: str) -> Locator:
        """The sentence that says why there is nothing."""
        return self.root.locator(f'[data-testid=wb-notice][data-reason="{reason}"]')

    def fact(self, name: str) -> Locator:
        """A line of the details."""
        return self.details.locator(f'[data-fact="{name}"]')

    def accept(self) -> None:
        """Press the dialog's last button: do it. Another dialog may follow."""
        self.dialog.locator(".jp-Dialog-button").last.click()

    def dismiss(self) -> None:
        """Press the dialog's first button: leave it."""
        self.dialog.locator(".jp-Dialog-button").first.click()
        self.dialog.wait_for(state="detached")

    def connect(self, url: str, token: str) -> None:
        """Fill in the form that asks for a remote instance."""
        self.dialog.locator("input[name=url]").fill(url)
        self.dialog.locator("input[name=token]").fill(token)
        self.accept()
