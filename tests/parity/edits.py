"""The table of header mutation: what a level says, what the backend receives, what the caller is answered.

gRPC's client has none of it, so Envoy is the only peer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.json_format import ParseDict

from tests.fakes.resources import listener, route_config
from tests.parity.cases import REFUSED, act

Pairs = tuple[tuple[str, str], ...]
ANSWERED: Final[Pairs] = (("k-other", "1"), ("k-server", "witness"))
"""What the backend answers of itself."""


@dataclass(frozen=True)
class Edit:
    """One row; of all metadata only the keys that begin with `k-` are looked at."""

    name: str
    received: Pairs | str
    """By key; or REFUSED, or a status."""
    answered: Pairs = ANSWERED
    route: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)
    """Of the weighted cluster."""
    metadata: Pairs = (("k-a", "1"),)
    envoy: Pairs | str | None = None
    """What Envoy's backend receives, where it is not the same."""
    why: str = ""

    @property
    def listener(self) -> str:
        """The target's name, which is the authority of its calls."""
        return f"{re.sub('[^a-z]+', '-', self.name)}.edits:9080"

    @property
    def resources(self) -> list[Any]:
        """Listener and routes of this row."""
        name = self.listener
        weighted = {"clusters": [{"name": "witness", "weight": 1, **self.cluster}]}
        routes = route_config(name, [act(route={"weighted_clusters": weighted}, **self.route)])
        ParseDict(dict(self.host), routes.virtual_hosts[0])
        return [listener(name), ParseDict(dict(self.config), routes)]


def request(*pairs: tuple[str, str], how: str = "APPEND_IF_EXISTS_OR_ADD", **more: Any) -> dict[str, Any]:
    """A level that adds these to requests."""
    return {"request_headers_to_add": _options(pairs, how, more)}


def response(*pairs: tuple[str, str], how: str = "APPEND_IF_EXISTS_OR_ADD", **more: Any) -> dict[str, Any]:
    """A level that adds these to responses."""
    return {"response_headers_to_add": _options(pairs, how, more)}


def _options(pairs: Pairs, how: str, more: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"header": {"key": key, "value": value}, "append_action": how, **more} for key, value in pairs]


def without(*names: str) -> dict[str, Any]:
    """A level that removes these from requests."""
    return {"request_headers_to_remove": names}


def level(name: str) -> dict[str, Any]:
    """What every level says of itself."""
    return {
        "request_headers_to_add": [
            *request(("k-all", name))["request_headers_to_add"],
            *request(("k-last", name), how="OVERWRITE_IF_EXISTS_OR_ADD")["request_headers_to_add"],
        ]
    }


LEVELS: Final = {each: level(each) for each in ("config", "host", "route", "cluster")}
A: Final = (("k-a", "1"),)
LEFT_OUT = "Envoy refuses the resource; ours leaves the edit out and reports it, and the calls go on"

