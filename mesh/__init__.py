"""The one-machine mesh: `python -m mesh up`, or `async with Mesh(...) as mesh`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.errors import MeshError, NotFound, NotRunning, Refused
    from mesh.mesh import Mesh
    from mesh.objects import MeshObject, Ref
    from mesh.report import Report
    from mesh.status import MeshStatus, ProcessStatus
    from mesh.testing import LaneMesh

__all__ = [
    "LaneMesh",
    "Mesh",
    "MeshError",
    "MeshObject",
    "MeshStatus",
    "NotFound",
    "NotRunning",
    "ProcessStatus",
    "Ref",
    "Refused",
    "Report",
]

_HOME = {
    **dict.fromkeys(("MeshError", "NotFound", "NotRunning", "Refused"), "mesh.errors"),
    **dict.fromkeys(("MeshObject", "Ref"), "mesh.objects"),
    **dict.fromkeys(("MeshStatus", "ProcessStatus"), "mesh.status"),
    "LaneMesh": "mesh.testing",
    "Mesh": "mesh.mesh",
    "Report": "mesh.report",
}


def __getattr__(name: str) -> object:
    # On demand, so that `python -m mesh` gets to its first line, which minds Ctrl-C, before all that.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
