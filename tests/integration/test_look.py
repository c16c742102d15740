"""`python -m proxyless dump|status|watch`: against a live control plane, and a process's admin address."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import proxyless
import pytest
from aiohttp import web

from serving.admin import application
from serving.settings import Settings
from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane

from .conftest import NAME, TARGET
from .test_explain import proxyless_command

GOOD = build.service(NAME, {"v1": ["127.0.0.1:9"]}, [build.route("v1")])


async def test_dump_is_json_of_everything_held(control_plane: FakeControlPlane) -> None:
    control_plane.set(*GOOD)
    code, out, err = await proxyless_command("dump", TARGET, "--xds-address", control_plane.address)
    assert (code, err) == (0, "")
    dump = json.loads(out)
    assert dump["targets"][TARGET]["state"] == "ready"
    assert dump["resources"]["EDS"]["resources"]["v1"]["state"] == "ACKED"


async def test_status_of_what_is_well(control_plane: FakeControlPlane) -> None:
    control_plane.set(*GOOD)
    code, out, _ = await proxyless_command("status", TARGET, "--xds-address", control_plane.address)
    assert code == 0
    assert f"control plane  {control_plane.address}  connected" in out
    assert [line.split()[:3] for line in out.splitlines()[-4:]] == [
        ["LDS", NAME, "ACKED"],
        ["RDS", NAME, "ACKED"],
        ["CDS", "v1", "ACKED"],
        ["EDS", "v1", "ACKED"],
    ]


async def test_status_says_what_is_refused_and_what_is_missing(control_plane: FakeControlPlane) -> None:
    bad = build.route_config(NAME, [build.route({"v1": 0})])
    control_plane.set(build.listener(NAME), bad)
    code, out, _ = await proxyless_command(
        "status", TARGET, "xds:///other:1", "--xds-address", control_plane.address
    )
    assert code == 1
    assert "NACKED" in out and "routes[0].route.weighted_clusters.clusters" in out
    assert "DOES_NOT_EXIST" in out


async def test_status_without_a_control_plane() -> None:
    code, out, _ = await proxyless_command("status", TARGET, "--xds-address", "127.0.0.1:1")
    assert code == 1
    assert "Connection refused" in out


@asynccontextmanager
async def watching(*arguments: str) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """`watch` until Ctrl-C; gives what waits for a line that holds a text."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxyless", "watch", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    lines = process.stdout

    async def until(text: str) -> None:
        while text not in (line := (await lines.readline()).decode()):
            assert line, f"it ended without {text!r}"

    try:
        yield until
        process.send_signal(signal.SIGINT)
        assert await process.stderr.read() == b""
        assert await process.wait() == 130
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Admin:
    """The admin address of a process, here this one."""

    def __init__(self, mesh: proxyless.Client) -> None:
        self._mesh = mesh
        self._port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        settings = Settings.read("reviews", {})
        self._runner = web.AppRunner(application(settings, self._mesh))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()


@pytest.fixture
async def admin(control_plane: FakeControlPlane, mesh: proxyless.Client) -> AsyncIterator[Admin]:
    """A process that shows its Client's dump."""
    control_plane.set(*GOOD)
    await mesh.explain(TARGET, method="/s/m")
    mesh.channel(TARGET)
    started = Admin(mesh)
    await started.start()
    yield started
    await started.stop()


async def test_watch_says_every_change_until_ctrl_c(control_plane: FakeControlPlane) -> None:
    control_plane.set(*GOOD)
    async with watching(TARGET, "--xds-address", control_plane.address) as until:
        await until("EDS accepted  v1")
        control_plane.set(build.route_config(NAME, [build.route({"v1": 0})]))
        await until("RDS refused")
        control_plane.remove(GOOD[0])
        await until("LDS absent")


async def test_watch_says_every_change_of_a_process(control_plane: FakeControlPlane, admin: Admin) -> None:
    async with watching("--admin", admin.address) as until:
        await until("connected")
        await until("EDS accepted  v1")
        await until(f"target     {TARGET}  ready")
        control_plane.set(build.route_config(NAME, [build.route({"v1": 0})]))
        await until("RDS refused")
        control_plane.remove(GOOD[0])
        await until("LDS absent")
        await admin.stop()
        await until("lost       http://")
        await admin.start()
        await until("back       ")


async def test_a_process_by_its_admin_address(admin: Admin) -> None:
    code, out, _ = await proxyless_command("status", "--admin", admin.address)
    assert code == 0 and f"{TARGET}  ready" in out
    code, out, _ = await proxyless_command("dump", "--admin", f"http://{admin.address}/")
    assert (code, list(json.loads(out)["targets"])) == (0, [TARGET])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("dump",), "Name TARGETs, or a process with --admin"),
        (("status", TARGET, "--admin", "127.0.0.1:1"), "Name TARGETs, or a process with --admin"),
        (
            ("status", "--admin", "127.0.0.1:1"),
            "http://127.0.0.1:1/config_dump: [Errno 111] Connection refused",
        ),
        (("status", "--admin", "127.0.0.1:99999"), "proxyless status: 127.0.0.1:99999: '99999' is no port"),
        (("dump", "--admin", "http://127.0.0.1:0/"), "http://127.0.0.1:0/: '0' is no port"),
        (("watch", "--admin", "127.0.0.1:x"), "proxyless watch: 127.0.0.1:x: 'x' is no port"),
        (("status", "--admin", "[::1"), "proxyless status: [::1: Invalid IPv6 URL"),
        (("dump", TARGET, "--xds-address", "127.0.0.1:1"), "proxyless dump: control plane 127.0.0.1:1: "),
        (("status", TARGET, "--timeout", "-1"), "Invalid value for '--timeout': -1.0 is not in the range"),
        (("explain", TARGET, "--timeout", "-1"), "Invalid value for '--timeout': -1.0 is not in the range"),
        (("dump", "reviews:9080", "--xds-address", "127.0.0.1:1"), "expected the scheme 'xds'"),
        (("watch", "reviews:9080", "--xds-address", "127.0.0.1:1"), "expected the scheme 'xds'"),
        (("watch",), "Name TARGETs, or a process with --admin"),
        (
            ("watch", "--admin", "127.0.0.1:1"),
            "http://127.0.0.1:1/config_dump: [Errno 111] Connection refused",
        ),
    ],
)
async def test_what_is_refused(arguments: tuple[str, ...], says: str) -> None:
    code, out, err = await proxyless_command(*arguments)
    assert (code, out) == (2, "")
    assert says in err and "Traceback" not in err


async def test_a_port_that_does_not_speak_http(control_plane: FakeControlPlane) -> None:
    address = control_plane.address
    code, out, err = await proxyless_command("status", "--admin", address)
    assert (code, out) == (2, "")
    assert err.startswith(f"proxyless status: http://{address}/config_dump: ") and "Traceback" not in err
