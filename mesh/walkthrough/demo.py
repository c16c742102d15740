"""Plays the walkthrough: prints what is seen, says which step went wrong, leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mesh.addresses import bind_error
from mesh.errors import MeshError
from mesh.istiod import version_of
from mesh.mesh import Mesh
from mesh.status import MeshStatus
from mesh.table import status_view
from mesh.walkthrough import changes, colours, http, why
from mesh.walkthrough.door import Door
from mesh.walkthrough.local import Local
from mesh.walkthrough.outcome import Outcome, Stage, Step
from mesh.walkthrough.playing import Playing

INTERRUPTED = 130
_START = "Bookinfo starts: a control plane, and every version as a process of its own"
STEPS: tuple[Step, ...] = (
    Step("The canary rules of the Go bookinfo demo", colours.canary),
    Step("200 requests without a colour", colours.split),
    Step("Requests of the lane dev", colours.coloured),
    Step("A second lane, and baggage with other members", colours.members),
    Step("A lane without reviews: base there, and the lane again behind it", colours.permissive),
    Step("The same lane, strict", colours.strict),
    Step("A rule edited live", changes.edit),
    Step("An instance killed under load", changes.instance_killed),
    Step("The control plane killed and started again under load", changes.control_plane_killed),
    Step("A service that speaks HTTP, in the middle of a chain", http.delivery, local=True),
    Step("Why a call goes where it goes", why.explain),
)


async def run_demo(
    console: Console, state: Path | None = None, steps: Sequence[Step] = STEPS, istiod: Path | None = None
) -> int:
    """Play the steps on a mesh of their own; 0 only if every one of them was as it should be.

    The state folder is a temporary one unless given; with a failed step its logs are kept. With `istiod` the
    control plane is that stock Istiod.
    """
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    folder = state or Path(tempfile.mkdtemp(prefix="mesh-demo-"))
    playing = Playing(console)
    try:
        await _play(console, playing, folder, steps, istiod)
    except asyncio.CancelledError:
        console.print("Interrupted; everything is stopped.")
        return INTERRUPTED
    except MeshError as error:
        playing.break_off(error)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
        if not playing.failed and state is None:
            shutil.rmtree(folder, ignore_errors=True)
    if playing.conclude():
        return 0
    if (folder / "logs").is_dir():
        console.print(f"The logs are in {folder}/logs.")
    return 1


async def _play(
    console: Console, playing: Playing, folder: Path, steps: Sequence[Step], istiod: Path | None
) -> None:
    """Start, play, stop, look at what is left."""
    playing.begin(_START)
    if istiod is not None:
        console.print(Text(f"    The control plane is a stock Istiod, {version_of(istiod)}."), soft_wrap=True)
    mesh = Mesh(state=folder, port=0, xds_port=0, admin_port=0, istiod=istiod)
    async with mesh, Door(mesh.url) as door:
        status = await mesh.status()
        console.print(status_view(status))
        playing.end(Outcome(True, ()))
        for step in steps:
            await playing.play(step, Stage(Local(mesh), door))
        last = await mesh.status()
    playing.begin("Nothing is left")
    playing.end(left_behind(last, _pids(last) | _pids(status)))


def left_behind(status: MeshStatus, pids: set[int]) -> Outcome:
    """Whether a process or a listening port of the mesh is left."""
    living = [pid for pid in sorted(pids) if _lives(pid)]
    addresses = [process.address for process in status.processes]
    addresses.append(status.admin_url.removeprefix("http://"))
    taken = [address for address in addresses if _taken(address)]
    seen = [f"{len(pids)} processes have ended, {len(addresses)} ports are free"]
    if living or taken:
        seen = [f"not as it should be: processes {living} and ports {taken} are left"]
    return Outcome(not living and not taken, tuple(seen))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _taken(address: str) -> bool:
    ip, _, port = address.rpartition(":")
    return bool(bind_error(ip, int(port)))


def _pids(status: MeshStatus) -> set[int]:
    return {process.pid for process in status.processes if process.pid is not None}
