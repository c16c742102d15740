"""What is true of the mesh right now, as plain data that any shell can show."""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Phase = Literal["starting", "ready", "draining", "killed", "stopped", "died"]
ALIVE: tuple[Phase, ...] = ("starting", "ready", "draining")


@dataclass(frozen=True)
class ProcessStatus:
    """One process of the mesh."""

    name: str
    address: str
    phase: Phase
    pid: int | None = None
    exit_code: int | None = None
    xds: str = ""
    """Its configuration, says the control plane: acknowledged, pending, refused …; empty if no client."""
    command: str = ""
    """What a guest runs; empty for the mesh's own."""
    admin: str = ""
    """Where its admin port is, `ip:port`; empty where it has none."""

    @property
    def text(self) -> str:
        """The state as a person reads it: `ready`, `died (exit 1)`, `killed (SIGKILL)`."""
        if self.phase in ALIVE or self.exit_code is None:
            return self.phase
        return f"{self.phase} ({describe_exit(self.exit_code)})"


@dataclass(frozen=True)
class MeshStatus:
    """The whole mesh."""

    phase: Literal["starting", "ready", "stopping"]
    url: str
    xds_address: str
    admin_url: str
    state: str
    processes: tuple[ProcessStatus, ...]
    generation: int | None = None
    """The control plane's count of changes; None when it does not answer."""
    objects: int = 0
    clients: tuple[str, ...] = ()
    """Clients of the control plane that are no instance of the mesh."""
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = field(default=())
    console: bool = False
    """Whether the page's door shows the lane console, at /mesh."""

    def process(self, name: str) -> ProcessStatus:
        """The process of this name, `reviews/v2` or `controlplane`; KeyError if there is none."""
        for process in self.processes:
            if process.name == name:
                return process
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; each process also carries its state in words."""
        plain = asdict(self)
        for process, shown in zip(self.processes, plain["processes"], strict=True):
            shown["state"] = process.text
        return plain

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MeshStatus:
        """The reverse of `to_dict`."""
        processes = tuple(
            ProcessStatus(**{key: value for key, value in process.items() if key != "state"})
            for process in data["processes"]
        )
        tuples = {key: tuple(data[key]) for key in ("clients", "errors", "warnings", "limits")}
        return cls(**{**data, **tuples, "processes": processes})


def describe_exit(code: int) -> str:
    """A return code as asyncio gives it: negative for a signal."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
