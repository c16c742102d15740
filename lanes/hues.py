"""The colour of a lane, the same one wherever it is shown, and the style sheet that has them."""

from __future__ import annotations

import hashlib
from importlib.resources import files

PALETTE = 8
"""How many colours of lanes the style sheet has, `.hue-0` to `.hue-7`; base has `.hue-base`."""
_SALT = b"694 "
"""With it the commonest names (dev, qa, canary, staging, test) do not share a colour."""


def colour_of(lane: str) -> int:
    """The colour of a lane, 0 to 7, whichever lanes there are."""
    return hashlib.sha256(_SALT + lane.encode()).digest()[0] % PALETTE


def style_sheet() -> bytes:
    """The colours as CSS, with those of ground and ink for light and dark."""
    return (files("lanes") / "web" / "hues.css").read_bytes()
