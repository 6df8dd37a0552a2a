"""Where a request goes: to an application, or to a page of the proxy's own."""

from workbench.proxy import pages
from workbench.proxy.door import Door
from workbench.proxy.extras import read_extras
from workbench.proxy.peer import Peer
from workbench.proxy.reply import Page
from workbench.proxy.request import Request
from workbench.spec.table import RouteEntry
from workbench.wire.messages import HttpCall

__all__ = ["find_destination", "make_call"]


def find_destination(request: Request, door: Door, peer: Peer) -> RouteEntry | Page:
    """The application whose route is the longest prefix of the path, or a page."""
    path, router = request.path, door.router
    if path.startswith("/-/") and (page := _built_in(path, door)):
        return page
    entry = router.match(path)
    if entry is not None:
        return entry
    if not router.is_ready:
        return pages.NOT_READY
    return pages.not_found(path, _base_url(request, peer))


def make_call(
    request: Request, entry: RouteEntry, door: Door, *, peer: Peer, request_id: str
) -> HttpCall:
    """The request as it travels to a replica."""
    options, extras = door.options, None
    timeout_s, is_timed = options.request_timeout_s, options.server_timing
    if request.is_special or timeout_s is not None or is_timed:
        peer = door.trust.behind(peer, *request.forwarded)
        timeout_s = request.timeout_s(timeout_s)
        extras = read_extras(request.headers, timeout_s, is_timed=is_timed)
    path, raw_path, root_path = request.path, request.raw_path, options.root_path
    if root_path:
        # As ASGI wants it: the path has the root path in it, although whoever stands
        # before us took it off.
        path = root_path + path
        raw_path = root_path.encode() + raw_path
    return HttpCall(
        id=door.router.next_id(),
        method=request.method,
        path=path,
        raw_path=raw_path,
        query=request.query,
        headers=request.headers,
        root_path=root_path if entry.prefix == "/" else root_path + entry.prefix,
        http_version=request.version,
        scheme=peer.scheme,
        client=peer.client,
        server=peer.server,
        request_id=request_id,
        more_body=not request.is_complete,
        extras=extras,
    )


def _built_in(path: str, door: Door) -> Page | None:
    router = door.router
    is_ready, is_draining = router.is_ready, door.is_draining
    if path == "/-/healthz":
        return pages.healthz(is_ready=is_ready, is_draining=is_draining)
    if path == "/-/routes":
        table = router.routes()
        return pages.routes(table, is_ready=is_ready, is_draining=is_draining)
    return None


def _base_url(request: Request, peer: Peer) -> str:
    host = dict(request.headers).get(b"host", b"").decode("latin-1")
    if not host and peer.server is not None:
        host = f"{peer.server[0]}:{peer.server[1]}"
    return f"{peer.scheme}://{host}"
