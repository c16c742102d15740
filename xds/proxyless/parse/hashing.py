"""Hash policies: what a call's hash is made of (gRFC A42)."""

from __future__ import annotations

from typing import Any

from ..errors import ResourceError
from ..resources import HashPolicy
from .rewrites import parse_substitution
from .support import Notes, check_fields

_CHANNEL = "io.grpc.channel_id"


def parse_hash_policies(messages: Any, where: str, notes: Notes) -> tuple[HashPolicy, ...]:
    """Return the policies a gRPC call can follow; the others (cookies, addresses) are left out, and noted."""
    policies = []
    for i, each in enumerate(messages):
        at = f"{where}[{i}]"
        check_fields(each, at, notes)
        which = each.WhichOneof("policy_specifier")
        if which == "header":
            policies.append(_parse_header(each, f"{at}.header", notes))
        elif which == "filter_state" and each.filter_state.key == _CHANNEL:
            policies.append(HashPolicy(terminal=each.terminal))
        elif which == "filter_state":
            notes.add(f"{at}.filter_state.key", f"has no effect here: only {_CHANNEL!r} is known (gRFC A42)")
    return tuple(policies)


def _parse_header(message: Any, where: str, notes: Notes) -> HashPolicy:
    header = message.header
    check_fields(header, where, notes)
    if not header.header_name:
        raise ResourceError(f"{where}.header_name", "is empty")
    if not header.HasField("regex_rewrite"):
        return HashPolicy(header.header_name.lower(), terminal=message.terminal)
    pattern, substitution = parse_substitution(header.regex_rewrite, f"{where}.regex_rewrite", notes)
    return HashPolicy(header.header_name.lower(), pattern, substitution, message.terminal)
