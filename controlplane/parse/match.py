"""The `match` of an HTTP route, by the rules of Istio's `validateHTTPRouteMatchRequest`."""

from __future__ import annotations

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import HttpMatch, Meta
from controlplane.parse import checks
from controlplane.stringmatch import StringMatch

_KINDS = ("exact", "prefix", "regex")
PRESENT = StringMatch("present")


def parse_match(match: Fields, meta: Meta) -> HttpMatch:
    """Read one entry of `match`."""
    port = match.integer("port", minimum=0) or 0
    if port:
        checks.check(match, "port", names.wrong_port(port))
    namespace = match.string("sourceNamespace")
    if namespace and not names.is_dns_label(namespace):
        match.error(f'invalid namespace "{namespace}"', "sourceNamespace")
    gateways = match.strings("gateways")
    found = HttpMatch(
        name=match.string("name"),
        uri=_field(match, "uri"),
        scheme=_field(match, "scheme"),
        method=_field(match, "method"),
        authority=_field(match, "authority"),
        headers=_headers(match, "headers"),
        without_headers=_headers(match, "withoutHeaders"),
        query=_query(match),
        ignore_uri_case=bool(match.boolean("ignoreUriCase")),
        port=port,
        source_labels=checks.check_labels(match, "sourceLabels"),
        source_namespace=namespace,
        gateways=tuple(g if "/" in g or g == "mesh" else f"{meta.namespace}/{g}" for g in gateways),
        stat_prefix=match.string("statPrefix"),
    )
    match.close()
    return found


def _field(match: Fields, name: str) -> StringMatch | None:
    inner = match.child(name)
    # An empty uri prefix is fine in Envoy, an empty string prefix is not.
    return None if inner is None else parse_string_match(inner, empty_prefix=name == "uri")


def _headers(match: Fields, name: str) -> tuple[tuple[str, StringMatch], ...]:
    found = []
    inner = match.child(name)
    for header, value in match.child_map(name).items():
        assert inner is not None  # child_map() is empty without it
        if header.startswith("@request.auth.claims"):
            inner.error("routing by JWT claims is for gateways only", header)
            continue
        checks.check(inner, header, names.wrong_header_name(header))
        if value is not None:
            found.append((header, parse_string_match(value, star_is_present=name == "withoutHeaders")))
        elif name == "headers":
            inner.error("cannot be null; {} matches a header that is present", header)
        else:
            found.append((header, PRESENT))
    return tuple(found)


def _query(match: Fields) -> tuple[tuple[str, StringMatch], ...]:
    found = []
    for name, value in match.child_map("queryParams").items():
        found.append((name, PRESENT if value is None else parse_string_match(value)))
    return tuple(found)


def parse_string_match(
    fields: Fields, *, empty_prefix: bool = False, star_is_present: bool = False
) -> StringMatch:
    """Read how a text is compared: exact, prefix, regex, or an empty mapping for its presence."""
    given = [kind for kind in _KINDS if fields.has(kind)]
    if len(given) > 1:
        fields.error(f"only one of {' and '.join(given)} may be set", given[1])
    value = fields.string(given[0]) if given else ""
    for kind in given[1:]:
        fields.skip(kind)
    fields.close()
    if not given:
        return PRESENT
    kind = given[0]
    if kind == "regex" and value == "*" and star_is_present:
        # Not RE2: Istio's own spelling of "the header is there".
        return PRESENT
    if kind == "regex":
        checks.check(fields, kind, checks.wrong_regex(value))
    if kind == "prefix" and not value and not empty_prefix:
        fields.error("a prefix cannot be empty", kind)
    return StringMatch(kind, value)
