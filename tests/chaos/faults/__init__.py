"""What is done to the mesh: each fault brings trouble some number of times, and tells how long it lasted."""

from __future__ import annotations

from . import instances, plane
from .rounds import Fault, Outcome, Rounds

FAULTS: dict[str, tuple[Fault, int, float]] = {
    "control-plane": (plane.control_plane, 20, 60),
    "boundaries": (plane.boundaries, 24, 50),
    "answers": (plane.answers, 60, 50),
    "routes": (plane.routes, 1000, 80),
    "endpoints": (instances.endpoints, 1000, 80),
    "roll": (instances.roll, 8, 40),
    "kills": (instances.kills, 12, 60),
    "connections": (instances.connections, 16, 80),
    "fuzz": (plane.fuzz, 1000, 40),
}
"""By name: the fault, how often it comes in ten minutes, and how many of their seconds it may have."""

__all__ = ["FAULTS", "Fault", "Outcome", "Rounds"]
