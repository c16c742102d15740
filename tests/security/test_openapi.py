"""productpage's own description of itself: true of its routes, and of its answers to whatever is asked."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.chain import chain
from tests.integration.test_services_page import page

SEED = 7
EXAMPLES = 10


@pytest.mark.parametrize("menu", ["on", "off"])
async def test_every_route_is_described_and_nothing_else(menu: str) -> None:
    async with page(LANE_MENU=menu) as (client, _):
        described = (await (await client.get("/openapi.json")).json())["paths"]
        assert client.app is not None
        served: dict[str, set[str]] = {}
        for route in client.app.router.routes():
            assert route.resource is not None
            served.setdefault(route.resource.canonical, set()).add(route.method.lower())
    # A HEAD for each GET goes without saying.
    wanted = {path: methods - {"head"} for path, methods in served.items()}
    assert {path: set(item) for path, item in described.items()} == wanted
    assert ("/lane" in described) == (menu == "on")


@pytest.mark.timeout(240)
async def test_whatever_is_asked_is_answered_as_described(tmp_path: Path) -> None:
    async with chain(TRUST_BAGGAGE="on", TRUST_END_USER="on") as services:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{services.url}/openapi.json"),
            *("--checks", "all", "--mode", "all", "--seed", str(SEED), "--max-examples", str(EXAMPLES)),
            *("--phases", "coverage,fuzzing", "--generation-database", "none", "--no-color"),
            *("--continue-on-failure", "--suppress-health-check", "all", "--request-timeout", "20"),
            cwd=tmp_path,
            stdout=PIPE,
            stderr=STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        async with aiohttp.ClientSession() as session, session.get(f"{services.url}/health") as answer:
            assert answer.status == 200
        assert services.faults() == [], json.dumps(services.faults())
