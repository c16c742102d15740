"""The ADS stream without I/O: subscriptions, nonces, refusals, order, and what is sent when."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.loader import load_texts
from controlplane.node import NodeError, parse_node
from controlplane.registry import Registry
from controlplane.snapshot import SHORT_NAMES, TYPE_URLS, Snapshot
from controlplane.stream import Stream

HOST = "reviews.default.svc.cluster.local"
LISTENER = f"{HOST}:9080"
BASE = f"outbound|9080||{HOST}"
V1 = f"outbound|9080|v1|{HOST}"
V2 = f"outbound|9080|v2|{HOST}"
NOW = "2026-01-01T00:00:00+00:00"

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v1}}]}]}
"""
RATINGS = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ratings}
spec: {hosts: [ratings.default.svc.cluster.local], resolution: STATIC, ports: [{number: 9080, name: grpc}]}
"""


def request(
    short: str, names: list[str], response: discovery_pb2.DiscoveryResponse | None = None, error: str = ""
) -> discovery_pb2.DiscoveryRequest:
    found = discovery_pb2.DiscoveryRequest(type_url=TYPE_URLS[short], resource_names=names)
    found.node.id = "sidecar~127.0.9.9~me.default~default.svc.cluster.local"
    if response is not None:
        found.response_nonce = response.nonce
        if error:
            found.error_detail.message = error
        else:
            found.version_info = response.version_info
    return found


class Peer:
    """A client of one stream, by hand."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.stream = Stream("7", snapshot)

    def ask(self, *args: Any, **kwargs: Any) -> list[discovery_pb2.DiscoveryResponse]:
        return self.stream.on_request(request(*args, **kwargs), NOW)

    def one(self, *args: Any, **kwargs: Any) -> discovery_pb2.DiscoveryResponse:
        (response,) = self.ask(*args, **kwargs)
        return response

    def subscribe(self, short: str, names: list[str]) -> discovery_pb2.DiscoveryResponse:
        """Ask, and acknowledge the answer."""
        response = self.one(short, names)
        assert self.ask(short, names, response) == []
        return response


