"""Live against an Istiod (`make test-istiod`): the records hold, and a client decides by both the same."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from proxyless import Bootstrap, Client

from controlplane.app import ControlPlane
from tests.fakes.certificates import Authority, token
from tests.istiod import live, ours, pilot, records
from tests.istiod.cases import Case, all_cases
from tests.istiod.questions import ask

BINARY = os.environ.get("ISTIOD", "")

pytestmark = [
    pytest.mark.skipif(not BINARY, reason="needs a pilot-discovery: make test-istiod ISTIOD=path/to/it"),
    pytest.mark.timeout(120),
]


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
async def test_the_record_holds_and_a_client_decides_the_same(case: Case, tmp_path: Path) -> None:
    refused = ours.refused(case.documents)
    kept = tuple(text for index, text in enumerate(case.documents) if index not in refused)
    for index, text in enumerate(kept):
        (tmp_path / f"{index:03}.yaml").write_text(text)
    async with live.running(BINARY, kept) as theirs, ControlPlane(tmp_path, port=0, admin_port=0) as mine:
        assert not mine.state.errors
        for identity in case.identities:
            assert await live.settled(theirs, case, identity) == records.read(case).clients[identity.name]
        answers = await asyncio.gather(
            ask(theirs, case.questions), ask(f"{mine.host}:{mine.port}", case.questions)
        )
    assert answers[1] == answers[0]


NAME = "reviews.default.svc.cluster.local:9080"
SERVICE = f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: reviews, namespace: default}}
spec:
  hosts: [{NAME.partition(":")[0]}]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{{number: 9080, name: grpc, protocol: GRPC}}]
  endpoints: [{{address: 127.0.0.1}}]
"""


class Pod:
    """What a Pod has: the root to trust, a token, and a name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.config = folder / "config"
        self.config.mkdir()
        (self.config / "service.yaml").write_text(SERVICE)
        authority = Authority.make()
        self._root = folder / "root-cert.pem"
        self._root.write_bytes(authority.root)
        self.token = folder / "istio-token"
        self.token.write_text(token(time.time() + 3600))
        certificate, key = authority.files("istiod.istio-system.svc", folder)
        self.istiod = pilot.Certificate(certificate, key, self._root)

    def client(self, secure: str) -> Client:
        environ = {"XDS_ADDRESS": secure, "XDS_ROOT_CERT": str(self._root), "XDS_TOKEN": str(self.token)}
        return Client(Bootstrap.from_env({**environ, "POD_NAME": "reviews-v1-abc"}))


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


async def syncz(debug: str) -> list[dict[str, Any]]:
    """What Istiod says of its clients."""

    def fetch() -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{debug}/debug/syncz", timeout=10) as response:
            return list(json.load(response) or [])

    return await asyncio.to_thread(fetch)


async def test_a_client_is_served_over_tls_and_istiod_knows_it(pod: Pod) -> None:
    # XDS_AUTH: who asks Kubernetes about tokens needs one. What remains is the TLS of port 15012.
    async with (
        pilot.run(BINARY, pod.config, pod.istiod, {"XDS_AUTH": "false"}) as istiod,
        pod.client(istiod.secure) as mesh,
    ):
        channel = mesh.channel(f"xds:///{NAME}")
        decision = await mesh.explain(f"xds:///{NAME}", method="/s/m")
        assert decision.cluster == f"outbound|9080||{NAME.partition(':')[0]}"
        assert "127.0.0.1:9080" in (decision.error or "")  # the endpoint came, and nobody listens there
        while True:
            (found,) = await syncz(istiod.debug)
            nonces = {
                kind: (found.get(f"{kind}_sent"), found.get(f"{kind}_acked"))
                for kind in ("listener", "route", "cluster", "endpoint")
            }
            if all(sent and sent == acked for sent, acked in nonces.values()):
                break  # an acknowledgement may still be on its way
            await asyncio.sleep(0.05)
        assert found["proxy"] == "reviews-v1-abc.default"
        await channel.close()


async def test_a_token_that_istiod_does_not_take_is_one_line_that_names_it(
    pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "proxyless")
    async with (
        pilot.run(BINARY, pod.config, pod.istiod) as istiod,
        pod.client(istiod.secure) as mesh,
    ):
        decision = await mesh.explain(f"xds:///{NAME}", method="/s/m")
    why = f"authentication failure (with the token '{pod.token}')"
    said = f"control plane {istiod.secure}: UNAUTHENTICATED: {why}"
    assert said in (decision.error or "")
    assert [record.getMessage() for record in caplog.records] == [said]
