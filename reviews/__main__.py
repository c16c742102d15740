"""`python -m reviews`."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import sys
    from collections.abc import Mapping

    from bookinfo_pb.v1.ratings_pb2_grpc import RatingsStub
    from bookinfo_pb.v1.reviews_pb2_grpc import add_ReviewsServicer_to_server
    from reviews.logic import star_color
    from reviews.server import ReviewsServer
    from serving import command
    from serving.admin import serving_admin
    from serving.channels import open_channels
    from serving.grpc_server import serve_grpc
    from serving.identity import Identity
    from serving.settings import Settings, target_of, target_variable


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Serve reviews until `stop` is set; a version without stars has no business with ratings."""
    target = target_of("ratings", settings, environ)
    targets = {} if star_color(settings.version) is None else {"ratings": target}
    async with (
        open_channels(targets, settings.known_lanes()) as channels,
        serving_admin(settings, stop, channels) as readiness,
    ):
        ratings = RatingsStub(channels["ratings"]) if channels else None
        servicer = ReviewsServer(Identity.of(settings), ratings)
        await serve_grpc(
            settings,
            lambda server: add_ReviewsServicer_to_server(servicer, server),
            ["bookinfo.v1.Reviews"],
            stop,
            lanes=channels.lanes,
            on_serving=readiness.serves,
        )


if __name__ == "__main__":
    summary = "Serves the reviews of books over gRPC: v1 without stars, v2 with black ones, v3 with red ones."
    sys.exit(command.run("reviews", summary, [target_variable("ratings")], serve))