def test_the_first_request_must_say_who_asks(world: Any) -> None:
    stream = Stream("1", world())
    with pytest.raises(NodeError, match="missing node"):
        stream.on_request(discovery_pb2.DiscoveryRequest(type_url=TYPE_URLS["LDS"]), NOW)


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ("me", "sidecar~IP~NAME.NAMESPACE~DOMAIN"),
        ("car~127.0.0.1~me.default~default.svc.cluster.local", "unknown node type"),
        ("sidecar~nowhere~me.default~default.svc.cluster.local", "no valid IP address"),
    ],
)
def test_a_node_that_says_nothing_useful_is_refused(identity: str, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        parse_node(discovery_pb2.DiscoveryRequest(node={"id": identity}).node)


def test_a_node_is_read_as_istiod_reads_it() -> None:
    metadata = Struct()
    metadata.update({"LABELS": {"app": "me"}, "NAMESPACE": "shop", "INSTANCE_IPS": "10.0.0.1,::1"})
    found = parse_node(
        discovery_pb2.DiscoveryRequest(
            node={"id": "sidecar~127.0.0.1~me.x~x.svc.cluster.local", "metadata": metadata}
        ).node
    )
    assert (found.namespace, found.domain, found.addresses) == (
        "shop",
        "x.svc.cluster.local",
        ("10.0.0.1", "::1"),
    )
    assert found.labels == {"app": "me"}


def test_names_that_do_not_exist_are_left_out(world: Any) -> None:
    peer = Peer(world())
    response = peer.one("LDS", [LISTENER, "nothing:1"])
    assert len(response.resources) == 1
    assert peer.one("CDS", ["outbound|9080|v9|" + HOST]).resources == []


@pytest.mark.parametrize(("short", "count"), [("LDS", 1), ("CDS", 3)])
@pytest.mark.parametrize("names", [[], ["*"]])
def test_a_wildcard_is_everything(world: Any, short: str, count: int, names: list[str]) -> None:
    peer = Peer(world())
    assert len(peer.subscribe(short, names).resources) == count
    assert peer.stream.subscriptions[short].wildcard


def test_an_acknowledgement_is_not_answered_and_is_remembered(world: Any) -> None:
    peer = Peer(world())
    response = peer.one("LDS", [LISTENER])
    known = peer.stream.subscriptions["LDS"]
    assert (known.state, known.version_acked) == ("pending", None)
    assert peer.ask("LDS", [LISTENER], response) == []
    assert (known.state, known.version_acked) == ("acknowledged", response.version_info)


def test_a_refusal_is_remembered_and_not_answered(world: Any) -> None:
    peer = Peer(world())
    response = peer.one("RDS", [BASE])
    assert peer.ask("RDS", [BASE, V1], response, error="no such field") == []
    known = peer.stream.subscriptions["RDS"]
    assert known.state == "refused"
    assert known.names == {BASE}  # names in a refusal are ignored
    assert known.version_acked is None
    assert known.last_refusal is not None
    assert (known.last_refusal.version, known.last_refusal.message, known.last_refusal.at) == (
        response.version_info,
        "no such field",
        NOW,
    )
    # The same state again is no reason to send it again.
    assert peer.stream.on_snapshot(world(generation=2)) == []


def test_names_after_a_refusal_do_not_make_it_an_acknowledgement(world: Any) -> None:
    peer = Peer(world())
    first = peer.one("CDS", [V1])
    peer.ask("CDS", [V1], first, error="bad")
    follow_up = request("CDS", [V1, V2], first)
    follow_up.version_info = ""
    (second,) = peer.stream.on_request(follow_up, NOW)
    assert len(second.resources) == 2
    assert peer.stream.subscriptions["CDS"].version_acked is None


def test_a_stale_nonce_is_dropped_with_its_names(world: Any) -> None:
    peer = Peer(world())
    first = peer.subscribe("CDS", [V1])
    second = peer.one("CDS", [V1, V2], first)
    assert peer.ask("CDS", [BASE], first) == []
    assert peer.ask("CDS", [BASE], first, error="late") == []
    known = peer.stream.subscriptions["CDS"]
    assert known.names == {V1, V2}
    assert known.state == "pending"
    assert known.last_refusal is None
    assert second.nonce == known.nonce


def test_a_name_more_is_answered_with_all_of_them(world: Any) -> None:
    peer = Peer(world())
    for short in ("CDS", "EDS"):
        first = peer.subscribe(short, [V1])
        assert len(peer.one(short, [V1, V2], first).resources) == 2


def test_a_name_less_is_answered_for_listeners_and_clusters_only(world: Any) -> None:
    peer = Peer(world())
    for short, answers in (("CDS", 1), ("EDS", 0)):
        first = peer.subscribe(short, [V1, V2])
        assert len(peer.ask(short, [V1], first)) == answers


def test_dropping_the_last_listener_turns_into_a_wildcard(world: Any) -> None:
    peer = Peer(world(RATINGS))
    first = peer.subscribe("LDS", [LISTENER])
    assert len(peer.one("LDS", [], first).resources) == 2


def test_dropping_the_last_cluster_leaves_none(world: Any) -> None:
    peer = Peer(world())
    first = peer.subscribe("CDS", [V1])
    assert len(peer.one("CDS", [], first).resources) == 0


@pytest.mark.parametrize("short", ["RDS", "EDS"])
def test_no_names_end_a_subscription_of_routes_or_endpoints(world: Any, short: str) -> None:
    peer = Peer(world())
    assert peer.ask(short, []) == []
    first = peer.subscribe(short, [BASE])
    assert peer.ask(short, [], first) == []
    assert short not in peer.stream.subscriptions
    assert len(peer.one(short, [BASE], first).resources) == 1


def test_a_type_it_knows_nothing_of_is_not_answered(world: Any) -> None:
    unknown = request("LDS", [LISTENER])
    unknown.type_url = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    assert Stream("1", world()).on_request(unknown, NOW) == []


def test_a_change_goes_out_in_order_and_only_where_it_is_one(world: Any, services_yaml: str) -> None:
    peer = Peer(world())
    for short, names in (("LDS", [LISTENER]), ("RDS", [BASE]), ("CDS", [BASE, V1]), ("EDS", [BASE, V1])):
        peer.subscribe(short, names)
    routes_only = peer.stream.on_snapshot(world(RULE, generation=2))
    assert [SHORT_NAMES[r.type_url] for r in routes_only] == ["RDS"]
    moved = services_yaml.replace("127.0.1.2", "127.0.1.3")
    (endpoints,) = peer.stream.on_snapshot(world(RULE, services=moved, generation=3))
    # Only the assignment that has changed: v1 has not.
    assert [SHORT_NAMES[endpoints.type_url], len(endpoints.resources)] == ["EDS", 1]
    everything = peer.stream.on_snapshot(world(services=RATINGS, generation=4))
    assert [SHORT_NAMES[r.type_url] for r in everything] == ["CDS", "EDS", "LDS", "RDS"]
    assert [change.generation for change in peer.stream.changes] == [2, 3, 4, 4, 4, 4]


def test_routes_go_out_whole_when_one_of_them_changes(world: Any) -> None:
    other = "outbound|9080||ratings.default.svc.cluster.local"
    peer = Peer(world(RATINGS))
    peer.subscribe("RDS", [BASE, other])
    (response,) = peer.stream.on_snapshot(world(RATINGS, RULE, generation=2))
    assert len(response.resources) == 2


def test_what_another_client_gets_is_no_change_for_this_one(world: Any) -> None:
    rule = RULE.replace("{route:", "{match: [{sourceLabels: {app: other}}], route:")
    peer = Peer(world())
    peer.subscribe("RDS", [BASE])
    assert peer.stream.on_snapshot(world(rule, generation=2)) == []


def _snapshots() -> list[Snapshot]:
    services = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 9080, name: grpc, protocol: GRPC}]
  endpoints: [{address: 127.0.1.1, labels: {version: v1}}]
