"""Spans of HTTP requests, by OpenTelemetry's own instrumentation."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor, create_aiohttp_middleware

END_USER = "enduser.id"
_SILENT = ("/health", "/mesh/", "/productpage/static/")


def server_middleware() -> Middleware:
    """The first middleware of an application: a span for each request, but not for those nobody means.

    Those are for the health, for the lane console, which would watch itself, and for the parts of a page.
    """
    # It has no other way to be set up; what it does to all applications of the process is undone, since the
    # admin port has one, too.
    instrumentor = AioHttpServerInstrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()
    traced = create_aiohttp_middleware()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_SILENT) or request.path == "/mesh":
            return await handler(request)
        response: web.StreamResponse = await traced(request, handler)
        return response

    return middleware


def tell_user(name: str) -> None:
    """Say on the span of the request being served who is signed in, as OpenTelemetry names it."""
    trace.get_current_span().set_attribute(END_USER, name)


def client_tracing() -> aiohttp.TraceConfig:
    """For an aiohttp session: a span for each request."""
    return create_trace_config()
