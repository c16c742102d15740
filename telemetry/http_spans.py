"""Spans of HTTP requests, by OpenTelemetry's own instrumentation."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor, create_aiohttp_middleware


def server_middleware() -> Middleware:
    """The first middleware of an application: a span for each request but those for the health."""
    # It has no other way to be set up; what it does to all applications of the process is undone, since the
    # admin port has one, too.
    instrumentor = AioHttpServerInstrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()
    traced = create_aiohttp_middleware()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/health"):
            return await handler(request)
        response: web.StreamResponse = await traced(request, handler)
        return response

    return middleware


def client_tracing() -> aiohttp.TraceConfig:
    """For an aiohttp session: a span for each request."""
    return create_trace_config()
