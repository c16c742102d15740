"""`python -m delivery`."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import sys
    from collections.abc import Mapping

    from bookinfo_pb.v1.details_pb2_grpc import DetailsStub
    from delivery.server import DeliveryServer, application
    from serving import command
    from serving.admin import serving_admin
    from serving.channels import open_channels
    from serving.http_server import serve_http
    from serving.identity import Identity
    from serving.settings import Settings, target_of, target_variable

_CALL_TIMEOUT = 2.0
"""Seconds that details may take; whoever asks delivery waits a little longer."""


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Serve delivery until `stop` is set."""
    targets = {"details": target_of("details", settings, environ)}
    async with (
        open_channels(targets, settings.known_lanes()) as channels,
        serving_admin(settings, stop, channels) as readiness,
    ):
        server = DeliveryServer(Identity.of(settings), DetailsStub(channels["details"]), _CALL_TIMEOUT)
        app = application(settings, server, channels.lanes)
        await serve_http(settings, app, stop, server.drain, on_serving=readiness.serves)


if __name__ == "__main__":
    summary = "Serves over HTTP when books arrive, from their details over gRPC; v2 delivers by express."
    sys.exit(command.run("delivery", summary, [target_variable("details")], serve))
