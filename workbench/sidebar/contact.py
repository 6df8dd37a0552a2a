"""How Jupyter's server reaches an instance; what pages are never told."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from workbench.instance import InstanceFile
from workbench.sidebar.messages import Instance, Problem
from workbench.sidebar.refusal import RefusedError

__all__ = ["Contact", "checked_token", "checked_url", "name_of_url"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One instance, its address and its token."""

    id: str
    url: str
    token: str = field(repr=False)
    is_remote: bool = False
    is_kept: bool = True
    launcher_pid: int = 0
    """On this host; 0 for a remote one."""
    trouble: str = field(default="", compare=False)
    """Why it does not answer, as its file says while it is being started again."""

    @classmethod
    def of(cls, file: InstanceFile) -> "Contact":
        """An instance of this host, from its file."""
        return cls(
            id=file.id,
            url=file.url,
            token=file.token,
            is_kept=file.is_kept,
            launcher_pid=file.pid,
            trouble=file.trouble,
        )

    def show(self, version: str = "", problem: Problem | None = None) -> Instance:
        """As the sidebar lists it: without the token."""
        return Instance(
            id=self.id,
            url=self.url,
            is_remote=self.is_remote,
            is_kept=self.is_kept,
            version=version,
            problem=problem,
        )


def checked_url(text: str) -> str:
    """The address of a control API as it is kept.

    Raises:
        RefusedError: it cannot be one.
    """
    remedy = "Write it like `http://host:port` or `https://host/path`."
    try:
        parts = urlsplit(text.strip())
        _ = parts.port  # raises for what is no number
    except ValueError:
        raise RefusedError(400, f"This is no URL: {text[:200]!r}.", remedy) from None
    if parts.scheme not in {"http", "https"}:
        msg = "The URL must begin with http:// or https://."
        raise RefusedError(400, msg, remedy)
    if not parts.hostname:
        raise RefusedError(400, "The URL names no host.", remedy)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "The URL holds more than an address: a user, a query or a fragment."
        raise RefusedError(400, msg, "Give the address alone, the token in its field.")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def checked_token(text: str) -> str:
    """The token as it is sent in a header.

    Raises:
        RefusedError: it is empty, or holds what no header can.
    """
    token = text.strip()
    if not token:
        remedy = (
            "It stands as `token` in the file `workbench-….json` in the directory "
            "that `jupyter --runtime-dir` prints there."
        )
        raise RefusedError(400, "The token is missing.", remedy)
    if not re.fullmatch(r"[!-~]+", token):
        msg = "The token holds spaces or characters that no token has."
        raise RefusedError(400, msg, "Copy it once more, in one piece.")
    return token


def name_of_url(url: str) -> str:
    """An id for an instance that has not told its own yet."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", url.partition("://")[2]).strip("-")
