"""What chaos does not meet of its own accord, as small as it can be shown."""

from __future__ import annotations

import proxyless

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane


async def test_a_control_plane_that_goes_in_the_middle_of_a_change_costs_no_call() -> None:
    """A route names a cluster the client does not know; before it can ask, there is nobody to ask."""
    name = "reviews:9080"
    async with FakeControlPlane() as control_plane, Backend("v1") as v1:
        identity = {"XDS_ADDRESS": control_plane.address, "POD_NAME": "test"}
        async with proxyless.Client(proxyless.Bootstrap.from_env(identity)) as mesh:
            control_plane.set(*build.service(name, {"v1": [v1.address]}, [build.route("v1")]))
            call = mesh.channel(f"xds:///{name}").unary_unary("/test.Service/UnaryUnary")
            assert await call(b"", timeout=20) == b"v1"
            control_plane.automatic = False
            stream = control_plane.streams[0]
            stream.send(build.RDS, [build.route_config(name, [build.route("v2")])], "2")
            await control_plane.until(lambda: "v2" in stream.names[build.CDS])
            await control_plane.stop()
            assert await call(b"", timeout=2) == b"v1"
