"""The ADS machine under any order of events: whatever happens, its promises hold."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from proxyless.held import DataErrors, Event, Held, State
from proxyless.messages import Denial, Request, Response
from proxyless.protocol import ABSENT_AFTER, OVERDUE_AFTER, AdsMachine
from proxyless.resources import Kind

from tests.fakes import resources as fake

KINDS = st.sampled_from(Kind)
NAMES = st.sampled_from("abc")
WHATS = st.sampled_from(["good", "other", "bad", "garbage", "unwatchable", "wrong type"])


def _good(kind: Kind, name: str, variant: int) -> Any:
    if kind is Kind.LISTENER:
        return fake.listener(name, f"r{variant}")
    if kind is Kind.ROUTE_CONFIG:
        return fake.route_config(name, [fake.route(f"c{variant}")])
    if kind is Kind.CLUSTER:
        return fake.cluster(name, alt_stat_name=str(variant))
    return fake.endpoints(name, f"10.0.0.{variant}:80")


def _bad(kind: Kind, name: str) -> Any:
    if kind is Kind.ROUTE_CONFIG:
        return fake.route_config(name, [{"match": {"prefix": ""}}])
    if kind is Kind.ENDPOINTS:
        return fake.endpoints(name, "10.0.0.1:80", priority=1)
    return fake.Listener(name=name) if kind is Kind.LISTENER else fake.Cluster(name=name)


BYTES: dict[tuple[Kind, str, str], bytes] = {}
for _kind in Kind:
    for _name in "abc":
        BYTES[_kind, _name, "good"] = _good(_kind, _name, 1).SerializeToString()
        BYTES[_kind, _name, "other"] = _good(_kind, _name, 2).SerializeToString()
        BYTES[_kind, _name, "bad"] = _bad(_kind, _name).SerializeToString()
        BYTES[_kind, _name, "garbage"] = b"\xff"
        BYTES[_kind, _name, "unwatchable"] = _good(_kind, "z", 1).SerializeToString()
        BYTES[_kind, _name, "wrong type"] = BYTES[_kind, _name, "good"]
WRONG = {kind: Kind.CLUSTER.type_url if kind is not Kind.CLUSTER else Kind.LISTENER.type_url for kind in Kind}


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.policy = DataErrors()
        self.machine = AdsMachine()
        self.now = 0.0
        self.connected = False
        self.node_sent = False
        self.nonces = 0
        self.watched: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        self.start_stream()

    @initialize(policy=st.builds(DataErrors, st.booleans(), st.booleans(), st.booleans()))
    def of_a_kind(self, policy: DataErrors) -> None:
        self.policy, self.machine = policy, AdsMachine(policy)

    def start_stream(self) -> None:
        self.node_sent = False
        self.sent: dict[Kind, tuple[str, ...]] = dict.fromkeys(Kind, ())
        self.asked: set[Kind] = set()
        self.nonce: dict[Kind, str] = dict.fromkeys(Kind, "")
        self.owed: dict[Kind, list[tuple[str, str, bool]]] = {kind: [] for kind in Kind}

    def held(self) -> dict[tuple[Kind, str], Held]:
        return {(kind, name): h for kind in Kind for name, h in self.machine.watched(kind).items()}

    # --- what can happen --------------------------------------------------------------------------------

    @rule(kind=KINDS, name=NAMES)
    def watch(self, kind: Kind, name: str) -> None:
        self.machine.watch(kind, name)
        self.watched[kind].add(name)

    @rule(kind=KINDS, name=NAMES)
    def unwatch(self, kind: Kind, name: str) -> None:
        self.machine.unwatch(kind, name)
        self.watched[kind].discard(name)

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.machine.connected()
        self.connected = True
        self.start_stream()

    @rule()
    def disconnect(self) -> None:
        """Of an open stream, or an attempt that never got that far."""
        before = self.held()
        self.machine.disconnected("gone")
        self.connected = False
        assert self.held() == before

    @precondition(lambda self: self.connected)
    @rule(
        kind=KINDS,
        contents=st.lists(st.tuples(NAMES, WHATS), max_size=3),
        denied=st.dictionaries(NAMES, st.sampled_from([5, 7, 13, 14]), max_size=1),
    )
    def response(self, kind: Kind, contents: list[tuple[str, str]], denied: dict[str, int]) -> None:
        self.nonces += 1
        nonce, before = f"n{self.nonces}", self.held()
        accepted = self.machine.accepted_version(kind)
        packed = tuple(
            (WRONG[kind] if what == "wrong type" else kind.type_url, BYTES[kind, name, what])
            for name, what in contents
        )
        denials = tuple(Denial(name, code, "no") for name, code in denied.items())
        self.machine.received(Response(kind.type_url, str(self.nonces), nonce, packed, denials), self.now)
        after = self.held()
        if kind not in self.asked:
            assert after == before
            return
        blind = any(what in ("garbage", "wrong type") for _, what in contents)
        present = {name for name, what in contents if what in ("good", "other", "bad")}
        refused = self.machine.accepted_version(kind) == accepted
        assert refused or self.machine.accepted_version(kind) == str(self.nonces)
        assert refused >= blind
        self.owed[kind].append((nonce, self.machine.accepted_version(kind), refused))
        self.nonce[kind] = nonce
        for key, was in before.items():
            now = after[key]
            if key[0] is not kind:
                assert now == was
            elif was.resource is not None and now.resource is None:
                # A good resource is lost by proven deletion only, unless any error of the data is to end it.
                if now.state is State.ABSENT:
                    assert kind.full_state and not blind and key[1] not in present | denied.keys()
                    assert self.policy.drops(Event.OMITTED)
                else:
                    assert self.policy.drops_on_error
                    assert (key[1], "bad") in contents or denied.get(key[1]) in (5, 7)
            elif now.resource is not was.resource:
                assert (key[1], "good") in contents or (key[1], "other") in contents
        for name, what in {name: what for name, what in contents if what in ("good", "other", "bad")}.items():
            if (kind, name) in after and name not in denied:  # the last word counts
                assert after[kind, name].state is (State.NACKED if what == "bad" else State.ACKED)
                assert what == "bad" or after[kind, name].data == BYTES[kind, name, what]
        for name in denied:
            assert (kind, name) not in after or after[kind, name].state is State.DENIED

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 14.0, 15.0, 100.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        before = self.held()
        self.machine.tick(self.now)
        for key, after in self.held().items():
            if after != before[key]:
                assert before[key].state is State.REQUESTED and seconds
                overdue = after.state is State.OVERDUE and self.policy.slow_is_trouble
                assert overdue or after.state is State.ABSENT

    @rule()
    def send(self) -> None:
        requests = self.machine.take_requests(self.now)
        if not self.connected:
            assert requests == []
            return
        for i, request in enumerate(requests):
            assert request.first == (i == 0 and not self.node_sent)
        self.node_sent |= bool(requests)
        for kind in Kind:
            self._check_requests(kind, [request for request in requests if request.kind is kind])
        assert self.machine.take_requests(self.now) == []

    def _check_requests(self, kind: Kind, requests: list[Request]) -> None:
        answers, rest = requests[: len(self.owed[kind])], requests[len(self.owed[kind]) :]
        # Every response is answered exactly once, in order, with the version accepted by then.
        assert [(r.nonce, r.version, bool(r.error)) for r in answers] == self.owed[kind]
        self.owed[kind].clear()
        assert len(rest) <= 1
        for request in requests:
            if request.error:
                assert request.names == self.sent[kind]
            if kind.full_state:
                assert request.names, "a wildcard"
            self.sent[kind] = request.names
        for request in rest:
            assert (request.nonce, request.error) == (self.nonce[kind], "")
        if requests:
            self.asked.add(kind)
        wanted = tuple(sorted(self.watched[kind]))
        assert self.sent[kind] == wanted or (kind.full_state and not wanted)

    @precondition(lambda self: self.connected)
    @rule()
    def nobody_waits_for_ever(self) -> None:
        self.send()
        self.now += OVERDUE_AFTER if self.policy.slow_is_trouble else ABSENT_AFTER
        self.machine.tick(self.now)
        assert not [key for key, held in self.held().items() if held.state is State.REQUESTED]

    @rule()
    def changes(self) -> None:
        for kind, name in self.machine.take_changes():
            assert name in self.watched[kind]
        assert self.machine.take_changes() == []

    # --- what always holds ------------------------------------------------------------------------------

    @invariant()
    def held_is_what_is_watched(self) -> None:
        for kind in Kind:
            assert set(self.machine.watched(kind)) == self.watched[kind]
            for name in "abcz":
                assert (self.machine.held(kind, name) is not None) == (name in self.watched[kind])

    @invariant()
    def states_mean_what_they_say(self) -> None:
        for held in self.held().values():
            assert bool(held.error) == (held.state not in (State.REQUESTED, State.ACKED))
            if held.state is State.ACKED:
                assert held.resource is not None
            if held.state in (State.REQUESTED, State.OVERDUE):
                assert held.resource is None
            if held.state is State.ABSENT and self.policy.drops(Event.OMITTED):
                assert held.resource is None
            if held.resource is None:
                assert (held.version, held.data) == ("", b"")

    @invariant()
    def only_what_was_asked_for_has_a_timer(self) -> None:
        due = self.machine.deadline()
        waiting = [
            name
            for kind in Kind
            for name in self.sent[kind]
            if (held := self.machine.held(kind, name)) is not None and held.state is State.REQUESTED
        ]
        if not self.connected:
            assert due is None
        elif waiting:
            assert due is not None and due <= self.now + OVERDUE_AFTER


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
