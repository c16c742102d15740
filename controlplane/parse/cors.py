"""`corsPolicy`, by the rules of Istio's `validateCORSPolicy`."""

from __future__ import annotations

from controlplane import names
from controlplane.edits import CorsPolicy
from controlplane.fields import Fields
from controlplane.parse.match import parse_string_match
from controlplane.stringmatch import StringMatch

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
_PREFLIGHTS = ("UNSPECIFIED", "FORWARD", "IGNORE")


def parse_cors(route: Fields) -> CorsPolicy | None:
    """Read `corsPolicy`; None where it is absent."""
    policy = route.child("corsPolicy")
    if policy is None:
        return None
    origins = []
    for item in policy.children("allowOrigins"):
        origin = parse_string_match(item, empty_prefix=True)
        if not origin.value:
            item.error("needs an exact, prefix or regex that is not empty")
        origins.append(origin)
    # The old spelling; the new one wins where both are given.
    plain = [StringMatch("exact", text) for text in policy.strings("allowOrigin")]
    for text, path, line in policy.placed_strings("allowMethods"):
        if text not in _METHODS:
            policy.report.error(line, path, f'"{text}" is no HTTP method')
    for name in ("allowHeaders", "exposeHeaders"):
        for text, path, line in policy.placed_strings(name):
            if wrong := None if text == "*" else names.wrong_field_name(text):
                policy.report.error(line, path, wrong)
    max_age = policy.duration("maxAge")
    if max_age is not None and max_age % 1_000_000_000:
        policy.error("must be whole seconds", "maxAge")
    preflights = policy.enum("unmatchedPreflights", _PREFLIGHTS, "UNSPECIFIED")
    found = CorsPolicy(
        allow_origins=tuple(origins or plain),
        allow_methods=policy.strings("allowMethods"),
        allow_headers=policy.strings("allowHeaders"),
        expose_headers=policy.strings("exposeHeaders"),
        max_age=max_age,
        allow_credentials=policy.boolean("allowCredentials"),
        ignore_unmatched_preflights=preflights == "IGNORE",
    )
    policy.close()
    return found
