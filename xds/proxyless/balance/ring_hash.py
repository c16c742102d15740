"""Ring hash: calls of one hash go to one endpoint, and few move when endpoints come or go (gRFC A42).

The ring is gRPC's and Envoy's own, entry for entry: a call goes where their clients would send it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import ceil

from msgspec import Struct
from xxhash import xxh64_intdigest

from ..resources import LbPolicy
from .ask import Ask, Draw, Host, Readiness, ready

_HASHES = 2**64


class Ring(Struct, frozen=True):
    """Points on the circle of 64-bit hashes, and which host each belongs to."""

    hashes: tuple[int, ...]
    owners: tuple[str, ...]

    def walk(self, start: int) -> Iterator[str]:
        """Yield every host once, in the order of the ring from a hash on."""
        first = bisect_left(self.hashes, start)
        seen: set[str] = set()
        for owner in (*self.owners[first:], *self.owners[:first]):
            if owner not in seen:
                seen.add(owner)
                yield owner


@lru_cache(maxsize=64)
def build_ring(hosts: tuple[Host, ...], smallest: int, largest: int) -> Ring:
    """Build the ring of these hosts; its sizes bound the number of points."""
    total = sum(host.weight for host in hosts)
    least = min(host.weight for host in hosts) / total
    # As many points as make the least weight a whole number of them.
    scale = min(ceil(least * smallest) / least, float(largest))
    points: list[tuple[int, str]] = []
    target = 0.0
    for host in hosts:
        target += scale * (host.weight / total)
        count = 0
        while len(points) < target:
            points.append((xxh64_intdigest(f"{host.address}_{count}".encode()), host.address))
            count += 1
    points.sort(key=lambda point: point[0])
    return Ring(tuple(point[0] for point in points), tuple(point[1] for point in points))


class RingHash:
    """Follows the ring from the call's hash to the first endpoint that has not failed."""

    __slots__ = ("_readiness", "_ring", "addresses")

    def __init__(self, ring: Ring, readiness: Mapping[str, Readiness], addresses: tuple[str, ...]) -> None:
        self._ring = ring
        self._readiness = readiness
        self.addresses = addresses

    def pick(self, ask: Ask) -> str | None:
        """Return the ring's choice for the call; None while that is connecting."""
        start = ask.draw(_HASHES) if ask.hash is None else ask.hash
        avoid = ask.avoid if any(address not in ask.avoid for address in self.addresses) else frozenset()
        for address in self._ring.walk(start):
            state = self._readiness.get(address, Readiness.CONNECTING)
            if state is Readiness.FAILED or address in avoid:
                continue
            return address if state is Readiness.READY else None
        return None


def make_ring_hash(
    policy: LbPolicy, hosts: tuple[Host, ...], readiness: Mapping[str, Readiness], draw: Draw
) -> RingHash:
    """Make one over all hosts: who is not ready keeps its points."""
    ring = build_ring(hosts, policy.min_ring_size, policy.max_ring_size)
    return RingHash(ring, readiness, ready(hosts, readiness))
