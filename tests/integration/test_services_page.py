"""productpage over HTTP, its services in this process; each may be gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bookinfo_pb.v1 import details_pb2, ratings_pb2, reviews_pb2
from bookinfo_pb.v1.details_pb2_grpc import add_DetailsServicer_to_server
from bookinfo_pb.v1.ratings_pb2_grpc import add_RatingsServicer_to_server
from bookinfo_pb.v1.reviews_pb2_grpc import add_ReviewsServicer_to_server
from lanes.context import current
from productpage.app import SERVER, application
from productpage.settings import PageSettings
from serving.channels import open_channels
from serving.grpc_server import listen, new_server
from serving.http_client import open_http
from serving.identity import Identity
from serving.settings import Settings


class Backend:
    """details, reviews and ratings in one, remembering what each call carried; those in `down` refuse."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, str]] = {}
        self.down: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.text = "Good."

    async def GetDetails(self, request: Any, context: Any) -> details_pb2.GetDetailsResponse:
        await self._enter("details", context)
        details = details_pb2.BookDetails(
            product_id=request.product_id, author="William Shakespeare", year=1595
        )
        return details_pb2.GetDetailsResponse(details=details, hop=Identity("details", "v1", "d-0").hop())

    async def GetReviews(self, request: Any, context: Any) -> reviews_pb2.GetReviewsResponse:
        await self._enter("reviews", context)
        ratings = Identity("ratings", "v2", "ra-0").hop()
        answer = reviews_pb2.GetReviewsResponse(hop=Identity("reviews", "v2", "re-0").hop([ratings]))
        answer.reviews.add(reviewer="R", text=self.text).rating.MergeFrom(
            reviews_pb2.Rating(stars=4, color="black")
        )
        return answer

    async def GetRatings(self, request: Any, context: Any) -> ratings_pb2.GetRatingsResponse:
        await self._enter("ratings", context)
        return ratings_pb2.GetRatingsResponse(ratings={"R": 4}, hop=Identity("ratings", "v2", "ra-0").hop())

    WatchReviews = GetReviews
    WatchRatings = GetRatings

    async def _enter(self, service: str, context: Any) -> None:
        self.seen[service] = dict(current().metadata)
        assert context.time_remaining() is not None, "productpage calls nobody without a deadline"
        if service in self.down:
            await context.abort(*self.down[service])


@asynccontextmanager
async def built(**environ: str) -> AsyncIterator[tuple[web.Application, Backend]]:
    """The application, its services in this process, not served yet."""
    environ = {"BIND_IP": "127.0.0.1", "PORT": "0", **environ}
    settings = Settings.read("productpage", environ)
    backend = Backend()
    server = new_server(settings)
    add_DetailsServicer_to_server(backend, server)
    add_RatingsServicer_to_server(backend, server)
    add_ReviewsServicer_to_server(backend, server)
    address = listen(server, settings)
    await server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop, None)
        targets = dict.fromkeys(("details", "reviews", "ratings"), address)
        channels = await stack.enter_async_context(open_channels(targets))
        read = PageSettings.read(settings, {"DELIVERY_TARGET": "127.0.0.1:1", **environ})
        delivery = await stack.enter_async_context(open_http(read.delivery, channels))
        yield application(settings, read, channels, delivery), backend


@asynccontextmanager
async def page(**environ: str) -> AsyncIterator[tuple[TestClient[Any, Any], Backend]]:
    async with built(**environ) as (app, backend), TestClient(TestServer(app)) as client:
        yield client, backend


async def test_the_product_and_who_served_it() -> None:
    async with page(TRUST_BAGGAGE="on") as (client, _):
        answer = await client.get("/api/v1/products/0", headers={"baggage": "user=7,env=dev;ttl=1"})
        assert answer.status == 200
        body = await answer.json()
    assert (body["id"], body["title"]) == (0, "The Comedy of Errors")
    assert body["details"]["author"] == "William Shakespeare"
    review = {"reviewer": "R", "text": "Good.", "rating": {"stars": 4, "color": "black"}}
    assert body["reviews"] == {"reviews": [review]}

    def hop(service: str, version: str, instance: str, *calls: Any) -> dict[str, Any]:
        return {
            "service": service,
            "version": version,
            "instance": instance,
            "lane": "dev",
            "calls": list(calls),
        }

    reviews = hop("reviews", "v2", "re-0", hop("ratings", "v2", "ra-0"))
    assert body["hops"] == hop("productpage", "v1", "productpage-v1", hop("details", "v1", "d-0"), reviews)


