"""The walkthrough of `make demo`, played on a cluster."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from rich.console import Console

from deploy.cluster.mesh import ClusterMesh, Where, cluster_mesh
from mesh.errors import MeshError
from mesh.walkthrough.demo import INTERRUPTED
from mesh.walkthrough.demo import STEPS as ALL_STEPS
from mesh.walkthrough.door import Door
from mesh.walkthrough.outcome import Notes, Outcome, Stage, Step
from mesh.walkthrough.playing import Playing

STEPS = tuple(step for step in ALL_STEPS if not step.local)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_cluster_demo(console: Console, where: Where, steps: Sequence[Step] = STEPS) -> int:
    """Play the steps on bookinfo as it stands there; 0 only if every one of them was as it should be.

    The rules are put back at the end, and whatever was ended is brought back, also after Ctrl-C.
    """
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    playing = Playing(console)
    playing.begin("Bookinfo in the cluster")
    try:
        async with cluster_mesh(where) as mesh, Door(mesh.url) as door:
            playing.end(await _look(mesh, door))
            for step in steps if not playing.failed else ():
                await playing.play(step, Stage(mesh, door))
            playing.begin("The rules are put back")
        playing.end(Outcome(True, ()))
    except asyncio.CancelledError:
        console.print("Interrupted; the rules are put back, and nothing is away.")
        return INTERRUPTED
    except MeshError as error:
        playing.break_off(error)
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
    return 0 if playing.conclude() else 1


async def _look(mesh: ClusterMesh, door: Door) -> Outcome:
    """Whether all of it is there and answers."""
    notes = Notes()
    notes.see(f"namespace {mesh.namespace} of {mesh.cluster}")
    for line in await mesh.ready():
        notes.see(line)
    visit = await door.visit()
    for path in visit.paths:
        notes.see(path)
    notes.expect(visit.ok, "; ".join(visit.errors))
    return notes.outcome()