EDITS = (
    Edit("append", (("k-a", "1"), ("k-a", "2")), route=request(("k-a", "2"))),
    Edit("append what is not there", (*A, ("k-b", "2")), route=request(("k-b", "2"))),
    Edit("append two", (*A, ("k-b", "2"), ("k-b", "3")), route=request(("k-b", "2"), ("k-b", "3"))),
    Edit("add to what is there", A, route=request(("k-a", "2"), how="ADD_IF_ABSENT")),
    Edit("add what is not there", (*A, ("k-b", "2")), route=request(("k-b", "2"), how="ADD_IF_ABSENT")),
    Edit("overwrite", (("k-a", "2"),), route=request(("k-a", "2"), how="OVERWRITE_IF_EXISTS_OR_ADD")),
    Edit("overwrite what is not there", (*A, ("k-b", "2")),
         route=request(("k-b", "2"), how="OVERWRITE_IF_EXISTS_OR_ADD")),
    Edit("overwrite only", (("k-a", "2"),), route=request(("k-a", "2"), how="OVERWRITE_IF_EXISTS")),
    Edit("overwrite only what is there", A, route=request(("k-b", "2"), how="OVERWRITE_IF_EXISTS")),
    Edit("overwrite several", (("k-a", "3"),), metadata=(*A, ("k-a", "2")),
         route=request(("k-a", "3"), how="OVERWRITE_IF_EXISTS_OR_ADD")),
    Edit("the older append", (("k-a", "1"), ("k-a", "2")), route={
        "request_headers_to_add": [{"header": {"key": "k-a", "value": "2"}, "append": True}]}),
    Edit("the older overwrite", (("k-a", "2"),), route={
        "request_headers_to_add": [{"header": {"key": "k-a", "value": "2"}, "append": False}]}),
    Edit("remove", (), route=without("k-a")),
    Edit("remove what is not there", A, route=without("k-b")),
    Edit("remove, in another case", (), route=without("K-A")),
    Edit("remove several", (), metadata=(*A, ("k-a", "2")), route=without("k-a")),
    Edit("remove and add", (("k-a", "2"),), route={**request(("k-a", "2")), **without("k-a")}),
    Edit("add in another case", (*A, ("k-b", "2")), route=request(("K-B", "2"))),
    Edit("add nothing", A, route=request(("k-b", ""))),
    Edit("add nothing, and keep it", (*A, ("k-b", "")), route=request(("k-b", ""), keep_empty_value=True)),
    Edit("a header of the call", (*A, ("k-b", "1")), route=request(("k-b", "%REQ(k-a)%"))),
    Edit("a header of the call, among words", (*A, ("k-b", "x1y")), route=request(("k-b", "x%REQ(K-A)%y"))),
    Edit("a header that the call has not", A, route=request(("k-b", "%REQ(k-c)%"))),
    Edit("a percent sign", (*A, ("k-b", "5%")), route=request(("k-b", "5%%"))),
    Edit("the path", (*A, ("k-b", "/s/Get")), route=request(("k-b", "%REQ(:path)%"))),
    Edit("the authority", (*A, ("k-b", "the-authority.edits:9080")),
         route=request(("k-b", "%REQ(:authority)%"))),
    Edit("a percent sign of nothing", A, route=request(("k-b", "5%")), envoy=REFUSED, why=LEFT_OUT),
    Edit("a command of Envoy's", A, route=request(("k-b", "%PROTOCOL%")),
         envoy=(*A, ("k-b", "HTTP/2")), why="of Envoy's commands ours knows %REQ()%, and reports the others"),
    Edit("each level in turn",
         (*(("k-all", each) for each in ("cluster", "route", "host", "config")), ("k-last", "config")),
         metadata=(), **LEVELS),
    Edit("each level in turn, the other way round",
         (*(("k-all", each) for each in ("cluster", "config", "host", "route")), ("k-last", "route")),
         metadata=(),
         **{**LEVELS, "config": {**level("config"), "most_specific_header_mutations_wins": True}}),
    Edit("what one level adds the next removes", A, route=request(("k-b", "2")), host=without("k-b")),
    Edit("what steers the call: :path", A, route=request((":path", "/x")),
         envoy=REFUSED, why=LEFT_OUT),
    Edit("what steers the call: host", A, route=request(("host", "x")), envoy=REFUSED, why=LEFT_OUT),
    Edit("what steers the call: removed", A, route=without(":path"), envoy=REFUSED, why=LEFT_OUT),
    Edit("no name", REFUSED, route=request(("", "x"))),
    Edit("a name that is none", REFUSED, route=request(("k b", "x")),
         envoy="UNAVAILABLE", why="Envoy takes the name and has no call come through with it"),
    Edit("an answer", A, (("k-b", "2"), *ANSWERED), route=response(("k-b", "2"))),
    Edit("an answer, appended", A, (("k-other", "1"), ("k-server", "witness"), ("k-server", "2")),
         route=response(("k-server", "2"))),
    Edit("an answer, overwritten", A, (("k-other", "1"), ("k-server", "2")),
         route=response(("k-server", "2"), how="OVERWRITE_IF_EXISTS_OR_ADD")),
    Edit("an answer, less", A, (("k-other", "1"),), route={"response_headers_to_remove": ["K-Server"]}),
    Edit("an answer to whom", A, (("k-b", "1"), *ANSWERED), route=response(("k-b", "%REQ(k-a)%"))),
    Edit("an answer that fails", A, (("k-b", "2"), *ANSWERED), metadata=(*A, ("x-fail", "NOT_FOUND")),
         route=response(("k-b", "2"))),
)  # fmt: skip
