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

from .conftest import METHOD, NAME, TARGET


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

async def main():
    bootstrap = proxyless.Bootstrap.from_env({"XDS_ADDRESS": "127.0.0.1:1"})
    async with proxyless.Client(bootstrap) as mesh:
        if os.fork() == 0:
            try:
                mesh.channel("xds:///reviews:9080")
            except proxyless.ClosedError as error:
                os.write(1, str(error).encode())
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
    assert b"cannot be used after fork: make a new one in the child" in out
