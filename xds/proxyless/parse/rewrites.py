"""What becomes of an HTTP request's URL: path rewrites, redirects, and responses that need no server."""

from __future__ import annotations

import re
from typing import Any

import re2

from ..errors import ResourceError
from ..resources import DirectResponse, PathRewrite, RedirectAction
from .scalars import regex
from .support import Notes, check_fields

_SUBSTITUTION = re.compile(r"(?:[^\\]|\\[0-9\\])*")
_GROUP = re.compile(r"\\([0-9])")
_STATUS_OF_CODE = {0: 301, 1: 302, 2: 303, 3: 307, 4: 308}
_LONGEST_BODY = 4096
_BREAKS = re.compile("[\\x00\\r\\n]")


def parse_substitution(message: Any, where: str, notes: Notes) -> tuple[str, str]:
    """Return pattern and substitution of an envoy.type.matcher.v3.RegexMatchAndSubstitute.

    Raises ResourceError for a substitution that names a group the pattern does not have.
    """
    check_fields(message, where, notes)
    pattern = regex(message.pattern, f"{where}.pattern")
    substitution = message.substitution
    groups = [int(number) for number in _GROUP.findall(substitution.replace("\\\\", ""))]
    if not _SUBSTITUTION.fullmatch(substitution) or max(groups, default=0) > re2.compile(pattern).groups:
        raise ResourceError(f"{where}.substitution", f"{substitution!r} does not fit the pattern {pattern!r}")
    return pattern, substitution


def parse_path_rewrite(message: Any, where: str, notes: Notes) -> PathRewrite | None:
    """Return what a RouteAction or RedirectAction does to the path; None where it leaves it alone.

    An empty `prefix_rewrite` is none, as in Envoy.
    """
    if message.prefix_rewrite and message.HasField("regex_rewrite"):
        raise ResourceError(f"{where}.regex_rewrite", "cannot go with prefix_rewrite")
    if message.prefix_rewrite:
        return PathRewrite(_line(message.prefix_rewrite, f"{where}.prefix_rewrite"))
    if message.HasField("regex_rewrite"):
        at = f"{where}.regex_rewrite"
        pattern, substitution = parse_substitution(message.regex_rewrite, at, notes)
        return PathRewrite(None, pattern, _line(substitution, f"{at}.substitution") or "")
    return None


def parse_redirect(message: Any, where: str, notes: Notes) -> RedirectAction:
    """Validate a RedirectAction."""
    check_fields(message, where, notes)
    status = _STATUS_OF_CODE.get(message.response_code)
    if status is None:
        raise ResourceError(f"{where}.response_code", f"{message.response_code} is not a known code")
    if message.port_redirect > 65535:
        raise ResourceError(f"{where}.port_redirect", f"{message.port_redirect} is not a port")
    return RedirectAction(
        status,
        "https" if message.https_redirect else _line(message.scheme_redirect, f"{where}.scheme_redirect"),
        _line(message.host_redirect, f"{where}.host_redirect"),
        message.port_redirect or None,
        _line(message.path_redirect, f"{where}.path_redirect"),
        parse_path_rewrite(message, where, notes),
        message.strip_query,
    )


def parse_direct_response(message: Any, where: str, notes: Notes) -> DirectResponse:
    """Validate a DirectResponseAction, whose body must be inline."""
    check_fields(message, where, notes)
    if not 200 <= message.status < 600:
        raise ResourceError(f"{where}.status", f"{message.status} is not in [200, 600)")
    which = message.body.WhichOneof("specifier")
    body = b""
    if which == "inline_string":
        body = message.body.inline_string.encode()
    elif which == "inline_bytes":
        body = message.body.inline_bytes
    elif which is not None:
        notes.add(f"{where}.body.{which}", "has no effect here: a body must be inline")
    if len(body) > _LONGEST_BODY:
        raise ResourceError(f"{where}.body", f"{len(body)} bytes are more than {_LONGEST_BODY}")
    return DirectResponse(message.status, body)


def parse_host(value: str, where: str) -> str | None:
    """Return the authority a request is to be sent with; None for its own."""
    return _line(value, where)


def _line(value: str, where: str) -> str | None:
    """What stands in a header must not end it."""
    if _BREAKS.search(value):
        raise ResourceError(where, f"{value!r} does not fit into a header")
    return value or None
