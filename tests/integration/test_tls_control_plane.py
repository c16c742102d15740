"""TLS to the control plane as Istiod's port 15012 asks for it, and every way in which it goes wrong."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.certificates import Authority, token
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET

ISTIOD = "istiod.istio-system.svc"
AUTHORITY = Authority.make()
STRANGER = Authority.make("stranger")


@dataclass
class Pod:
    """The files a pod has mounted, and its environment."""

    root: Path
    token: Path
    address: str

    @property
    def bootstrap(self) -> proxyless.Bootstrap:
        return proxyless.Bootstrap.from_env(
            {
                "XDS_ADDRESS": self.address,
                "XDS_ROOT_CERT": str(self.root),
                "XDS_TOKEN": str(self.token),
                "CLUSTER_ID": "north",
                "POD_NAME": "reviews-1",
            }
        )


class Failures(proxyless.Observer):
    """Remembers why streams failed."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._told = asyncio.Event()

    def stream_failed(self, server: str, error: str) -> None:
        self.seen.append(error)
        self._told.set()

    async def times(self, count: int) -> None:
        while len(self.seen) < count:
            self._told.clear()
            await self._told.wait()


@pytest.fixture
async def istiod(v1: Backend) -> AsyncIterator[FakeControlPlane]:
    control_plane = FakeControlPlane()
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    yield control_plane
    await control_plane.stop()


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    made = Pod(tmp_path / "root-cert.pem", tmp_path / "istio-token", "")
    made.root.write_bytes(AUTHORITY.root)
    made.token.write_text(token(time.time() + 3600))
    return made


async def start(
    istiod: FakeControlPlane, pod: Pod, authority: Authority = AUTHORITY, name: str = ISTIOD
) -> None:
    await istiod.start(credentials=authority.server_credentials(name))
    pod.address = istiod.address


async def test_it_trusts_the_root_names_istiod_and_sends_token_and_cluster(
    istiod: FakeControlPlane, pod: Pod
) -> None:
    await start(istiod, pod)
    istiod.token = pod.token.read_text()
    async with proxyless.Client(pod.bootstrap) as mesh:
        assert await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20) == b"v1"
    assert istiod.metadata[0]["clusterid"] == "north"


def damage_root(pod: Pod) -> None:
    pod.root.write_bytes(STRANGER.root)


def remove_root(pod: Pod) -> None:
    pod.root.unlink()


def garble_root(pod: Pod) -> None:
    pod.root.write_text("not a certificate")


def remove_token(pod: Pod) -> None:
    pod.token.unlink()


def empty_token(pod: Pod) -> None:
    pod.token.write_text("\n")


def expire_token(pod: Pod) -> None:
    pod.token.write_text(token(time.time() - 90))


def foreign_token(pod: Pod) -> None:
    pod.token.write_text(token(time.time() + 3600, "system:serviceaccount:default:stranger"))


def mend(pod: Pod, good: str) -> None:
    pod.root.write_bytes(AUTHORITY.root)
    pod.token.write_text(good)


FAULTS: list[tuple[Callable[[Pod], None], str]] = [
    (damage_root, "CERTIFICATE_VERIFY_FAILED"),
    (damage_root, f"root-cert.pem' for '{ISTIOD}')"),
    (remove_root, "root-cert.pem' cannot be read: No such file or directory"),
    (garble_root, "root-cert.pem' holds no PEM certificate"),
    (remove_token, "istio-token' cannot be read: No such file or directory"),
    (empty_token, "istio-token' is empty"),
    (expire_token, "istio-token' expired 9"),
    (foreign_token, "UNAUTHENTICATED: authentication failure (with the token "),
    (foreign_token, "istio-token')"),
]


@pytest.mark.parametrize(("damage", "says"), FAULTS, ids=[damage.__name__ for damage, _ in FAULTS])
async def test_one_clear_line_back_off_and_recovery_once_mended(
    damage: Callable[[Pod], None],
    says: str,
    istiod: FakeControlPlane,
    pod: Pod,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await start(istiod, pod)
    good = istiod.token = pod.token.read_text()
    damage(pod)
    failures = Failures()
    caplog.set_level(logging.INFO, "proxyless")
    async with proxyless.Client(pod.bootstrap, observer=failures, reconnect=(0.01, 0.05)) as mesh:
        multicallable = mesh.channel(TARGET).unary_unary(METHOD)
        with pytest.raises(aio.AioRpcError) as caught:
            await multicallable(b"", timeout=20)
        assert says in (caught.value.details() or "")
        waiting = multicallable(b"", timeout=20, wait_for_ready=True)
        await failures.times(3)
        assert all(says in each and istiod.address in each for each in failures.seen)
        assert says in mesh.config_dump()["server"]["error"]
        mend(pod, good)
        assert await waiting == b"v1"
        assert mesh.config_dump()["server"]["error"] is None
    warnings = {r.getMessage() for r in caplog.records if r.levelno == logging.WARNING}
    told = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == len(warnings)  # each said once, however often it was tried
    assert any("connected" in r.getMessage() for r in caplog.records)


async def test_a_server_of_another_name_is_not_trusted(istiod: FakeControlPlane, pod: Pod) -> None:
    await start(istiod, pod, name="someone.else.svc")
    async with proxyless.Client(pod.bootstrap) as mesh:
        with pytest.raises(aio.AioRpcError) as caught:
            await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20)
        assert ISTIOD in (caught.value.details() or "")


async def test_a_rotated_token_and_root_are_used_by_the_next_stream(
    istiod: FakeControlPlane, pod: Pod
) -> None:
    await start(istiod, pod)
    istiod.token = pod.token.read_text()
    async with proxyless.Client(pod.bootstrap, reconnect=(0.01, 0.05)) as mesh:
        multicallable = mesh.channel(TARGET).unary_unary(METHOD)
        assert await multicallable(b"", timeout=20) == b"v1"
        port = istiod.port
        await istiod.stop()
        istiod.token = token(time.time() + 7200, "rotated")
        pod.token.write_text(istiod.token)
        pod.root.write_bytes(STRANGER.root)
        await istiod.start(port, STRANGER.server_credentials(ISTIOD))
        await istiod.until(lambda: bool(istiod.streams))
        assert istiod.metadata[-1]["authorization"] == f"Bearer {istiod.token}"
        assert await multicallable(b"", timeout=20) == b"v1"


def test_port_15012_means_istio_s_own_files() -> None:
    bootstrap = proxyless.Bootstrap.from_env({"XDS_ADDRESS": "istiod.istio-system.svc:15012"})
    assert bootstrap.tls is not None
    assert bootstrap.tls.root == "/var/run/secrets/istio/root-cert.pem"
    assert bootstrap.tls.token == "/var/run/secrets/tokens/istio-token"
    assert bootstrap.tls.server_name == ISTIOD
    assert proxyless.Bootstrap.from_env({"XDS_ADDRESS": "istiod.istio-system.svc:15010"}).tls is None