"""
    return [
        Snapshot(Registry(load_texts({"a": services, **more}).objects), generation)
        for generation, more in enumerate(
            ({}, {"b": RULE}, {"c": RATINGS}, {"b": RULE, "c": RATINGS}), start=1
        )
    ]


NAMES = {"LDS": [LISTENER, "ratings:9080", "x:1"], "RDS": [BASE, "x"], "CDS": [BASE, V1], "EDS": [BASE, V1]}
EVENT = st.one_of(
    st.integers(0, 3),
    st.tuples(
        st.sampled_from(list(TYPE_URLS)),
        st.sets(st.integers(0, 2)),
        st.sampled_from(["new", "ack", "nack", "old"]),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENT, max_size=30))
def test_any_order_of_events_keeps_the_stream_honest(
    events: list[int | tuple[str, set[int], str]],
) -> None:
    snapshots = _snapshots()
    stream = Stream("1", snapshots[0])
    sent: list[discovery_pb2.DiscoveryResponse] = []
    last: dict[str, discovery_pb2.DiscoveryResponse] = {}
    for event in events:
        if isinstance(event, int):
            responses = stream.on_snapshot(snapshots[event])
            order = [list(TYPE_URLS.values()).index(response.type_url) for response in responses]
            assert order == sorted(order)
        else:
            short, chosen, kind = event
            names = [name for index, name in enumerate(NAMES[short]) if index in chosen]
            answer = (
                last.get(short) if kind in ("ack", "nack") else (sent[0] if sent and kind == "old" else None)
            )
            responses = stream.on_request(request(short, names, answer, "no" if kind == "nack" else ""), NOW)
            assert len(responses) <= 1
            if kind == "nack" and answer is not None:
                assert not responses
        for response in responses:
            short = SHORT_NAMES[response.type_url]
            assert response.nonce not in {other.nonce for other in sent}
            sent.append(response)
            last[short] = response
        for short, known in stream.subscriptions.items():
            assert known.version_sent == last[short].version_info
            assert known.wildcard or known.served.by_name.keys() <= known.names
            assert known.nonce == last[short].nonce
            assert known.state in ("pending", "acknowledged", "refused")
