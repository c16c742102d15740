"""`python -m details`."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import sys
    from collections.abc import Mapping

    from bookinfo_pb.v1.details_pb2_grpc import add_DetailsServicer_to_server
    from details.server import DetailsServer
    from serving import command
    from serving.admin import serving_admin
    from serving.grpc_server import serve_grpc
    from serving.identity import Identity
    from serving.settings import Settings


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Serve details until `stop` is set."""
    servicer = DetailsServer(Identity.of(settings))
    async with serving_admin(settings, stop) as readiness:
        await serve_grpc(
            settings,
            lambda server: add_DetailsServicer_to_server(servicer, server),
            ["bookinfo.v1.Details"],
            stop,
            on_serving=readiness.serves,
        )


if __name__ == "__main__":
    sys.exit(
        command.run("details", "Serves the details of books over gRPC; v2 also tells the genre.", [], serve)
    )
