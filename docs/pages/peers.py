"""What the peers do with a field, looked up in `peers.yaml`, which is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NOT_CHECKED = "not checked"
_READ, _REFUSED, _IGNORED = "yes", "refused", "no"


@dataclass(frozen=True, slots=True)
class Peer:
    """One implementation, the version that was looked at, and where."""

    column: str
    title: str
    version: str
    looked_at: str
    said: Mapping[str, Any]

    def does(self, message: str, field: str) -> str:
        """What it does with a field: yes, no, refused, partly and how, or not checked."""
        partly = self.said.get("partly", {}).get(f"{message}.{field}")
        if partly is not None:
            return f"partly: {partly}"
        if self.said.get("documented"):
            return _IGNORED if field in self._fields("hidden", message) else _READ
        if message in self.said.get("unknown", ()):
            return _IGNORED
        if field in self._fields("refuses", message):
            return _REFUSED
        if message not in self.said["reads"]:
            return NOT_CHECKED
        return _READ if field in self._fields("reads", message) else _IGNORED

    def named(self) -> Iterable[tuple[str, str]]:
        """Every (message, field) the data names, so that a slip of the pen can be found."""
        for section in ("reads", "refuses", "hidden"):
            for message in self.said.get(section, {}):
                yield from ((message, field) for field in self._fields(section, message))
        for path in self.said.get("partly", {}):
            message, _, field = path.rpartition(".")
            yield message, field

    def _fields(self, section: str, message: str) -> list[str]:
        return str(self.said.get(section, {}).get(message, "")).split()


def read_peers(data: Mapping[str, Any]) -> list[Peer]:
    """Make the peers of `peers.yaml`, in its order."""
    return [
        Peer(column, said["title"], said["version"], said["looked_at"], said) for column, said in data.items()
    ]
