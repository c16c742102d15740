"""What the console is told: whose mesh it shows, where it listens, and whether it may change anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


class SettingError(Exception):
    """An option that cannot be used; the message is one sentence that names it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Admin ports at all addresses of a name."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """A mesh on this machine by its state folder, or peers anywhere; with peers nothing can be changed."""

    state: Path
    peers: tuple[Peer, ...] = ()
    port: int = 0
    read_only: bool = False
    name: str = ""
    """What the page calls the mesh at the peers."""

    @property
    def why_read_only(self) -> str:
        """Why nothing can be changed; empty if it can."""
        if self.peers:
            return "this console looks at a cluster; `lanes` and kubectl change what is there"
        return "this console was started with --read-only" if self.read_only else ""

    @classmethod
    def read(cls, state: str, peers: Sequence[str], port: int, read_only: bool, name: str = "") -> Settings:
        """The settings in these options; SettingError names the first that cannot be used."""
        return cls(Path(state), tuple(map(_peer, peers)), port, read_only, name)


def _peer(text: str) -> Peer:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.path or "@" in text:
        raise SettingError(f"--peer {text!r} is not of the form HOST:PORT.")
    return Peer(host, port)
