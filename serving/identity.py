"""Who answers: the hop every answer carries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bookinfo_pb.v1.hop_pb2 import Hop
from lanes.context import current
from serving.settings import Settings


@dataclass(frozen=True, slots=True)
class Identity:
    """The service, its version and the name of this instance."""

    service: str
    version: str
    instance: str

    @classmethod
    def of(cls, settings: Settings) -> Identity:
        """The identity these settings give."""
        return cls(settings.service, settings.version, settings.instance)

    def hop(self, calls: Iterable[Hop] = ()) -> Hop:
        """This hop of the request being served, with the calls made for it."""
        return Hop(
            service=self.service,
            version=self.version,
            instance=self.instance,
            lane=current().lane_name,
            calls=calls,
        )
