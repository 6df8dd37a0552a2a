"""What one router knows of the slots of one replica. Pure."""

__all__ = ["Slots"]


class Slots:
    """What one router knows of the slots of one replica.

    `limit` is how many calls we may have there. A rejection sets it to what we have;
    each `Free` raises it by one. So does a round of `limit` calls that ended without
    a rejection, the next such round by two, then four: a share that another router
    has left is taken within a few rounds. Two busy routers so find their shares at the
    price of about one rejection a round; were a `Free` to lift the limit altogether,
    each would be followed by a burst of rejections.
    """

    __slots__ = (
        "_ended",
        "_step",
        "cap",
        "is_near",
        "last",
        "limit",
        "models",
        "ongoing",
        "replica",
    )

    def __init__(self, replica: str, cap: int, *, is_near: bool = True) -> None:
        self.replica = replica
        self.is_near = is_near
        """On this host."""
        self.models: frozenset[str] = frozenset()
        """Models that the replica holds, or will once our calls have come."""
        self.cap = cap
        self.limit = cap
        self.ongoing = 0
        self.last = 0
        """Id of the call that came here last."""
        self._ended = 0
        self._step = 1

    @property
    def has_room(self) -> bool:
        """Whether one more of our calls may go there."""
        return self.ongoing < self.limit

    def end(self) -> None:
        """One of our calls there is over."""
        self.ongoing -= 1
        if self.limit < self.cap:
            self._ended += 1
            if self._ended >= self.limit:
                self.limit = min(self.limit + self._step, self.cap)
                self._step *= 2
                self._ended = 0

    def reject(self) -> None:
        """One of our calls there was not taken."""
        self.ongoing -= 1
        self.saturate()

    def saturate(self) -> None:
        """There is no room for more than we have there now."""
        self.limit = min(self.ongoing, self.cap)
        self._ended = 0
        self._step = 1

    def free(self) -> None:
        """The replica says that a slot is free."""
        self.limit = min(self.limit + 1, self.cap)

    def resize(self, cap: int) -> None:
        """The replica has another number of slots now."""
        self.limit = cap if self.limit == self.cap else min(self.limit, cap)
        self.cap = cap
