"""`explain` for an HTTP request: the request as aiohttp would send it, the endpoints as sessions see them."""

from __future__ import annotations

from collections.abc import Sequence

from yarl import URL

from ..client import AdsClient
from ..decision import Decision
from ..drafts import RequestDraft
from ..errors import TargetError
from ..explain import explain
from .pool import HttpPool


async def explain_request(
    mesh: AdsClient,
    url: str,
    method: str,
    headers: Sequence[tuple[str, str | bytes]],
    timeout: float | None,
    want_route: str | None,
) -> Decision:
    """Wait for configuration, then decide as a session would for this request.

    Its headers are these and `Host`; what aiohttp adds by itself (`Accept`, `User-Agent`) counts where it is
    among them. Raises TargetError for a URL that does not go through the mesh, and what `Client.explain`
    raises.
    """
    parsed = _parsed(url)
    target = parsed.raw_path_qs
    path, mark, query = target.partition("?")
    draft = RequestDraft(
        path, parsed.host_port_subcomponent or "", tuple(headers), method.upper(), query if mark else None
    )
    mesh.check_usable()
    pool = HttpPool.of(mesh)
    try:
        active = mesh.attach(target_of(parsed), pool=pool)
        try:
            return await explain(active, draft, timeout, want_route)
        finally:
            mesh.detach(active)
    finally:
        await pool.give_back(mesh)


def target_of(url: URL) -> str:
    """The xDS target of a URL; without a port it is 80."""
    return f"xds:///{url.host_subcomponent}:{url.port or 80}"


def _parsed(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise TargetError(f"{text!r}: {error}") from None
    if url.scheme != "http":
        raise TargetError(f"{text!r}: only http:// goes through the mesh, which connects in plain text")
    if not url.host:
        raise TargetError(f"{text!r}: names no host, as in http://host:port/path")
    return url
