"""The process group of a mesh: when the supervisor goes, however it goes, every child goes with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

# It waits for the end of its input, which comes when the supervisor has closed the pipe or is no more,
# and then ends its whole group, itself included. The pipe is the kernel's promise: no signal handler, atexit
# or PR_SET_PDEATHSIG is needed, and it holds on every Unix. It is a group's leader and not a list of process
# ids, so a child that was just being started cannot be missed.
_WATCH = 'trap "" INT TERM HUP QUIT; while read -r _; do :; done; kill -9 0'
MARK = "PROXYLESS_MESH_STATE"


class ProcessGroup:
    """A leader that lives exactly as long as the supervisor; children join it with `process_group=id`."""

    def __init__(self, state: Path) -> None:
        self._leader = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
            env={**os.environ, MARK: str(state)},
        )

    @property
    def id(self) -> int:
        """The process group's id."""
        return self._leader.pid

    def close(self) -> None:
        """End whatever is left of the group at once."""
        if self._leader.stdin is not None:
            self._leader.stdin.close()
        self._leader.wait()


def end_leftovers(group: int, state: Path) -> list[int]:
    """Kill what a crashed mesh left running, should even its group's leader have been killed; the ids killed.

    A process counts as left over only if it is in the group AND carries this state folder's mark: ids are
    used again by strangers. Looks at /proc; elsewhere the leader alone has to do.
    """
    wanted = f"{MARK}={state}".encode()
    killed: list[int] = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(directory.name)
            if os.getpgid(pid) != group:
                continue
            if wanted in (directory / "environ").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        except (OSError, ValueError):
            continue  # gone meanwhile, or not ours to look at
    return killed


async def wait_group_gone(group: int, timeout: float = 5.0) -> None:
    """Return when no process of this group is left, or after `timeout` seconds: it is a stranger's then."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while loop.time() < deadline:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        await asyncio.sleep(0.02)
