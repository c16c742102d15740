"""What a route does besides choosing a cluster: retries, faults."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2 as pb
from envoy.extensions.filters.common.fault.v3 import fault_pb2 as common_fault_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from controlplane.objects import Fault, Retries
from controlplane.parse.retries import is_http_status
from controlplane.translate.anys import duration, pack

DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
DEFAULT_ATTEMPTS = 2
HOST_SELECTION_ATTEMPTS = 5


def build_retry(retries: Retries | None, *, is_sticky: bool = False) -> pb.RetryPolicy | None:
    """The retry policy of a route: Istio's default where none is given, None where retries are turned off.

    Calls that stick to an endpoint by a hash may be tried there again, unless it is said that they may not.
    """
    if retries is None:
        retries = Retries(attempts=DEFAULT_ATTEMPTS)
    if retries.attempts <= 0:
        return None
    policy = pb.RetryPolicy(
        retry_on=DEFAULT_RETRY_ON,
        num_retries=UInt32Value(value=retries.attempts),
        host_selection_retry_max_attempts=HOST_SELECTION_ATTEMPTS,
    )
    if retries.retry_on:
        _retry_on(policy, retries.retry_on)
    moves_on = retries.retry_ignore_previous_hosts
    if moves_on or (moves_on is None and not is_sticky):
        policy.retry_host_predicate.add(
            name="envoy.retry_host_predicates.previous_hosts",
            typed_config=pack(previous_hosts_pb2.PreviousHostsPredicate()),
        )
    if retries.retry_remote_localities:
        priorities = previous_priorities_config_pb2.PreviousPrioritiesConfig(update_frequency=2)
        policy.retry_priority.CopyFrom(
            pb.RetryPolicy.RetryPriority(
                name="envoy.retry_priorities.previous_priorities", typed_config=pack(priorities)
            )
        )
    if retries.per_try_timeout is not None:
        policy.per_try_timeout.CopyFrom(duration(retries.per_try_timeout))
    if retries.backoff is not None:
        policy.retry_back_off.base_interval.CopyFrom(duration(retries.backoff))
    return policy


def _retry_on(policy: pb.RetryPolicy, retry_on: str) -> None:
    """Numbers among the conditions are HTTP statuses, which Envoy has a field of their own for."""
    parts = [part.strip() for part in retry_on.split(",") if part.strip()]
    codes = [int(part) for part in parts if is_http_status(part)]
    conditions = [part for part in parts if not is_http_status(part)]
    policy.retry_on = ",".join(conditions)
    if codes and "retriable-status-codes" not in policy.retry_on:
        # With numbers alone it begins with a comma, as Istiod's does.
        policy.retry_on += ",retriable-status-codes"
    policy.retriable_status_codes.extend(codes)


def build_fault(fault: Fault) -> fault_pb2.HTTPFault:
    """The fault of a route; nothing to inject is an empty one."""
    found = fault_pb2.HTTPFault()
    if fault.delay is not None:
        share = _percent(fault.delay.percent)
        if fault.delay.millionths is not None:
            share = _millionths(fault.delay.millionths)
        found.delay.CopyFrom(
            common_fault_pb2.FaultDelay(fixed_delay=duration(fault.delay.fixed_delay), percentage=share)
        )
    if fault.abort is not None:
        abort = fault_pb2.FaultAbort()
        if fault.abort.grpc_status is not None:
            abort.grpc_status = fault.abort.grpc_status
        elif fault.abort.http_status is not None:
            abort.http_status = fault.abort.http_status
        if fault.abort.millionths is not None:
            abort.percentage.CopyFrom(_millionths(fault.abort.millionths))
        found.abort.CopyFrom(abort)
    return found


def _millionths(value: int) -> percent_pb2.FractionalPercent:
    return percent_pb2.FractionalPercent(numerator=value, denominator=percent_pb2.FractionalPercent.MILLION)


def _percent(value: int) -> percent_pb2.FractionalPercent:
    return percent_pb2.FractionalPercent(numerator=value, denominator=percent_pb2.FractionalPercent.HUNDRED)
