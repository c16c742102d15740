"""Whether this runs in a pod of a cluster that has an account at its API server."""

from __future__ import annotations

import os
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def in_pod() -> bool:
    """As Kubernetes tells its pods: by variables, and a mounted token."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (ACCOUNT / "token").exists()
