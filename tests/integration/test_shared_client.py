"""`proxyless.insecure_channel`: one Client a loop and bootstrap, closed with the last of its channels."""

from __future__ import annotations

import asyncio
import sys

import proxyless
import pytest
from proxyless import entry

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, bootstrap_for


@pytest.fixture
def environment(control_plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDS_ADDRESS", control_plane.address)


@pytest.mark.usefixtures("environment")
async def test_channels_share_one_stream_until_the_last_is_closed(
    control_plane: FakeControlPlane, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    control_plane.set(*build.service("details:9080", {"v1": [v1.address]}, [build.route("v1")]))
    one = proxyless.insecure_channel(TARGET)
    two = proxyless.insecure_channel("xds:///details:9080")
    assert await one.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    assert await two.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    assert len(control_plane.streams) == 1
    await one.close()
    assert await two.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    await two.close()
    await control_plane.until(lambda: not control_plane.streams)
    assert not entry._shared.get(asyncio.get_running_loop())
    async with proxyless.insecure_channel(TARGET) as again:
        assert await again.unary_unary(METHOD)(b"", timeout=20) == b"v1"


@pytest.mark.usefixtures("environment")
async def test_a_bad_target_leaves_no_client_behind() -> None:
    with pytest.raises(proxyless.TargetError):
        proxyless.insecure_channel("dns:///reviews:9080")
    assert not entry._shared.get(asyncio.get_running_loop())


def test_without_a_running_loop_the_error_is_clear() -> None:
    with pytest.raises(proxyless.ClosedError, match="running event loop"):
        proxyless.insecure_channel(TARGET)


FORKS = """
import asyncio, os, proxyless

async def anew(bootstrap):
    async with proxyless.Client(bootstrap) as mesh:
        mesh.channel("xds:///reviews:9080")
        os.write(1, b"a new one can be used")

async def main():
    bootstrap = proxyless.Bootstrap.from_env({"XDS_ADDRESS": "127.0.0.1:1"})
    async with proxyless.Client(bootstrap) as mesh:
        channel = mesh.channel("xds:///reviews:9080")
        call = channel.unary_unary("/a.B/C")
        if os.fork() == 0:
            for use in (lambda: mesh.channel("xds:///reviews:9080"), lambda: call(b"")):
                try:
                    use()
                except proxyless.ClosedError as error:
                    os.write(1, str(error).encode() + b"\\n")
            asyncio.run(anew(bootstrap))
            os._exit(0)
        os.wait()

asyncio.run(main())
"""


async def test_after_fork_the_error_is_clear() -> None:
    """In a process of its own: this one has threads that do not survive a fork."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORKS, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    said = out.decode().splitlines()
    assert said == [
        *["a proxyless.Client cannot be used after fork: make a new one in the child"] * 2,
        "a new one can be used",
    ]


async def test_another_loop_is_refused_and_leaves_no_harm(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    call = mesh.channel(TARGET).unary_unary(METHOD)

    async def elsewhere() -> str:
        with pytest.raises(proxyless.ClosedError) as caught:
            await call(b"", timeout=20)
        return str(caught.value)

    assert "belongs to another event loop" in await asyncio.to_thread(asyncio.run, elsewhere())
    assert await call(b"", timeout=20) == b"v1"


async def test_the_calls_of_a_client_end_with_it(control_plane: FakeControlPlane, v1: Backend) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    async with proxyless.Client(bootstrap_for(control_plane)) as mesh:
        call = mesh.channel(TARGET).stream_stream("/test.Service/StreamStream")()
        await call.write(b"a")
        assert await call.read() == b"v1:a"
    assert call.done() and call.cancelled()
