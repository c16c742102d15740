"""The console of a cluster whole: its server, processes behind a name, and an API server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from console.app import ConsoleServer
from console.settings import SettingError, Settings
from lanes.store import NoMesh
from tests.fakes.admin_port import AdminPort
from tests.fakes.api_server import ApiServer
from tests.unit.lanes.cluster.objects import deployment, destination_rule, service, to, virtual_service


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().running() as server:
        server.put("services", service("reviews"))
        for version in ("v1", "v2"):
            server.put("deployments", deployment(f"reviews-{version}", "reviews", version))
        base = {"name": "base", "route": [to("reviews", "v1", 90), to("reviews", "v2", 10)]}
        server.put("virtualservices", virtual_service("reviews", base))
        server.put("destinationrules", destination_rule("reviews", "v1", "v2"))
        door = service("productpage", {"name": "http", "port": 80, "targetPort": 9080})
        server.put("services", door)
        yield server


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> str:
    file = tmp_path / "kubeconfig"
    file.write_text(server.kubeconfig())
    return str(file)


class Browser:
    """Somebody before the page."""

    def __init__(self, console: ConsoleServer, session: aiohttp.ClientSession) -> None:
        self.url = console.url
        self._session = session

    async def text(self, path: str = "") -> str:
        async with self._session.get(self.url + path) as response:
            assert response.status == 200
            return await response.text()

    async def sections(self) -> dict[str, Any]:
        """Every section, as it is told to whoever comes."""
        found: dict[str, Any] = {}
        async with self._session.get(f"{self.url}/events") as response:
            name = ""
            async for line in response.content:
                kind, _, rest = line.decode().strip().partition(": ")
                if kind == "event":
                    name = rest
                elif kind == "data":
                    found[name] = json.loads(rest)
                if {"mesh", "topology", "lanes", "requests", "rules", "actions"} <= found.keys():
                    break
        return found

    async def do(self, verb: str, token: str | None = None, **body: Any) -> tuple[int, Any]:
        page = await self.text()
        marker = 'name="csrf-token" content="'
        own = page[page.index(marker) + len(marker) :].partition('"')[0]
        headers = {"X-CSRF-Token": own if token is None else token}
        url = f"{self.url}/api/actions/{verb}"
        async with self._session.post(url, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)


@asynccontextmanager
async def opened(admin: AdminPort, **options: Any) -> AsyncIterator[Browser]:
    settings = Settings.read("unused", [f"localhost:{admin.port}"], **options)
    async with ConsoleServer(settings) as console, aiohttp.ClientSession() as session:
        yield Browser(console, session)


async def test_it_shows_the_objects_and_changes_them(server: ApiServer, kubeconfig: str) -> None:
    async with (
        AdminPort("reviews", "v1") as admin,
        opened(admin, namespace="shop", kubeconfig=kubeconfig, write=True) as browser,
    ):
        mesh = (await browser.sections())["mesh"]
        assert (mesh["name"], mesh["writable"], mesh["processes"]) == ("shop", True, False)
        assert mesh["limits"] == []
        assert mesh["unreachable"] == []
        [reviews] = mesh["services"]
        assert reviews["base"] == {"v1": 90, "v2": 10}
        # The Pods are those that Kubernetes knows, and who answers is no more of them.
        assert [each["name"] for each in reviews["instances"]] == ["reviews-v1-1", "reviews-v2-1"]
        status, answer = await browser.do("lane-create", name="dev", versions={"reviews": "v2"})
        assert (status, answer["ok"]) == (200, True), answer
        assert answer["action"]["milliseconds"] is None
        assert server.objects["virtualservices", "reviews"]["spec"]["http"][0]["name"] == "lane-dev"
        told = await browser.sections()
        while not told["lanes"]["lanes"]:
            told = await browser.sections()
        [lane] = told["lanes"]["lanes"]
        assert (lane["name"], [member["name"] for member in lane["members"]]) == ("dev", ["reviews-v2-1"])
        assert [each["title"] for each in told["actions"]["actions"]] == ["Create lane dev"]
        objects = json.loads(await browser.text("/api/objects"))["objects"]
        assert [(each["kind"], each["name"]) for each in objects] == [
            ("DestinationRule", "reviews"),
            ("VirtualService", "reviews"),
        ]
        assert "resourceVersion" not in objects[1]["yaml"]
        status, answer = await browser.do("kill", name="reviews-v1-1")
        assert (status, answer["error"]["code"]) == (409, "FAILED_PRECONDITION")
        assert (await browser.do("lane-delete", token="guessed", name="dev"))[0] == 403


async def test_with_a_namespace_alone_it_shows_and_changes_nothing(
    server: ApiServer, kubeconfig: str
) -> None:
    async with (
        AdminPort("reviews", "v1") as admin,
        opened(admin, namespace="shop", kubeconfig=kubeconfig, name="books") as browser,
    ):
        mesh = (await browser.sections())["mesh"]
        assert (mesh["name"], mesh["writable"]) == ("books", False)
        assert mesh["services"][0]["base"] == {"v1": 90, "v2": 10}
        objects = json.loads(await browser.text("/api/objects"))["objects"]
        assert {each["name"] for each in objects} == {"reviews"}
        assert (await browser.do("lane-create", name="dev", versions={"reviews": "v2"}))[0] == 404
        assert {verb for verb, _, _ in server.asked} == {"list"}


async def test_an_api_server_that_fails_is_said_and_what_it_told_stands(
    server: ApiServer, kubeconfig: str
) -> None:
    async with (
        AdminPort("reviews", "v1") as admin,
        opened(admin, namespace="shop", kubeconfig=kubeconfig) as browser,
    ):
        assert (await browser.sections())["mesh"]["unreachable"] == []
        server.denied.add(("list", "pods"))
        told = (await browser.sections())["mesh"]
        while not told["unreachable"]:
            told = (await browser.sections())["mesh"]
        [failed] = told["unreachable"]
        assert failed["name"] == "the API server"
        assert "no right to list pods" in failed["error"]
        assert told["services"][0]["base"] == {"v1": 90, "v2": 10}


async def test_without_one_it_has_no_way_to_write_and_says_what_it_cannot_know(server: ApiServer) -> None:
    async with AdminPort("reviews", "v1") as admin, opened(admin) as browser:
        page = await browser.text()
        assert "This page only shows" in page
        assert "its objects are not read" in page
        answer = json.loads(await browser.text("/api/objects"))
        assert answer["objects"] == []
        assert "kubectl get" in answer["why_not"]
        assert server.asked == []


async def test_a_context_that_is_not_there_ends_it(kubeconfig: str) -> None:
    async with AdminPort() as admin:
        with pytest.raises(NoMesh, match="no context 'gone'"):
            async with opened(admin, context="gone", kubeconfig=kubeconfig):
                pass


@pytest.mark.parametrize(
    ("peers", "options", "why"),
    [
        ([], {"namespace": "shop"}, "--namespace is for a cluster"),
        ([], {"write": True}, "--write is for a cluster"),
        (["a:1"], {"write": True}, "--write needs --namespace"),
        (["a:1"], {"door": "http://a:1"}, "--door needs --namespace"),
        (["a:1"], {"namespace": "shop", "write": True, "read_only": True}, "which is it to be"),
        (["a:1"], {"namespace": "shop", "door": "productpage:9080"}, "is no URL of a front door"),
        (["a:1"], {"lane_key": "a b"}, "--lane-key 'a b'"),
        (["a"], {}, "is not of the form HOST:PORT"),
    ],
)
def test_options_that_do_not_go_together(peers: list[str], options: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingError, match=why):
        Settings.read("unused", peers, **options)
