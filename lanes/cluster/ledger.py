"""The history of lanes as a ConfigMap keeps it: a revision a line, the newest there is room for. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lanes.history import Revision
from lanes.landscape import Document, LaneError
from lanes.render import MANAGED_BY

NAME = "lanes-history"
KEY = "history.jsonl"
MOST_REVISIONS = 200
# A ConfigMap may have a MiB; this is read with each change.
MOST_BYTES = 400_000


def revisions_in(config_map: Document | None) -> list[Revision]:
    """The revisions, oldest first; none where there is no ConfigMap."""
    text = ((config_map or {}).get("data") or {}).get(KEY) or ""
    try:
        return [Revision.from_dict(json.loads(line)) for line in text.splitlines()]
    except ValueError as error:
        raise LaneError(f"The ConfigMap {NAME} cannot be read as a history of lanes: {error}.") from None


def ledger_of(revisions: Sequence[Revision], namespace: str) -> Document:
    """The ConfigMap with these, or as many of the newest as there is room for."""
    lines: list[str] = []
    room = MOST_BYTES
    for revision in reversed(revisions[-MOST_REVISIONS:]):
        line = json.dumps(revision.to_dict(), ensure_ascii=False, separators=(",", ":"))
        room -= len(line.encode()) + 1
        if room < 0:
            break
        lines.append(line)
    metadata = {"name": NAME, "namespace": namespace, "labels": dict(MANAGED_BY)}
    data = {KEY: "".join(f"{line}\n" for line in reversed(lines))}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
