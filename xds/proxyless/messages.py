"""What is said in an ADS conversation, and what was read in it, free of protobuf."""

from __future__ import annotations

from msgspec import Struct

from .errors import ResourceError
from .held import Event
from .parse import Parsed
from .resources import Kind


class Request(Struct, frozen=True):
    """A DiscoveryRequest to send; `error` makes it a NACK. `first` ones carry the node."""

    kind: Kind
    names: tuple[str, ...]
    version: str
    nonce: str
    error: str = ""
    first: bool = False


class Denial(Struct, frozen=True):
    """Why the control plane cannot send a resource (xRFC TP3); `code` is a gRPC status."""

    name: str
    code: int
    message: str

    @property
    def event(self) -> Event:
        """What it means: NOT_FOUND and PERMISSION_DENIED are of the data, all else of the server."""
        return Event.DENIED if self.code in (5, 7) else Event.TROUBLED


class Response(Struct, frozen=True):
    """A DiscoveryResponse as it came: the resources are (type URL, bytes)."""

    type_url: str
    version: str
    nonce: str
    resources: tuple[tuple[str, bytes], ...]
    denials: tuple[Denial, ...] = ()


class Receipt(Struct, frozen=True):
    """How many resources of a response were valid, and how many broke a rule."""

    kind: Kind
    valid: int
    invalid: int


class Reading(Struct, frozen=True):
    """A response and what was read in it, resource by resource; no `kind` where nobody had asked for it."""

    response: Response
    kind: Kind | None = None
    items: tuple[Parsed | ResourceError, ...] = ()
