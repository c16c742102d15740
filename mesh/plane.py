"""The program that serves the rules: how it is started, and how one knows that it serves."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.addresses import LOOPBACK
from mesh.unit import no_line, nothing


@dataclass(frozen=True)
class Plane:
    """A control plane's command line and environment, and what `Unit` asks and tells about it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    is_ready: Callable[[str], bool]
    is_waiting: Callable[[str], bool] = no_line
    is_sound: Callable[[], Awaitable[bool]] | None = None
    on_up: Callable[[], Awaitable[None]] = nothing
    on_down: Callable[[], Awaitable[None]] = nothing


def embedded(config: Path, xds_port: int, admin_port: int) -> Plane:
    """The control plane of this project; its port opens when it has read sound rules."""
    argv = [
        *(sys.executable, "-m", "controlplane", "--config", str(config)),
        *("--host", LOOPBACK, "--port", str(xds_port), "--admin-port", str(admin_port)),
    ]
    return Plane(argv, {}, says_listening, says_waiting)


def says_listening(line: str) -> bool:
    """Whether this line of the embedded control plane says that it serves."""
    return line.startswith("controlplane: ADS on ")


def says_waiting(line: str) -> bool:
    """Whether this line says that it will serve only when somebody has mended its rules."""
    return line.startswith("controlplane: serves nothing until ")
