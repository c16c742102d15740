"""Which cluster, and how what runs on this machine takes part in it."""

from __future__ import annotations

import os

KUBECONFIG = os.environ.get("CLUSTER_KUBECONFIG", "")
_ISTIOD = os.environ.get("CLUSTER_ISTIOD_HOST") or "127.0.0.1"
XDS_PLAIN, XDS_TLS = f"{_ISTIOD}:15010", f"{_ISTIOD}:15012"
"""The ports of the Istiod that reads this cluster, as processes of this machine reach it."""
POD_NETWORK = os.environ.get("CLUSTER_POD_NETWORK", "10.77")
"""The first two numbers of addresses that this machine has. EndpointSlices refuse loopback ones; others it
has after `ip route replace local 10.77.0.0/16 dev lo`."""
