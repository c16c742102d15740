"""Names: targets as gRPC writes them, clusters as Istio writes them."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from msgspec import Struct

from .errors import TargetError


class Target(Struct, frozen=True):
    """A parsed `xds:` target (gRFC A27)."""

    uri: str
    listener: str
    """The name of the Listener resource that serves this target."""

    @property
    def authority(self) -> str:
        """The `:authority` of its calls, which also selects the virtual host."""
        return self.listener


def parse_target(uri: str) -> Target:
    """Parse `xds:///host:port` (gRFC A27).

    Raises TargetError for another scheme, an xDS authority (`xds://authority/…` needs federation, which
    is not supported), an empty name or one that begins with a slash, white space, and a query or fragment,
    which would otherwise be lost.
    """
    if any(c.isspace() or not c.isprintable() for c in uri):
        # urlsplit drops some of it without a word.
        raise TargetError(
            f"target {uri!r}: white space and control characters are written as %20 and the like"
        )
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise TargetError(f"target {uri!r}: {error}") from None
    if parts.scheme != "xds":
        raise TargetError(f"target {uri!r}: expected the scheme 'xds', as in 'xds:///host:port'")
    if parts.netloc:
        raise TargetError(
            f"target {uri!r}: an authority ({parts.netloc!r}) needs xDS federation, which is not supported; "
            f"write three slashes: 'xds:///{parts.path[1:] or parts.netloc}'"
        )
    if parts.query or parts.fragment:
        raise TargetError(f"target {uri!r}: `?` and `#` are not part of a name; write %3F and %23")
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise TargetError(f"target {uri!r}: no listener is named, as in 'xds:///host:port'")
    if parts.path.startswith("//"):
        raise TargetError(f"target {uri!r}: one slash too many, as in 'xds:///host:port' there are three")
    return Target(uri, name)


def is_url(target: str) -> bool:
    """Whether it is the URL of an HTTP request rather than a target."""
    return target.lower().startswith(("http://", "https://"))


class SubsetKey(Struct, frozen=True):
    """An Istio cluster name taken apart: `outbound|9080|v2|reviews.default.svc.cluster.local`."""

    direction: str
    port: int
    subset: str
    host: str

    def __str__(self) -> str:
        return f"{self.direction}|{self.port}|{self.subset}|{self.host}"


def parse_subset_key(name: str) -> SubsetKey | None:
    """Take an Istio cluster name apart; None for any other name."""
    parts = name.split("|")
    if len(parts) != 4 or not parts[1].isascii() or not parts[1].isdigit():
        return None
    return SubsetKey(parts[0], int(parts[1]), parts[2], parts[3])
