"""`loadBalancer` of a trafficPolicy, by the rules of Istio's `validateLoadBalancer`."""

from __future__ import annotations

from controlplane.fields import Fields
from controlplane.parse.locality import parse_locality
from controlplane.trafficpolicy import ConsistentHash, LoadBalancer

_SIMPLE = ("UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST")
_SERVED = ("UNSPECIFIED", "ROUND_ROBIN", "LEAST_REQUEST")
_KEYS = ("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName")
_MAX_TABLE = 5_000_011


def parse_load_balancer(policy: Fields, *, has_outlier: bool) -> LoadBalancer | None:
    """Read `loadBalancer`; None where it is absent."""
    balancer = policy.child("loadBalancer")
    if balancer is None:
        return None
    simple = balancer.enum("simple", _SIMPLE, "UNSPECIFIED") if balancer.has("simple") else ""
    if simple and simple not in _SERVED:
        balancer.warn(f"{simple} is not sent to a gRPC client by Istiod: it takes turns", "simple")
    found = LoadBalancer(simple, _hash(balancer), parse_locality(balancer, has_outlier=has_outlier))
    if simple and found.hash is not None:
        balancer.error("only one of simple and consistentHash may be set", "consistentHash")
    balancer.duration("warmupDurationSecs", is_exact=True)
    if warmup := balancer.child("warmup"):
        if not warmup.has("duration"):
            warmup.error("is required", "duration")
        warmup.duration("duration")
        if (warmup.number("minimumPercent") or 0) > 100:
            warmup.error("must be at most 100", "minimumPercent")
        aggression = warmup.number("aggression")
        if aggression is not None and aggression < 1:
            warmup.error("must be at least 1", "aggression")
        warmup.close()
    balancer.close()
    return found


def _hash(balancer: Fields) -> ConsistentHash | None:
    fields = balancer.child("consistentHash")
    if fields is None:
        return None
    given = [key for key in _KEYS if fields.has(key)]
    if len(given) > 1:
        fields.error(f"only one of {' and '.join(given)} may be set", given[1])
    by, name = "", ""
    path = ""
    ttl: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    if given == ["httpHeaderName"]:
        by, name = "header", fields.string("httpHeaderName")
    elif given == ["useSourceIp"]:
        by, name = "source", "true" if fields.boolean("useSourceIp") else ""
    elif given == ["httpQueryParameterName"]:
        by, name = "query", fields.string("httpQueryParameterName")
    elif given == ["httpCookie"] and (cookie := fields.child("httpCookie")):
        by, name = "cookie", cookie.string("name")
        path, ttl, attributes = (
            cookie.string("path"),
            cookie.duration("ttl", is_exact=True),
            _attributes(cookie),
        )
        if not name:
            cookie.error("is required", "name")
        cookie.close()
    algorithm, size = _algorithm(fields)
    fields.close()
    return ConsistentHash(by, name, path, ttl, attributes, algorithm, size)


def _attributes(cookie: Fields) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for item in cookie.children("attributes"):
        name = item.string("name")
        if not name or any(name == other for other, _ in found):
            item.error("must be a name not given before", "name")
        found.append((name, item.string("value")))
        item.close()
    return tuple(found)


def _algorithm(fields: Fields) -> tuple[str, int]:
    """The name of the algorithm, "" where none is given, and the size it names."""
    old = fields.integer("minimumRingSize", minimum=0, maximum=2**63)
    if old:
        fields.warn("is deprecated; write ringHash", "minimumRingSize")
    if fields.has("ringHash") and fields.has("maglev"):
        fields.error("only one of ringHash and maglev may be set", "maglev")
    if old and (fields.has("ringHash") or fields.has("maglev")):
        fields.error("cannot stand beside ringHash or maglev", "minimumRingSize")
    if ring := fields.child("ringHash"):
        size = ring.integer("minimumRingSize", minimum=0, maximum=2**63) or 0
        ring.close()
        return "ring", size
    if maglev := fields.child("maglev"):
        size = maglev.integer("tableSize", minimum=0, maximum=2**63) or 0
        if not size or size >= _MAX_TABLE or not _is_prime(size):
            maglev.error(f"must be a prime number below {_MAX_TABLE}", "tableSize")
        maglev.close()
        return "maglev", size
    return "", old or 0


def _is_prime(number: int) -> bool:
    """As Envoy counts: 1 is one."""
    if number < 4:
        return number != 0
    return number % 2 != 0 and all(number % factor for factor in range(3, int(number**0.5) + 1, 2))
