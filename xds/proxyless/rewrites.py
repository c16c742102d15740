"""Where an HTTP request goes by its URL: rewritten paths, and the Location of redirects."""

from __future__ import annotations

import re

from .resources import PathMatch, PathRewrite, RedirectAction
from .substitution import substituting

_END_OF_PATH = re.compile("[?#]")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def rewritten(rewrite: PathRewrite | None, match: PathMatch, target: str) -> str:
    """Return a request's path, with its query, after the rewrite; `match` is the path matcher of its route.

    A prefix replaces what the matcher matched: its prefix, or the whole path of an exact or regex one. The
    query stays (Envoy's prefix_rewrite, regex_rewrite).
    """
    if rewrite is None:
        return target
    path = _END_OF_PATH.split(target, maxsplit=1)[0]
    rest = target[len(path) :]
    if rewrite.prefix is None:
        return substituting(rewrite.regex, rewrite.substitution)(path) + rest
    matched = len(match.value) if match.how in ("prefix", "path_separated_prefix") else len(path)
    return rewrite.prefix + path[matched:] + rest


def location(redirect: RedirectAction, match: PathMatch, scheme: str, authority: str, target: str) -> str:
    """Return the Location that Envoy answers a redirected request with.

    `scheme`, `authority` and `target` (path and query) are the request's, `match` the path matcher of its
    route. A port is kept unless another is asked for, or the scheme changes and it was the old one's own.
    """
    new_scheme = redirect.scheme or scheme
    port = f":{redirect.port}" if redirect.port else ""
    host = redirect.host or _without_port(authority, scheme, new_scheme, replaced=bool(port))
    if redirect.path is None:
        path = rewritten(redirect.rewrite, match, target)
    elif "?" in redirect.path:
        path = redirect.path
    else:
        _, mark, query = target.partition("?")
        path = f"{redirect.path}{mark}{query}"
    if redirect.strip_query and not (redirect.path is not None and "?" in redirect.path):
        path = path.partition("?")[0]
    return f"{new_scheme}://{host}{port}{path if path.startswith('/') else '/' + path}"


def _without_port(authority: str, scheme: str, new_scheme: str, *, replaced: bool) -> str:
    host, colon, port = authority.rpartition(":")
    if not colon or (authority.startswith("[") and not host.endswith("]")):
        return authority  # no port; an IPv6 address has colons of its own
    if replaced or (scheme != new_scheme and port == _DEFAULT_PORTS.get(scheme)):
        return host
    return authority
