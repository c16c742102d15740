"""The hash of a call, by which ring hash picks (gRFC A42)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xxhash import xxh64_intdigest

from ..resources import HashPolicy
from ..substitution import substituting

_BITS = 2**64 - 1


def call_hash(
    policies: Sequence[HashPolicy], header: Callable[[str], str | None], channel: int
) -> int | None:
    """Combine what the policies give; None where none of them gives anything.

    `header` looks a header's value up, `channel` is the number of the channel.
    """
    combined: int | None = None
    for policy in policies:
        each = channel if policy.header is None else _of_header(policy, header(policy.header))
        if each is not None:
            rotated = 0 if combined is None else ((combined << 1) | (combined >> 63)) & _BITS
            combined = rotated ^ each
        if policy.terminal and combined is not None:
            break
    return combined


def _of_header(policy: HashPolicy, value: str | None) -> int | None:
    if value is None:
        return None
    if policy.regex is not None:
        value = substituting(policy.regex, policy.substitution)(value)
    return int(xxh64_intdigest(value.encode("utf-8", "surrogateescape")))
