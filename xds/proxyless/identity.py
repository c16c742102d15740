"""What a process shows a control plane that asks for TLS: files, read anew for every stream.

Kubernetes rotates the projected token and the root certificate in place, so nothing of them is kept.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BootstrapError

ISTIO_ROOT = "/var/run/secrets/istio/root-cert.pem"
ISTIO_TOKEN = "/var/run/secrets/tokens/istio-token"
ISTIO_SERVER_NAME = "istiod.istio-system.svc"


@dataclass(frozen=True)
class TlsFiles:
    """TLS to the control plane: whom to trust, under which name, and which token to send."""

    root: str
    """PEM file with the certificates that may sign the control plane's."""
    server_name: str = ""
    """The name its certificate must have; empty for the host it is connected to."""
    token: str = ""
    """File with the bearer token; empty for none."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Sent along with every stream."""

    def at_stake(self, code: str) -> str:
        """What of this decided that a stream ended with the status `code`, for the message that says so."""
        if code in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
            return f"with the token {self.token!r}" if self.token else "without a token"
        return f"trusting {self.root!r} for {self.server_name or 'the name connected to'!r}"

    def read_root(self) -> bytes:
        """Return the root certificates; raises BootstrapError, naming the file."""
        text = _read(self.root, "root certificate")
        if b"-----BEGIN CERTIFICATE-----" not in text:
            raise BootstrapError(f"root certificate {self.root!r} holds no PEM certificate")
        return text

    def stream_metadata(self, now: float) -> tuple[tuple[str, str], ...]:
        """Return what a new stream carries; `now` is in seconds since the epoch.

        Raises BootstrapError for a token that is missing, empty or expired.
        """
        if not self.token:
            return tuple(self.metadata.items())
        token = _read(self.token, "token").decode("ascii", "replace").strip()
        if not token:
            raise BootstrapError(f"token {self.token!r} is empty")
        expiry = _expiry(token)
        if expiry is not None and expiry <= now:
            raise BootstrapError(f"token {self.token!r} expired {now - expiry:.0f} s ago")
        return (("authorization", f"Bearer {token}"), *self.metadata.items())


def _read(path: str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BootstrapError(f"{what} {path!r} cannot be read: {error.strerror or error}") from None


def _expiry(token: str) -> float | None:
    """Read `exp` of a JSON Web Token (RFC 7519), without judging it; None for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return float(expiry) if isinstance(expiry, (int, float)) else None
