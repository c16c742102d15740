"""Calls and HTTP requests as they might be made: what `explain` decides for. Pure."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from .match import CallHeaders, RequestHeaders

Metadata = tuple[tuple[str, str | bytes], ...]

_KEY = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
"""What gRPC takes as metadata and leaves as it is; HTTP does so with headers."""
_TOKEN = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")
_HOST = re.compile(r"[0-9A-Za-z._-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?")
_TARGET = re.compile(r"/[0-9A-Za-z._~!$&'()*+,;=:@%/-]*(?:\?[0-9A-Za-z._~!$&'()*+,;=:@%/?-]*)?")
_QUERY_PART = re.compile(r"[0-9A-Za-z._~!$'()*+,;:@%/?-]*")
"""What stands in a URL as it is: matchers do not unescape."""
_FIXED = (":scheme",)
_AUTHORITY = (":authority", "host")


class Draft(Struct, frozen=True):
    """A gRPC call as it might be made."""

    path: str
    authority: str
    metadata: Metadata

    @property
    def headers(self) -> CallHeaders:
        """As matchers see it."""
        return CallHeaders(self.path, self.authority, self.metadata)

    def setting(self, name: str, value: str | None) -> Draft:
        """The same call with this metadata under `name`, and nothing else there; None for nothing at all."""
        kept = tuple(item for item in self.metadata if item[0].lower() != name)
        return replace(self, metadata=kept if value is None else (*kept, (name, value)))

    def why_fixed(self, name: str) -> str:
        """Why the caller cannot change what matchers see under a name; empty where it can."""
        if name.startswith(":") or name == "content-type":
            return f"{name} is not the caller's to choose"
        if name.endswith("-bin"):
            return "matchers do not see binary metadata"
        return "" if _KEY.fullmatch(name) else f"{name!r} is no metadata key"

    def names_of(self, name: str) -> tuple[str, ...]:
        """All the names under which matchers see the same thing."""
        return (name,)

    def admits(self, name: str, value: str | None) -> bool:
        """Whether it can say that under a name it may choose; None is nothing at all."""
        return value is None or _VALUE.fullmatch(value) is not None


class RequestDraft(Draft, frozen=True):
    """An HTTP request as it might be made: `authority` is its URL's, which a `host` header may replace."""

    verb: str = "GET"
    query: str | None = None
    """Without its question mark; None where there is none."""

    @property
    def target(self) -> str:
        """Its path with the query."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def url(self) -> str:
        """Where it is sent."""
        return f"http://{self.authority}{self.target}"

    @property
    def host(self) -> str:
        """The authority it goes by."""
        said = [value for name, value in self.metadata if name.lower() == "host"]
        return said[-1] if said and isinstance(said[-1], str) else self.authority

    @property
    def headers(self) -> RequestHeaders:
        """As matchers see it."""
        others = [item for item in self.metadata if item[0].lower() != "host"]
        return RequestHeaders(self.verb, self.target, self.host, [("host", self.host), *others])

    def setting(self, name: str, value: str | None) -> RequestDraft:
        """The same request saying this under `name`, which may be one of HTTP/2's own."""
        if name == ":method" and value is not None:
            return replace(self, verb=value)
        if name == ":path" and value is not None:
            path, mark, query = value.partition("?")
            return replace(self, path=path, query=query if mark else None)
        name = "host" if name == ":authority" else name
        kept = tuple(item for item in self.metadata if item[0].lower() != name)
        if value is None or (name == "host" and value == self.authority):
            return replace(self, metadata=kept)
        return replace(self, metadata=(*kept, (name, value)))

    def asking(self, name: str, value: str | None) -> RequestDraft:
        """The same request with this query parameter, and no other of its name; None for none."""
        pairs = [] if self.query is None else self.query.split("&")
        kept = [pair for pair in pairs if pair.partition("=")[0] != name]
        if value is not None:
            kept.append(f"{name}={value}")
        return replace(self, query="&".join(kept) or None)

    def why_fixed(self, name: str) -> str:
        """Why the caller cannot change what matchers see under a name; empty where it can."""
        if name in _FIXED:
            return f"{name} is not the caller's to choose"
        known = name in (":method", ":path", ":authority")
        return "" if known or _TOKEN.fullmatch(name) else f"{name!r} is no header"

    def names_of(self, name: str) -> tuple[str, ...]:
        """All the names under which matchers see the same thing."""
        return _AUTHORITY if name in _AUTHORITY else (name,)

    def admits(self, name: str, value: str | None) -> bool:
        """Whether it can say that under a name it may choose; None is nothing at all."""
        form = {":method": _TOKEN, ":path": _TARGET, ":authority": _HOST, "host": _HOST}.get(name)
        if form is not None:
            return value is not None and form.fullmatch(value) is not None
        return value is None or _VALUE.fullmatch(value) is not None

    def admits_parameter(self, name: str, value: str | None) -> bool:
        """Whether its URL can have that query parameter as it stands; None is no such one."""
        return bool(name) and all(_QUERY_PART.fullmatch(each) for each in (name, value or ""))
