"""The one-machine mesh: `python -m mesh up`, or `async with Mesh(...) as mesh`."""

from mesh.errors import MeshError, NotFound, NotRunning, Refused
from mesh.mesh import Mesh
from mesh.objects import MeshObject, Ref
from mesh.report import Report
from mesh.status import MeshStatus, ProcessStatus

__all__ = [
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
