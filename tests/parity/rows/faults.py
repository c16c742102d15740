"""Aborts and delays, and the filters of a listener and their overrides."""

from __future__ import annotations

from typing import Final

from grpc import StatusCode

from tests.fakes.resources import route
from tests.parity.cases import (
    DEADLINE,
    DENIED,
    FORBID,
    REFUSED,
    ROUTER,
    SOON,
    UNAVAILABLE,
    UNKNOWN,
    UNKNOWN_CONFIG,
    A,
    Case,
    abort,
    chain,
    fault,
    fault_filter,
    faulty,
    host,
    overridden,
    share,
    to_v1,
    weighted,
    wrapped,
)

PERCENTAGE = "gRFC A33 and Envoy say …-abort-request-percentage; gRPC's client reads …-abort-percentage"
"""So it is with delays."""
NO_ABORT = "Envoy answers in place of the backend all the same; to gRPC an abort with OK is none"
LONG: Final = {"fixed_delay": "60s", "percentage": share(100)}
A_MOMENT: Final = {"fixed_delay": "0.02s", "percentage": share(100)}
_UNKNOWN: Final = {"name": "unknown", "typed_config": UNKNOWN_CONFIG}

ROWS = [
    # --- faults ---
    Case("abort", abort(grpc_status=7), [], DENIED),
    Case("abort 0 %", abort(0, grpc_status=7), [], {"v1": 1}),
    Case("abort 40 %", abort(40, grpc_status=7), [], {"v1": 0.6, "PERMISSION_DENIED": 0.4}),
    Case("abort without a percentage", faulty(abort={"grpc_status": 7}), [], "v1"),
    Case("abort over 100 %", abort(200, grpc_status=7), [], DENIED),
    *(
        Case(f"abort: http {http}", abort(http_status=http), [], code)
        for http, code in {
            400: StatusCode.INTERNAL,
            401: StatusCode.UNAUTHENTICATED,
            403: DENIED,
            404: StatusCode.UNIMPLEMENTED,
            418: UNKNOWN,
            429: UNAVAILABLE,
            500: UNKNOWN,
            502: UNAVAILABLE,
            503: UNAVAILABLE,
            504: UNAVAILABLE,
        }.items()
    ),
    Case("abort: http 200 is none", abort(http_status=200), [], "v1", envoy=UNKNOWN, why=NO_ABORT),
    Case("abort: gRPC 0 is none", abort(grpc_status=0), [], "v1", envoy="OK", why=NO_ABORT),
    Case(
        "abort: no such status",
        abort(grpc_status=99),
        [],
        REFUSED,
        envoy=UNKNOWN,
        why="Envoy sends any number; gRPC refuses those that are no status",
    ),
    Case("abort: by header", abort(header_abort={}), [("x-envoy-fault-abort-grpc-request", "7")], DENIED),
    Case("abort: no header", abort(header_abort={}), [], "v1"),
    Case(
        "abort: header without a number",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "x")],
        "v1",
        UNKNOWN,
        "gRFC A33: an invalid header is ignored; gRPC's client aborts with UNKNOWN",
    ),
    Case(
        "abort: by HTTP header",
        abort(header_abort={}),
        [("x-envoy-fault-abort-request", "503")],
        UNAVAILABLE,
        "v1",
        "gRFC A33 has the header; gRPC's client does not",
    ),
    Case(
        "abort: header asks for less",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-request-percentage", "0")],
        "v1",
        DENIED,
        PERCENTAGE,
    ),
    Case(
        "abort: header asks for less, as gRPC spells it",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-percentage", "0")],
        DENIED,
        "v1",
        PERCENTAGE,
    ),
    Case(
        "abort: header asks for more",
        abort(0, header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-request-percentage", "100")],
        "v1",
    ),
    Case(
        "abort: header where none counts",
        abort(0, grpc_status=7),
        [("x-envoy-fault-abort-grpc-request", "7")],
        "v1",
    ),
    Case("delay, then abort", faulty(delay=A_MOMENT, abort=FORBID), [], DENIED),
    Case("delay", faulty(delay=A_MOMENT), [], "v1"),
    Case("fault of the virtual host", host([route("v1")], **fault(abort=FORBID)), [], DENIED),
    Case(
        "fault: route before virtual host",
        host(abort(grpc_status=5), **fault(abort=FORBID)),
        [],
        StatusCode.NOT_FOUND,
    ),
    Case("fault: route lifts the virtual host's", host(faulty(), **fault(abort=FORBID)), [], "v1"),
    Case(
        "fault of a weighted cluster",
        weighted({"name": "v1", "weight": 1}, {"name": "v2", "weight": 1, **fault(abort=FORBID)}),
        [],
        {"v1": 0.5, "PERMISSION_DENIED": 0.5},
    ),
    Case(
        "fault: the route that matches",
        [{**route("v2", headers=[A]), **fault(abort=FORBID)}, route("v1")],
        [],
        "v1",
    ),
    Case(
        "fault: weighted cluster before route",
        [
            {
                **weighted({"name": "v1", "weight": 1, **fault()})[0],
                **fault(abort=FORBID),
            }
        ],
        [],
        "v1",
    ),
    Case(
        "fault: the delay counts against the route's limit",
        [{**to_v1(max_stream_duration=SOON)[0], **fault(delay=LONG)}],
        [],
        DEADLINE,
    ),
    Case("fault: none at once is none", faulty(abort=FORBID, max_active_faults=0), [], "v1"),
    Case("fault: one at once is enough", faulty(abort=FORBID, max_active_faults=1), [], DENIED),
    Case(
        "abort: header's percentage without a number",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-request-percentage", "x")],
        DENIED,
    ),
    Case(
        "delay: by header",
        [
            {
                **to_v1(max_stream_duration=SOON)[0],
                **fault(delay={"header_delay": {}, "percentage": share(100)}),
            }
        ],
        [("x-envoy-fault-delay-request", "60000")],
        DEADLINE,
    ),
    Case(
        "delay: header asks for less",
        [
            {
                **to_v1(max_stream_duration=SOON)[0],
                **fault(delay={"header_delay": {}, "percentage": share(100)}),
            }
        ],
        [("x-envoy-fault-delay-request", "60000"), ("x-envoy-fault-delay-request-percentage", "0")],
        "v1",
        DEADLINE,
        PERCENTAGE,
    ),
    # --- overrides of filters ---
    Case(
        "filters: unknown but optional, behind the router",
        to_v1(),
        [],
        "v1",
        envoy=REFUSED,
        why="Envoy demands that the router is the last before it leaves filters out, gRPC after",
        hcm=chain(ROUTER, {**_UNKNOWN, "is_optional": True}),
    ),
    Case("override: unknown, wrapped", overridden(wrapped(UNKNOWN_CONFIG)), [], REFUSED),
    Case(
        "override: optional and known",
        overridden(wrapped(fault_filter(abort=FORBID)["typed_config"], is_optional=True)),
        [],
        DENIED,
    ),
    Case(
        "override: optional, known and broken",
        overridden(wrapped(fault_filter(abort={"grpc_status": 99})["typed_config"], is_optional=True)),
        [],
        REFUSED,
        envoy="v1",
        why="Envoy takes the status, at no percentage; gRPC refuses those that are no status",
    ),
    Case("override: of the router", overridden(ROUTER["typed_config"], "router"), [], REFUSED),
    Case(
        "override: of the router, optional",
        overridden(wrapped(ROUTER["typed_config"], is_optional=True), "router"),
        [],
        "v1",
    ),
]
