"""The walkthrough on a cluster, whole: the cluster is made up, the mesh behind it is real."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from rich.console import Console

from deploy.cluster.demo import STEPS, run_cluster_demo
from deploy.cluster.mesh import Where
from mesh import Mesh
from mesh.sources import CANARY_RULES
from mesh.walkthrough.outcome import Notes, Outcome, Stage, Step
from tests.deploy.fake_cluster import FakeCluster

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("cluster") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(mesh: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeCluster]:
    cluster = FakeCluster(mesh, tmp_path)
    await cluster.start()
    monkeypatch.setenv("PATH", cluster.path)
    yield cluster
    await cluster.stop()


@pytest.fixture
def where(mesh: Mesh, cluster: FakeCluster) -> Where:
    return Where(
        kubeconfig=str(cluster.kubeconfig), door=mesh.url, istiod=cluster.url, xds_address=mesh.xds_address
    )


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def open_sessions() -> set[int]:
    return {id(o) for o in gc.get_objects() if isinstance(o, aiohttp.ClientSession) and not o.closed}


async def rules(mesh: Mesh) -> dict[str, object]:
    return {o.title: o.document["spec"] for o in await mesh.objects() if o.ref.kind != "WorkloadEntry"}


async def test_every_step_is_as_it_should_be_and_the_rules_are_what_they_were(
    mesh: Mesh, where: Where, console: Console
) -> None:
    before = await rules(mesh)
    code = await run_cluster_demo(console, where)
    text = text_of(console)
    assert code == 0, text
    assert all(step.title in text for step in STEPS)
    assert text.count("✓") == len(STEPS) + 2
    assert "namespace default of the context fake" in text
    assert "reviews-v2: 1 of 1 ready" in text
    assert "acknowledged by" in text
    assert "reviews/v2 killed (its Pods deleted without grace" in text
    assert "xds:///reviews.default.svc.cluster.local:9080" in text
    assert await rules(mesh) == before
    assert all(process.phase == "ready" for process in (await mesh.status()).processes)


async def test_what_was_ended_comes_back_when_a_step_does_not_bring_it_back(
    mesh: Mesh, where: Where, console: Console
) -> None:
    async def forgetful(stage: Stage) -> Outcome:
        await stage.mesh.kill("ratings/v2")
        notes = Notes()
        notes.expect(False, "it was Tuesday")
        return notes.outcome()

    assert await run_cluster_demo(console, where, [Step("Forget", forgetful)]) == 1
    assert "Not as it should be: Forget." in text_of(console)
    assert (await mesh.status()).process("ratings/v2").phase == "ready"


async def test_ctrl_c_puts_everything_back(mesh: Mesh, where: Where, console: Console) -> None:
    before = await rules(mesh)

    async def endless(stage: Stage) -> Outcome:
        await stage.mesh.apply(CANARY_RULES)
        await stage.mesh.kill("reviews/v3")
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
        raise AssertionError

    assert await run_cluster_demo(console, where, [Step("Wait", endless)]) == 130
    assert "Interrupted; the rules are put back, and nothing is away." in text_of(console)
    assert await rules(mesh) == before
    assert (await mesh.status()).process("reviews/v3").phase == "ready"


async def test_a_cluster_that_is_not_there_is_one_sentence(where: Where, console: Console) -> None:
    nowhere = Where(kubeconfig=where.kubeconfig, context="elsewhere")
    assert await run_cluster_demo(console, nowhere) == 1
    assert "has no context 'elsewhere'; there are fake." in text_of(console)


async def test_an_istiod_that_is_not_there_is_one_sentence(
    where: Where, console: Console, cluster: FakeCluster
) -> None:
    before = open_sessions()
    nowhere = Where(kubeconfig=where.kubeconfig, door=where.door, istiod="http://127.0.0.1:1")
    assert await run_cluster_demo(console, nowhere) == 1
    assert "The control plane is not running." in text_of(console)
    assert open_sessions() <= before
