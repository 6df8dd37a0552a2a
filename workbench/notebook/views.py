"""Which pages show a panel, as far as they have said. Pure."""

__all__ = ["Views"]

# In ticks of ten seconds. A page says each ten seconds that it is there, but nothing
# tells a kernel that a page was closed or a lid shut. A hidden view is silent, so that
# a forgotten tab does not keep a kernel awake; it comes back by itself when it is shown.
_PATIENCE = 12
_PATIENCE_HIDDEN = 60
_EXPECTED = ""


class Views:
    """The views of one panel."""

    def __init__(self) -> None:
        self._missed: dict[str, int] = {}
        self._visible: set[str] = set()

    @property
    def are_watched(self) -> bool:
        """Somebody can see the panel."""
        return bool(self._visible)

    @property
    def are_gone(self) -> bool:
        """No page shows it, not even hidden."""
        return not self._missed

    def expect(self) -> None:
        """The panel was displayed: a view will come, but perhaps not say so soon.

        A page's messages wait while a cell runs, and the panel should live meanwhile.
        """
        self._missed[_EXPECTED] = 0
        self._visible.add(_EXPECTED)

    def watch(self, view: str, *, is_visible: bool) -> bool:
        """A view said that it is there; True if it now sees what it did not before."""
        self._drop(_EXPECTED)
        is_new = is_visible and view not in self._visible
        self._missed[view] = 0
        if is_visible:
            self._visible.add(view)
        else:
            self._visible.discard(view)
        return is_new

    def leave(self, view: str) -> None:
        """A view said that it goes."""
        self._drop(view)

    def tick(self) -> None:
        """Ten seconds passed in which the kernel could have heard its pages."""
        for view in tuple(self._missed):
            self._missed[view] += 1
            is_visible = view in self._visible
            if self._missed[view] > (_PATIENCE if is_visible else _PATIENCE_HIDDEN):
                self._drop(view)

    def clear(self) -> None:
        """Forget them all."""
        self._missed.clear()
        self._visible.clear()

    def _drop(self, view: str) -> None:
        self._missed.pop(view, None)
        self._visible.discard(view)
