"""Why a write is refused: it must come from this machine, and from a page that this console served. Pure.

A page of another site can have the browser post here, and one whose name has been led to 127.0.0.1 (DNS
rebinding) is even same-origin. Neither can set a foreign `Host`, and neither knows the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TOKEN_HEADER = "X-CSRF-Token"
_SCHEMES = ("http", "https")
_AUTHORITY = re.compile(r"(?P<name>localhost|[0-9.]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a request that wants to write says of itself."""

    peer: str
    """The address at the other end of its connection."""
    headers: Mapping[str, Sequence[str]]
    """Every value of each header, by its name in lower case."""

    def values(self, name: str) -> Sequence[str]:
        """The values of one header."""
        return self.headers.get(name.lower(), ())


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status, a code as gRPC names it, and one sentence."""

    status: int
    code: str
    message: str


def refusal(attempt: Attempt, token: str) -> Refusal | None:
    """Why this is not done; None for what may be.

    Behind proxies every address of `X-Forwarded-For` has to be near, whoever wrote it: nobody gains by a lie.
    """
    if why := _elsewhere(attempt) or _not_here(attempt) or _foreign(attempt):
        return Refusal(403, "PERMISSION_DENIED", why)
    kinds = attempt.values("Content-Type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != _JSON:
        return Refusal(415, "INVALID_ARGUMENT", f"The Content-Type has to be {_JSON}.")
    tokens = attempt.values(TOKEN_HEADER)
    if len(tokens) != 1 or not hmac.compare_digest(_bytes(tokens[0]), _bytes(token)):
        why = f"The header {TOKEN_HEADER} is not the token of this console; load the page again."
        return Refusal(403, "PERMISSION_DENIED", why)
    return None


def names_loopback(host: str) -> bool:
    """Whether a `Host` header, with a port or without, is a name that nobody can lead elsewhere."""
    found = _AUTHORITY.fullmatch(host)
    if found is None:
        return False
    name = found["name"].lower()
    return name == "localhost" or is_loopback(name.strip("[]"))


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _elsewhere(attempt: Attempt) -> str:
    forwarded = ",".join(attempt.values("X-Forwarded-For"))
    peers = [attempt.peer, *(map(str.strip, forwarded.split(",")) if forwarded else ())]
    far = next((peer for peer in peers if not is_loopback(peer)), None)
    if far is not None:
        return f"Changes are made from this machine only, and {far[:80]!r} is another."
    return (
        "Changes are made from this machine only, and `Forwarded` is not read."
        if _is_relayed(attempt)
        else ""
    )


def _is_relayed(attempt: Attempt) -> bool:
    """Whether a proxy tells for whom it asks in the other of the two headers."""
    return bool(attempt.values("Forwarded"))


def _not_here(attempt: Attempt) -> str:
    hosts = attempt.values("Host")
    if len(hosts) == 1 and names_loopback(hosts[0]):
        return ""
    shown = ", ".join(hosts)[:80]
    return f"Host {shown!r} is not a loopback address or localhost."


def _foreign(attempt: Attempt) -> str:
    """Why this was not sent by a page of ours; a program that is no browser says neither."""
    sites = attempt.values("Sec-Fetch-Site")
    if sites and list(sites) != ["same-origin"]:
        return "This was sent by another site."
    origins = attempt.values("Origin")
    [host] = attempt.values("Host")
    own = [f"{scheme}://{host.lower()}" for scheme in _SCHEMES]
    if origins and (len(origins) > 1 or origins[0].lower() not in own):
        return f"This was sent by a page of {', '.join(origins)[:80]!r}, which is another site."
    return ""


def _bytes(text: str) -> bytes:
    # Header bytes that are no UTF-8 come as lone surrogates.
    return text.encode("utf-8", "surrogateescape")
