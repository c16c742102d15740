"""Changing the rules of a running mesh: check, write, have them read, and hear who took them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.admin import Admin, ControlPlaneGone, problem_line
from mesh.errors import Changed, MeshError, NotFound, Refused
from mesh.objects import Document, MeshObject, Ref
from mesh.report import ClientOutcome, ObjectOutcome, Report, Verdict
from mesh.sources import Files, objects_in, with_lists_opened
from mesh.store import Store

DEFAULT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Expected:
    """What an object has to be for a change to be made; None for one that must not be there."""

    ref: Ref
    document: Document | None


class RuleBook:
    """The store and the control plane that reads it.

    Writing is one at a time; waiting for clients is not: an instance that dies while somebody waits for the
    clients of a rule must leave the mesh at once.
    """

    def __init__(self, store: Store, admin: Admin) -> None:
        self._store = store
        self._admin = admin
        self._one_at_a_time = asyncio.Lock()

    def objects(self) -> list[MeshObject]:
        """Everything in force."""
        return self._store.objects()

    async def apply(
        self,
        files: Files,
        timeout: float = DEFAULT_TIMEOUT,
        expected: Sequence[Expected] | None = None,
    ) -> Report:
        """Put every object in these texts in force, all or none, and wait for the clients it affects.

        Raises Refused with place and reason when the control plane does not take them; nothing is written
        then. `timeout` is in seconds. With `expected`, an object that is no more so is an error, Changed.
        """
        # In a thread: a large text takes a while, and an instance that dies meanwhile must leave the mesh.
        objects = await asyncio.to_thread(objects_in, files)
        async with self._one_at_a_time:
            self._compare(expected or ())
            texts = await asyncio.to_thread(with_lists_opened, files)
            verdict = await self._ask(self._admin.validate(texts))
            if not verdict.get("ok"):
                raise Refused("Refused; nothing was changed.", _lines(verdict, "errors"))
            now = await self._ask(self._admin.status())
            since, warnings = int(now["generation"]), _new_warnings(verdict, now)
            changes = self._store.plan(objects)
            outcomes = tuple(ObjectOutcome(c.object.title, c.verdict) for c in changes)
            changed = [c.object for c in changes if c.verdict != "unchanged"]
            if not changed:
                return Report(outcomes)
            before = {item.ref: self._store.get(item.ref) for item in changed}
            started = time.monotonic()
            self._store.write({item.ref: item for item in changed}.values())
            refusal = _lines(await self._ask(self._admin.reload()), "errors")
            if refusal:
                # Validation let it pass, loading did not: what was there before is put back.
                self._store.remove(ref for ref, item in before.items() if item is None)
                self._store.write(item for item in before.values() if item is not None)
                await self._reload_if_there()
                raise Refused("Refused; nothing was changed.", refusal)
        return await self._observed(outcomes, warnings, since, started, timeout)

    async def validate(self, files: Files) -> Verdict:
        """What the control plane would say to these texts; MeshError where they are no objects at all."""
        await asyncio.to_thread(objects_in, files)
        texts = await asyncio.to_thread(with_lists_opened, files)
        verdict = await self._ask(self._admin.validate(texts))
        now = await self._ask(self._admin.status())
        return Verdict(_lines(verdict, "errors"), _new_warnings(verdict, now))

    async def delete(
        self,
        refs: Sequence[Ref],
        timeout: float = DEFAULT_TIMEOUT,
        expected: Sequence[Expected] | None = None,
    ) -> Report:
        """Take these objects out of force and wait for the clients it affects; NotFound if one is missing.

        This needs no control plane: an object may be what keeps it from starting. With `expected`, an object
        that is no more so is an error, Changed.
        """
        async with self._one_at_a_time:
            self._compare(expected or ())
            there = {ref: self._store.get(ref) for ref in refs}
            missing = [ref for ref, item in there.items() if item is None]
            if missing:
                names = ", ".join(f"{ref.kind.lower()}/{ref.name}" for ref in missing)
                where = sorted({ref.namespace for ref in missing})
                raise NotFound(f"Not found in namespace {', '.join(where)}: {names}; nothing was deleted.")
            outcomes = tuple(
                ObjectOutcome(item.title, "deleted") for item in there.values() if item is not None
            )
            try:
                verdict = await self._admin.validate({}, remove=refs)
                now = await self._admin.status()
            except ControlPlaneGone as gone:
                self._remove(refs)
                unasked = f"nobody could be asked: {gone.message} It will not read this any more."
                return Report(outcomes, unobserved=unasked)
            since, warnings = int(now["generation"]), _new_warnings(verdict, now)
            started = time.monotonic()
            self._remove(refs)
            await self._reload_if_there()
        return await self._observed(outcomes, warnings, since, started, timeout)

    def _remove(self, refs: Sequence[Ref]) -> None:
        # Rules go before what they point at: the reverse of the order in which they came.
        self._store.remove(sorted(refs, key=lambda ref: ref.kind != "VirtualService"))

    def _compare(self, expected: Sequence[Expected]) -> None:
        for each in expected:
            found = self._store.get(each.ref)
            if (found.document if found is not None else None) != each.document:
                raise Changed(f"{each.ref.kind.lower()}/{each.ref.name} has been changed meanwhile.")

    async def publish(self, objects: Iterable[MeshObject]) -> None:
        """Write objects of the mesh's own; they count at once, or when the control plane is back."""
        async with self._one_at_a_time:
            self._store.write(objects)
            await self._reload_if_there()

    async def withdraw(self, refs: Iterable[Ref]) -> None:
        """Remove objects of the mesh's own; this counts at once, or when the control plane is back."""
        async with self._one_at_a_time:
            self._store.remove(refs)
            await self._reload_if_there()

    async def settle(self, timeout: float, since: int = 0) -> Report:
        """Wait until every connected client has answered to everything since this generation."""
        started = time.monotonic()
        return await self._observed((), (), since, started, timeout)

    async def generation(self) -> int | None:
        """The control plane's count of changes; None when it is not there."""
        try:
            return int((await self._admin.status())["generation"])
        except ControlPlaneGone:
            return None

    async def _reload_if_there(self) -> None:
        try:
            await self._admin.reload()
        except ControlPlaneGone:
            return  # it reads the whole directory when it starts

    async def _ask(self, question: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await question
        except ControlPlaneGone as gone:
            raise ControlPlaneGone(
                f"{gone.message} Nobody can check rules now; `python -m mesh start controlplane` starts it."
            ) from None
        return answer

    async def _observed(
        self,
        outcomes: tuple[ObjectOutcome, ...],
        warnings: tuple[str, ...],
        since: int,
        started: float,
        timeout: float,
    ) -> Report:
        try:
            answer = await self._admin.sync(since, timeout)
        except MeshError as error:
            return Report(
                outcomes,
                warnings=warnings,
                complete=False,
                timeout=timeout,
                unobserved=f"the rules are in force, but who has taken them is unknown: {error.message}",
            )
        clients = tuple(
            ClientOutcome(
                str(client["id"]),
                str(client["state"]),
                str(client.get("message") or ""),
                tuple(map(str, client.get("resources") or ())),
            )
            for client in answer["clients"]
        )
        return Report(
            outcomes,
            clients,
            milliseconds=(time.monotonic() - started) * 1000,
            complete=bool(answer["complete"]),
            timeout=timeout,
            warnings=warnings,
        )


def _new_warnings(verdict: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    """What this change brings on: what was so before is for `status` to say."""
    known = set(_lines(now, "warnings"))
    return tuple(line for line in _lines(verdict, "warnings") if line not in known)


def _lines(answer: dict[str, Any], key: str) -> tuple[str, ...]:
    return tuple(problem_line(problem) for problem in answer.get(key) or ())
