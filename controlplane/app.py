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
    """A directory served over ADS, with an admin port; an async context manager. Port 0 is any free port."""

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

    async def start(self) -> None:
        """Load the directory and listen. Raises PortError."""
        try:
            check_port(self.host, self.port)
            self.admin_port = await self._admin.start(ADMIN_HOST, self.admin_port)
            self.directory.load()
            self.port = await self._ads.start(self.host, self.port)
        except BaseException:
            await self.stop()
            raise
        self._watching = asyncio.create_task(self.directory.watch(self._stop))
        await asyncio.sleep(
            0
        )  # the watch stands now; what was changed before it did is loaded by the next line
        self.directory.load()
        self._admin.ready = True

    async def stop(self) -> None:
        """End every stream and free the ports."""
        self._stop.set()
        self.state.moved()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._ads.stop()
        await self._admin.stop()

    async def __aenter__(self) -> ControlPlane:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
