"""Which endpoint gets a call: priorities, localities, policies, limits. Pure, randomness passed in."""

from .ask import Ask, Policy, Readiness
from .hashing import call_hash, set_cookie
from .outlier import OutlierDetector
from .overload import draw_drop
from .picker import Picker, Status, make_picker
from .weighted import draw_weighted

__all__ = [
    "Ask",
    "OutlierDetector",
    "Picker",
    "Policy",
    "Readiness",
    "Status",
    "call_hash",
    "draw_drop",
    "draw_weighted",
    "make_picker",
    "set_cookie",
]
