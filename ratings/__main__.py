"""`python -m ratings`."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import sys
    from collections.abc import Mapping

    from bookinfo_pb.v1.ratings_pb2_grpc import add_RatingsServicer_to_server
    from ratings.server import RatingsServer
    from serving import command
    from serving.admin import serving_admin
    from serving.grpc_server import serve_grpc
    from serving.identity import Identity
    from serving.settings import Settings


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Serve ratings until `stop` is set."""
    servicer = RatingsServer(Identity.of(settings))
    async with serving_admin(settings, stop) as readiness:
        await serve_grpc(
            settings,
            lambda server: add_RatingsServicer_to_server(servicer, server),
            ["bookinfo.v1.Ratings"],
            stop,
            on_serving=readiness.serves,
        )


if __name__ == "__main__":
    sys.exit(
        command.run(
            "ratings", "Serves the ratings of books over gRPC: v1 gives 1 star, v2 gives 5.", [], serve
        )
    )
