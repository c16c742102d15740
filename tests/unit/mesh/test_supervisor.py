"""The console beside the instances: its late start, or its end, is nobody else's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mesh import plane, supervisor
from mesh.cli.up import _of_console
from mesh.console import ConsoleProgram
from mesh.group import ProcessGroup
from mesh.state import StateFolder
from mesh.status import ProcessStatus
from mesh.supervisor import STOP_GRACE, Supervisor
from serving.settings import DRAIN_TIMEOUT

SERVES = "print('console: serves http://x/mesh', flush=True); time.sleep(600)"


@pytest_asyncio.fixture
async def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A supervisor of nothing but a console, which is this program."""
    monkeypatch.setattr(supervisor, "_CONSOLE_PATIENCE", 0.2)
    state = StateFolder(tmp_path / "state")
    state.acquire()
    state.prepare()
    group = ProcessGroup(state.path)
    all_made: list[Supervisor] = []

    def make(code: str) -> Supervisor:
        argv = [sys.executable, "-c", code]
        monkeypatch.setattr(ConsoleProgram, "argv", property(lambda _: argv))
        nobody: Any = None
        made = Supervisor(
            state=state,
            group=group.id,
            rules=nobody,
            services=(),
            addresses=nobody,
            plane=plane.embedded(state.config, 1, 2),
            xds_address="127.0.0.1:1",
            changed=lambda _: None,
            console=ConsoleProgram(state.path, 1),
        )
        all_made.append(made)
        return made

    yield make
    group.close()
    for each in all_made:
        await each.stop()
    state.release()


async def test_nobody_waits_for_a_console_that_is_late(made: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n{SERVES}"
    it = made(code)
    async with asyncio.timeout(30):
        await it.start_instances()
        assert it.console.status().phase == "starting"
        go.touch()
        assert (await it.console.until("ready")).phase == "ready"


async def test_a_console_that_ends_fails_nobody(made: Any) -> None:
    it = made("raise SystemExit('no')")
    async with asyncio.timeout(30):
        await it.start_instances()
        assert (await it.console.until("died")).text == "died (exit 1)"


async def test_the_end_does_not_wait_for_a_console_that_never_serves(made: Any) -> None:
    it = made("import time; time.sleep(600)")
    await it.start_instances()
    async with asyncio.timeout(STOP_GRACE):
        await it.stop()
    assert not it.console.alive


def test_a_drain_is_not_cut_short() -> None:
    assert DRAIN_TIMEOUT.read({}) < STOP_GRACE


def test_how_far_the_console_is() -> None:
    url, at = "http://127.0.0.1:9080/mesh", "127.0.0.1:1"
    assert _of_console(ProcessStatus("console", at, "ready", 1), url) == f"lane console {url}"
    starting = _of_console(ProcessStatus("console", at, "starting", 1), url)
    assert starting.startswith(f"lane console is starting: {url};")
    died = _of_console(ProcessStatus("console", at, "died", None, 1), url)
    assert died == "lane console died (exit 1); `python -m mesh start console` starts it again"
