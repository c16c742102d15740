"""The configuration directory: loading it, and noticing that it changed."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import watchfiles

from controlplane.loader import SUFFIXES, Loaded, load_texts, read_directory
from controlplane.problems import Problem
from controlplane.state import State

DEBOUNCE_MS = 40
STEP_MS = 10
"""watchfiles waits until nothing has changed for a step, and no longer than the debounce time: a change is
to be live in under 100 ms, and its defaults (1600 and 50) would not do."""

LOOK_MS = 500
"""How often to look whether the directory is still the one that is watched: its going is no event."""

RETRY_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Directory:
    """Feeds a State from a directory. A load never awaits, so loads do not overlap."""

    def __init__(self, path: Path, state: State) -> None:
        self.path = path
        self._state = state
        self._last: tuple[dict[str, str], list[Problem]] | None = None

    def load(self) -> None:
        """Read the directory now and apply it; the same bytes as last time change nothing."""
        found = read_directory(self.path)
        if found == self._last:
            return
        self._last = found
        texts, problems = found
        loaded = load_texts(texts)
        errors = tuple(sorted((*problems, *loaded.errors)))
        self._state.apply(Loaded(loaded.objects, errors, loaded.warnings))

    async def watch(self, stop: asyncio.Event) -> None:
        """Load whenever something in the directory changes, until `stop` is set."""
        while not stop.is_set():
            try:
                await self._watch(stop)
            except (OSError, RuntimeError) as error:
                # Deleted, or out of inotify watches. Look for it again and again: it may come back.
                _log.debug("cannot watch %s: %s", self.path, error)
                self.load()
                await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, stop: asyncio.Event) -> None:
        watched = self.path.stat().st_ino
        changes = watchfiles.awatch(
            self.path,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            stop_event=stop,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
        )
        fresh = True
        async for batch in changes:
            # The first time in any case, for what changed before the watch stood. A name without a suffix may
            # be a folder that came with files in it.
            if fresh or any(path.endswith(SUFFIXES) or not Path(path).suffix for _, path in batch):
                self.load()
            fresh = False
            if self.path.stat().st_ino != watched:
                return  # another directory by the same name
