"""The verbs of the console: one at a time, all of it or nothing, and each with what takes it back."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from console.acting import bodies, faults, weights
from console.acting.actions import Action, Actions, Done
from console.acting.instances import Instances
from console.acting.lanes import LaneChanges, require_version
from console.acting.rewriting import edit, rewrite
from console.acting.routes import Routes
from console.acting.rules import RuleTexts, done
from console.acting.sending import Sender
from console.acting.traffic import Load, Traffic
from console.acting.undo import Process, Rules, crossed
from lanes.context import BASE
from lanes.landscape import Landscape, LaneError, key_of
from lanes.store import LaneStore
from mesh.errors import Changed, MeshError
from mesh.inventory import NAMESPACE
from mesh.objects import Ref
from mesh.verbs import RuleVerbs, Verbs

_log = logging.getLogger(__name__)


class Acting:
    """What can be done to a mesh through its console.

    `publish` is told the event `actions` whenever it changes, `watching` says whether somebody looks.
    `processes` is None where the mesh's processes are not for it to kill and start. `door` is the URL of the
    front door, empty where it is not known; with None the store says.
    """

    def __init__(
        self,
        mesh: RuleVerbs,
        store: LaneStore,
        publish: Callable[[dict[str, Any]], None],
        watching: Callable[[], bool],
        *,
        processes: Verbs | None,
        namespace: str = NAMESPACE,
        door: str | None = None,
        lane_key: str = "env",
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token = secrets.token_urlsafe(32)
        """What a page of this console has to send along with every change."""
        self._mesh = mesh
        self._store = store
        self._actions = Actions(publish, now)
        self._rules = RuleTexts(mesh, store, namespace)
        self._lanes = LaneChanges(store, now)
        self._instances = Instances(processes, clock) if processes is not None else None
        self._sender = Sender(store, lane_key, door)
        self._traffic = Traffic(self._sender.one, watching, ended=self._load_ended)
        self._one_at_a_time = asyncio.Lock()
        self._under_way: set[asyncio.Task[dict[str, Any]]] = set()

    def routes(self) -> list[web.RouteDef]:
        """The handlers."""
        return Routes(self.token, self.act, self._rules.listed).routes()

    @property
    def actions(self) -> dict[str, Any]:
        """The event `actions` as it is now."""
        return self._actions.to_dict()

    @property
    def traffic(self) -> dict[str, Any]:
        """The steady load, for the event `mesh`."""
        return self._traffic.load.to_dict()

    async def close(self) -> None:
        """End the load, and let what is being changed come to its end."""
        await self._traffic.close()
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._sender.close()

    async def act(self, body: bodies.Body, verb: str) -> dict[str, Any]:
        """Do it, and answer with it; who asked may go, and it is done all the same."""
        task = asyncio.create_task(self._acted(body, verb), name=f"console {verb}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    async def _acted(self, body: bodies.Body, verb: str) -> dict[str, Any]:
        if isinstance(body, bodies.Send):
            return _answer(self._actions.made(await self._send(body)))
        if verb == "validate" and isinstance(body, bodies.Yaml):
            return _answer(self._actions.made(await self._rules.validate(body.yaml)))
        async with self._one_at_a_time:
            if isinstance(body, bodies.Undo):
                return _answer(await self._undo(body.id))
            return _answer(self._actions.add(await self._done(body, verb)))

    async def _done(self, body: bodies.Body, verb: str) -> Done:
        match body:
            case bodies.Weights():
                return await self._weigh(body)
            case bodies.Yaml():
                return await self._rules.apply(body.yaml)
            case bodies.Delete():
                return await self._rules.delete(Ref(body.kind, body.namespace, body.name))
            case bodies.LaneCreate():
                return await self._lanes.create(body)
            case bodies.Fault() | bodies.Scope():
                return await self._disturb(body)
            case bodies.Traffic():
                return await self._load(body)
            case bodies.Named():
                return await self._to_named(body.name, verb)
            case _:
                raise AssertionError(f"{verb} is done elsewhere")

    async def _to_named(self, name: str, verb: str) -> Done:
        if verb == "lane-delete":
            return await self._lanes.delete(name)
        instances = self._own()
        return await (instances.kill(name) if verb == "kill" else instances.start(name))

    def _own(self) -> Instances:
        if self._instances is None:
            raise MeshError("Pods are the cluster's to end and to start: kubectl delete pod, kubectl scale.")
        return self._instances

    # -- the verbs

    async def _weigh(self, body: bodies.Weights) -> Done:
        seen = await self._store.read()
        for version, weight in body.weights.items():
            if weight:
                require_version(seen, body.service, version)

        def change(landscape: Landscape) -> Landscape:
            return weights.set_weights(landscape, body.service, body.weights)

        report, changed = await edit(self._mesh, self._store, change)
        shares = ", ".join(f"{version} {weight} %" for version, weight in body.weights.items() if weight)
        return done(f"Weights of {body.service}: {shares}", report, changed)

    async def _disturb(self, body: bodies.Fault | bodies.Scope) -> Done:
        scope = body.scope if isinstance(body, bodies.Fault) else body
        whose = {"": "", BASE: " that base serves"}.get(scope.lane, f" in the lane {scope.lane}")

        def change(landscape: Landscape) -> Landscape:
            if isinstance(body, bodies.Scope):
                return faults.clear(landscape, scope.service, scope.lane)
            return faults.inject(
                landscape, scope.service, scope.lane, body.delay_ms, body.abort, body.percent
            )

        report, changed = await edit(self._mesh, self._store, change)
        return done(f"{_fault_in_words(body)} calls to {scope.service}{whose}", report, changed)

    async def _send(self, body: bodies.Send) -> Done:
        sent = await self._sender.send(body)
        well = sum(each["status"] == 200 for each in sent)
        title = f"Send {body.count} {'request' if body.count == 1 else 'requests'}"
        where = f" in the lane {body.lane}" if body.lane not in ("", BASE) else ""
        who = f" as {body.user}" if body.user else ""
        lines = (f"{well} of {body.count} answered with 200",)
        return Done(f"{title}{where}{who}", well == body.count, lines=lines, extra={"sent": sent})

    async def _load(self, body: bodies.Traffic) -> Done:
        await self._traffic.set(Load(body.rate, body.lanes))
        if not body.rate:
            return Done("End the steady load")
        shares = ", ".join(f"{lane} {share:g}" for lane, share in body.lanes.items() if share)
        return Done(f"Steady load of {body.rate:g} a second: {shares}")

    def _load_ended(self) -> None:
        self._actions.add(Done("The steady load has ended: nobody watched"))

    async def _undo(self, id: str) -> Action:
        action = self._actions.find(id)
        inverse = action.done.inverse
        if inverse is None or action.undone:
            raise LaneError(
                f"“{action.done.title}” has been undone already."
                if action.undone
                else f"“{action.done.title}” cannot be undone."
            )
        title = f"Undo: {action.done.title}"
        back = await (
            self._own().put_back(inverse)
            if isinstance(inverse, Process)
            else self._put_back(action, inverse, title)
        )
        return self._actions.add(
            Done(title, back.ok, back.milliseconds, back.lines, back.inverse), undoes=action.id
        )

    async def _put_back(self, action: Action, rules: Rules, title: str) -> Done:
        there = {key_of(item.document): item.document for item in await self._mesh.objects()}
        if (key := crossed(rules, there)) is not None:
            later = self._actions.later(action, key)
            by = f" by “{later.done.title}”; undo that first" if later else ", so this is not undone"
            raise Changed(f"{key} has been changed since{by}.")
        if rules.of_lanes:
            return await self._lanes.put_back(rules, title)
        async with self._store.exclusive():
            report = await rewrite(self._mesh, rules.changes)
        return done(title, report, rules.changes)


def _fault_in_words(body: bodies.Fault | bodies.Scope) -> str:
    if isinstance(body, bodies.Scope):
        return "Clear the faults of"
    what = [f"Delay of {body.delay_ms} ms"] if body.delay_ms is not None else []
    what += [f"{'abort' if what else 'Abort'} with {body.abort}"] if body.abort is not None else []
    return f"{' and '.join(what)} for {body.percent:g} % of"


def _log_failure(task: asyncio.Task[dict[str, Any]]) -> None:
    """Who asked has gone, so the log is told."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("%s failed: %s", task.get_name(), error)


def _answer(action: Action) -> dict[str, Any]:
    extra = action.done.extra or {}
    return {"ok": action.done.ok, "action": action.to_dict(), **extra}
