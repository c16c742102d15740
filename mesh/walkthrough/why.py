"""The step that asks why: a client of one's own joins the mesh and has one decision explained."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys

from mesh.environment import past_proxies
from mesh.inventory import SERVICE_PORT
from mesh.walkthrough.outcome import Notes, Outcome, Stage

_TARGET = f"xds:///reviews.default.svc.cluster.local:{SERVICE_PORT}"
_BAGGAGE = "user=7,env=dev;ttl=1"
_ARGUMENTS = (
    *("explain", _TARGET, "--method", "/bookinfo.v1.Reviews/GetReviews"),
    *("-m", f"baggage={_BAGGAGE}", "--fallback", "next-route"),
)


async def explain(stage: Stage) -> Outcome:
    """Why a call with this baggage goes where it goes, said by the command that a user would type."""
    notes = Notes()
    notes.see(f"$ python -m proxyless {shlex.join(_ARGUMENTS)}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxyless", *_ARGUMENTS),
        env={**os.environ, **past_proxies(), **await stage.mesh.environment("walkthrough", "v1")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    text = out.decode()
    for line in text.splitlines():
        notes.see(line)
    notes.expect(process.returncode == 0, f"exit code {process.returncode}: {err.decode().strip()}")
    reviews = [p for p in (await stage.mesh.status()).processes if p.name.startswith("reviews/")]
    reached = [p.name for p in reviews if p.address in text]
    notes.expect(reached == ["reviews/v2"], f"the call should go to reviews/v2, not to {reached}")
    return notes.outcome()
