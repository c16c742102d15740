"""kubectl, for what a person would type it for."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.errors import MeshError
from mesh.walkthrough.local import run
from mesh.walkthrough.outcome import Said


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace of one cluster."""

    namespace: str
    context: str | None = None
    kubeconfig: str | None = None

    async def run(self, *words: str) -> Said:
        """Run a command to its end; MeshError where there is no kubectl."""
        named = {"--kubeconfig": self.kubeconfig, "--context": self.context, "--namespace": self.namespace}
        options = [word for option, value in named.items() if value for word in (option, value)]
        command = ("kubectl", *options, *words)
        try:
            return await run(command, command, {})
        except FileNotFoundError:
            raise MeshError("kubectl is not installed.") from None
