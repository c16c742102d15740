"""A copy of a request for another cluster: its answer is read and counts for nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from .pool import HttpSubchannel

_log = logging.getLogger("proxyless")


class Copy:
    """One such request; awaiting it waits for its end."""

    def __init__(
        self,
        link: HttpSubchannel,
        method: str,
        target: str,
        headers: tuple[tuple[str, str], ...],
        body: Any,
        shadow: str | None,
    ) -> None:
        self.status: int | None = None
        sent = CIMultiDict(headers)
        if shadow is not None:
            sent["Host"] = shadow
        self._task = asyncio.create_task(
            self._send(link, method, target, sent, body), name="mirrored request"
        )

    def __await__(self) -> Generator[Any, None, None]:
        return self._task.__await__()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call it when the copy has been answered, or not."""
        self._task.add_done_callback(lambda _: callback(self))

    def cancel(self) -> None:
        """Give it up."""
        self._task.cancel()

    async def _send(self, link: HttpSubchannel, method: str, target: str, headers: Any, body: Any) -> None:
        url = URL.build(scheme="http", host=link.host, port=link.port).join(URL(target, encoded=True))
        try:
            async with (
                aiohttp.ClientSession(
                    connector=link.connector,
                    connector_owner=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                ) as session,
                session.request(
                    method, url, headers=headers, data=body or None, allow_redirects=False,
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                ) as response,
            ):  # fmt: skip
                self.status = response.status
                async for _ in response.content.iter_chunked(65536):
                    pass
        except (aiohttp.ClientError, TimeoutError) as error:
            self.status = 503
            _log.debug("a request mirrored to %s came to nothing: %s", link.key.address, error)
