"""`mesh up`: start the mesh and stay, or leave it running in the background."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from mesh.cli.options import istiod_option, state_option
from mesh.errors import MeshError
from mesh.mesh import Mesh
from mesh.state import StateFolder
from mesh.status import ProcessStatus
from mesh.table import change_line, status_view

_INTERRUPTED = 130
_REFRESH = 1.0
_READY = "mesh: ready"
# SIGHUP is the terminal that closes: the mesh in it goes, as any program in it would.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class _Settings:
    config: str | None
    port: int
    xds_port: int
    admin_port: int
    state: str
    shared_address: bool
    istiod: str | None
    console: bool = True
    background: bool = False

    def mesh(self, on_change: Callable[[ProcessStatus], None]) -> Mesh:
        return Mesh(
            state=self.state,
            config=self.config,
            port=self.port,
            xds_port=self.xds_port,
            admin_port=self.admin_port,
            shared_address=self.shared_address,
            istiod=self.istiod,
            console=self.console,
            on_change=on_change,
        )

    def arguments(self) -> list[str]:
        given = ["--port", str(self.port), "--xds-port", str(self.xds_port)]
        given += ["--admin-port", str(self.admin_port), "--state", self.state]
        given += ["--config", self.config] if self.config is not None else []
        given += ["--istiod", self.istiod] if self.istiod is not None else []
        given += ["--shared-address"] if self.shared_address else []
        return given + ([] if self.console else ["--no-console"])


_port_type = click.IntRange(0, 65535)


@click.command()
@click.option(
    "--config",
    type=click.Path(exists=True),
    help="Istio YAML to start with, a folder or a file, instead of rules that send everybody to v1.",
)
@click.option("--port", type=_port_type, default=9080, show_default=True, help="Port of the page; 0 is any.")
@click.option(
    "--xds-port",
    type=_port_type,
    default=15010,
    show_default=True,
    help="Port of the control plane; 0 is any.",
)
@click.option(
    "--admin-port",
    type=_port_type,
    default=15014,
    show_default=True,
    help="Port on which the control plane answers questions; 0 is any.",
)
@click.option("--detach", is_flag=True, help="Return when all is ready, and leave the mesh running.")
@click.option("--shared-address", is_flag=True, help="Give instances ports of 127.0.0.1, not addresses.")
@click.option(
    "--console/--no-console", default=True, show_default=True, help="Show the lane console at /mesh."
)
@istiod_option
@click.option("--background", is_flag=True, hidden=True)
@state_option
def up(
    config: str | None,
    port: int,
    xds_port: int,
    admin_port: int,
    detach: bool,
    shared_address: bool,
    console: bool,
    istiod: str | None,
    background: bool,
    state: str,
) -> int:
    """Start the control plane and every version of every service, and stay until Ctrl-C."""
    settings = _Settings(
        config, port, xds_port, admin_port, state, shared_address, istiod, console, background
    )
    if detach:
        return _detached(settings)
    return asyncio.run(_Foreground(settings, Console()).run())


class _Foreground:
    """The mesh in this process: a table that stays true, or a line per change without a terminal."""

    def __init__(self, settings: _Settings, console: Console) -> None:
        self._background = settings.background
        self._console = console
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._mesh = settings.mesh(self._on_change)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        ends = [asyncio.create_task(self._stop.wait()), asyncio.create_task(self._mesh.down_requested.wait())]
        table = asyncio.create_task(self._show_table())
        try:
            opened = await self._open((*ends, table))
            if opened:
                self._announce()
                await asyncio.wait((*ends, table), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            try:
                await self._mesh.close()
            finally:
                self._over.set()
                self._changed.set()
                await asyncio.wait((table,))
        table.result()
        if not opened:
            self._say("Interrupted while starting; everything is stopped.")
            return _INTERRUPTED
        self._say(f"The mesh is down; its logs are in {self._mesh.state}/logs.")
        return 0

    async def _open(self, ends: tuple[asyncio.Task[Any], ...]) -> bool:
        """Whether the mesh has opened; False when something ended it before; nothing is left of it then."""
        opening = asyncio.create_task(self._mesh.open())
        await asyncio.wait((opening, *ends), return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
        await asyncio.wait((opening,))
        if opening.cancelled():
            return False
        opening.result()
        return True

    async def _show_table(self) -> None:
        if not self._console.is_terminal:
            await self._over.wait()
            return
        with Live("Starting ...", console=self._console, auto_refresh=False) as live:
            over = False
            while not over:
                # What a client has taken changes without any process changing, so look once a second, too.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _REFRESH)
                self._changed.clear()
                # The last frame stays on the screen: it must not call ready what has been stopped meanwhile.
                over = self._over.is_set()
                live.update(await self._view(), refresh=True)

    async def _view(self) -> RenderableType:
        try:
            return status_view(await self._mesh.status())
        except MeshError as error:
            return Text(error.message)

    def _announce(self) -> None:
        if self._console.is_terminal:
            return
        self._say(f"page {self._mesh.url}/productpage")
        if (console := self._mesh.console) is not None:
            self._say(_of_console(console, f"{self._mesh.url}/mesh"))
        self._say(f"control plane {self._mesh.xds_address}")
        for limit in self._mesh.limits:
            self._say(f"limit: {limit}")
        self._say(_READY)
        if self._background:
            # Whoever started us reads no further; what there is to say goes to a log from now on.
            log = os.open(self._mesh.state.logs / "mesh.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)

    def _on_change(self, status: ProcessStatus) -> None:
        self._changed.set()
        if not self._console.is_terminal:
            self._say(change_line(status))

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._say("Killing what is left.")
            self._mesh.kill_everything()
        self._stop.set()

    def _say(self, line: str) -> None:
        # A terminal that has been closed must not keep the mesh from ending as it should.
        with contextlib.suppress(OSError):
            click.echo(line)


def _of_console(console: ProcessStatus, url: str) -> str:
    """Where the lane console is, or how far: nothing else waits for it."""
    if console.phase == "ready":
        return f"lane console {url}"
    if console.phase == "starting":
        return f"lane console is starting: {url}; `python -m mesh status` says when it is ready"
    return f"lane console {console.text}; `python -m mesh start {console.name}` starts it again"


def _detached(settings: _Settings) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "mesh", "up", "--background", *settings.arguments()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.rstrip("\n") == _READY:
                click.echo(f"The mesh is up; its logs are in {StateFolder(settings.state)}/logs.")
                return 0
            click.echo(line, nl=False)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return _INTERRUPTED
    return process.wait() or 1
