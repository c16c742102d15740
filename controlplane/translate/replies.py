"""What a route answers by itself: redirects and fixed responses."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2 as pb

from controlplane.replies import DirectResponse, Redirect

_CODES = {
    0: pb.RedirectAction.MOVED_PERMANENTLY,
    301: pb.RedirectAction.MOVED_PERMANENTLY,
    302: pb.RedirectAction.FOUND,
    303: pb.RedirectAction.SEE_OTHER,
    307: pb.RedirectAction.TEMPORARY_REDIRECT,
    308: pb.RedirectAction.PERMANENT_REDIRECT,
}
_DEFAULT_PORTS = {"http": 80, "https": 443}


def build_redirect(redirect: Redirect, port: int) -> pb.RedirectAction | None:
    """The redirect of a route for calls to a port; None for a code that Envoy has no name for."""
    code = _CODES.get(redirect.code)
    if code is None:
        return None
    found = pb.RedirectAction(
        host_redirect=redirect.authority, path_redirect=redirect.uri, response_code=code
    )
    if redirect.scheme:
        found.scheme_redirect = redirect.scheme
    target = port if redirect.derive_port == "FROM_REQUEST_PORT" else redirect.port or 0
    # A client's calls are plaintext, so its scheme is http; the default port of a scheme is not written out.
    if target != _DEFAULT_PORTS[redirect.scheme or "http"]:
        found.port_redirect = target
    return found


def build_direct_response(response: DirectResponse) -> pb.DirectResponseAction:
    """The fixed response of a route."""
    found = pb.DirectResponseAction(status=response.status)
    if response.text is not None:
        found.body.inline_string = response.text
    elif response.body is not None:
        found.body.inline_bytes = response.body
    return found
