"""The kinds of objects that lanes read or write, and where the API server has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from lanes.landscape import DESTINATION_RULE, VIRTUAL_SERVICE

DEPLOYMENT_KIND = "Deployment"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind in one version; `group` is empty for Kubernetes' core."""

    kind: str
    plural: str
    version: str
    group: str = ""

    @property
    def api_version(self) -> str:
        """As objects have it, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def title(self) -> str:
        """As rights and people name it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str, name: str = "", below: str = "") -> str:
        """The path of all objects of a namespace, or of one, or of something below one."""
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version, "namespaces", quote(namespace), self.plural]
        return "/".join([*parts, *map(quote, filter(None, (name, below)))])

    def line(self, name: str, what: str) -> str:
        """What became of an object, as kubectl says it: `deployment.apps/reviews-dev created`."""
        group = f".{self.group}" if self.group else ""
        return f"{self.kind.lower()}{group}/{name} {what}"


VIRTUAL_SERVICES = Resource(VIRTUAL_SERVICE, "virtualservices", "v1", "networking.istio.io")
DESTINATION_RULES = Resource(DESTINATION_RULE, "destinationrules", "v1", "networking.istio.io")
DEPLOYMENTS = Resource(DEPLOYMENT_KIND, "deployments", "v1", "apps")
CONFIG_MAPS = Resource("ConfigMap", "configmaps", "v1")
SERVICES = Resource("Service", "services", "v1")
PODS = Resource("Pod", "pods", "v1")

WRITTEN = {each.kind: each for each in (VIRTUAL_SERVICES, DESTINATION_RULES, DEPLOYMENTS)}
"""What a change of lanes may write."""
