"""`rewrite`, by the rules of Istio's `validateHTTPRewrite` and `validateAuthorityRewrite`."""

from __future__ import annotations

from controlplane.edits import Headers, Rewrite
from controlplane.fields import Fields
from controlplane.names import is_authority
from controlplane.parse import checks


def parse_rewrite(route: Fields) -> Rewrite | None:
    """Read `rewrite`; None where it is absent."""
    rewrite = route.child("rewrite")
    if rewrite is None:
        return None
    regex, substitution = "", ""
    uri, authority = rewrite.string("uri"), rewrite.string("authority")
    if inner := rewrite.child("uriRegexRewrite"):
        regex, substitution = inner.string("match"), inner.string("rewrite")
        if not regex or not substitution:
            inner.error("needs match and rewrite")
        elif wrong := checks.wrong_regex(regex):
            inner.error(wrong, "match")
        inner.close()
        if uri:
            rewrite.error("only one of uri and uriRegexRewrite may be set", "uriRegexRewrite")
    elif not uri and not authority:
        rewrite.error("needs uri, uriRegexRewrite or authority")
    rewrite.close()
    return Rewrite(uri, authority, regex, substitution)


def check_authority(route: Fields, rewrite: Rewrite | None, headers: Headers | None) -> None:
    """Report an authority that is set in more than one place."""
    operations = headers.request if headers else None
    places = [key for key in (*operations.set, *operations.add) if is_authority(key)] if operations else []
    if len(places) + bool(rewrite and rewrite.authority) > 1:
        route.error("the authority is set more than once", "headers")
