"""Requests to the front door, coloured with a lane and signed in as a user."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import aiohttp

from console.acting.bodies import BodyError, Send
from lanes.baggage import HEADER, format_member
from lanes.context import BASE
from lanes.store import LaneStore
from mesh.errors import MeshError

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_AT_ONCE = 8
_PATH = "/api/v1/products/0"
_COOKIE = "session"


class Sender:
    """A visitor of the front door, who keeps no cookie longer than one `send`.

    The door is at `url`, empty for nowhere; where the store says, if that is None.
    """

    def __init__(self, store: LaneStore, lane_key: str, url: str | None = None) -> None:
        self._store = store
        self._lane_key = lane_key
        self._told = self._url = url
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Drop the connections."""
        await self._session.close()

    async def send(self, wanted: Send) -> list[dict[str, Any]]:
        """Send the requests, a few at a time; what each answered, or why there was no answer.

        BodyError where nobody can sign in by that name, MeshError where the door does not answer at all.
        """
        url = await self._door()
        cookies = await self._signed_in(url, wanted.user) if wanted.user else {}
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one() -> dict[str, Any]:
            async with gate:
                return await self.one(wanted.lane, cookies)

        return await asyncio.gather(*(one() for _ in range(wanted.count)))

    async def one(self, lane: str, cookies: dict[str, str] | None = None) -> dict[str, Any]:
        """One request in a lane."""
        trace = secrets.token_hex(16)
        headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
        if lane not in ("", BASE):
            headers[HEADER] = format_member(self._lane_key, lane)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        try:
            async with self._session.get(f"{await self._door()}{_PATH}", headers=headers) as response:
                body = await response.json(content_type=None)
                hops = body.get("hops") if isinstance(body, dict) else None
                return {"trace_id": trace, "status": response.status, "hops": hops}
        except (aiohttp.ClientError, TimeoutError, ValueError, MeshError) as error:
            self._url = self._told  # another mesh may run by now, with its door elsewhere
            told = str(error) or "no answer in time"
            return {"trace_id": trace, "status": 0, "hops": None, "error": told}

    async def _signed_in(self, url: str, user: str) -> dict[str, str]:
        try:
            form = {"username": user}
            async with self._session.post(f"{url}/login", data=form, allow_redirects=False) as response:
                if cookie := response.cookies.get(_COOKIE):
                    return {_COOKIE: cookie.value}
                raise BodyError(f"user {user!r}: the front door lets nobody sign in by this name.")
        except (aiohttp.ClientError, TimeoutError):
            self._url = self._told
            raise MeshError("The front door does not answer; is productpage running?") from None

    async def _door(self) -> str:
        if self._url == "":
            raise MeshError("Where the front door is was not said; start the console with --door URL.")
        if self._url is not None:
            return self._url
        async with self._store.front_door() as door:
            self._url = door.url
        return door.url
