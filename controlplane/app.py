"""The control plane as one thing that is started and stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from controlplane.admin import AdminServer
from controlplane.ads_server import AdsServer, check_port
from controlplane.directory import Directory
from controlplane.state import State

ADMIN_HOST = "127.0.0.1"
"""The admin port has no credentials, so it is never on anything but loopback."""


class ControlPlane:
    """A directory served over ADS, with an admin port; an async context manager. Port 0 is any free port.

    The ADS port opens when the directory has been sound once: a client that keeps its routes while nobody
    answers would drop them all for the empty world of a control plane that could not read its files.
    """

    def __init__(
        self, config: Path, *, host: str = "127.0.0.1", port: int = 15010, admin_port: int = 15014
    ) -> None:
        self.host = host
        self.port = port
        self.admin_port = admin_port
        self.state = State()
        self.directory = Directory(config, self.state)
        self._ads = AdsServer(self.state)
        self._admin = AdminServer(self.state, self.directory)
        self._stop = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the directory and listen: at once, or when `serving` returns. Raises PortError."""
        try:
            check_port(self.host, self.port)
            self.admin_port = await self._admin.start(ADMIN_HOST, self.admin_port)
            self.directory.load()
            self._watching = asyncio.create_task(self.directory.watch(self._stop))
            await asyncio.sleep(
                0
            )  # the watch stands now; what was changed before it did, the next line loads
            self.directory.load()
            self._opening = asyncio.create_task(self._open())
            if self.state.sound.is_set():
                await self.serving()
        except BaseException:
            await self.stop()
            raise

    async def serving(self) -> None:
        """Wait until clients can be served. Raises PortError."""
        assert self._opening is not None  # start() comes first
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        await self.state.sound.wait()
        self.port = await self._ads.start(self.host, self.port)
        self._admin.ready = True

    async def stop(self) -> None:
        """End every stream and free the ports."""
        self._stop.set()
        self.state.moved()
        for task in (self._opening, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._ads.stop()
        await self._admin.stop()

    async def __aenter__(self) -> ControlPlane:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
