"""Who is at the other end of a connection, and who stands behind a proxy there."""

from dataclasses import dataclass, replace
from ipaddress import ip_address

from workbench.spec.http import check_networks

__all__ = ["Peer", "Trust"]


@dataclass(frozen=True, slots=True)
class Peer:
    """Both ends of a connection."""

    client: tuple[str, int] | None
    server: tuple[str, int] | None
    scheme: str


class Trust:
    """Whose word is taken for whom they forward requests."""

    def __init__(self, allowed: str) -> None:
        self._networks = check_networks(allowed)

    def behind(self, peer: Peer, forwarded_for: str, scheme: str) -> Peer:
        """The peer as X-Forwarded-For and -Proto have it, if the one here is believed.

        Each proxy adds whom it saw at the end of the list: from there, the first that
        is no trusted proxy itself is the client.
        """
        if not forwarded_for and not scheme:
            return peer
        if peer.client is not None and not self._covers(peer.client[0]):
            return peer
        if scheme in {"http", "https"}:
            peer = replace(peer, scheme=scheme)
        hops = [each.strip() for each in forwarded_for.split(",") if each.strip()]
        if hops:
            strangers = (each for each in reversed(hops) if not self._covers(each))
            peer = replace(peer, client=(next(strangers, hops[0]), 0))
        return peer

    def _covers(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)
