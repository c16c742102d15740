"""What a route answers with by itself, as frozen objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the caller is sent; `port` 0 leaves it, `derive_port` is Istio's name for where it comes from."""

    uri: str = ""
    authority: str = ""
    scheme: str = ""
    code: int = 0
    port: int | None = None
    derive_port: str = ""


@dataclass(frozen=True, slots=True)
class DirectResponse:
    """An answer without any service; at most one of `text` and `body` is given."""

    status: int
    text: str | None = None
    body: bytes | None = None
