"""Lanes in a cluster that bookinfo is in: `make kind-test`, or CLUSTER_CONTEXT=… pytest tests/cluster.

Without CLUSTER_CONTEXT they are not in the suite. CLUSTER_NAMESPACE says where bookinfo is and
CLUSTER_KUBECONFIG which kubeconfig knows the context; CLUSTER_DOOR and CLUSTER_ISTIOD are URLs of the page
and of Istiod's monitoring port, for where nothing can be forwarded.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

from mesh.walkthrough.door import Door
from mesh.walkthrough.rules import as_yaml
from tests.lane_matrix import SPEC

if TYPE_CHECKING:
    from deploy.cluster.mesh import ClusterMesh

collect_ignore_glob = [] if os.environ.get("CLUSTER_CONTEXT") else ["test_*.py"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh() -> AsyncIterator[ClusterMesh]:
    """Bookinfo with the rules of the lane matrix; its own come back at the end."""
    # The kubernetes client takes most of a second to import, which a run without a cluster need not wait for.
    from deploy.cluster.mesh import Where, cluster_mesh  # noqa: PLC0415

    keys = ("context", "namespace", "kubeconfig", "door", "istiod")
    named = {key: os.environ.get(f"CLUSTER_{key.upper()}") for key in keys}
    async with cluster_mesh(Where(**{key: value for key, value in named.items() if value})) as mesh:
        await mesh.ready()
        report = await mesh.apply(as_yaml(SPEC))
        assert report.ok, report.lines()
        yield mesh


@pytest_asyncio.fixture(loop_scope="session")
async def door(mesh: ClusterMesh) -> AsyncIterator[Door]:
    """A client of the page."""
    async with Door(mesh.url) as door:
        yield door
