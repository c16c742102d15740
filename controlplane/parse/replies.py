"""`redirect` and `directResponse`, by the rules of Istio's `validateHTTPRedirect` and its sibling."""

from __future__ import annotations

import base64
import binascii

from controlplane import names
from controlplane.fields import Fields
from controlplane.parse import checks
from controlplane.replies import DirectResponse, Redirect

_DERIVE = ("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT")
CODES = (301, 302, 303, 307, 308)
"""The redirect codes that are served; Istio takes any 3xx and leaves the route without an action."""

MAX_BODY = 1024 * 1024
LARGE_BODY = 100 * 1024


def parse_redirect(route: Fields) -> Redirect | None:
    """Read `redirect`; None where it is absent."""
    redirect = route.child("redirect")
    if redirect is None:
        return None
    port = redirect.integer("port", minimum=0)
    derive = ""
    if redirect.has("derivePort"):
        derive = redirect.enum("derivePort", _DERIVE, _DERIVE[0])
        if redirect.has("port"):
            redirect.error("only one of port and derivePort may be set", "derivePort")
    found = Redirect(
        uri=redirect.string("uri"),
        authority=redirect.string("authority"),
        scheme=redirect.string("scheme"),
        code=redirect.integer("redirectCode", minimum=0) or 0,
        port=port,
        derive_port=derive,
    )
    redirect.close()
    if not (found.uri or found.authority or found.scheme or derive or port is not None):
        redirect.error("needs a uri, an authority, a scheme or a port")
    if found.code and not 300 <= found.code <= 399:
        redirect.error(f"{found.code} is no redirect code; one is 3xx", "redirectCode")
    elif found.code and found.code not in CODES:
        redirect.warn(
            f"{found.code} is taken by Istio and served by none: the client refuses the route", "redirectCode"
        )
    if found.scheme not in ("", "http", "https"):
        redirect.error("must be http or https", "scheme")
    if port:
        checks.check(redirect, "port", names.wrong_port(port))
    return found


def parse_direct_response(route: Fields) -> DirectResponse | None:
    """Read `directResponse`; None where it is absent."""
    response = route.child("directResponse")
    if response is None:
        return None
    status = response.integer("status", minimum=0) or 0
    if not 200 <= status <= 600:
        response.error(f"HTTP status {status} is not in the range 200-599", "status")
    text, body = None, None
    if inner := response.child("body"):
        text = inner.string("string") if inner.has("string") else None
        body = _bytes(inner) if inner.has("bytes") else None
        if text is not None and body is not None:
            inner.error("only one of string and bytes may be set", "bytes")
        inner.close()
        size = len(text.encode()) if text is not None else len(body or b"")
        if size > MAX_BODY:
            inner.error("is larger than 1 MiB")
        elif size > LARGE_BODY:
            inner.warn("is larger than 100 KiB, and part of every push")
    response.close()
    return DirectResponse(status, text, body)


def _bytes(body: Fields) -> bytes:
    text = body.string("bytes")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        body.error("must be base64", "bytes")
        return b""
