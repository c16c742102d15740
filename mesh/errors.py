"""What the mesh tells its user when something cannot be done."""

from __future__ import annotations

from collections.abc import Sequence


class MeshError(Exception):
    """One clear sentence for the user, with the details that belong to it on lines of their own.

    MeshError
    ├── NotRunning   there is no mesh in this state folder
    ├── NotFound     the object or instance named does not exist
    ├── Changed      somebody else has changed an object meanwhile
    └── Refused      the control plane does not take these rules; `details` says where and why
    """

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)

    def __str__(self) -> str:
        return "\n".join((self.message, *(f"  {line}" for line in self.details)))


class NotRunning(MeshError):
    """There is no mesh in this state folder."""


class NotFound(MeshError):
    """The object or instance named does not exist."""


class Changed(MeshError):
    """Somebody else has changed an object since it was read; nothing was changed."""


class Refused(MeshError):
    """The control plane does not take these rules; the old ones stay in force."""
