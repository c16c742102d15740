"""Hash policies: what a call's hash is made of (gRFC A42)."""

from __future__ import annotations

import re
from typing import Any

from ..errors import ResourceError
from ..resources import HashCookie, HashPolicy
from .rewrites import parse_substitution
from .support import Notes, check_fields

_CHANNEL = "io.grpc.channel_id"
_TOKEN = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")
_PLAIN = re.compile(r"[ -:<-~]*")
"""What a cookie's path or another attribute may be (RFC 6265, 4.1.1)."""


def parse_hash_policies(messages: Any, where: str, notes: Notes) -> tuple[HashPolicy, ...]:
    """Return the policies a call or a request can follow; the others (addresses) are left out, and noted."""
    policies = []
    for i, each in enumerate(messages):
        at = f"{where}[{i}]"
        check_fields(each, at, notes)
        which = each.WhichOneof("policy_specifier")
        if which == "header":
            policies.append(_parse_header(each, f"{at}.header", notes))
        elif which == "query_parameter":
            found = _parse_query(each, f"{at}.query_parameter", notes)
            policies += [found] if found is not None else []
        elif which == "cookie":
            found = _parse_cookie(each, f"{at}.cookie", notes)
            policies += [found] if found is not None else []
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


def _parse_query(message: Any, where: str, notes: Notes) -> HashPolicy | None:
    check_fields(message.query_parameter, where, notes)
    notes.add(where, "has no effect on gRPC calls")
    name = message.query_parameter.name
    return HashPolicy(terminal=message.terminal, query=name) if name else None


def _parse_cookie(message: Any, where: str, notes: Notes) -> HashPolicy | None:
    """None where no cookie can be like that: gRPC, whose calls have none, does not mind either."""
    cookie = message.cookie
    check_fields(cookie, where, notes)
    attributes = []
    for i, each in enumerate(cookie.attributes):
        check_fields(each, f"{where}.attributes[{i}]", notes)
        attributes.append((each.name, each.value))
    ttl = cookie.ttl.seconds if cookie.HasField("ttl") else None
    notes.add(where, "has no effect on gRPC calls")
    names, values = (cookie.name, *(n for n, _ in attributes)), (cookie.path, *(v for _, v in attributes))
    wrong = {
        "name": not all(map(_TOKEN.fullmatch, names)),
        "path": not all(map(_PLAIN.fullmatch, values)),
        "ttl": ttl is not None and ttl < 0,
    }
    if field := next((field for field, is_wrong in wrong.items() if is_wrong), None):
        notes.add(f"{where}.{field}", "no cookie can have that, nor such attributes: it is not hashed by")
        return None
    made = HashCookie(cookie.name, ttl, cookie.path, tuple(attributes))
    return HashPolicy(terminal=message.terminal, cookie=made)
