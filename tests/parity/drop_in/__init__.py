"""The table of scenarios, which the modules of this room fill."""

from tests.parity.drop_in import channels, ends, requests, responses
from tests.parity.drop_in.trial import SCENARIOS

__all__ = ["SCENARIOS", "channels", "ends", "requests", "responses"]
