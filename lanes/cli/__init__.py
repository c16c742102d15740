"""The `lanes` command: the only room of this package that knows the mesh and the library."""

from lanes.cli.app import main

__all__ = ["main"]
