"""docs/walkthrough/kind.md, against a stand-in of the API server that holds what the chart renders."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chart.rendering import render
from tests.fakes.api_server import KINDS, ApiServer
from tests.walkthrough.following import follow
from tests.walkthrough.page import KIND
from tests.walkthrough.shell import Places, Shell, shell

PLURALS = {kind: plural for (_, plural), kind in KINDS.items()}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    """What there is after `make kind-up`."""
    async with ApiServer(namespace="bookinfo").running() as server:
        for each in render(namespace="bookinfo").objects:
            if plural := PLURALS.get(each["kind"]):
                server.put(plural, each)
        yield server


@pytest_asyncio.fixture
async def prompt(server: ApiServer, tmp_path: Path) -> AsyncIterator[Shell]:
    """A shell whose kubeconfig leads to the stand-in, and whose helm is Helm's engine."""
    home = tmp_path / "home"
    home.mkdir()
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(server.kubeconfig().replace("name: shop", "name: kind-bookinfo"))
    helm = home / "helm"
    helm.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tests.walkthrough.helm "$@"\n')
    helm.chmod(0o755)
    async with shell(tmp_path / "checkout", Places(), KUBECONFIG=str(kubeconfig)) as opened:
        await opened.type(f"PATH={shlex.quote(str(home))}:$PATH\n")
        yield opened


@pytest.mark.timeout(180)
async def test_the_page_does_what_it_says(server: ApiServer, prompt: Shell) -> None:
    def objects() -> dict[tuple[str, str], object]:
        kept = {key: each for key, each in server.objects.items() if key[0] != "configmaps"}
        return {key: each["spec"] for key, each in kept.items()}

    before = objects()
    await follow(KIND, prompt)
    assert objects() == before
    verbs = {verb for verb, _, _ in server.asked}
    assert {"list", "create", "patch", "delete"} <= verbs
