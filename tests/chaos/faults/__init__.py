"""What is done to the mesh: each fault brings trouble some number of times, and tells how long it lasted."""

from __future__ import annotations

from . import instances, plane
from .rounds import Fault, Outcome, Rounds

FAULTS: dict[str, tuple[Fault, int, float]] = {
    "boundaries": (plane.boundaries, 24, 50),
    "answers": (plane.answers, 60, 40),
    "fuzz": (plane.fuzz, 1000, 50),
    "endpoints": (instances.endpoints, 1000, 80),
    "roll": (instances.roll, 8, 40),
    "kills": (instances.kills, 12, 50),
    "connections": (instances.connections, 16, 80),
    "control-plane": (plane.control_plane, 20, 70),
    "routes": (plane.routes, 1000, 80),
}
"""By name: the fault, how often it comes in ten minutes, and how many of their seconds are meant for it.

What one leaves of them, the next has.
"""

__all__ = ["FAULTS", "Fault", "Outcome", "Rounds"]
