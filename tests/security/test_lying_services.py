"""Services behind the page that lie: whatever they answer is shown as text, and only so much of it."""

from __future__ import annotations

from html import unescape
from typing import Any

import grpc
import pytest

from bookinfo_pb.v1 import details_pb2, hop_pb2, reviews_pb2
from tests.fakes.markup import foreign_markup
from tests.integration.test_services_page import Backend, page

PAYLOADS = [
    "<script>alert(1)</script>",
    "'\"><svg onload=alert(1)>",
    "</svg></p><u>",
    "{{7777*7777}}",
    "x" * 5000,
]
MOST = 2**31 - 1


class Liar(Backend):
    """Every text that it answers with is the payload, every number the largest."""

    payload = ""

    def hop(self, *calls: hop_pb2.Hop) -> hop_pb2.Hop:
        text = self.payload
        return hop_pb2.Hop(
            service=text,
            version=text,
            instance=text,
            lane=text,
            calls=calls,
            asked_us=2**32 - 1,
            took_us=2**32 - 1,
        )

    async def GetDetails(self, request: Any, context: Any) -> details_pb2.GetDetailsResponse:
        await self._enter("details", context)
        details = details_pb2.BookDetails(year=MOST, pages=MOST)
        for name in ("author", "type", "publisher", "language", "isbn_10", "isbn_13", "genre"):
            setattr(details, name, self.payload)
        return details_pb2.GetDetailsResponse(details=details, hop=self.hop())

    async def GetReviews(self, request: Any, context: Any) -> reviews_pb2.GetReviewsResponse:
        await self._enter("reviews", context)
        nested = self.hop()
        for _ in range(40):
            nested = self.hop(nested)
        answer = reviews_pb2.GetReviewsResponse(hop=nested, ratings_error=self.payload)
        for stars in (MOST, -MOST, 0):
            review = answer.reviews.add(reviewer=self.payload, text=self.payload)
            review.rating.stars, review.rating.color = stars, self.payload
        return answer

    WatchReviews = GetReviews


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload[:40])
async def test_what_services_say_is_text(payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.integration.test_services_page.Backend", Liar)
    monkeypatch.setattr(Liar, "payload", payload)
    async with page() as (client, backend):
        for path in ("/productpage", "/productpage/live"):
            answer = await client.get(path)
            html = await answer.text()
            assert answer.status == 200
            assert foreign_markup(html) == []
            assert html.count("★") == 5
            assert payload[:30] in unescape(html), "as text it is on the page"
        body = await (await client.get("/api/v1/products/0")).json()
        assert body["details"]["author"] == payload
        for service in ("details", "reviews"):
            backend.down[service] = (grpc.StatusCode.UNAVAILABLE, payload[:4000])
        answer = await client.get("/productpage")
        assert answer.status == 200
        assert foreign_markup(await answer.text()) == []
