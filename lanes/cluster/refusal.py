"""What the API server answers when it does not do what it is asked, as one sentence. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from lanes.cluster.resource import DESTINATION_RULES, VIRTUAL_SERVICES, Resource
from lanes.landscape import LaneError
from lanes.store import Conflict, NoMesh

_NO_RIGHT = re.compile(r'(?:User "(?P<user>[^"]*)" )?cannot \w+ resource')
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _BUSY = 401, 403, 404, 409, 429
_FAULT = 500
_ISTIOS = (VIRTUAL_SERVICES, DESTINATION_RULES)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: a verb as rights name it, of whom, and whose API server."""

    verb: str
    resource: Resource
    namespace: str
    cluster: str
    """As a person knows it: `the context kind-shop`."""
    name: str = ""
    below: str = ""

    @property
    def what(self) -> str:
        """`pods/portforward`, `deployments.apps`."""
        return self.resource.title + (f"/{self.below}" if self.below else "")


def refusal(asked: Asked, status: int, body: str) -> Exception:
    """The error that an answer of this status is: Conflict, NoMesh or another LaneError."""
    told = _message(body)
    if status == _UNAUTHORIZED:
        return NoMesh(
            f"The API server of {asked.cluster} does not know who you are (401): the credentials are "
            "missing, wrong or expired."
        )
    if status == _FORBIDDEN and (found := _NO_RIGHT.search(told) or not told):
        user = found["user"] if isinstance(found, re.Match) else None
        who = f"{user} has" if user else "You have"
        return NoMesh(
            f"{who} no right to {asked.verb} {asked.what} in the namespace {asked.namespace} of "
            f"{asked.cluster} (403); a Role with this verb and resource gives it."
        )
    if status == _CONFLICT:
        return Conflict()
    if status == _NOT_FOUND and asked.verb == "list" and asked.resource in _ISTIOS:
        return NoMesh(
            f"The API server of {asked.cluster} does not know {asked.what} in version "
            f"{asked.resource.version} (404); install Istio 1.22 or newer, or its CustomResourceDefinitions."
        )
    if status == _BUSY or status >= _FAULT:
        return NoMesh(f"The API server of {asked.cluster} is not well (HTTP {status}): {_sentence(told)}")
    place = f"{asked.what}/{asked.name}" if asked.name else asked.what
    return LaneError(f"The API server refuses to {asked.verb} {place} (HTTP {status}): {_sentence(told)}")


def _message(body: str) -> str:
    """The message of a Status, or the first line of what is none."""
    try:
        status = json.loads(body)
    except ValueError:
        return body.strip().partition("\n")[0][:200]
    return str(status.get("message") or "") if isinstance(status, dict) else ""


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else "it does not say why."
