"""What a browser may ask of the console beside the page: the events, and what an open request needs."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from console.reading.clients import resource_json
from console.reading.collector import UnansweredError, Watched
from console.reading.sentences import says
from console.reading.spans import UnreadableError
from console.reading.tables import rules_of
from console.reading.traces import Request, Row, detail
from console.reading.why import Question, changed_since, completed, question, same, then_of
from lanes.change import dump

if TYPE_CHECKING:
    from console.reading.reading import Reading

QUIET = 10.0
"""Seconds of silence after which a ping says that all is well; the page's script waits for twice as long."""
STUCK = 15.0
"""Seconds after which a browser that takes nothing in is let go: it would count as one who watches."""
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_STREAM = {**_HEADERS, "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}


def routes(reading: Reading) -> list[web.RouteDef]:
    """What is served where."""
    served = _Routes(reading)
    of_request = "/mesh/api/requests/{trace_id}"
    return [
        web.get("/mesh/events", served.events),
        web.get(of_request, served.request),
        web.get(f"{of_request}/hops/{{span_id}}/why", served.why),
        web.get("/mesh/api/rules/{client}/{type}/{name:.*}", served.rule),
    ]


def objects_of(reading: Reading) -> list[web.RouteDef]:
    """The objects, for a console that changes nothing; whoever changes them serves them itself."""
    return [web.get("/mesh/api/objects", _Routes(reading).objects)]


class _Routes:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Every section, then each change of one, until the browser goes or is too slow."""
        await self._reading.fresh()
        response = web.StreamResponse(headers=_STREAM)
        with suppress(ConnectionResetError), self._reading.feed.subscribed() as subscriber:
            await response.prepare(request)
            async for event in subscriber.events(QUIET):
                try:
                    async with asyncio.timeout(STUCK):
                        await response.write(event)
                except TimeoutError:
                    _abort(request)
                    break
        return response

    async def request(self, request: web.Request) -> web.StreamResponse:
        """One request with all of its spans."""
        found = await self._found(request)
        explainable = frozenset(row.span.span_id for row in found.rows if self._question(found, row))
        shown = found.to_json(self._reading.versions())
        return _answer({"request": shown, "spans": detail(found, explainable)})

    async def why(self, request: web.Request) -> web.StreamResponse:
        """Why one of its calls went where it went."""
        # Those rules are told of by which the client decides now, not those of a second ago.
        await self._reading.look()
        found = await self._found(request)
        row = found.row(request.match_info["span_id"])
        if row is None:
            raise _refusal(web.HTTPNotFound, "NOT_FOUND", "there is no such span in this request")
        asked = self._question(found, row)
        if row.call is None or asked is None:
            raise _refusal(
                web.HTTPConflict, "FAILED_PRECONDITION", "this span is of no call whose client can be asked"
            )
        client, query = asked
        try:
            decision = await self._reading.collector.explain(client, query.query())
        except (UnansweredError, UnreadableError) as error:
            reason = f"{client.peer.name} does not explain it: {error}"
            raise _refusal(web.HTTPBadGateway, "UNAVAILABLE", reason) from None
        except TimeoutError:
            reason = f"{client.peer.name} did not explain it in time"
            raise _refusal(web.HTTPGatewayTimeout, "DEADLINE_EXCEEDED", reason) from None
        return _answer(self._reasons(client, query, row, dict(decision)))

    def _reasons(
        self, client: Watched, query: Question, row: Row, decision: dict[str, Any]
    ) -> dict[str, Any]:
        assert row.call is not None
        assert client.dump is not None
        then = completed(then_of(row.span), row.span, decision)
        changes = self._reading.changes
        table = client.dump.find("RDS", str(decision.get("route_config")))
        rules = rules_of(table.body, client.lane_key) if table is not None else []
        changed = changed_since(client.dump, changes, decision, then, row.span.start)
        alike = same(then, decision)
        directory = self._reading.directory()
        return {
            "client": client.dump.name,
            "target": query.target,
            "method": query.method,
            "metadata": [list(pair) for pair in query.metadata],
            "then": then.to_json(),
            "now": decision,
            "same": alike,
            "changed_since": changed,
            "says": says(
                row.call,
                then,
                decision,
                rules,
                directory,
                same=alike,
                changed=changed,
                lacking=client.dump.lacking,
            ),
        }

    async def rule(self, request: web.Request) -> web.StreamResponse:
        """A resource as a client holds it."""
        await self._reading.fresh()
        name, kind, resource = (request.match_info[each] for each in ("client", "type", "name"))
        for watched in self._reading.clients():
            dump = watched.dump
            if dump is not None and dump.name == name and (found := dump.find(kind, resource)) is not None:
                since = self._reading.changes.since(name, kind, resource)
                return _answer({"client": name, **resource_json(found, since), "resource": found.body})
        raise _refusal(web.HTTPNotFound, "NOT_FOUND", f"{name} holds no {kind} resource {resource!r}")

    async def objects(self, request: web.Request) -> web.StreamResponse:
        """The rules as YAML, or why there are none."""
        await self._reading.fresh()
        seen = self._reading.scene.seen
        if seen is None:
            why = "The objects are not read here; kubectl get virtualservices,destinationrules -o yaml does."
            return _answer({"objects": [], "why_not": why})
        found = [
            {
                "kind": key.kind,
                "namespace": key.namespace,
                "name": key.name,
                "yaml": dump(document),
                "managed": False,
            }
            for key, document in sorted(seen.landscape.objects.items())
        ]
        return _answer({"objects": found, "why_not": ""})

    async def _found(self, request: web.Request) -> Request:
        await self._reading.fresh()
        trace_id = request.match_info["trace_id"]
        found = self._reading.request(trace_id)
        if found is None:
            reason = "this request is not among the last ones"
            raise _refusal(web.HTTPNotFound, "NOT_FOUND", reason)
        return found

    def _question(self, request: Request, row: Row) -> tuple[Watched, Question] | None:
        """Whom to ask why a call went where it went, and what; None where nobody can be asked."""
        client = self._reading.collector.of_instance(row.span.instance)
        if row.call is None or client is None or client.dump is None or client.error:
            return None
        service = row.call.callee.service
        asked = question(row.span, service, request.user, client.lane_key, client.dump.targets)
        return (client, asked) if asked is not None else None


def _abort(request: web.Request) -> None:
    """End a connection without a word more, which would wait as well."""
    if request.transport is not None:
        request.transport.abort()


def _answer(body: dict[str, Any]) -> web.Response:
    return web.json_response(body, headers=_HEADERS)


def _refusal(kind: type[web.HTTPError], code: str, message: str) -> web.HTTPError:
    body = json.dumps({"error": {"code": code, "message": message}})
    return kind(text=body, content_type="application/json", headers=_HEADERS)
