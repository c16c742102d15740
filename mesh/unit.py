"""One process of the mesh through its lives: started, ready, killed, started again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh.errors import MeshError
from mesh.process import Child, last_words
from mesh.status import ALIVE, Phase, ProcessStatus, describe_exit

START_TIMEOUT = 60.0
DRAIN_TIMEOUT = 30.0
# One start in three of a stock Istiod is not sound: so many in a row happen once in 500,000.
_STARTS = 12
_DRAINING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def nothing() -> None:
    """The hook of a unit that has nothing to do."""


def no_line(_: str) -> bool:
    """The waiting line of a process that never waits."""
    return False


class Unit:
    """A process by its name; `on_up` runs when it is ready, `on_down` when it must get no more calls."""

    def __init__(
        self,
        name: str,
        address: str,
        *,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        group: int,
        is_ready: Callable[[str], bool],
        is_waiting: Callable[[str], bool] = no_line,
        is_sound: Callable[[], Awaitable[bool]] | None = None,
        changed: Callable[[ProcessStatus], None],
        on_up: Callable[[], Awaitable[None]] = nothing,
        on_down: Callable[[], Awaitable[None]] = nothing,
        answers: Callable[[], Coroutine[Any, Any, None]] | None = None,
        command: str = "",
        admin: str = "",
        directory: str | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> None:
        self.name = name
        self.address = address
        self.log = log
        self._argv = argv
        self._env = env
        self._group = group
        self._is_ready = is_ready
        self._is_waiting = is_waiting
        """Whether a line says that the process can serve only when its user has done something."""
        self._is_sound = is_sound
        """Asked of a process that is ready; one that is not sound is ended and started anew."""
        self._changed = changed
        self._on_up = on_up
        self._on_down = on_down
        self._answers = answers
        """Returns when the process can be called, for one that does not say so itself."""
        self._command = command
        self._admin = admin
        self._directory = directory
        self._start_timeout = start_timeout
        self._phase: Phase = "stopped"
        self._exit_code: int | None = None
        self._child: Child | None = None
        self._end: asyncio.Task[None] | None = None
        self._late: asyncio.Task[None] | None = None
        self._wanted: Phase | None = None
        """What the end of the process will be called if we asked for it; None while we want it to live."""
        self._one_at_a_time = asyncio.Lock()
        self._moved = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._phase in ALIVE

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self._phase == "ready"

    def status(self) -> ProcessStatus:
        """What is true of it now."""
        pid = self._child.pid if self._child is not None and self.alive else None
        return ProcessStatus(
            self.name,
            self.address,
            self._phase,
            pid,
            self._exit_code,
            command=self._command,
            admin=self._admin,
        )

    async def until(self, phase: Phase) -> ProcessStatus:
        """Wait until it is in this phase and the mesh knows; its status then."""
        while self._phase != phase:
            await self._moved.wait()
        if not self.alive:
            await self._until_over()
        return self.status()

    async def start(self) -> None:
        """Start it and return when it is ready; MeshError with its last words when it ends before.

        One that waits for its user is a MeshError, too, and runs on: it is ready as soon as it says so.
        """
        async with self._one_at_a_time:
            if self.alive:
                raise MeshError(f"{self.name} is running already (process {self.status().pid}).")
            for more in reversed(range(_STARTS)):
                child = await self._launch()
                if self._is_sound is None or await self._still(child, self._is_sound()):
                    self._enter("ready")
                    await self._on_up()
                    return
                self._wanted = wanted = "starting" if more else "killed"
                child.signal(signal.SIGKILL)
                await self._until_over()
                if self._wanted != wanted:
                    raise self._ended(child)
            raise MeshError(f"{self.name} started {_STARTS} times and was never fit to serve.")

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> ProcessStatus:
        """Send a signal; with one that ends the process, return when it has ended.

        SIGTERM drains: the instance is taken out of the mesh first and told to go then.
        """
        async with self._one_at_a_time:
            child = self._child
            if child is None or not self.alive or self._end is None:
                raise MeshError(f"{self.name} is not running; `python -m mesh start {self.name}` starts it.")
            if number == signal.SIGKILL:
                self._wanted = "killed"
                child.signal(number)
                await self._until_over()
            elif number in _DRAINING_SIGNALS:
                await self._drain(child, number, self._end)
            else:
                child.signal(number)
            return self.status()

    async def stop(self, grace: float) -> None:
        """End it for good: SIGTERM, and SIGKILL after `grace` seconds."""
        self._wanted = "stopped"
        if self._child is not None and self._child.alive:
            await self._child.stop(grace)
        if self._end is not None:
            await self._end

    async def _launch(self) -> Child:
        self._wanted = None
        self._exit_code = None
        child = await Child.spawn(
            self._argv,
            env=self._env,
            group=self._group,
            log=self.log,
            is_ready=self._is_ready,
            is_waiting=self._is_waiting,
            directory=self._directory,
        )
        self._child = child
        self._enter("starting")
        self._end = asyncio.create_task(self._until_end(child), name=f"end of {self.name}")
        if not await self._until_ready(child):
            await self._give_up(child)
        if not child.alive:
            await self._until_over()
            raise self._ended(child)
        if not child.ready.done():
            self._late = asyncio.create_task(self._until_late(child), name=f"late start of {self.name}")
            raise MeshError(f"{self.name} runs, but does not serve yet.", [child.waiting.result()])
        return child

    async def _until_late(self, child: Child) -> None:
        await child.until_over_or_ready()
        if child.alive and self._phase == "starting":
            self._enter("ready")
            await self._on_up()

    async def _until_over(self) -> None:
        """Wait for the end of the process, and until the mesh knows."""
        if self._end is not None:
            await asyncio.shield(self._end)

    async def _still(self, child: Child, question: Awaitable[bool]) -> bool:
        """The answer, if the process lives to give it; MeshError with its last words if not."""
        try:
            return await question
        except MeshError:
            if child.alive:
                raise
            raise self._ended(child) from None

    def _ended(self, child: Child) -> MeshError:
        return MeshError(
            f"{self.name} ended ({describe_exit(child.exited.result())}) instead of serving; "
            f"its log is {self.log}.",
            last_words(child.tail),
        )

    async def _until_ready(self, child: Child) -> bool:
        if self._answers is None:
            return await child.until_ready(self._start_timeout)
        called = asyncio.create_task(self._answers(), name=f"first call of {self.name}")
        called.add_done_callback(lambda task: None if task.cancelled() else child.says_ready())
        try:
            return await child.until_ready(self._start_timeout)
        finally:
            called.cancel()

    async def _give_up(self, child: Child) -> None:
        self._wanted = "killed"
        child.signal(signal.SIGKILL)
        await self._until_over()
        seconds = f"{self._start_timeout:g} s"
        raise MeshError(
            f"{self.name} did not say within {seconds} that it serves; the machine may be slow: try again. "
            f"Its log is {self.log}.",
            last_words(child.tail),
        )

    async def _drain(self, child: Child, number: signal.Signals, end: asyncio.Task[None]) -> None:
        self._wanted = "stopped"
        self._enter("draining")
        await self._on_down()
        child.signal(number)
        done, _ = await asyncio.wait((end,), timeout=DRAIN_TIMEOUT)
        if not done:
            raise MeshError(
                f"{self.name} is still draining after {DRAIN_TIMEOUT:g} s; "
                f"`python -m mesh kill {self.name} --signal KILL` ends it."
            )

    async def _until_end(self, child: Child) -> None:
        self._exit_code = await asyncio.shield(child.exited)
        was_in_mesh = self._phase in ("ready", "starting")
        self._enter(self._wanted or "died")
        if was_in_mesh:
            await self._on_down()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._moved.set()
        self._moved = asyncio.Event()
        self._changed(self.status())
