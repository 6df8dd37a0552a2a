"""When to measure: every process twice a second, at a moment of its own. Pure.

Beats are counted on the wall clock. Each process speaks at the same place in every
beat and the controller counts after all of them, so that it finds one message of each
in every beat: counted at any times, it would now and then find none or two, and rates
would jump. The places differ, so that not all processes of a host wake at once.
"""

from typing import Final

__all__ = ["BEAT_S", "COUNTING_PLACE", "LAST_PLACE", "until"]

BEAT_S: Final = 0.5
LAST_PLACE: Final = 0.6
"""Processes speak in this first part of a beat."""
COUNTING_PLACE: Final = 0.8
"""The controller counts here: what is up to 0.1 s late is still in time."""

# A timer may end a little early; that is no beat of its own.
_EARLY: Final = 0.1


def until(place: float, now_s: float, beat_s: float = BEAT_S) -> float:
    """Seconds from now until the next such place in a beat (0: its begin, 1: its end)."""
    wait = (place - now_s / beat_s) % 1
    return (wait + 1 if wait < _EARLY else wait) * beat_s
