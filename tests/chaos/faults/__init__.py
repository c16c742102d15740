"""What is done to the mesh: each fault brings trouble some number of times, and tells how long it lasted."""

from __future__ import annotations

from . import instances, plane
from .rounds import Outcome, Plan, Rounds

FAULTS: dict[str, Plan] = {
    "boundaries": Plan(plane.boundaries, 24, 50, least=12),
    "answers": Plan(plane.answers, 60, 40, least=6),
    "fuzz": Plan(plane.fuzz, 1000, 50, least=30),
    "endpoints": Plan(instances.endpoints, 1000, 80, least=20),
    "roll": Plan(instances.roll, 8, 40, least=1),
    "kills": Plan(instances.kills, 12, 50, least=4),
    "connections": Plan(instances.connections, 16, 80, least=4),
    "control-plane": Plan(plane.control_plane, 20, 70, least=3),
    "routes": Plan(plane.routes, 1000, 80, least=20),
}
"""By name; what one leaves of its time, the next has.

The least is what it takes to see what there is to a fault: as many boundaries as there are kinds of messages
(a request, a response and an acknowledgement of four types each), each manner of answers and of ways, each
way to end a control plane, the loss of a whole version.
"""

__all__ = ["FAULTS", "Outcome", "Plan", "Rounds"]
