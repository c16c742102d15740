"""`trafficPolicy`, by the rules of Istio's `validateTrafficPolicy`.

All of it is checked. Istiod tells a gRPC client of a few parts only; the others are worth a warning.
"""

from __future__ import annotations

from controlplane import names
from controlplane.fields import Fields
from controlplane.parse import checks
from controlplane.parse.loadbalancer import parse_load_balancer
from controlplane.parse.tls import parse_tls
from controlplane.trafficpolicy import TrafficPolicy

_PARTS = ("loadBalancer", "connectionPool", "outlierDetection", "tls")
_WHOLE = (*_PARTS, "tunnel", "proxyProtocol", "retryBudget")
_UPGRADES = ("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE")
DROPPED = "has no effect on a gRPC client: Istiod does not send it"


def parse_traffic_policy(outer: Fields, namespace: str) -> TrafficPolicy | None:
    """Read `trafficPolicy`; None where it is absent."""
    policy = outer.child("trafficPolicy")
    if policy is None:
        return None
    ports = tuple(_port(item, namespace) for item in policy.children("portLevelSettings"))
    if not ports and not any(policy.has(name) for name in _WHOLE):
        policy.error("needs at least one field")
    for name in ("tunnel", "proxyProtocol", "retryBudget"):
        if policy.has(name):
            policy.warn(DROPPED, name)
    if policy.has("tunnel") and policy.has("proxyProtocol"):
        policy.error("cannot stand beside tunnel", "proxyProtocol")
    _tunnel(policy)
    _small_parts(policy)
    return _parts(policy, namespace, ports)


def _port(item: Fields, namespace: str) -> tuple[int, TrafficPolicy]:
    number = 0
    if selector := item.child("port"):
        number = selector.integer("number", minimum=0) or 0
        selector.close()
    elif not item.has("port"):
        item.error("a port is required", "port")
    if not any(item.has(name) for name in _PARTS):
        item.error("needs at least one field beside port")
    return number, _parts(item, namespace)


def _parts(
    policy: Fields, namespace: str, ports: tuple[tuple[int, TrafficPolicy], ...] = ()
) -> TrafficPolicy:
    has_outlier = _outlier_detection(policy)
    found = TrafficPolicy(
        load_balancer=parse_load_balancer(policy, has_outlier=has_outlier),
        max_requests=_connection_pool(policy),
        outlier_detection=has_outlier,
        tls_mode=parse_tls(policy, namespace),
        ports=ports,
    )
    policy.close()
    return found


def _outlier_detection(policy: Fields) -> bool:
    outlier = policy.child("outlierDetection")
    if outlier is None:
        return False
    policy.warn(f"{DROPPED}; it only makes endpoints of other places stand by", "outlierDetection")
    if outlier.integer("consecutiveErrors"):
        outlier.warn("is deprecated; write consecutive5xxErrors", "consecutiveErrors")
    local = outlier.integer("consecutiveLocalOriginFailures", minimum=0, maximum=2**32 - 1)
    if not outlier.boolean("splitExternalLocalOriginErrors") and local:
        outlier.error("needs splitExternalLocalOriginErrors", "consecutiveLocalOriginFailures")
    for name in ("consecutiveGatewayErrors", "consecutive5xxErrors"):
        outlier.integer(name, minimum=0, maximum=2**32 - 1)
    for name in ("interval", "baseEjectionTime"):
        outlier.duration(name)
    for name in ("maxEjectionPercent", "minHealthPercent"):
        outlier.integer(name, minimum=0, maximum=100)
    outlier.close()
    return True


def _connection_pool(policy: Fields) -> int | None:
    pool = policy.child("connectionPool")
    if pool is None:
        return None
    if not pool.has("http") and not pool.has("tcp"):
        pool.error("needs http or tcp")
    if tcp := pool.child("tcp"):
        pool.warn(DROPPED, "tcp")
        _tcp(tcp)
    limit = 0
    if http := pool.child("http"):
        limit = http.integer("http2MaxRequests", minimum=0) or 0
        _http(http)
    pool.close()
    return limit


def _tcp(tcp: Fields) -> None:
    tcp.integer("maxConnections", minimum=0)
    tcp.duration("connectTimeout")
    tcp.duration("maxConnectionDuration")
    idle = tcp.duration("idleTimeout", is_exact=True)
    if idle is not None and abs(idle) >= 1_000_000:
        tcp.duration("idleTimeout")
    if keepalive := tcp.child("tcpKeepalive"):
        keepalive.integer("probes", minimum=0, maximum=2**32 - 1)
        keepalive.duration("time")
        keepalive.duration("interval")
        keepalive.close()
    tcp.close()


def _http(http: Fields) -> None:
    for name in ("http1MaxPendingRequests", "maxRequestsPerConnection", "maxRetries", "maxConcurrentStreams"):
        if http.integer(name, minimum=0) is not None:
            http.warn(DROPPED, name)
    http.duration("idleTimeout")
    upgrade = http.enum("h2UpgradePolicy", _UPGRADES, "DEFAULT")
    if http.boolean("useClientProtocol") and upgrade == "UPGRADE":
        http.error("cannot be true while h2UpgradePolicy is UPGRADE", "useClientProtocol")
    http.close()


def _tunnel(policy: Fields) -> None:
    tunnel = policy.child("tunnel")
    if tunnel is None:
        return
    tunnel.enum("protocol", ("", "CONNECT", "POST"), "")
    host = tunnel.string("targetHost")
    if not names.is_ip(host):
        checks.check(tunnel, "targetHost", names.wrong_fqdn(host))
    checks.check(tunnel, "targetPort", names.wrong_port(tunnel.integer("targetPort", minimum=0) or 0))
    tunnel.close()


def _small_parts(policy: Fields) -> None:
    if proxy := policy.child("proxyProtocol"):
        proxy.enum("version", ("V1", "V2"), "V1")
        proxy.close()
    if budget := policy.child("retryBudget"):
        budget.number("percent")
        budget.integer("minRetryConcurrency", minimum=0, maximum=2**32 - 1)
        budget.close()
