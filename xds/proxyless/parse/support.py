"""Which fields of which messages this library knows: the table the support matrix is made from.

A field that is set and not in the table is reported once as having no effect (`Notes`), except in messages
that decide *whether* something matches: there an unknown field would widen a route, so it refuses the
resource (`CLOSED`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet
from msgspec import Struct, field

from ..errors import ResourceError

_EDITS = "request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove"

SUPPORTED: dict[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "envoy.config.listener.v3.Listener": "name api_listener address",
        "envoy.config.listener.v3.ApiListener": "api_listener",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": (
            "rds route_config http_filters common_http_protocol_options xff_num_trusted_hops stat_prefix"
        ),
        "envoy.extensions.filters.network.http_connection_manager.v3.Rds": "config_source route_config_name",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": (
            "name typed_config is_optional disabled"
        ),
        "envoy.config.core.v3.ConfigSource": "ads self resource_api_version",
        "envoy.config.core.v3.HttpProtocolOptions": "max_stream_duration",
        "envoy.config.route.v3.RouteConfiguration": (
            f"name virtual_hosts most_specific_header_mutations_wins {_EDITS}"
        ),
        "envoy.config.route.v3.VirtualHost": (
            f"name domains routes retry_policy typed_per_filter_config {_EDITS}"
        ),
        "envoy.config.core.v3.HeaderValueOption": "header append append_action keep_empty_value",
        "envoy.config.core.v3.HeaderValue": "key value",
        "envoy.config.route.v3.Route": (
            "name match route redirect direct_response filter_action non_forwarding_action "
            f"typed_per_filter_config metadata decorator {_EDITS}"
        ),
        "envoy.config.route.v3.RouteMatch": (
            "prefix path safe_regex path_separated_prefix case_sensitive runtime_fraction headers "
            "query_parameters grpc"
        ),
        "envoy.config.route.v3.QueryParameterMatcher": "name string_match present_match",
        "envoy.config.route.v3.RedirectAction": (
            "https_redirect scheme_redirect host_redirect port_redirect path_redirect prefix_rewrite "
            "regex_rewrite response_code strip_query"
        ),
        "envoy.config.route.v3.DirectResponseAction": "status body",
        "envoy.config.route.v3.HeaderMatcher": (
            "name exact_match safe_regex_match range_match present_match prefix_match suffix_match "
            "contains_match string_match invert_match treat_missing_header_as_empty"
        ),
        "envoy.type.matcher.v3.StringMatcher": "exact prefix suffix contains safe_regex ignore_case",
        "envoy.type.matcher.v3.RegexMatcher": "regex google_re2",
        "envoy.config.route.v3.RouteAction": (
            "cluster weighted_clusters cluster_header cluster_specifier_plugin timeout max_stream_duration "
            "max_grpc_timeout retry_policy hash_policy request_mirror_policies prefix_rewrite regex_rewrite "
            "host_rewrite_literal"
        ),
        "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": (
            "cluster runtime_fraction disable_shadow_host_suffix_append"
        ),
        "envoy.config.core.v3.RuntimeFractionalPercent": "default_value runtime_key",
        "envoy.config.route.v3.RouteAction.HashPolicy": "header cookie query_parameter filter_state terminal",
        "envoy.config.route.v3.RouteAction.HashPolicy.Cookie": "name ttl path attributes",
        "envoy.config.route.v3.RouteAction.HashPolicy.CookieAttribute": "name value",
        "envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter": "name",
        "envoy.config.route.v3.RouteAction.HashPolicy.Header": "header_name regex_rewrite",
        "envoy.type.matcher.v3.RegexMatchAndSubstitute": "pattern substitution",
        "envoy.config.route.v3.RouteAction.MaxStreamDuration": (
            "max_stream_duration grpc_timeout_header_max"
        ),
        "envoy.config.route.v3.RetryPolicy": (
            "retry_on num_retries retry_back_off retry_host_predicate host_selection_retry_max_attempts "
            "retriable_status_codes retriable_headers per_try_timeout"
        ),
        "envoy.config.route.v3.RetryPolicy.RetryBackOff": "base_interval max_interval",
        "envoy.config.route.v3.WeightedCluster": "clusters total_weight",
        "envoy.config.route.v3.WeightedCluster.ClusterWeight": (
            f"name weight typed_per_filter_config {_EDITS}"
        ),
        "envoy.extensions.filters.http.fault.v3.HTTPFault": "delay abort max_active_faults",
        "envoy.extensions.filters.common.fault.v3.FaultDelay": "fixed_delay header_delay percentage",
        "envoy.extensions.filters.http.fault.v3.FaultAbort": (
            "http_status grpc_status header_abort percentage"
        ),
        "envoy.config.cluster.v3.Cluster": (
            "name alt_stat_name type cluster_type eds_cluster_config load_assignment lb_policy "
            "least_request_lb_config ring_hash_lb_config load_balancing_policy circuit_breakers "
            "outlier_detection dns_refresh_rate"
        ),
        "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig": "choice_count",
        "envoy.config.cluster.v3.Cluster.RingHashLbConfig": (
            "minimum_ring_size maximum_ring_size hash_function"
        ),
        "envoy.config.cluster.v3.CircuitBreakers": "thresholds",
        "envoy.config.cluster.v3.CircuitBreakers.Thresholds": "priority max_requests max_retries",
        "envoy.config.cluster.v3.OutlierDetection": (
            "interval base_ejection_time max_ejection_time max_ejection_percent success_rate_stdev_factor "
            "enforcing_success_rate success_rate_minimum_hosts success_rate_request_volume "
            "failure_percentage_threshold enforcing_failure_percentage failure_percentage_minimum_hosts "
            "failure_percentage_request_volume consecutive_5xx enforcing_consecutive_5xx "
            "consecutive_gateway_failure enforcing_consecutive_gateway_failure"
        ),
        "envoy.extensions.clusters.aggregate.v3.ClusterConfig": "clusters",
        "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin": "",
        "envoy.extensions.load_balancing_policies.random.v3.Random": "",
        "envoy.extensions.load_balancing_policies.pick_first.v3.PickFirst": "",
        "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest": "choice_count",
        "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash": (
            "hash_function minimum_ring_size maximum_ring_size"
        ),
        "envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality": "endpoint_picking_policy",
        "envoy.config.cluster.v3.Cluster.EdsClusterConfig": "eds_config service_name",
        "envoy.config.endpoint.v3.ClusterLoadAssignment": "cluster_name endpoints policy",
        "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy": "drop_overloads overprovisioning_factor",
        "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy.DropOverload": "category drop_percentage",
        "envoy.config.endpoint.v3.LocalityLbEndpoints": (
            "locality lb_endpoints load_balancing_weight priority"
        ),
        "envoy.config.endpoint.v3.LbEndpoint": "endpoint health_status metadata load_balancing_weight",
        "envoy.config.endpoint.v3.Endpoint": "address hostname",
        "envoy.config.core.v3.Address": "socket_address",
        "envoy.config.core.v3.SocketAddress": "address port_value protocol",
    }.items()
}
"""Every field that has its effect here, or (names, statistics, metadata) none to have.

