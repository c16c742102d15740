"""What is different between two config dumps: a line a change. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NOTHING: dict[str, Any] = {"server": {}, "resources": {}, "targets": {}}
"""The dump before the first."""

_WORDS = {"ACKED": "accepted", "NACKED": "refused", "DOES_NOT_EXIST": "absent", "REQUESTED": "requested"}


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield a line for everything that the later dump says differently, or no longer."""
    server = after["server"]
    if server != before["server"]:
        yield f"failed     {server['error']}" if server["error"] else f"connected  {server['address']}"
    for kind in sorted({*before["resources"], *after["resources"]}):
        yield from _resources(kind, _held(before, kind), _held(after, kind))
    for uri in sorted({*before["targets"], *after["targets"]}):
        yield from _target(uri, before["targets"].get(uri), after["targets"].get(uri))


def _held(dump: dict[str, Any], kind: str) -> dict[str, Any]:
    held: dict[str, Any] = dump["resources"].get(kind, {}).get("resources", {})
    return held


def _resources(kind: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if now is None:
            yield f"{kind} dropped   {name}"
        # A push that repeats what was there gets a new version, which is no change.
        elif was is None or any(was[key] != now[key] for key in ("state", "error", "resource")):
            said = (
                f"  {now['error']}"
                if now["error"]
                else f"  version {now['version']}"
                if now["version"]
                else ""
            )
            yield f"{kind} {_WORDS.get(now['state'], now['state']):<9} {name}{said}"
        for note in () if now is None else now["unsupported"]:
            if was is None or note not in was["unsupported"]:
                yield f"{kind} note      {name}: {note}"


def _target(uri: str, was: dict[str, Any] | None, now: dict[str, Any] | None) -> Iterator[str]:
    if now is None:
        yield f"target     {uri}  dropped"
        return
    if was is None or any(was.get(key) != now.get(key) for key in ("state", "reason", "waiting_for")):
        why = now.get("reason") or now.get("waiting_for")
        yield f"target     {uri}  {now['state']}{f': {why}' if why else ''}"
    clusters: dict[str, Any] = {} if was is None else was.get("clusters", {})
    for name, cluster in now.get("clusters", {}).items():
        if cluster != clusters.get(name):
            state = cluster["reason"] or cluster["status"]
            told = [f"{address} {word}" for address, word in cluster["subchannels"].items()]
            yield "  ".join([f"cluster    {name}", state, *filter(None, [", ".join(told)])])
