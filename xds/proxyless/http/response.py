"""aiohttp's response, whose headers the configuration may edit."""

from __future__ import annotations

from collections.abc import Iterable

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy


class RoutedResponse(aiohttp.ClientResponse):
    """What the requests of a session get."""

    def edit(self, headers: Iterable[tuple[str, str]]) -> None:
        """Have it say these headers, and no others; `raw_headers` stay as they came."""
        self._headers = CIMultiDictProxy(CIMultiDict(headers))
        self._cache.pop("headers", None)  # aiohttp keeps what it gave once
        cookies = self._headers.getall("Set-Cookie", ())
        self._raw_cookie_headers = tuple(cookies) or None
