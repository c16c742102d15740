"""Everything the console reads of a mesh, kept up to date as long as somebody watches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from aiohttp import web

from console.reading.calls import Call, Directory, rpcs_of
from console.reading.clients import Changes, Dump, client_json
from console.reading.collector import Collector, Watched
from console.reading.feed import Feed
from console.reading.lanes_view import lanes_view, lanes_view_of
from console.reading.mesh_view import cluster_view, machine_view
from console.reading.peers import Scene, Source
from console.reading.routes import routes
from console.reading.spans import Place, Span
from console.reading.tables import lanes_of
from console.reading.topology import Window, requests_by_lane, topology
from console.reading.traces import Request, Traces, Versions
from lanes.own import lanes_in
from lanes.store import Member

_log = logging.getLogger(__name__)
INTERVAL = 1.0
"""Seconds between two looks while somebody watches."""
DOOR = "productpage"
_KEY = "env"
_SCENE_PATIENCE = 0.5


class Reading:
    """The sections of the page out of a mesh; an async context manager.

    `why_not` says why nothing can be changed, empty if it can; `processes`, whether processes can be killed
    and started as well. Whoever serves it adds `routes()`, runs `run()` as a task, and calls `close()` when
    the server shuts down, so that streams of events end.
    """

    def __init__(
        self,
        source: Source,
        *,
        why_not: str = "",
        processes: bool = False,
        door: str = DOOR,
        clock: Callable[[], float] = time.time,
        interval: float = INTERVAL,
    ) -> None:
        self.feed = Feed()
        self.scene = Scene()
        self._source = source
        self._why_not = why_not
        self._processes = processes
        self._door = door
        self._clock = clock
        self._interval = interval
        self._traces = Traces(door)
        self._window = Window(door)
        self._changes = Changes()
        self._rpcs: dict[str, str] = {}
        self._listed: dict[str, dict[str, Any]] = {}
        """The requests as they were last told, by trace."""
        self._traffic: Mapping[str, Any] = {"rate": 0, "lanes": {}}
        self._collector = Collector(self._on_spans, self._on_dump)
        self._asking: asyncio.Task[Scene] | None = None
        self._one_look = asyncio.Lock()
        self._looked = float("-inf")
        self.feed.publish("actions", {"actions": []})

    # -- for whoever serves it

    def routes(self) -> list[web.RouteDef]:
        """What is served where: the events, and what an open request asks for."""
        return routes(self)

    async def run(self) -> None:
        """Look at the mesh every second for as long as somebody watches, until cancelled."""
        while True:
            await self.feed.until_watched()
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - the next look may do better; this one is in the log
                _log.exception("looking at the mesh", extra={"event": "look_failed"})
            await asyncio.sleep(self._interval)

    async def snapshot(self) -> dict[str, dict[str, Any]]:
        """Every section as it is now, by name."""
        await self.fresh()
        return self.feed.sections()

    def tell_traffic(self, traffic: Mapping[str, Any]) -> None:
        """Show this as the steady load, `{"rate", "lanes"}`."""
        self._traffic = traffic
        self.feed.publish("mesh", self._mesh())

    def close(self) -> None:
        """End every stream of events."""
        self.feed.close()

    async def __aenter__(self) -> Reading:
        await self._collector.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._collector.__aexit__()

    # -- looking

    async def fresh(self) -> None:
        """Look, unless that was done a moment ago."""
        if asyncio.get_running_loop().time() - self._looked > self._interval:
            await self.look()

    async def look(self) -> None:
        """Ask the mesh and all of its processes, and tell what is another than it was."""
        async with self._one_look:
            await self._look_around()
            await self._collector.look(self.scene.peers)
            self._changes.forget(w.dump.name for w in self._collector.watched if w.dump)
            self._tell()
            self._looked = asyncio.get_running_loop().time()

    async def _look_around(self) -> None:
        if self._asking is None:
            self._asking = asyncio.create_task(self._source.scene(), name="asking the mesh")
        done, _ = await asyncio.wait((self._asking,), timeout=_SCENE_PATIENCE)
        if done:
            asked, self._asking = self._asking, None
            scene = asked.result()
            # A mesh that cannot be asked may still have processes that can.
            self.scene = scene if scene.peers or not scene.errors else self._without_answer(scene)

    def _without_answer(self, scene: Scene) -> Scene:
        last = self.scene
        return Scene(last.peers, last.status, last.seen, last.door, scene.errors)

    def _on_spans(self, spans: Sequence[Span]) -> None:
        self._traces.add(spans)
        self._window.add(spans)
        self._rpcs |= rpcs_of(spans)

    def _on_dump(self, dump: Dump) -> None:
        self._changes.look(dump, self._clock())

    # -- what is known

    @property
    def changes(self) -> Changes:
        """Since when clients hold what they hold."""
        return self._changes

    @property
    def collector(self) -> Collector:
        """Who is asked, and how to ask more."""
        return self._collector

    def directory(self) -> Directory:
        """Who listens where, as far as it is known."""
        listeners: dict[str, Place] = {}
        for watched in self._collector.watched:
            peer, told = watched.peer, watched.told
            if peer.service:
                listeners[peer.address] = Place(peer.service, peer.version)
            elif told is not None:
                # In a Pod the admin port is on the address under which the service itself is called.
                listeners[peer.admin.rpartition(":")[0]] = told.place
        return Directory(listeners, self._rpcs)

    def request(self, trace_id: str) -> Request | None:
        """The request of a trace, if it is one of the last."""
        return self._traces.request(trace_id, self.directory())

    def versions(self) -> Versions:
        """By lane and service, the lane's own version."""
        seen = self.scene.seen
        lanes = lanes_in(seen.landscape) if seen is not None else lanes_of(self._dumps())
        return {lane.name: lane.versions for lane in lanes}

    def clients(self) -> list[Watched]:
        """The peers that are clients of the mesh, by the names of their clients."""
        found = [watched for watched in self._collector.watched if watched.dump is not None]
        return sorted(found, key=lambda watched: watched.dump.name if watched.dump else "")

    def _dumps(self) -> list[tuple[Dump, str]]:
        return [(w.dump, w.lane_key or _KEY) for w in self.clients() if w.dump is not None]

    def _members(self) -> list[Member]:
        """The workloads: as the mesh says, else those that answer for themselves."""
        if self.scene.seen is not None:
            return list(self.scene.seen.members)
        return [each for watched in self._collector.watched if (each := watched.member) is not None]

    # -- telling

    def _tell(self) -> None:
        calls = self._window.calls(self._clock(), self.directory())
        members = self._members()
        self.feed.publish("mesh", self._mesh())
        ready = ((Place(member.service, member.version), member.ready) for member in members)
        self.feed.publish("topology", topology(calls, ready, self.versions().keys()))
        self.feed.publish("lanes", self._lanes(calls, members))
        self._tell_requests()
        self.feed.publish("rules", self._rules())

    def _mesh(self) -> dict[str, Any]:
        scene = self.scene
        members = self._members()
        if scene.status is not None and scene.seen is not None:
            view = machine_view(scene.status, scene.seen.landscape, members)
        else:
            admins = {w.told.instance: w.peer.admin for w in self._collector.watched if w.told}
            servers = {dump.server for dump, _ in self._dumps()}
            view = cluster_view(members, admins, servers, scene.seen.landscape if scene.seen else None)
        unreachable = [*scene.errors, *self._collector.unreachable()]
        return {
            "name": self._source.name,
            "writable": not self._why_not,
            "why_not": self._why_not,
            "processes": self._processes,
            **view,
            "unreachable": [{"name": name, "error": error} for name, error in unreachable],
            "traffic": dict(self._traffic),
        }

    def _lanes(self, calls: Sequence[Call], members: Sequence[Member]) -> dict[str, Any]:
        requests = requests_by_lane(calls)
        if self.scene.seen is not None:
            return lanes_view(self.scene.seen, self.scene.door, requests)
        dumps = self._dumps()
        key = dumps[0][1] if dumps else _KEY
        return lanes_view_of(lanes_of(dumps), key, members, requests, self._door)

    def _tell_requests(self) -> None:
        changed, self._traces.changed = self._traces.changed, set()
        versions, directory = self.versions(), self.directory()
        news: list[dict[str, Any]] = []
        for trace_id in self._traces.ids():
            if trace_id not in changed and trace_id in self._listed:
                continue
            request = self._traces.request(trace_id, directory)
            shown = request.to_json(versions) if request is not None else None
            if shown is not None and shown != self._listed.get(trace_id):
                self._listed[trace_id] = shown
                news.append(shown)
        kept = set(self._traces.ids())
        self._listed = {trace_id: each for trace_id, each in self._listed.items() if trace_id in kept}
        if news or not self.feed.has("requests"):
            self.feed.publish("requests", {"reset": False, "requests": news}, whole=self._requests)

    def _requests(self) -> dict[str, Any]:
        shown = [self._listed[each] for each in self._traces.ids() if each in self._listed]
        return {"reset": True, "requests": shown}

    def _rules(self) -> dict[str, Any]:
        clients = [client_json(w.dump, self._changes, w.error) for w in self.clients() if w.dump is not None]
        return {"clients": clients}
