"""What a route changes: header operations, rewrites, CORS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as pb
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.type.matcher.v3 import regex_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.wrappers_pb2 import BoolValue

from controlplane.edits import CorsPolicy, HeaderOperations, Headers, Rewrite
from controlplane.names import is_authority, is_internal
from controlplane.translate.matches import string_matcher

CORS_FILTER = "envoy.filters.http.cors"


def apply_headers(target: Any, headers: Headers | None) -> str:
    """Put operations on a route or a weighted cluster, behind others; returns the authority they set."""
    if headers is None:
        return ""
    target.request_headers_to_add.extend(_options(headers.request))
    target.request_headers_to_remove.extend(_removable(headers.request.remove))
    target.response_headers_to_add.extend(_options(headers.response))
    target.response_headers_to_remove.extend(_removable(headers.response.remove))
    return _authority(headers.request.set) or _authority(headers.request.add)


def _options(operations: HeaderOperations) -> Iterable[base_pb2.HeaderValueOption]:
    actions = base_pb2.HeaderValueOption
    for values, action in (
        (operations.set, actions.OVERWRITE_IF_EXISTS_OR_ADD),
        (operations.add, actions.APPEND_IF_EXISTS_OR_ADD),
    ):
        for key, value in sorted(values.items()):
            if not is_internal(key):
                header = base_pb2.HeaderValue(key=key, value=value)
                yield base_pb2.HeaderValueOption(header=header, append_action=action)


def _removable(names: Iterable[str]) -> list[str]:
    return [name for name in names if not is_internal(name)]


def _authority(values: Mapping[str, str]) -> str:
    return next((value for key, value in values.items() if is_authority(key)), "")


def apply_rewrite(action: pb.RouteAction, rewrite: Rewrite | None) -> None:
    """Put a new path on an action."""
    if rewrite is None:
        return
    if rewrite.regex:
        action.regex_rewrite.pattern.CopyFrom(regex_pb2.RegexMatcher(regex=rewrite.regex))
        action.regex_rewrite.substitution = rewrite.substitution
    else:
        action.prefix_rewrite = rewrite.uri


def build_cors(policy: CorsPolicy) -> cors_pb2.CorsPolicy:
    """The CORS policy of a route."""
    everyone = percent_pb2.FractionalPercent(numerator=100)
    found = cors_pb2.CorsPolicy(
        allow_origin_string_match=[string_matcher(each) for each in policy.allow_origins],
        allow_methods=",".join(policy.allow_methods),
        allow_headers=",".join(policy.allow_headers),
        expose_headers=",".join(policy.expose_headers),
        filter_enabled=base_pb2.RuntimeFractionalPercent(default_value=everyone),
        forward_not_matching_preflights=BoolValue(value=not policy.ignore_unmatched_preflights),
    )
    if policy.max_age is not None:
        found.max_age = str(policy.max_age // 1_000_000_000)
    if policy.allow_credentials is not None:
        found.allow_credentials.value = policy.allow_credentials
    return found
