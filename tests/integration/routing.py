"""Routes that retry, fault and carry a lane, and calls by them."""

from __future__ import annotations

from typing import Any

import grpc
import proxyless
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from google.protobuf.json_format import ParseDict

from tests.fakes import resources as build
from tests.fakes.control_plane import pack

from .conftest import METHOD, TARGET

LANE = [("baggage", "env=dev")]
IN_LANE = [build.header("baggage", string_match={"exact": "env=dev"})]
RETRY = {"retry_on": "connect-failure,refused-stream,unavailable,cancelled", "num_retries": 2}


def with_retry(route: dict[str, Any], **policy: Any) -> dict[str, Any]:
    route["route"]["retry_policy"] = {**RETRY, **policy}
    return route


def with_fault(route: dict[str, Any], **fault: Any) -> Any:
    made = build.virtual_host("", ["*"], [route]).routes[0]
    made.typed_per_filter_config["envoy.filters.http.fault"].CopyFrom(pack(ParseDict(fault, HTTPFault())))
    return made


def unavailable_first(times: int) -> Any:
    """A hook that aborts the first calls with UNAVAILABLE."""
    left = times

    async def hook(context: Any) -> None:
        nonlocal left
        if left:
            left -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    return hook


async def call(mesh: proxyless.Client, metadata: Any = None, **options: Any) -> bytes:
    response: bytes = await mesh.channel(TARGET).unary_unary(METHOD)(
        b"", **{"metadata": metadata, "timeout": 20, **options}
    )
    return response


# --- fallback ---------------------------------------------------------------------------------------------


def lane_routes(*, strict: bool = False) -> list[Any]:
    routes = [{**build.route("v2", headers=IN_LANE), "name": "lane-dev"}]
    if strict:
        abort = {"grpc_status": 14, "percentage": {"numerator": 100}}
        routes.append(
            with_fault({**build.route("v1", headers=IN_LANE), "name": "lane-dev-strict"}, abort=abort)
        )
    return [*routes, {**build.route("v1"), "name": "base"}]
