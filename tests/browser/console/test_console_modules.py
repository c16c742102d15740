"""The pure modules of the console's page, asked one by one in the browser that runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.browser.console.conftest import OpenConsole

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_console: OpenConsole) -> AsyncIterator[Page]:
    async with open_console() as opened:
        yield opened


async def ask(page: Page, module: str, expression: str, *values: Any) -> Any:
    """The value of an expression over the module `it` and the values `v`."""
    script = f"async (v) => {{ const it = await import('/mesh/static/{module}.js'); return {expression}; }}"
    return await page.evaluate(script, list(values))


@pytest.mark.parametrize(
    ("before", "version", "value", "after"),
    [
        ({"v1": 90, "v3": 10}, "v1", 50, {"v1": 50, "v3": 50}),
        ({"v1": 100, "v2": 0, "v3": 0}, "v1", 0, {"v1": 0, "v2": 50, "v3": 50}),
        ({"v1": 50, "v2": 30, "v3": 20}, "v1", 75, {"v1": 75, "v2": 15, "v3": 10}),
        ({"v1": 34, "v2": 33, "v3": 33}, "v2", 0, {"v1": 51, "v2": 0, "v3": 49}),
        ({"v1": 90, "v3": 10}, "v1", 170, {"v1": 100, "v3": 0}),
        ({"v1": 90, "v3": 10}, "v1", "x", {"v1": 0, "v3": 100}),
        ({"v1": 100}, "v1", 20, {"v1": 100}),
    ],
)
async def test_weights_sum_to_100(
    page: Page, before: dict[str, int], version: str, value: object, after: dict[str, int]
) -> None:
    assert await ask(page, "weights", "it.rebalanced(...v)", before, version, value) == after


async def test_requests_are_put_in_front_newest_first_and_no_more_than_are_kept(page: Page) -> None:
    def request(trace_id: str, start: float, status: int = 200) -> dict[str, Any]:
        return {"trace_id": trace_id, "start": start, "status": status}

    before = [request("b", 2), request("a", 1)]
    news = {"reset": False, "requests": [request("c", 3), request("a", 1, 503)]}
    found = await ask(page, "store", "it.merged(...v)", news, before, 3)
    assert [(each["trace_id"], each["status"]) for each in found] == [("c", 200), ("b", 200), ("a", 503)]
    assert len(await ask(page, "store", "it.merged(...v)", news, before, 2)) == 2
    assert await ask(page, "store", "it.merged(...v)", {**news, "reset": True}, before, 9) == news["requests"]


async def test_depths_are_those_of_the_deepest_caller_and_circles_end(page: Page) -> None:
    services = ["page", "reviews", "ratings", "alone"]
    calls = [["", "page"], ["page", "reviews"], ["page", "ratings"], ["reviews", "ratings"]]
    depths = "[...it.depths(...v)]"
    found = dict(await ask(page, "layout", depths, services, calls))
    assert found == {"page": 1, "reviews": 2, "ratings": 3, "alone": 1}
    circle = dict(await ask(page, "layout", depths, ["a", "b"], [["a", "b"], ["b", "a"], ["a", "a"]]))
    assert set(circle) == {"a", "b"}


async def test_who_may_call_whom_is_read_off_the_listeners(page: Page) -> None:
    listener = {"type": "LDS", "name": "reviews.default.svc.cluster.local:9080"}
    rules = {"clients": [{"name": "page-extra-v1", "resources": [listener, {**listener, "type": "RDS"}]}]}
    pairs = await ask(page, "layout", "it.mayCall(...v)", rules, ["page", "page-extra", "reviews"])
    assert pairs == [["page-extra", "reviews"]]


async def test_no_two_lines_of_a_station_share_a_slot(page: Page) -> None:
    lanes = [
        {"lane": f"lane-{number}", "hue": 1, "calls": 1, "rate": 1, "errors": 0, "p50": 1, "p99": 1}
        for number in range(12)
    ]
    visitor, front, back = ({"service": name, "version": "v1"} for name in ("", "page", "reviews"))
    topology = {
        "nodes": [{**each, "ready": 1, "total": 1} for each in (front, back)],
        "edges": [
            {"from": {**visitor, "version": ""}, "to": front, "lanes": lanes},
            {"from": front, "to": back, "lanes": lanes},
            {"from": {**visitor, "version": ""}, "to": back, "lanes": lanes[:1]},
        ],
    }
    lines = "it.mapOf(v[0], [], 900).lines.map((line) => [line.to.id, line.y1, line.path, line.to.height])"
    found = await ask(page, "layout", lines, topology)
    assert len(found) == 25
    assert len({(station, y) for station, y, _, _ in found}) == 25
    assert not [path for _, _, path, _ in found if "NaN" in path or "undefined" in path]
    assert all(height >= 12 * 20 for _, _, _, height in found)


@pytest.mark.parametrize(
    ("details", "lines"),
    [
        (["YAML:8: spec.hosts[0]: no"], [8]),
        (["a.yaml:3 (document 2): spec: x", "a.yaml:9: y"], [3, 9]),
        (["could not find expected ':' (line 8, column 1)."], [8]),
        (["no line at all: 12"], []),
    ],
)
async def test_the_lines_that_a_refusal_names(page: Page, details: list[str], lines: list[int]) -> None:
    assert await ask(page, "edit", "[...it.linesOf(v[0])]", details) == lines


async def test_what_became_of_requests_is_told_with_what_failed_on_their_way(page: Page) -> None:
    def request(trace: str, error: str = "", status: int = 200, **more: Any) -> dict[str, Any]:
        return {"trace_id": trace, "status": status, "hops": [{"service": "reviews", "error": error}], **more}

    told = "xds:///reviews:9080: fault injected by route 'base'"
    whole, half, lost = request("a"), request("b", told), request("c", status=503)
    unseen = request("d", unseen=True)

    async def summary(*known: dict[str, Any]) -> tuple[str, bool, str]:
        found = await ask(page, "sending", "it.summary(v[0], v[0], 'dev')", list(known))
        return found["words"], found["ok"], found["show"]

    assert await summary(whole) == ("Sent in lane dev: 200.", True, "a")
    aborted = "200, but reviews failed: aborted by rule base"
    assert await summary(half) == (f"Sent in lane dev: {aborted}.", False, "b")
    words, ok, show = await summary(half, lost, whole)
    assert words == f"Sent 3 in lane dev: 1 failed and 1 failed in part. 1 × {aborted}; 1 × 503; 1 × 200."
    assert (ok, show) == (False, "c")
    words, ok, _ = await summary(unseen)
    assert (words, ok) == ("Sent in lane dev: 200 (where it went is not known yet).", True)


@pytest.mark.parametrize(
    ("faults", "lane", "expected"),
    [
        (None, "dev", True),
        ([], "", False),
        ([""], "dev", True),
        (["dev"], "dev", True),
        (["dev"], "qa", False),
        (["dev"], "", True),
    ],
)
async def test_a_fault_can_be_taken_away_where_there_is_one(
    page: Page, faults: list[str] | None, lane: str, expected: bool
) -> None:
    told = {} if faults is None else {"faults": [{"lane": each} for each in faults]}
    assert await ask(page, "standing", "it.clearable(...v)", {"name": "reviews", **told}, lane) is expected


async def test_faults_in_words(page: Page) -> None:
    fault = {"lane": "dev", "delay_ms": 300, "abort": "UNAVAILABLE", "percent": 50}
    words = await ask(page, "standing", "it.faultWords(v[0])", fault)
    assert words == "calls of lane dev: delayed by 300 ms and aborted with UNAVAILABLE, 50 %"


async def test_names_are_text_wherever_they_stand(page: Page) -> None:
    await page.evaluate(
        """async () => {
            const { take } = await import('/mesh/static/store.js');
            const name = '<img src=x onerror="document.title=1">';
            const end = { service: name, version: name };
            take('topology', { window: 30, nodes: [{ ...end, ready: 1, total: 1 }], edges: [{
                from: { service: '', version: '' }, to: end,
                lanes: [{ lane: name, hue: 1, calls: 1, rate: 1, errors: 0, p50: null, p99: null }] }] });
            take('lanes', { key: 'env', base: { calls: 0, share: 0 }, lanes: [{ name, hue: 1, mode: name,
                expires: name, versions: { [name]: name }, share: 1, requests: 1,
                fallback: [name], door: [name],
                members: [{ service: name, version: name, name, ready: false, state: name }] }] });
            take('requests', { reset: true, requests: [{ trace_id: name, start: 1, duration_ms: 1,
                method: name, path: name, status: 200, lane: name, hue: 1, user: name, error: name,
                hops: [{ ...end, lane: name, own: true, error: name }] }] });
        }"""
    )
    assert await page.locator("#request-rows").inner_text() != ""
    assert await page.locator("main img").count() == 0
    assert await page.title() == "Lane console"
