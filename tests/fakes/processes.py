"""The services as processes of their own, without a mesh around them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

LOCAL = {"BIND_IP": "127.0.0.1", "PORT": "0"}


async def start(service: str, *args: str, **environ: str) -> Process:
    clean = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, *args, env=clean | environ, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )


async def log_line(process: Process, event: str) -> dict[str, Any]:
    """The next log line of this event."""
    assert process.stderr is not None
    async for line in process.stderr:
        fields: dict[str, Any] = json.loads(line)
        if fields.get("event") == event:
            return fields
    raise AssertionError(f"the process ended without the event {event}")


@asynccontextmanager
async def running(service: str, **environ: str) -> AsyncIterator[tuple[Process, str]]:
    """A service that serves, and its address."""
    process = await start(service, **(LOCAL | environ))
    try:
        fields = await asyncio.wait_for(log_line(process, "serving"), 20)
        assert fields["service"] == service
        yield process, fields["address"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
