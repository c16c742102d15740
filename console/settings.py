"""What the console is told: whose mesh it shows, where it listens, and whether it may change anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from lanes.baggage import is_key


class SettingError(Exception):
    """An option that cannot be used; the message is one sentence that names it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Admin ports at all addresses of a name."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """A namespace of a cluster; None leaves it to the kubeconfig, or to the Pod this runs in."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A mesh on this machine by its state folder, or peers anywhere."""

    state: Path
    peers: tuple[Peer, ...] = ()
    port: int = 0
    read_only: bool = False
    name: str = ""
    """What the page calls the mesh at the peers."""
    cluster: ClusterPlace | None = None
    """Whose objects are read along with the peers."""
    write: bool = False
    """Whether these objects may be changed."""
    door: str = ""
    """The URL of the front door in a cluster, without a slash at its end."""
    lane_key: str = "env"

    @property
    def why_read_only(self) -> str:
        """Why nothing can be changed; empty if it can."""
        if self.read_only:
            return "this console was started with --read-only"
        if self.peers and not self.write:
            return "this console looks at a cluster; `lanes` and kubectl change what is there"
        return ""

    @classmethod
    def read(
        cls,
        state: str,
        peers: Sequence[str] = (),
        port: int = 0,
        *,
        read_only: bool = False,
        name: str = "",
        namespace: str | None = None,
        context: str | None = None,
        kubeconfig: str | None = None,
        write: bool = False,
        door: str = "",
        lane_key: str = "env",
    ) -> Settings:
        """The settings in these options; SettingError names the first that cannot be used."""
        cluster = ClusterPlace(namespace, context, kubeconfig)
        named = next((f"--{each.name}" for each in fields(cluster) if getattr(cluster, each.name)), "")
        wants = {named: bool(named), "--write": write, "--door": bool(door), "--name": bool(name)}
        for option, given in wants.items():
            if given and not peers:
                raise SettingError(f"{option} is for a cluster, whose processes --peer HOST:PORT names.")
        for option in ("--write", "--door"):
            if wants[option] and not named:
                raise SettingError(f"{option} needs --namespace, whose objects are to be changed.")
        if write and read_only:
            raise SettingError("--write and --read-only: which is it to be?")
        if not is_key(lane_key):
            raise SettingError(f"--lane-key {lane_key!r} cannot be a member of a baggage header.")
        return cls(
            Path(state),
            tuple(map(_peer, peers)),
            port,
            read_only,
            name,
            cluster if named else None,
            write,
            _url(door),
            lane_key,
        )


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if text and (not fits or parts.query or parts.fragment or "@" in parts.netloc):
        raise SettingError(f"--door {text!r} is no URL of a front door, such as http://productpage:9080.")
    return text.rstrip("/")


def _peer(text: str) -> Peer:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.path or "@" in text:
        raise SettingError(f"--peer {text!r} is not of the form HOST:PORT.")
    return Peer(host, port)
