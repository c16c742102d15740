"""One supervised child process: its start, the line with which it says it is ready, its log, its end."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from mesh.errors import MeshError

_TAIL_LINES = 20
_CHUNK = 65536
_LONGEST_LINE = 1 << 20


class Lines:
    """Bytes as they come, cut into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete; a line without end is cut at a megabyte."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            whole.append(self._rest)
            self._rest = b""
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole]


def last_words(lines: Sequence[str]) -> list[str]:
    """What a process said last: its last line that says something, and the one above it that it belongs to.

    Istiod ends with a sentence, a list below it, and blank lines.
    """
    said = [line for line in lines if line.strip()]
    first = next((i for i in reversed(range(len(said))) if not said[i][0].isspace()), 0)
    return [line.strip() for line in said[first:]]


class Child:
    """A running child process. `ready` and `waiting` resolve to the line saying so, `exited` to its code."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        is_ready: Callable[[str], bool],
        is_waiting: Callable[[str], bool],
        log: Path,
    ) -> None:
        self._process = process
        self._is_ready = is_ready
        self._is_waiting = is_waiting
        self.log = log
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[str] = loop.create_future()
        self.waiting: asyncio.Future[str] = loop.create_future()
        self.exited: asyncio.Future[int] = loop.create_future()
        self.lost_bytes = 0
        """Output that could not be logged, on a full disk, say; the child must not block on it."""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._watch = asyncio.create_task(self._run(), name=f"child {process.pid}")

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        group: int,
        log: Path,
        is_ready: Callable[[str], bool],
        is_waiting: Callable[[str], bool],
        directory: str | None = None,
    ) -> Child:
        """Start a process in this process group, with its output going to the end of `log`."""
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=dict(env),
                cwd=directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                process_group=group,
            )
        except OSError as error:
            raise MeshError(f"{argv[0]} cannot be started: {error.strerror}.") from None
        return cls(process, is_ready, is_waiting, log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return not self.exited.done()

    @property
    def tail(self) -> list[str]:
        """The last lines it wrote."""
        return list(self._tail)

    async def until_ready(self, timeout: float) -> bool:
        """Return when it has said that it is ready, or waits, or has ended; False when none came in time."""
        any_of = (self.ready, self.waiting, self.exited)
        done, _ = await asyncio.wait(any_of, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    async def until_over_or_ready(self) -> None:
        """Return when it has said that it is ready or has ended, however long that takes."""
        await asyncio.wait((self.ready, self.exited), return_when=asyncio.FIRST_COMPLETED)

    def says_ready(self) -> None:
        """Take it for ready, whatever it says itself."""
        if not self.ready.done():
            self.ready.set_result("")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended already."""
        if self.alive:
            # Its end may be known to the loop before its last lines are read.
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self, grace: float) -> int:
        """SIGTERM, then after `grace` seconds SIGKILL; the return code."""
        self.signal(signal.SIGTERM)
        await asyncio.wait((self.exited,), timeout=grace)
        self.signal(signal.SIGKILL)
        return await asyncio.shield(self.exited)

    async def _run(self) -> None:
        assert self._process.stdout is not None
        lines = Lines()
        with self.log.open("ab", buffering=0) as log:
            while data := await self._process.stdout.read(_CHUNK):
                self._take(data, lines, log)
        self.exited.set_result(await self._process.wait())

    def _take(self, data: bytes, lines: Lines, log: IO[bytes]) -> None:
        try:
            log.write(data)
        except OSError:
            self.lost_bytes += len(data)
        for line in lines.feed(data):
            self._tail.append(line)
            if not self.ready.done() and self._is_ready(line):
                self.ready.set_result(line)
            if not self.waiting.done() and self._is_waiting(line):
                self.waiting.set_result(line)
