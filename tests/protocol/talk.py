"""One end of an ADS conversation, for tests: the machine, what it is told, and a clock that is a number."""

from __future__ import annotations

from typing import Any

from proxyless.held import SPARING, DataErrors, Held, State
from proxyless.messages import Request, Response
from proxyless.protocol import AdsMachine
from proxyless.resources import Kind

from tests.fakes import resources as fake

LDS, RDS, CDS, EDS = Kind.LISTENER, Kind.ROUTE_CONFIG, Kind.CLUSTER, Kind.ENDPOINTS

GOOD = {
    LDS: fake.listener,
    RDS: lambda name: fake.route_config(name, [fake.route("c")]),
    CDS: fake.cluster,
    EDS: lambda name: fake.endpoints(name, "10.0.0.1:80"),
}
BAD = {
    LDS: lambda name: fake.Listener(name=name),
    RDS: lambda name: fake.route_config(name, [{"match": {"prefix": ""}}]),
    CDS: lambda name: fake.Cluster(name=name),
    EDS: lambda name: fake.endpoints(name, "10.0.0.1:80", priority=1),
}


class Talk:
    """A machine and the other end of its stream, with a clock that only moves when told."""

    def __init__(
        self, *watched: tuple[Kind, str], connected: bool = True, policy: DataErrors = SPARING
    ) -> None:
        self.machine = AdsMachine(policy)
        self.now = 100.0
        self._nonces = 0
        for kind, name in watched:
            self.machine.watch(kind, name)
        if connected:
            self.machine.connected()

    def requests(self) -> list[Request]:
        return self.machine.take_requests(self.now)

    def request(self) -> Request:
        (only,) = self.requests()
        return only

    def answer(self, kind: Kind, *resources: Any, version: str = "1") -> str:
        """A response with these messages (bytes go as they are); returns its nonce."""
        self._nonces += 1
        nonce = f"n{self._nonces}"
        packed = tuple(
            (kind.type_url, each)
            if isinstance(each, bytes)
            else (fake.type_url(each), each.SerializeToString())
            for each in resources
        )
        self.machine.received(Response(kind.type_url, version, nonce, packed), self.now)
        return nonce

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.machine.tick(self.now)

    def state(self, kind: Kind, name: str) -> State:
        return self.held(kind, name).state

    def held(self, kind: Kind, name: str) -> Held:
        held = self.machine.held(kind, name)
        assert held is not None
        return held
