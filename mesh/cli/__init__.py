"""The command line: thin shells over `Mesh` and `Remote`."""

from mesh.cli.app import main

__all__ = ["main"]
