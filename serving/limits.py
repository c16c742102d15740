"""An HTTP port that anybody may reach: how long somebody may take, and what of their nonsense is logged."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from serving.http_errors import refusal

T = TypeVar("T")

IDLE = 75.0
"""Seconds after which a connection goes on which no whole request has come; aiohttp's own are an hour."""
BODY = 10.0
"""Seconds in which a body has to have come, of a request whose body is looked at."""
LINGER = 5.0
"""Seconds for which an unwanted body is taken in after its answer, so that the answer can be read."""
USER_TIMEOUT = 60.0
"""Seconds after which a connection goes whose other end has taken nothing in."""

_OPTION = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Of Linux (RFC 5482); elsewhere one who takes nothing in keeps the connection."""


async def in_time(reading: Awaitable[T]) -> T:
    """What is read of a body, or the refusal of one that does not come."""
    try:
        async with asyncio.timeout(BODY):
            return await reading
    except TimeoutError:
        reason = f"the body did not come within {BODY:g} s"
        raise refusal(web.HTTPRequestTimeout, "DEADLINE_EXCEEDED", reason) from None


def end_what_is_not_read(listening: socket.socket) -> None:
    """Have the system end connections of this socket whose other end takes nothing in."""
    if _OPTION is not None:
        listening.setsockopt(socket.IPPROTO_TCP, _OPTION, round(USER_TIMEOUT * 1000))


class MalformedRequests(logging.Filter):
    """One line for what is no HTTP request, and no traceback: anybody can send it, again and again."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Make the line of a malformed request short."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, (HttpProcessingError, web.RequestPayloadError)):
            record.exc_info = None
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            record.event = "malformed_request"
            record.reason = str(error).partition("\n\n")[0].removeprefix("400, message:").strip()[:200]
        return True


def quiet_logger() -> logging.Logger:
    """aiohttp's logger of a server, with malformed requests in one line each."""
    logger = logging.getLogger("aiohttp.server")
    if not any(isinstance(each, MalformedRequests) for each in logger.filters):
        logger.addFilter(MalformedRequests())
    return logger
