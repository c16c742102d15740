"""`lanes prune` as the chart's CronJob runs it: no option but the namespace, and the account of its Pod."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.cluster.apiserver.conftest import Bookinfo
from tests.cluster.apiserver.settings import KUBECONFIG
from tests.fakes.lanes_command import Command

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
# In a mount namespace of its own, so that nobody else on this machine takes it for a Pod.
_INSIDE = """
mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io
cp -r "$1" /run/secrets/kubernetes.io/serviceaccount && shift && exec "$@"
"""


def authority() -> bytes:
    """The certificate by which the API server is known."""
    cluster = yaml.safe_load(Path(KUBECONFIG).read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    if "certificate-authority" in cluster:
        return Path(cluster["certificate-authority"]).read_bytes()
    return base64.b64decode(cluster["certificate-authority-data"])


@pytest.mark.skipif(not shutil.which("unshare") or os.getuid() != 0, reason="needs root and unshare")
async def test_prune_with_the_account_of_its_pod(bookinfo: Bookinfo, lanes: Command, tmp_path: Path) -> None:
    await lanes.ok("create", "short", "-s", "reviews=bookinfo:1", "--ttl", "1s")
    await lanes.ok("create", "long", "-s", "reviews=v2", "--ttl", "1h")
    path = f"/api/v1/namespaces/{bookinfo.namespace}/serviceaccounts/lanes/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    token = (await bookinfo.server.ask("POST", path, request))["status"]["token"]
    account = tmp_path / "account"
    account.mkdir()
    files = {"token": token.encode(), "namespace": bookinfo.namespace.encode(), "ca.crt": authority()}
    for name, content in files.items():
        (account / name).write_bytes(content)
    where = urlsplit(bookinfo.server.url)
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "sh", "-c", _INSIDE, "sh", str(account)),
        *(sys.executable, "-m", "lanes", "prune", "--namespace", bookinfo.namespace),
        env={
            **{name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "MESH_STATE")},
            "KUBERNETES_SERVICE_HOST": str(where.hostname),
            "KUBERNETES_SERVICE_PORT": str(where.port),
        },
        cwd=tmp_path,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = (each.decode() for each in await process.communicate())
    assert process.returncode == 0, (out, err)
    assert err.startswith(f"this pod's cluster, namespace {bookinfo.namespace}\n")
    assert "deployment.apps/reviews-short deleted" in out
    assert [lane["name"] for lane in await lanes.json("list")] == ["long"]
    assert (await lanes.json("history"))[-1]["change"].startswith("prune --namespace ")
