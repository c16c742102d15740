"""Hash policies: what a call's hash is made of (gRFC A42)."""

from __future__ import annotations

import re
from typing import Any

import re2

from ..errors import ResourceError
from ..resources import HashPolicy
from .scalars import regex
from .support import Notes, check_fields

_CHANNEL = "io.grpc.channel_id"
_REWRITE = re.compile(r"(?:[^\\]|\\[0-9\\])*")
_GROUP = re.compile(r"\\([0-9])")


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
    at = f"{where}.regex_rewrite"
    check_fields(header.regex_rewrite, at, notes)
    pattern = regex(header.regex_rewrite.pattern, f"{at}.pattern")
    substitution = header.regex_rewrite.substitution
    groups = [int(number) for number in _GROUP.findall(substitution.replace("\\\\", ""))]
    if not _REWRITE.fullmatch(substitution) or max(groups, default=0) > re2.compile(pattern).groups:
        raise ResourceError(f"{at}.substitution", f"{substitution!r} does not fit the pattern {pattern!r}")
    return HashPolicy(header.header_name.lower(), pattern, substitution, message.terminal)
