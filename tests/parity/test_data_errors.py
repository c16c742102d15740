"""What an error leaves of a resource: the table of gRFC A88, row by row, in gRPC's own client and in ours.

gRPC has it behind GRPC_EXPERIMENTAL_XDS_DATA_ERROR_HANDLING, which is on here. Its row for the timer that
runs out takes 15 seconds there and is held in `tests/protocol/test_data_errors.py` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.parity.cases import METHOD
from tests.parity.conftest import Driver, both

FAIL = "fail_on_data_errors"
KEEP = "ignore_resource_deletion"
ANCHOR = "anchor:1"


@dataclass(frozen=True)
class Row:
    """One kind of trouble with the cluster of a service that is in force (`cached`), or was never seen."""

    name: str
    trouble: Callable[[FakeControlPlane, Any], None]
    cached: bool
    serves: dict[str, bool]
    """By the feature of the control plane: whether calls are served, once the trouble is there."""
    but_grpc: dict[str, bool] | None = None
    why: str = ""


def refused(plane: FakeControlPlane, cluster: Any) -> None:
    plane.set(build.Cluster(name=cluster.name))


def deleted(plane: FakeControlPlane, cluster: Any) -> None:
    plane.remove(cluster)


def denied(code: grpc.StatusCode) -> Callable[[FakeControlPlane, Any], None]:
    return lambda plane, cluster: plane.deny(cluster, code, "as told")


NEVER = {"": False, FAIL: False, KEEP: False}
ALWAYS = {"": True, FAIL: True, KEEP: True}
UNLESS_TOLD = {"": True, FAIL: False, KEEP: True}

ROWS = [
    Row("refused-first", refused, False, NEVER),
    Row("refused-later", refused, True, UNLESS_TOLD),
    Row(
        *("deleted", deleted, True, {"": False, FAIL: False, KEEP: True}),
        but_grpc=UNLESS_TOLD,
        why="A88 lets a deletion pass unless told otherwise. gRPC without that experiment, Envoy and Istio's "
        "users take it at its word, and so does this library unless ignore_resource_deletion is set.",
    ),
    Row("not-found-first", denied(grpc.StatusCode.NOT_FOUND), False, NEVER),
    Row("not-found-later", denied(grpc.StatusCode.NOT_FOUND), True, UNLESS_TOLD),
    Row("not-allowed-first", denied(grpc.StatusCode.PERMISSION_DENIED), False, NEVER),
    Row("not-allowed-later", denied(grpc.StatusCode.PERMISSION_DENIED), True, UNLESS_TOLD),
    Row("trouble-first", denied(grpc.StatusCode.INTERNAL), False, NEVER),
    Row("trouble-later", denied(grpc.StatusCode.INTERNAL), True, ALWAYS),
]


def service(name: str, cluster: str, backend: Backend) -> list[Any]:
    return build.service(f"{name}:1", {cluster: [backend.address]}, [build.route(cluster)])


@pytest.mark.parametrize("feature", ["", FAIL, KEEP])
async def test_errors_of_the_data(feature: str) -> None:
    async with (
        FakeControlPlane() as plane,
        Backend("there") as backend,
        told(plane, feature) as clients,
    ):
        for row in ROWS:
            plane.set(*service(row.name, row.name, backend))
            if not row.cached:
                row.trouble(plane, build.cluster(row.name))
        plane.set(*service("anchor", "anchor", backend))
        cached = [row for row in ROWS if row.cached]
        for client in clients:
            for row in cached:
                assert await served(client, row.name), row.name
            assert await client.call(f"xds:///{ANCHOR}", METHOD, ()) == ["there"]
        for row in cached:
            row.trouble(plane, build.cluster(row.name))
        for client in clients:
            await settled(plane, client, backend)
            outcome = {row.name: await served(client, row.name) for row in ROWS}
            grpc_s = client.node == "grpc"
            assert outcome == {
                row.name: (row.but_grpc or row.serves if grpc_s else row.serves)[feature] for row in ROWS
            }, client.node


@pytest.mark.parametrize("feature", ["", FAIL])
async def test_errors_of_the_stream(feature: str) -> None:
    """The rows of a control plane that cannot be reached, or ends its streams before it has answered."""
    async with (
        FakeControlPlane() as plane,
        Backend("there") as backend,
        told(plane, feature) as clients,
    ):
        plane.set(*service("known", "known", backend), *service("unknown", "unknown", backend))
        for client in clients:
            assert await served(client, "known")
        plane.silent = True
        for stream in list(plane.streams):
            stream.end()
        for client in clients:
            assert (await served(client, "known"), await served(client, "unknown")) == (True, False)
        await plane.stop()
        for client in clients:
            assert (await served(client, "known"), await served(client, "unknown")) == (True, False)


def told(plane: FakeControlPlane, feature: str) -> AbstractAsyncContextManager[tuple[Driver, Driver]]:
    return both(plane.address, feature, GRPC_EXPERIMENTAL_XDS_DATA_ERROR_HANDLING="true")


async def served(client: Driver, name: str) -> bool:
    """Whether a call is answered; anything but an answer or UNAVAILABLE is not for this table."""
    (result,) = await client.call(f"xds:///{name}:1", METHOD, ())
    assert result == "there" or result.startswith("UNAVAILABLE"), result
    return result == "there"


async def settled(plane: FakeControlPlane, client: Driver, backend: Backend) -> None:
    """Return once a client has taken in all that was sent before: a service made now can be called."""
    name = f"after-{client.node}"
    plane.set(*service(name, name, backend))
    assert await served(client, name)
