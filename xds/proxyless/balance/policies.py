"""The policies by the name that `parse/` gives them: a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from .ask import Maker
from .at_random import make_random
from .least_request import make_least_request
from .pick_first import make_pick_first
from .ring_hash import make_ring_hash
from .round_robin import make_round_robin

POLICIES: Mapping[str, Maker] = {
    "round_robin": make_round_robin,
    "least_request": make_least_request,
    "random": make_random,
    "ring_hash": make_ring_hash,
    "pick_first": make_pick_first,
}
