"""The lane console as a process of the mesh: how it is started, and how one knows that it serves."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mesh.addresses import LOOPBACK


@dataclass(frozen=True)
class ConsoleProgram:
    """The console of a mesh: where its state is, and the port to listen on."""

    state: Path
    port: int

    @property
    def address(self) -> str:
        """Where it listens: it has no credentials, so it is never on anything but loopback."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """Where the front door finds it."""
        return f"http://{self.address}"

    @property
    def argv(self) -> list[str]:
        """Its command line."""
        program = [sys.executable, "-m", "console"]
        return [*program, "--state", str(self.state), "--port", str(self.port)]


def says_serving(line: str) -> bool:
    """Whether this line of the console says that it serves."""
    return line.startswith("console: serves ")
