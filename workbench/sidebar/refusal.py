"""Why a route does not do what it was asked."""

from workbench.errors import WorkbenchError

__all__ = ["RefusedError"]


class RefusedError(WorkbenchError):
    """An answer with a status of 400 or above; its hint is the page's remedy."""

    def __init__(self, status: int, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.status, self.message, self.hint)
