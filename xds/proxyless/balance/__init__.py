"""Which endpoint gets a call: weights, priorities, localities, round robin. Pure, randomness passed in."""

from .picker import Picker, Readiness, Status, make_picker
from .weighted import draw_weighted

__all__ = ["Picker", "Readiness", "Status", "draw_weighted", "make_picker"]
