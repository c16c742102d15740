"""Load balancing policies: `load_balancing_policy`, else the older `lb_policy` (gRFCs A42, A48, A52)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envoy.extensions.load_balancing_policies.least_request.v3.least_request_pb2 import LeastRequest
from envoy.extensions.load_balancing_policies.pick_first.v3.pick_first_pb2 import PickFirst
from envoy.extensions.load_balancing_policies.random.v3.random_pb2 import Random
from envoy.extensions.load_balancing_policies.ring_hash.v3.ring_hash_pb2 import RingHash
from envoy.extensions.load_balancing_policies.round_robin.v3.round_robin_pb2 import RoundRobin
from envoy.extensions.load_balancing_policies.wrr_locality.v3.wrr_locality_pb2 import WrrLocality

from ..errors import ResourceError
from ..resources import LbPolicy
from .scalars import type_name, unpack
from .support import Notes, check_fields

_LARGEST_RING = 8 * 1024 * 1024
_RING_CAP = 4096
_XX_HASH = 1
_DEEPEST = 16


def parse_lb_policy(message: Any, notes: Notes) -> LbPolicy:
    """Return the policy of a Cluster; `load_balancing_policy` goes before `lb_policy`."""
    if message.HasField("load_balancing_policy"):
        return _parse_list(message.load_balancing_policy, "load_balancing_policy", notes, 0)
    names = message.DESCRIPTOR.fields_by_name["lb_policy"].enum_type.values_by_number
    if message.lb_policy not in names:
        raise ResourceError("lb_policy", f"{message.lb_policy} is not a known policy")
    name = names[message.lb_policy].name
    older = _OLDER.get(name)
    if older is None:
        notes.add("lb_policy", f"{name} is not supported: round robin is used")
        return LbPolicy()
    return older(message, notes)


def _older_least_request(message: Any, notes: Notes) -> LbPolicy:
    if not message.HasField("least_request_lb_config"):
        return LbPolicy("least_request")
    return _least_request(message.least_request_lb_config, "least_request_lb_config", notes, True)


def _older_ring_hash(message: Any, notes: Notes) -> LbPolicy:
    config, where = message.ring_hash_lb_config, "ring_hash_lb_config"
    check_fields(config, where, notes)
    if config.hash_function != 0:  # XX_HASH, which has another number in the newer message
        raise ResourceError(f"{where}.hash_function", "must be XX_HASH (gRFC A42)")
    return _ring(config, where)


_OLDER: Mapping[str, Callable[[Any, Notes], LbPolicy]] = {
    "ROUND_ROBIN": lambda message, notes: LbPolicy(),
    "LEAST_REQUEST": _older_least_request,
    "RANDOM": lambda message, notes: LbPolicy("random"),
    "RING_HASH": _older_ring_hash,
}


def _parse_list(message: Any, where: str, notes: Notes, depth: int) -> LbPolicy:
    """Take the first policy of a LoadBalancingPolicy that is supported."""
    if depth > _DEEPEST:
        raise ResourceError(where, f"policies stand within policies more than {_DEEPEST} deep")
    passed: list[tuple[str, str]] = []
    for i, each in enumerate(message.policies):
        at = f"{where}.policies[{i}].typed_extension_config.typed_config"
        packed = each.typed_extension_config.typed_config
        kind = type_name(packed, at)
        found = _NEWER.get(kind)
        if found is not None:
            proto, read = found
            for other in passed:
                notes.add(other[0], f"{other[1]} is not supported: the policy after it is used")
            return read(unpack(packed, proto, at), at, notes, depth)
        passed.append((at, kind or "a policy without a type"))
    raise ResourceError(where, f"none of its policies is supported ({', '.join(kind for _, kind in passed)})")


def _round_robin(message: Any, where: str, notes: Notes, depth: int) -> LbPolicy:
    check_fields(message, where, notes)
    return LbPolicy(by_locality=False)


def _random(message: Any, where: str, notes: Notes, depth: int) -> LbPolicy:
    check_fields(message, where, notes)
    return LbPolicy("random", by_locality=False)


def _pick_first(message: Any, where: str, notes: Notes, depth: int) -> LbPolicy:
    check_fields(message, where, notes)
    return LbPolicy("pick_first", by_locality=False)


def _least_request(message: Any, where: str, notes: Notes, by_locality: bool) -> LbPolicy:
    check_fields(message, where, notes)
    count = message.choice_count.value if message.HasField("choice_count") else 2
    if count < 2:
        raise ResourceError(f"{where}.choice_count", f"{count} is below 2")
    # More do not choose better, and each costs time (gRFC A48 caps at 10).
    return LbPolicy("least_request", by_locality, choice_count=min(count, 10))


def _ring_hash(message: Any, where: str, notes: Notes, depth: int) -> LbPolicy:
    check_fields(message, where, notes)
    if message.hash_function != _XX_HASH and message.hash_function != 0:
        raise ResourceError(f"{where}.hash_function", "must be XX_HASH (gRFC A42)")
    return _ring(message, where)


def _ring(message: Any, where: str) -> LbPolicy:
    smallest = message.minimum_ring_size.value if message.HasField("minimum_ring_size") else 1024
    largest = message.maximum_ring_size.value if message.HasField("maximum_ring_size") else _LARGEST_RING
    for name, size in (("minimum_ring_size", smallest), ("maximum_ring_size", largest)):
        if not 0 < size <= _LARGEST_RING:
            raise ResourceError(f"{where}.{name}", f"{size} is not in [1, {_LARGEST_RING}]")
    if smallest > largest:
        raise ResourceError(f"{where}.minimum_ring_size", f"{smallest} is above maximum_ring_size {largest}")
    sizes = min(smallest, _RING_CAP), min(largest, _RING_CAP)
    return LbPolicy("ring_hash", by_locality=False, min_ring_size=sizes[0], max_ring_size=sizes[1])


def _wrr_locality(message: Any, where: str, notes: Notes, depth: int) -> LbPolicy:
    check_fields(message, where, notes)
    inner = _parse_list(message.endpoint_picking_policy, f"{where}.endpoint_picking_policy", notes, depth + 1)
    if inner.name in ("ring_hash", "pick_first"):
        raise ResourceError(f"{where}.endpoint_picking_policy", f"{inner.name} has no localities to weigh")
    return LbPolicy(inner.name, True, inner.choice_count)


_Reader = Callable[[Any, str, Notes, int], LbPolicy]
_NEWER: Mapping[str, tuple[type[Any], _Reader]] = {
    proto.DESCRIPTOR.full_name: (proto, read)
    for proto, read in (
        (RoundRobin, _round_robin),
        (Random, _random),
        (PickFirst, _pick_first),
        (LeastRequest, lambda message, where, notes, _: _least_request(message, where, notes, False)),
        (RingHash, _ring_hash),
        (WrrLocality, _wrr_locality),
    )
}
