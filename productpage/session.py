"""The signed-in user, kept in a signed cookie. Pure.

Any name may sign in, as in Istio's bookinfo, and it grants nothing; the signature only keeps a session from
being made up without `/login`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import quote

COOKIE = "session"
MAX_NAME = 64


def user_fault(name: str) -> str | None:
    """Why nobody can sign in by this name, None if someone can."""
    if not name:
        return "a user name is missing"
    if len(name) > MAX_NAME:
        return f"a user name has at most {MAX_NAME} characters, this one has {len(name)}"
    if not name.isprintable():
        return "a user name cannot have control characters"
    return None


def header_value(name: str) -> str:
    """The name as a header takes it: ASCII as it is, all else (and `%`) percent-encoded as UTF-8."""
    return quote(name, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")


def seal(name: str, secret: bytes) -> str:
    """The cookie of a user."""
    payload = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
    return f"{payload}.{_signature(payload, secret)}"


def unseal(cookie: str, secret: bytes) -> str | None:
    """The user of a cookie, None unless it was sealed with this secret."""
    payload, _, signature = cookie.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(payload, secret).encode()):
        return None
    try:
        name = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return None if user_fault(name) else name


def _signature(payload: str, secret: bytes) -> str:
    return hmac.new(secret, payload.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()