Some have none on gRPC calls and a note of their own, left out where Istiod says them unasked:
`query_parameters`, `timeout`, `max_grpc_timeout`, the rewrites of a route, what it hashes of cookies and
queries, and `retry_on` word by word.
"""

CLOSED = frozenset(
    {
        "envoy.config.route.v3.RouteMatch",
        "envoy.config.route.v3.HeaderMatcher",
        "envoy.config.route.v3.QueryParameterMatcher",
        "envoy.type.matcher.v3.StringMatcher",
    }
)
"""Messages in which a field that is not understood refuses the resource."""


class Notes(Struct):
    """What a resource says and this library does not act on, gathered while it is parsed."""

    lines: list[str] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        self.lines.append(f"{where}: {what}")


def check_fields(message: Any, where: str, notes: Notes) -> None:
    """Hold the fields set in `message` against the table.

    Raises ResourceError for an unknown field of a CLOSED message.
    """
    name = message.DESCRIPTOR.full_name
    known = SUPPORTED[name]
    for descriptor, _ in message.ListFields():
        if descriptor.name in known:
            continue
        if name in CLOSED:
            raise ResourceError(f"{where}.{descriptor.name}", "this matcher is not supported")
        notes.add(f"{where}.{descriptor.name}" if where else descriptor.name, "has no effect here")
    if name in CLOSED:
        unknown = UnknownFieldSet(message)
        if len(unknown):
            raise ResourceError(where, f"field {unknown[0].field_number} of {name} is not known")


def one_of(message: Any, group: str, where: str, allowed: Iterable[str]) -> str:
    """Return which field of the oneof `group` is set.

    Raises ResourceError where none is, or one outside `allowed`.
    """
    which = message.WhichOneof(group)
    if which is None:
        raise ResourceError(where, f"no {group} is set")
    if which not in allowed:
        raise ResourceError(f"{where}.{which}", "is not supported")
    return str(which)
