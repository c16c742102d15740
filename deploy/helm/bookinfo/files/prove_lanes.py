"""What `helm test` runs in the cluster: asks productpage as each lane would, and looks at who served.

    prove_lanes.py URL '[{"lane": …, "headers": {…}, "versions": {SERVICE: [VERSION, …]}}, …]' [SECONDS]

Exit code 0 if every service on the way was served by one of its versions; one that has none must have been
refused. What is not so yet may come to be so within SECONDS (60): its rules may be new.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Between them they call every service of bookinfo without another one in between.
PATHS = ("/api/v1/products/0", "/api/v1/products/0/ratings")
PATIENCE = 60.0
PAUSE = 1.0


@dataclass
class Answer:
    """Which versions served, by service, and which services failed, with the reason."""

    served: dict[str, set[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    """Why nobody was asked at all."""


def main(arguments: Sequence[str]) -> int:
    """Prove each lane in turn; the first that stays wrong ends it."""
    url, visits = arguments[0], json.loads(arguments[1])
    deadline = time.monotonic() + (float(arguments[2]) if len(arguments) > 2 else PATIENCE)
    for visit in visits:
        while faults := list(wrong(answer := ask_all(url, visit), visit["versions"])):
            if time.monotonic() > deadline:
                say(visit["lane"], *faults)
                return 1
            time.sleep(PAUSE)
        found = ", ".join(described(answer, visit["versions"])) or "nobody failed"
        say(visit["lane"], f"as it should be: {found}")
    return 0


def wrong(answer: Answer, versions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What is not as it should be, one sentence each."""
    if answer.fault:
        yield answer.fault
    for service, reason in answer.failed.items():
        if versions.get(service) != []:
            yield f"{service} failed: {reason}"
    for service, wanted in versions.items():
        if odd := sorted(answer.served.get(service, set()) - set(wanted)):
            expected = f"by {either(wanted)}" if wanted else "refused"
            yield f"{service} was served by {', '.join(odd)} and not {expected}"


def described(answer: Answer, versions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What was found, service by service."""
    for service, wanted in versions.items():
        if service in answer.served:
            yield f"{service} {either(wanted)}"
        else:
            yield f"{service} {'refused' if service in answer.failed else 'not on the way'}"


def ask_all(url: str, visit: Mapping[str, Any]) -> Answer:
    """The answers to all paths, as one."""
    found = Answer()
    for path in PATHS:
        try:
            body = ask(url + path, visit["headers"])
        except (OSError, ValueError) as error:
            found.fault = f"{url}{path} cannot be asked: {error}"
            return found
        if (lane := body["hops"]["lane"]) != visit["lane"]:
            header = ", ".join(f"{name}: {value}" for name, value in visit["headers"].items()) or "no header"
            found.fault = f"productpage took a request with {header} for the lane {lane}"
            return found
        for service, version in hops(body["hops"]):
            found.served.setdefault(service, set()).add(version)
        found.failed |= failures(path, body)
    return found


def ask(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The JSON of an answer, whatever its status; OSError or ValueError if there is none."""
    # A proxy for the way out of the cluster knows no service within it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=10) as response:
            body = json.load(response)
    except urllib.error.HTTPError as error:
        body = json.load(error)
    if not isinstance(body, dict) or "hops" not in body:
        raise ValueError(f"there are no hops in {json.dumps(body)[:200]}")
    return body


def hops(hop: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every service in the chain with the version that served."""
    yield hop["service"], hop["version"]
    for call in hop["calls"]:
        yield from hops(call)


def failures(path: str, body: Mapping[str, Any]) -> dict[str, str]:
    """The services that failed, each with the reason."""
    found = {}
    if "error" in body:
        found[path.rpartition("/")[2]] = body["error"]["reason"]
    for name in ("details", "reviews"):
        part = body.get(name)
        if isinstance(part, dict) and "error" in part:
            found[name] = part["error"]["reason"]
        if isinstance(part, dict) and part.get("ratings_error"):
            found["ratings"] = part["ratings_error"]
    return found


def either(versions: Sequence[str]) -> str:
    """`v1 or v2`."""
    return " or ".join(versions)


def say(lane: str, *sentences: str) -> None:
    """To the log of the Pod, which `helm test --logs` shows."""
    sys.stdout.write("".join(f"{lane}: {sentence}\n" for sentence in sentences))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
