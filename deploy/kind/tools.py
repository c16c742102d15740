"""The programs a step needs: whether they are there, and how to get those that are not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# An engine that is starting answers late; one that is not there answers at once.
_PATIENCE = 30.0


class Missing(Exception):
    """A step cannot begin; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Tool:
    """A program, why it may be no use though it is there, and how to get it."""

    name: str
    get: str
    probe: tuple[str, ...] = ()
    """A command that fails where the program alone is not enough."""
    without: str = ""
    """What its failure means, and what to do."""


DOCKER = Tool(
    "docker",
    "install Docker Engine (https://docs.docker.com/engine/install) or Docker Desktop",
    probe=("docker", "version", "--format", "{{.Server.Version}}"),
    without="no Docker engine answers: start Docker Desktop, or `sudo systemctl start docker`",
)
KIND = Tool("kind", "`brew install kind` or `go install sigs.k8s.io/kind@v0.33.0`")
HELM = Tool("helm", "`brew install helm`, or see https://helm.sh/docs/intro/install")
KUBECTL = Tool("kubectl", "`brew install kubectl`, or see https://kubernetes.io/docs/tasks/tools")

Which = Callable[[str], str | None]
Works = Callable[[Sequence[str]], bool]


def works(command: Sequence[str]) -> bool:
    """Whether a command ends well, and soon."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def require(step: str, *tools: Tool, which: Which = shutil.which, probe: Works = works) -> None:
    """Return if every tool is there and of use; raises Missing with a line for each that is not."""
    absent = [tool for tool in tools if which(tool.name) is None]
    faults = [f"{tool.name} is not installed: {tool.get}" for tool in absent]
    present = [tool for tool in tools if tool not in absent and tool.probe]
    faults += [tool.without for tool in present if not probe(tool.probe)]
    if faults:
        raise Missing("\n".join(f"{step} cannot begin: {fault}." for fault in faults))
