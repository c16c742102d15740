"""What an instance notes stays, however it ends."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from .book import Attempt, Hop
from .notes import read

_NOTES_AND_DIES = """
import os, signal, sys
from pathlib import Path
from tests.chaos.book import Hop
from tests.chaos.notes import Notes

notes = Notes(Path(sys.argv[1]))
notes.add(sys.argv[2], Hop("back", "v2", "back-v2-7", "dev"))
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_what_was_noted_is_there_after_a_kill_and_before_what_comes_after_it(tmp_path: Path) -> None:
    began = time.monotonic()
    for number in ("7", "8"):
        argv = (sys.executable, "-c", _NOTES_AND_DIES, str(tmp_path / "back-v2-7"), number)
        process = await asyncio.create_subprocess_exec(*argv, cwd=Path(__file__).parents[2])
        assert await process.wait() == -signal.SIGKILL
    first, second = read(tmp_path, began)
    hop = Hop("back", "v2", "back-v2-7", "dev")
    assert first == Attempt(7, hop, first.arrived)
    assert second == Attempt(8, hop, second.arrived)
    assert 0 < first.arrived < second.arrived < time.monotonic() - began