async def test_the_other_resources() -> None:
    async with page() as (client, _):
        products = await (await client.get("/api/v1/products")).json()
        assert [product["id"] for product in products] == list(range(len(products)))
        reviews = await (await client.get("/api/v1/products/0/reviews")).json()
        assert reviews["reviews"][0]["rating"]["stars"] == 4
        assert reviews["hops"]["calls"][0]["service"] == "reviews"
        ratings = await (await client.get("/api/v1/products/0/ratings")).json()
        assert ratings["ratings"] == {"R": 4}
        assert ratings["hops"]["calls"][0]["version"] == "v2"
        root = await client.get("/", allow_redirects=False)
        assert (root.status, root.headers["Location"]) == (302, "/productpage")


async def test_what_nobody_has_and_what_nobody_understands() -> None:
    async with page() as (client, _):
        for path, status, code in [
            ("/api/v1/products/99", 404, "NOT_FOUND"),
            ("/api/v1/products/99/reviews", 404, "NOT_FOUND"),
            ("/api/v1/products/99/ratings", 404, "NOT_FOUND"),
            ("/api/v1/products/abc", 400, "INVALID_ARGUMENT"),
            ("/api/v1/products/-1", 400, "INVALID_ARGUMENT"),
            ("/api/v1/products/99999999999", 400, "INVALID_ARGUMENT"),
            ("/api/v1/products/%3Cb%3E/reviews", 400, "INVALID_ARGUMENT"),
            ("/productpage?id=x", 400, "INVALID_ARGUMENT"),
            ("/productpage?id=99", 404, "NOT_FOUND"),
            ("/nothing", 404, "NOT_FOUND"),
            ("/login", 405, "UNIMPLEMENTED"),
        ]:
            answer = await client.get(path)
            error = (await answer.json())["error"]
            assert (answer.status, error["code"]) == (status, code), path
            assert error["reason"]
            assert answer.headers["x-request-id"]


async def test_errors_for_people_are_pages() -> None:
    async with page() as (client, _):
        people = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        for path, status, reason in [
            ("/productpage?id=%3Cb%3E", 400, "not &#39;&lt;b&gt;&#39;"),
            ("/productpage?id=99", 404, "there is no product 99"),
            ("/<nothing>", 404, "GET /&lt;nothing&gt;: Not Found"),
            ("/login", 405, "Method Not Allowed"),
        ]:
            answer = await client.get(path, headers=people)
            assert (answer.status, answer.content_type) == (status, "text/html"), path
            html = await answer.text()
            assert reason in html
            assert "<b>" not in html
            assert answer.headers["x-request-id"]
            assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
        for form, reason in (
            ({"username": ""}, "a user name is missing"),
            ({"username": "x" * 65}, "at most 64"),
        ):
            answer = await client.post("/login", data=form, headers=people)
            assert (answer.status, reason in await answer.text()) == (400, True)
        answer = await client.get("/api/v1/products/99", headers=people)
        assert (answer.status, answer.content_type) == (404, "application/json")


async def test_parts_that_fail_say_so_and_the_rest_stays() -> None:
    async with page() as (client, backend):
        backend.down["reviews"] = (grpc.StatusCode.UNAVAILABLE, "lane dev <has> no endpoint")
        answer = await client.get("/api/v1/products/0")
        body = await answer.json()
        assert answer.status == 200
        error = {"code": "UNAVAILABLE", "reason": "lane dev <has> no endpoint"}
        assert body["reviews"] == {"error": error}
        assert [call["service"] for call in body["hops"]["calls"]] == ["details"]
        html = await (await client.get("/productpage")).text()
        assert "William Shakespeare" in html
        assert "product reviews are currently unavailable" in html
        assert "UNAVAILABLE: lane dev &lt;has&gt; no endpoint" in html

        reviews = await client.get("/api/v1/products/0/reviews")
        assert (reviews.status, (await reviews.json())["error"]) == (503, error)

        backend.down["details"] = (grpc.StatusCode.DEADLINE_EXCEEDED, "too late")
        assert (await client.get("/api/v1/products/0")).status == 504
        answer = await client.get("/productpage")
        html = await answer.text()
        assert answer.status == 200
        assert "product details are currently unavailable" in html
        assert "The Comedy of Errors" in html


