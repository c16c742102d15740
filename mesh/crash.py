"""What to do when the last mesh of a folder did not get to clean up after itself."""

from __future__ import annotations

import asyncio

from mesh.group import end_leftovers, wait_group_gone
from mesh.state import StateFolder


async def end_last_run(state: StateFolder) -> bool:
    """End what a crashed mesh left running; False when the last one ended as it should."""
    last = state.read_run()
    if last is None:
        return False
    end_leftovers(last.group, state.path)
    # The group ends itself when its supervisor dies, but not in the same instant; then its ports are free.
    await wait_group_gone(last.group)
    return True


def clean_up(state: StateFolder) -> bool:
    """Remove every trace of a crashed mesh but its logs; False when there was none."""
    if state.read_run() is None:
        return False
    with state.held():
        found = asyncio.run(end_last_run(state))
        state.clear()
    return found
