"""The walkthrough: everything that lanes promise, seen to happen on this machine."""

from mesh.walkthrough.demo import run_demo

__all__ = ["run_demo"]