async def test_the_page_shows_who_served_what_and_escapes_everything() -> None:
    async with page() as (client, backend):
        backend.text = "<script>alert(1)</script>"
        answer = await client.get("/productpage?id=2", headers={"baggage": "env=<b>"})
        html = await answer.text()
    assert answer.content_type == "text/html"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Pride and Prejudice" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "reviews v2 (re-0), stars by ratings v2 (ra-0)" in html
    assert "★★★★☆" in html


async def test_what_a_browser_is_told() -> None:
    async with page() as (client, _):
        html = await (await client.get("/productpage")).text()
        assert " style=" not in html
        assert "<style" not in html
        for path in ("/productpage", "/productpage/live", "/productpage?id=99", "/nothing", "/", "/health"):
            answer = await client.get(path, allow_redirects=False)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
        for name, kind in (
            ("page.css", "text/css"),
            ("page.js", "text/javascript"),
            ("icon.svg", "image/svg+xml"),
        ):
            assert f"/productpage/static/{name}" in html
            answer = await client.get(f"/productpage/static/{name}")
            assert (answer.status, answer.content_type) == (200, kind)
        assert (await client.get("/productpage/static/productpage.html")).status == 404
        assert (await client.get("/productpage/static/..%2Flive.html")).status == 404


async def test_choosing_a_lane_colours_by_cookie() -> None:
    async with page(TRUST_BAGGAGE="on") as (client, backend):
        answer = await client.post("/lane", data={"lane": "dev", "id": "2"}, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/productpage?id=2")
        cookie = answer.headers["Set-Cookie"]
        assert {"lane=dev", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        html = await (await client.get("/productpage", headers={"baggage": "user=7,env=qa"})).text()
        assert backend.seen["reviews"]["baggage"] == "user=7,env=dev"
        assert "Lane dev is not there, or not any more: base answers." in html
        answer = await client.post("/lane", data={"lane": "base", "live": "1"}, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/productpage/live")
        html = await (await client.get("/productpage")).text()
        assert "baggage" not in backend.seen["reviews"]
        assert "without a mesh, so there are no lanes" in html
        answer = await client.post("/lane", data={"lane": "<b>"}, allow_redirects=False)
        assert answer.status == 400
        client.session.cookie_jar.update_cookies({"lane": "Not_<b>"})
        html = await (await client.get("/productpage")).text()
        assert "&#39;Not_&lt;b&gt;&#39;, which is not made of" in html
        assert "baggage" not in backend.seen["reviews"]


async def test_without_the_menu_no_cookie_colours() -> None:
    async with page(LANE_MENU="off") as (client, backend):
        client.session.cookie_jar.update_cookies({"lane": "dev"})
        html = await (await client.get("/productpage")).text()
        assert "baggage" not in backend.seen["reviews"]
        assert "/lane" not in html
        assert (await client.post("/lane", data={"lane": "dev"})).status == 404


async def test_forms_of_another_site_are_refused() -> None:
    async with page() as (client, _):
        for path in ("/lane", "/login", "/logout"):
            for site in ("cross-site", "same-site"):
                form = {"lane": "dev", "username": "eve"}
                answer = await client.post(path, data=form, headers={"Sec-Fetch-Site": site})
                assert answer.status == 403
                assert "Set-Cookie" not in answer.headers
                assert "another site" in (await answer.json())["error"]["reason"]


async def test_the_way_of_a_request_with_its_times() -> None:
    async with page(TRUST_BAGGAGE="on") as (client, backend):
        backend.down["details"] = (grpc.StatusCode.UNAVAILABLE, "no <one>")
        html = await (await client.get("/productpage", headers={"baggage": "env=dev"})).text()
    assert "productpage asked details, which did not answer; productpage asked reviews v2 of base" in html
    assert html.count('class="span"') == 3, "a bar for the page, details and reviews; ratings had no watch"
    assert "UNAVAILABLE: no &lt;one&gt;" in html


async def test_what_travels_and_what_is_believed() -> None:
    headers = {
        "baggage": "env=dev",
        "end-user": "eve",
        "x-request-id": "given-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=1",
        "x-tenant": "t",
        "cookie": "a=b",
    }
    async with page(PROPAGATE_HEADERS="x-tenant") as (client, backend):
        answer = await client.get("/api/v1/products/0", headers=headers)
        assert answer.headers["x-request-id"] == "given-1"
        kept = ("x-request-id", "traceparent", "tracestate", "x-tenant")
        wanted = {name: headers[name] for name in kept}
        assert backend.seen == {"details": wanted, "reviews": wanted}

        await client.get("/api/v1/products/0", headers={"x-request-id": "not fit to be one"})
        first = backend.seen["details"]["x-request-id"]
        await client.get("/api/v1/products/0")
        second = backend.seen["details"]["x-request-id"]
        assert len({first, second, "not fit to be one"}) == 3

    async with page(TRUST_BAGGAGE="on", TRUST_END_USER="on") as (client, backend):
        await client.get("/api/v1/products/0", headers=headers)
        assert backend.seen["reviews"]["baggage"] == "env=dev"
        assert backend.seen["reviews"]["end-user"] == "eve"


async def test_colouring_by_header() -> None:
    async with page(LANE_HEADER="x-lane") as (client, backend):
        answer = await client.get("/api/v1/products/0", headers={"x-lane": "dev", "baggage": "env=qa,a=1"})
        assert (await answer.json())["hops"]["lane"] == "dev"
        assert backend.seen["details"]["baggage"] == "env=dev"
        answer = await client.get("/api/v1/products/0", headers={"x-lane": "Not A Lane"})
        assert answer.status == 200
        assert (await answer.json())["hops"]["lane"] == "base"
        assert "baggage" not in backend.seen["details"]


async def test_baggage_of_any_shape_is_served() -> None:
    async with page(TRUST_BAGGAGE="on") as (client, backend):
        for header, lane in [
            ("a=" + "x" * 7900 + ",env=dev", "dev"),
            (",".join(f"k{i}=v" for i in range(500)) + ",env=dev", "dev"),
            (",,;;==,env=dev,é=ü", "dev"),
            ("env=%C3%BC", "ü"),
            ("%%%", "base"),
        ]:
            answer = await client.get("/api/v1/products/0", headers={"baggage": header})
            assert answer.status == 200
            body = await answer.json()
            assert (body["hops"]["lane"], body["hops"]["calls"][1]["lane"]) == (lane, lane)
        headers = [("baggage", "user=7"), ("baggage", "env=dev")]
        await client.get("/api/v1/products/0", headers=headers)
        assert backend.seen["details"]["baggage"] == "user=7,env=dev"


async def test_signing_in_and_out() -> None:
    async with page() as (client, backend):
        answer = await client.post("/login", data={"username": " Jörg <b> "}, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/productpage")
        assert {"HttpOnly", "SameSite=Lax"} <= set(answer.headers["Set-Cookie"].split("; "))
        html = await (await client.get("/productpage", headers={"end-user": "eve"})).text()
        assert "Jörg &lt;b&gt;" in html
        assert backend.seen["reviews"]["end-user"] == "J%C3%B6rg <b>"
        answer = await client.post("/logout", allow_redirects=False)
        assert answer.status == 303
        await client.get("/productpage")
        assert "end-user" not in backend.seen["reviews"]
        for form in ({}, {"username": "  "}, {"username": "x" * 65}, {"username": "a\nb"}):
            answer = await client.post("/login", data=form, allow_redirects=False)
            assert answer.status == 400
            assert "user name" in (await answer.json())["error"]["reason"]
        for kind, body in (
            ("multipart/form-data; boundary=x", b"\x00\xff no form"),
            ("multipart/form-data", b"--x"),
            ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--"),
            ("application/x-www-form-urlencoded; charset=nope", b"username=a"),
            ("application/x-www-form-urlencoded", b"username=\xff"),
        ):
            answer = await client.post("/login", data=body, headers={"content-type": kind})
            assert answer.status == 400, (kind, body, await answer.text())
            assert (await answer.json())["error"]["reason"] == "the form cannot be read"
        client.session.cookie_jar.update_cookies({"session": "YWRtaW4.0000"})
        await client.get("/productpage")
        assert "end-user" not in backend.seen["reviews"]


async def test_health() -> None:
    async with page() as (client, _):
        assert (await client.get("/health")).status == 200
        client.app[SERVER].healthy = False  # type: ignore[index]
        answer = await client.get("/health")
        assert (answer.status, await answer.json()) == (503, {"status": "draining"})
